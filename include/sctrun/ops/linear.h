/* SPDX-License-Identifier: MIT
 * linear.h - linear layers, whole and in groups (PyTorch's weight [out][in]); norms of their
 * rows. Shape letters: <sctrun/ops.h>. */
#ifndef SCTRUN_OPS_LINEAR_H
#define SCTRUN_OPS_LINEAR_H

#include <sctrun/op.h>

#ifdef __cplusplus
extern "C" {
#endif

/* x [..][in], w [out][in], bias [out] or none -> [..][out] = x w^T + bias. */
static inline sct_val sct_linear(struct sct_builder *b, sct_val x, sct_val w, sct_val bias)
{
    const sct_val in[3] = {x, w, bias};
    return sct_emit_(b, SCT_OP_LINEAR, in, bias.id ? 3 : 2, NULL, 0);
}

/* dy [..][out], w [out][in] -> [..][in] = dy w. */
static inline sct_val sct_linear_dx(struct sct_builder *b, sct_val dy, sct_val w)
{
    const sct_val in[2] = {dy, w};
    return sct_emit_(b, SCT_OP_LINEAR_DX, in, 2, NULL, 0);
}

/* acc [out][in] += dy^T x, over all rows of dy [..][out] and x [..][in], in row order. */
static inline sct_val sct_linear_dw(struct sct_builder *b, sct_val acc, sct_val dy, sct_val x)
{
    const sct_val in[3] = {acc, dy, x};
    return sct_emit_(b, SCT_OP_LINEAR_DW, in, 3, NULL, 0);
}

/* acc, a suffix shape of x, += sum of x over the leading dimensions, in row order. */
static inline sct_val sct_sum_to(struct sct_builder *b, sct_val acc, sct_val x)
{
    const sct_val in[2] = {acc, x};
    return sct_emit_(b, SCT_OP_SUM_TO, in, 2, NULL, 0);
}

/* ---- in groups ---- */

/* Channels in G groups that do not see each other (PyTorch's Conv1d(kernel 1, groups G), whose
 * weight [out][in/G][1] is the same numbers in the same order): x [..][in], w
 * [G][out/G][in/G], bias [out] or none -> [..][out], y's group g = w[g] times x's group g. */
static inline sct_val sct_linear_grouped(struct sct_builder *b, sct_val x, sct_val w,
                                         sct_val bias)
{
    const sct_val in[3] = {x, w, bias};
    return sct_emit_(b, SCT_OP_LINEAR_GROUPED, in, bias.id ? 3 : 2, NULL, 0);
}

/* dy [..][out], w [G][out/G][in/G] -> [..][in]. */
static inline sct_val sct_linear_grouped_dx(struct sct_builder *b, sct_val dy, sct_val w)
{
    const sct_val in[2] = {dy, w};
    return sct_emit_(b, SCT_OP_LINEAR_GROUPED_DX, in, 2, NULL, 0);
}

/* acc [G][out/G][in/G] += dy^T x inside each group, over all rows of dy [..][out] and x
 * [..][in], in row order. */
static inline sct_val sct_linear_grouped_dw(struct sct_builder *b, sct_val acc, sct_val dy,
                                            sct_val x)
{
    const sct_val in[3] = {acc, dy, x};
    return sct_emit_(b, SCT_OP_LINEAR_GROUPED_DW, in, 3, NULL, 0);
}

/* ---- rows of weights ---- */

/* m [n], w [rows][in], a [R][in] and b [n][R] or none of both -> f [n], rnorm [n]:
 * rnorm[o] = 1 / |w[first + o] + scale * b[o] a| (L2 norm of the row; 0 for a row of zeros),
 * f = m * rnorm. The factor of DoRA (arXiv 2402.09353, eq. 5); as its section 4.3 asks, the
 * norm counts as a constant: df leads to m only. */
static inline sct_val sct_dora_scale(struct sct_builder *b, sct_val m, sct_val w,
                                     sct_val lora_a, sct_val lora_b, float scale,
                                     uint32_t first)
{
    const sct_val in[4] = {m, w, lora_a, lora_b};
    const struct sct_module_params p = {scale, first};
    return sct_emit_(b, SCT_OP_DORA_SCALE, in, lora_a.id ? 4 : 2, &p, sizeof p);
}

#ifdef __cplusplus
}
#endif
#endif
