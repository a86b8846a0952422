/* SPDX-License-Identifier: MIT
 * norm.h - layer norm. Shape letters: <sctrun/ops.h>. */
#ifndef SCTRUN_OPS_NORM_H
#define SCTRUN_OPS_NORM_H

#include <sctrun/op.h>

#ifdef __cplusplus
extern "C" {
#endif

/* x [..][C], g [C], beta [C] -> y [..][C], mean [..], rstd [..] (biased variance, two passes).
 */
static inline sct_val sct_layernorm(struct sct_builder *b, sct_val x, sct_val g, sct_val beta,
                                    float eps)
{
    const sct_val in[3] = {x, g, beta};
    const struct sct_norm_params p = {eps};
    return sct_emit_(b, SCT_OP_LAYERNORM, in, 3, &p, sizeof p);
}

/* (x, g, mean, rstd, dy) -> dx. */
static inline sct_val sct_layernorm_dx(struct sct_builder *b, sct_val x, sct_val g,
                                       sct_val mean, sct_val rstd, sct_val dy)
{
    const sct_val in[5] = {x, g, mean, rstd, dy};
    return sct_emit_(b, SCT_OP_LAYERNORM_DX, in, 5, NULL, 0);
}

/* acc [C] += sum over rows of dy * (x - mean) * rstd, in row order. */
static inline sct_val sct_layernorm_dg(struct sct_builder *b, sct_val acc, sct_val x,
                                       sct_val mean, sct_val rstd, sct_val dy)
{
    const sct_val in[5] = {acc, x, mean, rstd, dy};
    return sct_emit_(b, SCT_OP_LAYERNORM_DG, in, 5, NULL, 0);
}

#ifdef __cplusplus
}
#endif
#endif
