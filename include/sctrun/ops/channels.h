/* SPDX-License-Identifier: MIT
 * channels.h - selected channels and elements; idx is i32 [K], distinct, in range. Shape
 * letters: <sctrun/ops.h>. */
#ifndef SCTRUN_OPS_CHANNELS_H
#define SCTRUN_OPS_CHANNELS_H

#include <sctrun/op.h>

#ifdef __cplusplus
extern "C" {
#endif

/* [..][C] -> [..][K]. */
static inline sct_val sct_gather_ch(struct sct_builder *b, sct_val x, sct_val idx)
{
    const sct_val in[2] = {x, idx};
    return sct_emit_(b, SCT_OP_GATHER_CH, in, 2, NULL, 0);
}

/* y [..][K] -> [..][channels], zero elsewhere. */
static inline sct_val sct_scatter_ch(struct sct_builder *b, sct_val y, sct_val idx,
                                     uint32_t channels)
{
    const sct_val in[2] = {y, idx};
    const struct sct_channels_params p = {channels};
    return sct_emit_(b, SCT_OP_SCATTER_CH, in, 2, &p, sizeof p);
}

/* x [..][C] with x[idx] + y. */
static inline sct_val sct_scatter_add_ch(struct sct_builder *b, sct_val x, sct_val idx,
                                         sct_val y)
{
    const sct_val in[3] = {x, idx, y};
    return sct_emit_(b, SCT_OP_SCATTER_ADD_CH, in, 3, NULL, 0);
}

/* x [..][C] with x[idx] = y. */
static inline sct_val sct_scatter_set_ch(struct sct_builder *b, sct_val x, sct_val idx,
                                         sct_val y)
{
    const sct_val in[3] = {x, idx, y};
    return sct_emit_(b, SCT_OP_SCATTER_SET_CH, in, 3, NULL, 0);
}

/* x with x[idx] = 0. */
static inline sct_val sct_mask_ch(struct sct_builder *b, sct_val x, sct_val idx)
{
    const sct_val in[2] = {x, idx};
    return sct_emit_(b, SCT_OP_MASK_CH, in, 2, NULL, 0);
}

/* [..][C] -> [..][count]. */
static inline sct_val sct_slice_ch(struct sct_builder *b, sct_val x, uint32_t first,
                                   uint32_t count)
{
    const struct sct_range_params p = {first, count, 0};
    return sct_emit_(b, SCT_OP_SLICE_CH, &x, 1, &p, sizeof p);
}

/* [..][count] -> [..][total], zero outside. */
static inline sct_val sct_pad_ch(struct sct_builder *b, sct_val x, uint32_t first,
                                 uint32_t total)
{
    const struct sct_range_params p = {first, 0, total};
    return sct_emit_(b, SCT_OP_PAD_CH, &x, 1, &p, sizeof p);
}

/* x [..][C] with y [..][k] added to channels first..first+k-1. */
static inline sct_val sct_add_ch(struct sct_builder *b, sct_val x, sct_val y, uint32_t first)
{
    const sct_val in[2] = {x, y};
    const struct sct_range_params p = {first, 0, 0};
    return sct_emit_(b, SCT_OP_ADD_CH, in, 2, &p, sizeof p);
}

/* Elements of a parameter: w any shape, idx i32 [K] flat positions -> [K]. */
static inline sct_val sct_gather_el(struct sct_builder *b, sct_val w, sct_val idx)
{
    const sct_val in[2] = {w, idx};
    return sct_emit_(b, SCT_OP_GATHER_EL, in, 2, NULL, 0);
}

/* w with w[idx] + delta, delta [K]. */
static inline sct_val sct_scatter_add_el(struct sct_builder *b, sct_val w, sct_val idx,
                                         sct_val delta)
{
    const sct_val in[3] = {w, idx, delta};
    return sct_emit_(b, SCT_OP_SCATTER_ADD_EL, in, 3, NULL, 0);
}

#ifdef __cplusplus
}
#endif
#endif
