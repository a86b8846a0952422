/* SPDX-License-Identifier: MIT
 * update.h - sums after the body, clipping, optimisers, moving averages. Shape letters:
 * <sctrun/ops.h>. */
#ifndef SCTRUN_OPS_UPDATE_H
#define SCTRUN_OPS_UPDATE_H

#include <sctrun/op.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Accumulator of S slots -> their sum, slot 0 first. Inserted by the core. In kernels the input
 * has the shape [S][..]. */
static inline sct_val sct_slot_sum(struct sct_builder *b, sct_val acc)
{
    return sct_emit_(b, SCT_OP_SLOT_SUM, &acc, 1, NULL, 0);
}

/* Any shape -> scalar (nd 0): sum of all elements in order. */
static inline sct_val sct_sum_all(struct sct_builder *b, sct_val x)
{
    return sct_emit_(b, SCT_OP_SUM_ALL, &x, 1, NULL, 0);
}

/* x, and a scalar to start from or none -> scalar start + sum of x*x. */
static inline sct_val sct_sumsq(struct sct_builder *b, sct_val x, sct_val start)
{
    const sct_val in[2] = {x, start};
    return sct_emit_(b, SCT_OP_SUMSQ, in, start.id ? 2 : 1, NULL, 0);
}

/* Scalar sum of squares -> scalar min(1, max_norm / (sqrt(x) + 1e-6)) (torch clip_grad_norm_).
 */
static inline sct_val sct_clip_coef(struct sct_builder *b, sct_val sumsq, float max_norm)
{
    const struct sct_clip_params p = {max_norm};
    return sct_emit_(b, SCT_OP_CLIP_COEF, &sumsq, 1, &p, sizeof p);
}

/* (p, m, v, g, coef or none) -> p, m, v, in place. g is multiplied by coef. t = step + 1:
 * p *= 1 - lr wd; m = b1 m + (1-b1) g; v = b2 v + (1-b2) g g;
 * p -= lr / (1 - b1^t) * m / (sqrt(v) / sqrt(1 - b2^t) + eps)   (torch.optim.AdamW). */
static inline sct_val sct_adamw(struct sct_builder *b, sct_val p, sct_val m, sct_val v,
                                sct_val g, sct_val coef, const struct sct_adamw_params *params)
{
    const sct_val in[5] = {p, m, v, g, coef};
    return sct_emit_(b, SCT_OP_ADAMW, in, coef.id ? 5 : 4, params, sizeof *params);
}

/* (p, buf, g, coef or none) -> p, buf, in place: g += wd p; buf = momentum buf + g;
 * p -= lr (nesterov ? g + momentum buf : buf)   (torch.optim.SGD, dampening 0). */
static inline sct_val sct_sgd(struct sct_builder *b, sct_val p, sct_val buf, sct_val g,
                              sct_val coef, const struct sct_sgd_params *params)
{
    const sct_val in[4] = {p, buf, g, coef};
    return sct_emit_(b, SCT_OP_SGD, in, coef.id ? 4 : 3, params, sizeof *params);
}

/* (average, x) -> average, in place: average += weight (x - average), weight = 1 - decay; with
 * warmup max(weight, (1 + t)^(-2/3)), t the step from 0 (timm's ModelEmaV2, ModelEmaV3). */
static inline sct_val sct_ema(struct sct_builder *b, sct_val average, sct_val x,
                              const struct sct_ema_params *params)
{
    const sct_val in[2] = {average, x};
    return sct_emit_(b, SCT_OP_EMA, in, 2, params, sizeof *params);
}

#ifdef __cplusplus
}
#endif
#endif
