/* SPDX-License-Identifier: MIT
 * module_tmpl.h - SCT_MODULE, LORA_MODULE and their gradients: small linear layers on some
 * channels of the stream; formulas in ops.h. Parts take rows, for each row is gathered,
 * multiplied and put back by one thread. out[0] may be in[0]. */
#include <string.h>

#include "kernels/cpu/gemm_tmpl.h"
#include "kernels/cpu/simd.h"
#include "kernels/cpu/vec_math.h"

/* Where a tile goes: rows of c channels. idx: which channels, NULL: the first ones. */
struct target {
    float *stream; /* this part's first row, at the first channel */
    size_t c;
    const int32_t *idx;
    const float *bias;
    float scale;
};

/* stream = what it was + scale (tile + bias). */
static void finish_module(const void *ctx, const float *tile, size_t row, size_t rows,
                          size_t col, size_t cols)
{
    const struct target *t = ctx;
    const vf scale = v_set1(t->scale);
    for (size_t i = 0; i < rows; i++) {
        float *to = t->stream + (row + i) * t->c;
        for (size_t j = 0; j < cols; j += VW) {
            const size_t n = cols - j;
            vf y = v_load(tile + i * NR + j);
            if (t->bias)
                y = v_add(y, v_load_n(t->bias + col + j, n));
            if (!t->idx) {
                v_store_n(to + col + j, v_fma(scale, y, v_load_n(to + col + j, n)), n);
                continue;
            }
            float lane[VW];
            v_store(lane, v_mul(scale, y));
            for (size_t q = 0; q < VW && q < n; q++)
                to[t->idx[col + j + q]] += lane[q];
        }
    }
}

static void finish_store(const void *ctx, const float *tile, size_t row, size_t rows,
                         size_t col, size_t cols)
{
    const struct target *t = ctx;
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < cols; j += VW)
            v_store_n(t->stream + (row + i) * t->c + col + j, v_load(tile + i * NR + j),
                      cols - j);
}

/* a [rows][depth] times a packed weight. */
static void multiply(const float *a, size_t rows, size_t depth, const void *panel, size_t n,
                     gemm_store store, const struct target *t)
{
    const struct gemm g = {
        .m = rows, .n = n, .depth = depth, .a = a, .panel = panel, .store = store, .ctx = t};
    gemm_run(&g, 0, 1);
}

/* out[0] = in[0] for the rows of this part; returns where they start. */
static float *stream_rows(const struct sct_kargs *k, struct cpu_range r, size_t c)
{
    float *out = k->out[0];
    if (k->out[0] != k->in[0])
        memcpy(out + r.first * c, (const float *)k->in[0] + r.first * c,
               (r.end - r.first) * c * sizeof(float));
    return out + r.first * c;
}

/* part [rows][n] = scale * stream[idx] */
static void gather(float *part, const float *stream, size_t rows, size_t c, const int32_t *idx,
                   size_t n, float scale)
{
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < n; j++)
            part[i * n + j] = scale * stream[i * c + (size_t)idx[j]];
}

/* (h, idx, w [K][K], bias?) -> h, h[idx] */
void KERNEL(sct_module)(const struct sct_kargs *k)
{
    const struct sct_module_params *p = k->d->params;
    const size_t c = sct_desc_last(&k->d->in[0]), n = k->d->in[1].dim[0];
    const struct cpu_range r = cpu_split(k, (size_t)sct_desc_rows(&k->d->in[0]), MR_MAX);
    const size_t rows = r.end - r.first;
    float *part = (float *)k->out[1] + r.first * n;
    const struct target t = {.stream = stream_rows(k, r, c),
                             .bias = k->d->n_in > 3 ? k->in[3] : NULL,
                             .idx = k->in[1],
                             .c = c,
                             .scale = p->scale};
    gather(part, t.stream, rows, c, t.idx, n, 1.0f);
    if (rows)
        multiply(part, rows, n, k->in[2], n, finish_module, &t);
}

/* (dy, idx, w) -> dy + scattered dl w, dl = scale dy[idx] */
void KERNEL(sct_module_dx)(const struct sct_kargs *k)
{
    const struct sct_module_params *p = k->d->params;
    const size_t c = sct_desc_last(&k->d->in[0]), n = k->d->in[1].dim[0];
    const struct cpu_range r = cpu_split(k, (size_t)sct_desc_rows(&k->d->in[0]), MR_MAX);
    const size_t rows = r.end - r.first;
    float *dl = (float *)k->out[1] + r.first * n;
    const struct target t = {
        .stream = stream_rows(k, r, c), .idx = k->in[1], .c = c, .scale = 1.0f};
    gather(dl, t.stream, rows, c, t.idx, n, p->scale);
    if (rows)
        multiply(dl, rows, n, k->in[2], n, finish_module, &t);
}

/* (y, x, a [R][in], b [n][R]) -> y with channels first .. + scale t b^T; t = x a^T */
void KERNEL(lora_module)(const struct sct_kargs *k)
{
    const struct sct_module_params *p = k->d->params;
    const size_t c = sct_desc_last(&k->d->in[0]), in = sct_desc_last(&k->d->in[1]);
    const size_t rank = k->d->in[2].dim[0], n = k->d->in[3].dim[0];
    const struct cpu_range r = cpu_split(k, (size_t)sct_desc_rows(&k->d->in[0]), MR_MAX);
    const size_t rows = r.end - r.first;
    const struct target low = {.stream = (float *)k->out[1] + r.first * rank, .c = rank};
    const struct target y = {
        .stream = stream_rows(k, r, c) + p->first, .c = c, .scale = p->scale};
    if (!rows)
        return;
    multiply((const float *)k->in[1] + r.first * in, rows, in, k->in[2], rank, finish_store,
             &low);
    multiply(low.stream, rows, rank, k->in[3], n, finish_module, &y);
}

/* (dx, dy, a, b) -> dx + dt a, dt = du b, du = scale dy[first ..] */
void KERNEL(lora_module_dx)(const struct sct_kargs *k)
{
    const struct sct_module_params *p = k->d->params;
    const size_t c = sct_desc_last(&k->d->in[1]), in = sct_desc_last(&k->d->in[0]);
    const size_t rank = k->d->in[2].dim[0], n = k->d->in[3].dim[0];
    const struct cpu_range r = cpu_split(k, (size_t)sct_desc_rows(&k->d->in[0]), MR_MAX);
    const size_t rows = r.end - r.first;
    const float *dy = (const float *)k->in[1] + r.first * c + p->first;
    float *du = (float *)k->out[2] + r.first * n;
    const struct target dt = {.stream = (float *)k->out[1] + r.first * rank, .c = rank};
    const struct target dx = {.stream = stream_rows(k, r, in), .c = in, .scale = 1.0f};
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < n; j += VW)
            v_store_n(du + i * n + j, v_mul(v_set1(p->scale), v_load_n(dy + i * c + j, n - j)),
                      n - j);
    if (!rows)
        return;
    multiply(du, rows, n, k->in[3], rank, finish_store, &dt);
    multiply(dt.stream, rows, rank, k->in[2], in, finish_module, &dx);
}
