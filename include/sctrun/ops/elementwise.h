/* SPDX-License-Identifier: MIT
 * elementwise.h - element by element. Shape letters: <sctrun/ops.h>. */
#ifndef SCTRUN_OPS_ELEMENTWISE_H
#define SCTRUN_OPS_ELEMENTWISE_H

#include <sctrun/op.h>

#ifdef __cplusplus
extern "C" {
#endif

/* x + y; y has x's shape or a suffix of it ([C], [N][C]) and is then repeated. */
static inline sct_val sct_add(struct sct_builder *b, sct_val x, sct_val y)
{
    const sct_val in[2] = {x, y};
    return sct_emit_(b, SCT_OP_ADD, in, 2, NULL, 0);
}

/* x * y, same rule. */
static inline sct_val sct_mul(struct sct_builder *b, sct_val x, sct_val y)
{
    const sct_val in[2] = {x, y};
    return sct_emit_(b, SCT_OP_MUL, in, 2, NULL, 0);
}

/* mul * x + add (two roundings). mul = 0 means 0. */
static inline sct_val sct_scale(struct sct_builder *b, sct_val x, float mul, float add)
{
    const struct sct_scale_params p = {mul, add};
    return sct_emit_(b, SCT_OP_SCALE, &x, 1, &p, sizeof p);
}

/* ERF: x/2 (1 + erf(x/sqrt 2)). TANH: x/2 (1 + tanh(sqrt(2/pi)(x + 0.044715 x^3))). QUICK:
 * x s(1.702 x) with the logistic function s (CLIP's QuickGELU). */
static inline sct_val sct_gelu(struct sct_builder *b, sct_val x, uint32_t kind)
{
    const struct sct_gelu_params p = {kind};
    return sct_emit_(b, SCT_OP_GELU, &x, 1, &p, sizeof p);
}

/* dy * gelu'(x). */
static inline sct_val sct_gelu_dx(struct sct_builder *b, sct_val x, sct_val dy, uint32_t kind)
{
    const sct_val in[2] = {x, dy};
    const struct sct_gelu_params p = {kind};
    return sct_emit_(b, SCT_OP_GELU_DX, in, 2, &p, sizeof p);
}

/* max(x, 0); NaN stays. */
static inline sct_val sct_relu(struct sct_builder *b, sct_val x)
{
    return sct_emit_(b, SCT_OP_RELU, &x, 1, NULL, 0);
}

/* dy where y > 0, else 0. y is relu(x) or x: their signs agree. */
static inline sct_val sct_relu_dx(struct sct_builder *b, sct_val y, sct_val dy)
{
    const sct_val in[2] = {y, dy};
    return sct_emit_(b, SCT_OP_RELU_DX, in, 2, NULL, 0);
}

#ifdef __cplusplus
}
#endif
#endif
