/* SPDX-License-Identifier: MIT
 * edit.h - surgery on a model's graph; see sct_strategy_host.edit_begin. */
#ifndef SCT_PEFT_EDIT_H
#define SCT_PEFT_EDIT_H

#include "core/ir/model.h"

struct sct_builder *sct_edit_begin(struct sct_model *m, const struct sct_site *site);
sct_status sct_edit_commit(struct sct_model *m, sct_val v, sct_error *err);

#endif
