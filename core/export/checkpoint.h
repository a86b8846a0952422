/* SPDX-License-Identifier: MIT
 * checkpoint.h - the weights of a model as a safetensors file in the names of a dialect: the
 * table of core/model/dialect.h read backwards. Thread rule: one thread at a time. */
#ifndef SCT_EXPORT_CHECKPOINT_H
#define SCT_EXPORT_CHECKPOINT_H

#include "core/checkpoint/safetensors.h"
#include "core/export/merge.h"
#include "core/model/dialect.h"

/* Writes every parameter of `plain` with the values that merge gives it. dtype: SCT_ST_F32,
 * SCT_ST_F16 or SCT_ST_BF16, rounded to nearest even. The file is complete or not there.
 * EUSAGE: the dialect has no name for a tensor, or a value is beyond the range of F16 (both are
 * named); otherwise as sct_merge_load and sct_st_write. */
sct_status sct_export_checkpoint(const char *path, const struct sct_dialect *d,
                                 const struct sct_model *plain, const struct sct_merge *merge,
                                 uint32_t dtype, sct_error *err);

#endif
