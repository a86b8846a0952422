/* SPDX-License-Identifier: MIT
 * onnx_attention.c - ATTENTION and WATTENTION in ONNX. The saved log-sum-exp is for the
 * backward pass and is not written. */
#include "core/export/onnx_ops.h"

#include <math.h>

#include "core/base/status.h"

/* Softmax over the keys, times v; s [..][M][M], v [..][M][D]. */
static onnx_name weigh(struct onnx *o, onnx_name s, onnx_name v)
{
    SctOnnx__Node *p = sct_onnx_add(o, "Softmax", 1, &s);
    sct_onnx_attr_int(o, p, "axis", -1);
    return sct_onnx_op2(o, "MatMul", p ? p->output[0] : "", v);
}

/* scale q k^T; q, k [..][M][D] with nd dimensions. */
static onnx_name scores(struct onnx *o, onnx_name q, onnx_name k, uint32_t nd, float scale)
{
    int64_t perm[SCT_MAX_DIMS];
    for (uint32_t i = 0; i < nd; i++)
        perm[i] = i < nd - 2 ? i : nd - 2 + (i == nd - 2);
    const onnx_name scaled = sct_onnx_op2(o, "Mul", q, sct_onnx_f32(o, 0, NULL, &scale));
    return sct_onnx_op2(o, "MatMul", scaled, sct_onnx_transpose(o, k, nd, perm));
}

static onnx_name part(struct onnx *o, onnx_name qkv, int64_t i)
{
    return sct_onnx_gather(o, qkv, sct_onnx_i64_scalar(o, i), 0);
}

static float scale_of(float scale, uint32_t D)
{
    return scale != 0.0f ? scale : 1.0f / sqrtf((float)D);
}

void sct_onnx_attention(struct onnx *o, const struct sct_gnode *n)
{
    const struct sct_attention_params *p = n->params;
    const struct sct_desc *d = &o->g->value[n->in[0]].desc;
    const uint32_t C = d->dim[2] / 3, H = p->heads, D = C / H, N = d->dim[1];
    onnx_name x =
        sct_onnx_reshape(o, sct_onnx_value(o, n->in[0]), 5, (const int64_t[5]){0, N, 3, H, D});
    x = sct_onnx_transpose(o, x, 5, (const int64_t[5]){2, 0, 3, 1, 4});
    const onnx_name s = scores(o, part(o, x, 0), part(o, x, 1), 4, scale_of(p->scale, D));
    onnx_name y = weigh(o, s, part(o, x, 2)); /* [B][H][N][D] */
    y = sct_onnx_transpose(o, y, 4, (const int64_t[4]){0, 2, 1, 3});
    o->name[n->out[0]] = sct_onnx_reshape(o, y, 3, (const int64_t[3]){0, N, C});
}

/* ---- windows ---- */

/* The tokens of every window, row-major: at[w * M + i] is the place in the grid of token i of
 * window w of the grid rolled by -shift. */
static void window_tokens(const struct sct_wattention_params *p, int64_t *at)
{
    const uint32_t across = p->grid_w / p->win_w, M = p->win_h * p->win_w;
    for (uint32_t y = 0; y < p->grid_h; y++)
        for (uint32_t x = 0; x < p->grid_w; x++) {
            const uint32_t w = y / p->win_h * across + x / p->win_w,
                           i = y % p->win_h * p->win_w + x % p->win_w;
            at[(size_t)w * M + i] = (int64_t)((y + p->shift_h) % p->grid_h) * p->grid_w +
                                    (x + p->shift_w) % p->grid_w;
        }
}

/* 0, 1, 2: the part of an axis of the rolled grid that a place belongs to. */
static uint32_t region(uint32_t y, uint32_t grid, uint32_t win, uint32_t shift)
{
    return shift == 0 || y < grid - win ? 0 : y < grid - shift ? 1 : 2;
}

/* [windows][1][M][M]: -100 where query and key lie in different regions. */
static onnx_name window_mask(struct onnx *o, const struct sct_wattention_params *p)
{
    const uint32_t across = p->grid_w / p->win_w, n = p->grid_h / p->win_h * across,
                   M = p->win_h * p->win_w, dim[4] = {n, 1, M, M};
    float *mask = sct_calloc((size_t)n * M * M, sizeof *mask);
    uint32_t *part_of = sct_calloc((size_t)n * M, sizeof *part_of);
    onnx_name name = "";
    if (!mask || !part_of) {
        sct_onnx_fail(o, SCT_ENOMEM, "out of memory");
    } else {
        for (uint32_t w = 0; w < n; w++)
            for (uint32_t i = 0; i < M; i++) {
                const uint32_t y = w / across * p->win_h + i / p->win_w,
                               x = w % across * p->win_w + i % p->win_w;
                part_of[w * M + i] = 3 * region(y, p->grid_h, p->win_h, p->shift_h) +
                                     region(x, p->grid_w, p->win_w, p->shift_w);
            }
        for (size_t w = 0; w < n; w++)
            for (size_t i = 0; i < M; i++)
                for (size_t j = 0; j < M; j++)
                    mask[(w * M + i) * M + j] =
                        part_of[w * M + i] == part_of[w * M + j] ? 0.0f : -100.0f;
        name = sct_onnx_f32(o, 4, dim, mask);
    }
    sct_free(mask);
    sct_free(part_of);
    return name;
}

/* [1][H][M][M]: the table's entry of every pair (query, key) of a window. */
static onnx_name window_bias(struct onnx *o, const struct sct_gnode *n)
{
    const struct sct_wattention_params *p = n->params;
    const uint32_t M = p->win_h * p->win_w;
    int64_t *rel = sct_calloc((size_t)M * M, sizeof *rel);
    if (!rel) {
        sct_onnx_fail(o, SCT_ENOMEM, "out of memory");
        return "";
    }
    for (uint32_t i = 0; i < M; i++)
        for (uint32_t j = 0; j < M; j++) {
            const int64_t dy = (int64_t)(i / p->win_w) - j / p->win_w + p->win_h - 1,
                          dx = (int64_t)(i % p->win_w) - j % p->win_w + p->win_w - 1;
            rel[(size_t)i * M + j] = dy * (2 * (int64_t)p->win_w - 1) + dx;
        }
    onnx_name b =
        sct_onnx_gather(o, sct_onnx_value(o, n->in[1]), sct_onnx_i64(o, M * M, rel), 0);
    sct_free(rel);
    b = sct_onnx_transpose(o, b, 2, (const int64_t[2]){1, 0});
    return sct_onnx_reshape(o, b, 4, (const int64_t[4]){1, p->heads, M, M});
}

/* Windows are two gathers: tokens in the order of the windows, and back. */
void sct_onnx_wattention(struct onnx *o, const struct sct_gnode *n)
{
    const struct sct_wattention_params *p = n->params;
    const struct sct_desc *d = &o->g->value[n->in[0]].desc;
    const uint32_t C = d->dim[2] / 3, H = p->heads, D = C / H, N = d->dim[1],
                   M = p->win_h * p->win_w, W = N / M;
    int64_t *at = sct_calloc((size_t)2 * N, sizeof *at);
    if (!at) {
        sct_onnx_fail(o, SCT_ENOMEM, "out of memory");
        return;
    }
    window_tokens(p, at);
    for (uint32_t i = 0; i < N; i++)
        at[N + at[i]] = i;
    onnx_name x = sct_onnx_gather(o, sct_onnx_value(o, n->in[0]), sct_onnx_i64(o, N, at), 1);
    x = sct_onnx_reshape(o, x, 6, (const int64_t[6]){0, W, M, 3, H, D});
    x = sct_onnx_transpose(o, x, 6, (const int64_t[6]){3, 0, 1, 4, 2, 5});
    onnx_name s = scores(o, part(o, x, 0), part(o, x, 1), 5, scale_of(p->scale, D));
    s = sct_onnx_op2(o, "Add", s, window_bias(o, n));
    if (p->shift_h || p->shift_w)
        s = sct_onnx_op2(o, "Add", s, window_mask(o, p));
    onnx_name y = weigh(o, s, part(o, x, 2)); /* [B][W][H][M][D] */
    y = sct_onnx_transpose(o, y, 5, (const int64_t[5]){0, 1, 3, 2, 4});
    y = sct_onnx_reshape(o, y, 3, (const int64_t[3]){0, N, C});
    o->name[n->out[0]] = sct_onnx_gather(o, y, sct_onnx_i64(o, N, at + N), 1);
    sct_free(at);
}
