/* SPDX-License-Identifier: MIT
 * ops.h - what every op computes: its inputs, outputs, parameters, and its typed constructor.
 *
 * Shape letters: B images of the micro-batch, N tokens, C channels, H heads, D head size, K
 * selected channels, R rank, L labels. [..] is any number of leading dimensions. Dense
 * row-major.
 *
 * Parameter structs are in op_params.h. A constructor returns "none" after the builder's first
 * error. Formulas of gradients stand in core/ops. */
#ifndef SCTRUN_OPS_H
#define SCTRUN_OPS_H

#include <string.h>

#include <sctrun/op_params.h>

#ifdef __cplusplus
extern "C" {
#endif

enum sct_op {
    SCT_OP_NONE,

#define SCT_OP(ID, NAME, IN_MIN, IN_MAX, OUT, GRAD, TOL, ARG, PARAMS, FLAGS) SCT_OP_##ID,
#include <sctrun/ops.def>
#undef SCT_OP
    SCT_OP_COUNT
};

enum sct_op_flag {
    SCT_OPF_INPLACE = 1u << 0, /* out[0] may take the storage of in[0] */
    SCT_OPF_ACCUM = 1u << 1,   /* out[0] IS in[0]'s storage, added to; ends the body */
    SCT_OPF_UPDATE = 1u << 2,  /* every out[i] IS in[i]'s storage, replaced */
    SCT_OPF_RANDOM = 1u << 3,  /* reads seed and step of the step state */
    SCT_OPF_VIEW = 1u << 4,    /* out[0] is in[0] under another shape; no kernel runs */
    SCT_OPF_FEED = 1u << 5,    /* reads rows of a batch value */
    SCT_OPF_EMIT = 1u << 6,    /* writes rows of a batch value; ends the body */
    SCT_OPF_FUSED = 1u << 7,   /* equals a composition of other ops */
    SCT_OPF_MOVE = 1u << 8,    /* moves data, computes nothing */
};

/* ---- helpers ----------------------------------------------------------------------------- */

static inline sct_val sct_none(void)
{
    const sct_val v = {0};
    return v;
}

static inline sct_val sct_emit_(struct sct_builder *b, enum sct_op op, const sct_val *in,
                                uint32_t n_in, const void *params, size_t size)
{
    sct_val out[SCT_MAX_OUT] = {{0}};
    return b->emit(b, (uint32_t)op, in, n_in, out, params, size);
}

#define SCT_UNARY_(OP, X, P)                                                                   \
    const sct_val in_[1] = {X};                                                                \
    return sct_emit_(b, OP, in_, 1, &(P), sizeof(P))

/* ---- between the batch and the body ----------------------------------------------------- */

/* batch [batch][..] -> [B][..]: rows first.. of the micro-batch; rows past its count are zero.
 */
static inline sct_val sct_feed(struct sct_builder *b, sct_val batch)
{
    return sct_emit_(b, SCT_OP_FEED, &batch, 1, NULL, 0);
}

/* [B][..] -> batch [batch][..]: writes rows first.. first + count - 1. */
static inline sct_val sct_emit_rows(struct sct_builder *b, sct_val x)
{
    return sct_emit_(b, SCT_OP_EMIT, &x, 1, NULL, 0);
}

/* u8 [B][H][W][3], table f32 [3][256] -> f32 [B][3][H][W]: out[c] = table[c][byte]. */
static inline sct_val sct_image(struct sct_builder *b, sct_val bytes, sct_val table)
{
    const sct_val in[2] = {bytes, table};
    return sct_emit_(b, SCT_OP_IMAGE, in, 2, NULL, 0);
}

/* [B][3][H][W] -> [B][H/P * W/P][3*P*P], patches row-major, inside one (channel, y, x). */
static inline sct_val sct_patchify(struct sct_builder *b, sct_val x, uint32_t patch)
{
    const struct sct_patchify_params p = {patch, 0, 0, 0};
    SCT_UNARY_(SCT_OP_PATCHIFY, x, p);
}

/* The inverse. */
static inline sct_val sct_unpatchify(struct sct_builder *b, sct_val x, uint32_t patch,
                                     uint32_t channels, uint32_t height, uint32_t width)
{
    const struct sct_patchify_params p = {patch, channels, height, width};
    SCT_UNARY_(SCT_OP_UNPATCHIFY, x, p);
}

/* ---- shape, constants, layout ----------------------------------------------------------- */

static inline sct_val sct_reshape(struct sct_builder *b, sct_val x, uint32_t nd,
                                  const uint32_t *dim)
{
    struct sct_reshape_params p = {nd, {0}};
    for (uint32_t i = 0; i < nd && i < SCT_MAX_DIMS; i++)
        p.dim[i] = dim[i];
    SCT_UNARY_(SCT_OP_RESHAPE, x, p);
}

static inline sct_val sct_copy(struct sct_builder *b, sct_val x)
{
    return sct_emit_(b, SCT_OP_COPY, &x, 1, NULL, 0);
}

/* f32 <-> bf16, f16 (round to nearest even). */
static inline sct_val sct_cast(struct sct_builder *b, sct_val x, uint32_t dtype)
{
    const struct sct_cast_params p = {dtype};
    SCT_UNARY_(SCT_OP_CAST, x, p);
}

/* A constant in the shape of `like` (or, with like = none, of p). */
static inline sct_val sct_fill_like(struct sct_builder *b, sct_val like, float value)
{
    const struct sct_fill_params p = {value, 0, {0}};
    SCT_UNARY_(SCT_OP_FILL, like, p);
}

/* A fresh accumulator: zero at the start of every step (of every run in an evaluation plan). */
static inline sct_val sct_zero(struct sct_builder *b, uint32_t nd, const uint32_t *dim)
{
    struct sct_zero_params p = {nd, {0}};
    for (uint32_t i = 0; i < nd && i < SCT_MAX_DIMS; i++)
        p.dim[i] = dim[i];
    return sct_emit_(b, SCT_OP_ZERO, NULL, 0, &p, sizeof p);
}

/* x in a private layout of the backend. Inserted by the choose pass, never by models. */
static inline sct_val sct_pack(struct sct_builder *b, sct_val x, uint32_t layout)
{
    const struct sct_pack_params p = {layout};
    SCT_UNARY_(SCT_OP_PACK, x, p);
}

/* ---- elementwise ------------------------------------------------------------------------ */

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
    SCT_UNARY_(SCT_OP_SCALE, x, p);
}

/* ERF: x/2 (1 + erf(x/sqrt 2)). TANH: x/2 (1 + tanh(sqrt(2/pi)(x + 0.044715 x^3))). QUICK:
 * x s(1.702 x) with the logistic function s (CLIP's QuickGELU). */
static inline sct_val sct_gelu(struct sct_builder *b, sct_val x, uint32_t kind)
{
    const struct sct_gelu_params p = {kind};
    SCT_UNARY_(SCT_OP_GELU, x, p);
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

/* ---- linear (PyTorch's weight [out][in]) ------------------------------------------------ */

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

/* ---- linear in groups ------------------------------------------------------------------- */

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

/* ---- rows of weights --------------------------------------------------------------------- */

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

/* ---- norm ------------------------------------------------------------------------------- */

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

/* ---- attention -------------------------------------------------------------------------- */

/* qkv [B][N][3C], q|k|v each H heads of D -> out [B][N][C], lse [B][H][N] (natural log of the
 * softmax's denominator of the scaled scores). */
static inline sct_val sct_attention(struct sct_builder *b, sct_val qkv, uint32_t heads,
                                    float scale)
{
    const struct sct_attention_params p = {heads, scale};
    SCT_UNARY_(SCT_OP_ATTENTION, qkv, p);
}

/* (qkv, out, lse, dout) -> dqkv [B][N][3C]; probabilities are recomputed from lse. */
static inline sct_val sct_attention_dx(struct sct_builder *b, sct_val qkv, sct_val out,
                                       sct_val lse, sct_val dout, uint32_t heads, float scale)
{
    const sct_val in[4] = {qkv, out, lse, dout};
    const struct sct_attention_params p = {heads, scale};
    return sct_emit_(b, SCT_OP_ATTENTION_DX, in, 4, &p, sizeof p);
}

/* Swin: qkv [B][grid_h*grid_w][3C], table [(2 win_h - 1)(2 win_w - 1)][H] -> out [B][N][C], lse
 * [B][H][N]. Tokens attend inside windows of the grid rolled by -shift; a score gets
 * table[(dy + win_h - 1)(2 win_w - 1) + dx + win_w - 1][head] (dy, dx: query minus key) and,
 * when shifted, -100 where the two tokens lie in different regions (Swin paper, 3.2; timm
 * swin_transformer.py). Scores are scaled before the table is added; out and lse stand at the
 * token's own place in the grid, not rolled. */
static inline sct_val sct_wattention(struct sct_builder *b, sct_val qkv, sct_val table,
                                     const struct sct_wattention_params *p)
{
    const sct_val in[2] = {qkv, table};
    return sct_emit_(b, SCT_OP_WATTENTION, in, 2, p, sizeof *p);
}

/* (qkv, table, out, lse, dout) -> dqkv. */
static inline sct_val sct_wattention_dx(struct sct_builder *b, sct_val qkv, sct_val table,
                                        sct_val out, sct_val lse, sct_val dout,
                                        const struct sct_wattention_params *p)
{
    const sct_val in[5] = {qkv, table, out, lse, dout};
    return sct_emit_(b, SCT_OP_WATTENTION_DX, in, 5, p, sizeof *p);
}

/* acc (table's shape) += gradient of table. (acc, qkv, table, out, lse, dout). */
static inline sct_val sct_wattention_dt(struct sct_builder *b, sct_val acc, sct_val qkv,
                                        sct_val table, sct_val out, sct_val lse, sct_val dout,
                                        const struct sct_wattention_params *p)
{
    const sct_val in[6] = {acc, qkv, table, out, lse, dout};
    return sct_emit_(b, SCT_OP_WATTENTION_DT, in, 6, p, sizeof *p);
}

/* ---- tokens ----------------------------------------------------------------------------- */

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
    SCT_UNARY_(SCT_OP_SLICE_TOKENS, x, p);
}

/* [B][count][C] -> [B][total][C], zero outside [first, first + count). */
static inline sct_val sct_pad_tokens(struct sct_builder *b, sct_val x, uint32_t first,
                                     uint32_t total)
{
    const struct sct_range_params p = {first, 0, total};
    SCT_UNARY_(SCT_OP_PAD_TOKENS, x, p);
}

/* [B][N][C] -> [B][C]: mean of tokens first..N-1. */
static inline sct_val sct_mean_tokens(struct sct_builder *b, sct_val x, uint32_t first)
{
    const struct sct_range_params p = {first, 0, 0};
    SCT_UNARY_(SCT_OP_MEAN_TOKENS, x, p);
}

/* [B][C] -> [B][total][C]: x / (total - first) in tokens first.., zero before. */
static inline sct_val sct_spread_tokens(struct sct_builder *b, sct_val x, uint32_t first,
                                        uint32_t total)
{
    const struct sct_range_params p = {first, 0, total};
    SCT_UNARY_(SCT_OP_SPREAD_TOKENS, x, p);
}

/* [B][h*w][C] -> [B][h/2*w/2][4C]: neighbours in the order (0,0),(1,0),(0,1),(1,1) of (row,
 * column), h and w even. */
static inline sct_val sct_patch_merge(struct sct_builder *b, sct_val x, uint32_t h, uint32_t w)
{
    const struct sct_grid_params p = {h, w, 0, 0, 0, 0};
    SCT_UNARY_(SCT_OP_PATCH_MERGE, x, p);
}

/* The inverse: [B][h/2*w/2][4C] -> [B][h*w][C]. */
static inline sct_val sct_patch_split(struct sct_builder *b, sct_val x, uint32_t h, uint32_t w)
{
    const struct sct_grid_params p = {h, w, 0, 0, 0, 0};
    SCT_UNARY_(SCT_OP_PATCH_SPLIT, x, p);
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
    SCT_UNARY_(SCT_OP_PAD_GRID, x, p);
}

/* Its inverse: [B][h*w][C] -> [B][out_h*out_w][C], the top left part between the two rolls. */
static inline sct_val sct_crop_grid(struct sct_builder *b, sct_val x, uint32_t h, uint32_t w,
                                    uint32_t out_h, uint32_t out_w, uint32_t roll_h,
                                    uint32_t roll_w)
{
    const struct sct_grid_params p = {h, w, out_h, out_w, roll_h, roll_w};
    SCT_UNARY_(SCT_OP_CROP_GRID, x, p);
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

/* ---- channels and elements; idx is i32 [K], distinct, in range -------------------------- */

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
    SCT_UNARY_(SCT_OP_SLICE_CH, x, p);
}

/* [..][count] -> [..][total], zero outside. */
static inline sct_val sct_pad_ch(struct sct_builder *b, sct_val x, uint32_t first,
                                 uint32_t total)
{
    const struct sct_range_params p = {first, 0, total};
    SCT_UNARY_(SCT_OP_PAD_CH, x, p);
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

/* ---- random ----------------------------------------------------------------------------- */

/* Element e of the step's batch survives when u(seed, key, step, e) >= rate and is divided by
 * 1 - rate. u: docs/formats.md "Random numbers"; one Philox4x32-10 block gives elements
 * 4i..4i+3. */
static inline sct_val sct_dropout(struct sct_builder *b, sct_val x, float rate, uint64_t key)
{
    const struct sct_random_params p = {key, rate, 0};
    SCT_UNARY_(SCT_OP_DROPOUT, x, p);
}

/* The same for whole images (element e = image of the batch). */
static inline sct_val sct_droppath(struct sct_builder *b, sct_val x, float rate, uint64_t key)
{
    const struct sct_random_params p = {key, rate, 0};
    SCT_UNARY_(SCT_OP_DROPPATH, x, p);
}

/* ---- loss ------------------------------------------------------------------------------- */

/* logits [B][L], label i32 [B][2], mix [B], weight [B] -> loss [B]. Target t = (1 - s)(mix at
 * label 0, 1 - mix at label 1) + s/L; loss = -weight * sum t log softmax(logits). A sample of
 * weight 0 gives exactly 0, whatever its logits. */
static inline sct_val sct_xent(struct sct_builder *b, sct_val logits, sct_val label,
                               sct_val mix, sct_val weight, float smoothing)
{
    const sct_val in[4] = {logits, label, mix, weight};
    const struct sct_xent_params p = {smoothing};
    return sct_emit_(b, SCT_OP_XENT, in, 4, &p, sizeof p);
}

/* (logits, label, mix, weight, dloss [B]) -> dlogits = dloss weight (softmax - t). */
static inline sct_val sct_xent_dx(struct sct_builder *b, sct_val logits, sct_val label,
                                  sct_val mix, sct_val weight, sct_val dloss, float smoothing)
{
    const sct_val in[5] = {logits, label, mix, weight, dloss};
    const struct sct_xent_params p = {smoothing};
    return sct_emit_(b, SCT_OP_XENT_DX, in, 5, &p, sizeof p);
}

/* ---- sums after the body, optimisers ---------------------------------------------------- */

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
    SCT_UNARY_(SCT_OP_CLIP_COEF, sumsq, p);
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

/* ---- observers -------------------------------------------------------------------------- */

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

/* ---- fused (made by the fuse pass; the formulas in primitives) ------------------------------
 *
 * LINEAR_GELU       (x, w, bias?){gelu}     -> y = gelu(pre), pre = linear(x, w, bias)
 * LINEAR_ADD        (res, x, w, bias?)      -> res + linear(x, w, bias)
 * LINEAR_DX_GELU    (dy, w, pre){gelu}      -> linear_dx(dy, w) * gelu'(pre)
 * LINEAR_DX_ADD     (res, dy, w)            -> res + linear_dx(dy, w)
 * LAYERNORM_DX_ADD  (res, x, g, mean, rstd, dy) -> res + layernorm_dx(x, g, mean, rstd, dy)
 * SCT_MODULE        (h, idx, w [K][K], bias?){scale} -> h with h[idx] + scale * linear(h[idx],
 * w, bias); and h[idx] as it was SCT_MODULE_DX     (dy, idx, w){scale}     -> dy with dy[idx] +
 * linear_dx(dl, w); and dl = scale * dy[idx] LORA_MODULE       (y, x, a [R][in], b
 * [k][R]){scale, first} -> y with scale * linear(linear(x, a), b) added to channels
 * first..first+k-1; and t = linear(x, a) LORA_MODULE_DX    (dx, dy, a, b){scale, first} -> dx +
 * linear_dx(dt, a); and dt = linear_dx(du, b); and du = scale * dy[first..first+k-1]
 * LINEAR_DW_EL      (acc [K], dy, x, idx [K]) -> acc + gather_el(linear_dw(0, dy, x), idx)
 */

#undef SCT_UNARY_

#ifdef __cplusplus
}
#endif
#endif
