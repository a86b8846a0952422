/* SPDX-License-Identifier: MIT
 * spt_toy.h - what the tests of SPT share: the tiny ViT of tools/golden/make_sensitivity.py. */
#ifndef SCT_TEST_SPT_TOY_H
#define SCT_TEST_SPT_TOY_H

#include "core/model/build.h"
#include "core/peft/host.h"
#include "plugins/spt_plan.h"

#define HOST sct_strategy_host_table()

extern const struct sct_model_config spt_toy;

/* The options' defaults. */
struct spt_options spt_defaults(void);
/* The candidates of a model with random weights; the caller ends it by spt_plan_fini. */
struct spt_plan spt_candidates(const struct sct_model_config *c, const struct spt_options *o);

#endif
