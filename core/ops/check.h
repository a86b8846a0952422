/* SPDX-License-Identifier: MIT
 * check.h - what the shape inferences of this folder ask of their inputs and parameters.
 * Every function returns SCT_EINVAL and says what was expected and what was found. */
#ifndef SCT_OPS_CHECK_H
#define SCT_OPS_CHECK_H

#include "core/ir/op.h"

/* Inputs first .. end - 1, as far as they are there, are f32. */
sct_status sct_check_f32(const struct sct_infer *i, uint32_t first, uint32_t end);
/* in[j] has exactly nd dimensions; form says which, "[B][N][C]". */
sct_status sct_check_nd(const struct sct_infer *i, uint32_t j, const char *what, uint32_t nd,
                        const char *form);
/* in[j] is f32 and has at least one dimension. */
sct_status sct_check_rows(const struct sct_infer *i, uint32_t j, const char *what);
/* in[j] has exactly these dimensions. */
sct_status sct_check_dims(const struct sct_infer *i, uint32_t j, const char *what, uint32_t nd,
                          const uint32_t *dim);
/* in[j] has the dimensions of in[like]. */
sct_status sct_check_like(const struct sct_infer *i, uint32_t j, const char *what,
                          uint32_t like);
/* in[j] has the dimensions of in[like], except for the last, which is `last`. */
sct_status sct_check_like_rows(const struct sct_infer *i, uint32_t j, const char *what,
                               uint32_t like, uint32_t last);
/* in[j] is i32 [K] with K <= total (positions are distinct). */
sct_status sct_check_index(const struct sct_infer *i, uint32_t j, uint64_t total);
/* nd of a parameter struct fits a description. */
sct_status sct_check_param_nd(const struct sct_infer *i, uint32_t nd);
/* lo <= value <= hi; not a NaN. */
sct_status sct_check_param(const struct sct_infer *i, const char *name, float value, float lo,
                           float hi);

#endif
