/* SPDX-License-Identifier: MIT
 * linear.h - the shape rule of LINEAR and LINEAR_DX, which the fused ops share.
 * Positions are arguments because a fused op has its operands elsewhere. */
#ifndef SCT_OPS_LINEAR_H
#define SCT_OPS_LINEAR_H

#include "core/ir/op.h"

/* x = in[x] [..][in], in[w] [out][in], in[bias] [out] if bias < n_in; fills *y with [..][out].
 */
sct_status sct_linear_shape(const struct sct_infer *i, uint32_t x, uint32_t w, uint32_t bias,
                            struct sct_desc *y);
/* dy = in[dy] [..][out], in[w] [out][in]; fills *dx with [..][in]. */
sct_status sct_linear_dx_shape(const struct sct_infer *i, uint32_t dy, uint32_t w,
                               struct sct_desc *dx);

#endif
