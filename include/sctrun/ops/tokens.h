/* SPDX-License-Identifier: MIT
 * tokens.h - tokens: joined, cut, averaged; on a grid: merged, padded, convolved. Shape
 * letters: <sctrun/ops.h>. */
#ifndef SCTRUN_OPS_TOKENS_H
#define SCTRUN_OPS_TOKENS_H

#include <sctrun/op.h>

#ifdef __cplusplus
extern "C" {
#endif

/* [B][N1][C] and [B][N2][C] -> [B][N1+N2][C]; one of the two may be [N][C] and is then repeated
 * for every image (class token, prompts). */
static inline sct_val sct_concat_tokens(struct sct_builder *b, sct_val x, sct_val y)
{
    const sct_val in[2] = {x, y};
    return sct_emit_(b, SCT_OP_CONCAT_TOKENS, in, 2, NULL, 0);
}

/* [B][N][C] -> [B][count][C]. */
static inline sct_val sct_slice_tokens(struct sct_builder *b, sct_val x, uint32_t first,
                                       uint32_t count)
{
    const struct sct_range_params p = {first, count, 0};
    return sct_emit_(b, SCT_OP_SLICE_TOKENS, &x, 1, &p, sizeof p);
}

/* [B][count][C] -> [B][total][C], zero outside [first, first + count). */
static inline sct_val sct_pad_tokens(struct sct_builder *b, sct_val x, uint32_t first,
                                     uint32_t total)
{
    const struct sct_range_params p = {first, 0, total};
    return sct_emit_(b, SCT_OP_PAD_TOKENS, &x, 1, &p, sizeof p);
}

/* [B][N][C] -> [B][C]: mean of tokens first..N-1. */
static inline sct_val sct_mean_tokens(struct sct_builder *b, sct_val x, uint32_t first)
{
    const struct sct_range_params p = {first, 0, 0};
    return sct_emit_(b, SCT_OP_MEAN_TOKENS, &x, 1, &p, sizeof p);
}

/* [B][C] -> [B][total][C]: x / (total - first) in tokens first.., zero before. */
static inline sct_val sct_spread_tokens(struct sct_builder *b, sct_val x, uint32_t first,
                                        uint32_t total)
{
    const struct sct_range_params p = {first, 0, total};
    return sct_emit_(b, SCT_OP_SPREAD_TOKENS, &x, 1, &p, sizeof p);
}

/* [B][h*w][C] -> [B][h/2*w/2][4C]: neighbours in the order (0,0),(1,0),(0,1),(1,1) of (row,
 * column), h and w even. */
static inline sct_val sct_patch_merge(struct sct_builder *b, sct_val x, uint32_t h, uint32_t w)
{
    const struct sct_grid_params p = {h, w, 0, 0, 0, 0};
    return sct_emit_(b, SCT_OP_PATCH_MERGE, &x, 1, &p, sizeof p);
}

/* The inverse: [B][h/2*w/2][4C] -> [B][h*w][C]. */
static inline sct_val sct_patch_split(struct sct_builder *b, sct_val x, uint32_t h, uint32_t w)
{
    const struct sct_grid_params p = {h, w, 0, 0, 0, 0};
    return sct_emit_(b, SCT_OP_PATCH_SPLIT, &x, 1, &p, sizeof p);
}

/* [B][h*w][C] -> [B][out_h*out_w][C]: the grid rolled by -roll, zero rows and columns added
 * below and right, and rolled back by roll. So what comes round at the end of a grid that
 * WATTENTION rolls next is its beginning, and the zeros stand behind it (timm rolls, then
 * pads). */
static inline sct_val sct_pad_grid(struct sct_builder *b, sct_val x, uint32_t h, uint32_t w,
                                   uint32_t out_h, uint32_t out_w, uint32_t roll_h,
                                   uint32_t roll_w)
{
    const struct sct_grid_params p = {h, w, out_h, out_w, roll_h, roll_w};
    return sct_emit_(b, SCT_OP_PAD_GRID, &x, 1, &p, sizeof p);
}

/* Its inverse: [B][h*w][C] -> [B][out_h*out_w][C], the top left part between the two rolls. */
static inline sct_val sct_crop_grid(struct sct_builder *b, sct_val x, uint32_t h, uint32_t w,
                                    uint32_t out_h, uint32_t out_w, uint32_t roll_h,
                                    uint32_t roll_w)
{
    const struct sct_grid_params p = {h, w, out_h, out_w, roll_h, roll_w};
    return sct_emit_(b, SCT_OP_CROP_GRID, &x, 1, &p, sizeof p);
}

/* A convolution (PyTorch's Conv2d: stride 1, padding (k - 1) / 2 of zeros, cross-correlation)
 * of tokens that are a grid: x [B][N][in], w [out][in][kh][kw] with odd sides, bias [out] or
 * none
 * -> [B][N][out]. The last h * w tokens are the grid, row-major; each of the N - h * w tokens
 * in front of it (class token, registers) is a grid of 1 x 1 of its own, so that it meets the
 * kernel's centre alone (Convpass, arXiv 2207.07039, 3.2). What lies outside a grid adds
 * nothing, whatever w is there. */
static inline sct_val sct_conv_grid(struct sct_builder *b, sct_val x, sct_val w, sct_val bias,
                                    uint32_t h, uint32_t width)
{
    const sct_val in[3] = {x, w, bias};
    const struct sct_grid_params p = {h, width, 0, 0, 0, 0};
    return sct_emit_(b, SCT_OP_CONV_GRID, in, bias.id ? 3 : 2, &p, sizeof p);
}

/* dy [B][N][out], w [out][in][kh][kw] -> [B][N][in]. */
static inline sct_val sct_conv_grid_dx(struct sct_builder *b, sct_val dy, sct_val w, uint32_t h,
                                       uint32_t width)
{
    const sct_val in[2] = {dy, w};
    const struct sct_grid_params p = {h, width, 0, 0, 0, 0};
    return sct_emit_(b, SCT_OP_CONV_GRID_DX, in, 2, &p, sizeof p);
}

/* acc [out][in][kh][kw] += the gradient of w from dy [B][N][out] and x [B][N][in], in token
 * order. */
static inline sct_val sct_conv_grid_dw(struct sct_builder *b, sct_val acc, sct_val dy,
                                       sct_val x, uint32_t h, uint32_t width)
{
    const sct_val in[3] = {acc, dy, x};
    const struct sct_grid_params p = {h, width, 0, 0, 0, 0};
    return sct_emit_(b, SCT_OP_CONV_GRID_DW, in, 3, &p, sizeof p);
}

#ifdef __cplusplus
}
#endif
#endif
