/* SPDX-License-Identifier: MIT
 * observe.h - sums that calibration gathers. Shape letters: <sctrun/ops.h>. */
#ifndef SCTRUN_OPS_OBSERVE_H
#define SCTRUN_OPS_OBSERVE_H

#include <sctrun/op.h>

#ifdef __cplusplus
extern "C" {
#endif

/* acc [L][C] += weight * x*x over tokens skip.. of x [B][N][C], into row label[image][0] (row 0
 * with any_class). label i32 [B][2], weight [B]. */
static inline sct_val sct_obs_sumsq_label(struct sct_builder *b, sct_val acc, sct_val x,
                                          sct_val label, sct_val weight, uint32_t skip,
                                          uint32_t any_class)
{
    const sct_val in[4] = {acc, x, label, weight};
    const struct sct_observe_params p = {skip, any_class};
    return sct_emit_(b, SCT_OP_OBS_SUMSQ_LABEL, in, 4, &p, sizeof p);
}

/* acc += g * g, element by element, after the body (squares of batch gradients). */
static inline sct_val sct_obs_sumsq(struct sct_builder *b, sct_val acc, sct_val g)
{
    const sct_val in[2] = {acc, g};
    return sct_emit_(b, SCT_OP_OBS_SUMSQ, in, 2, NULL, 0);
}

#ifdef __cplusplus
}
#endif
#endif
