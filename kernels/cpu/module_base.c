/* SPDX-License-Identifier: MIT
 * module_base.c - the adapters that are one node: the SCT module and LoRA, forward and
 * backward. Parts share rows, so the small products inside a row need no meeting of threads. */
#include "kernels/cpu/base_gemm.h"
#include "kernels/cpu/cpu_base.h"

#include <string.h>

static const struct sct_module_params *params(const struct sct_kargs *k)
{
    return k->d->params;
}

static void copy_rows(const struct sct_kargs *k, struct cpu_range r, size_t width)
{
    const float *from = k->in[0];
    float *to = k->out[0];
    if (to != from && r.first < r.end)
        memcpy(to + r.first * width, from + r.first * width,
               (r.end - r.first) * width * sizeof *to);
}

/* One share of scratch serves every product of a node: depth is the largest of them. */
static struct base_gemm product(const struct sct_kargs *k, const void *a, size_t depth,
                                uint32_t w, size_t cols, int dx, size_t panel_depth)
{
    const struct base_gemm g = {
        .a = a,
        .lda = depth,
        .depth = depth,
        .cols = cols,
        .w = k->in[w],
        .layout = k->d->in[w].layout,
        .dx = dx,
        .panel = k->scratch ? cpu_share(k, base_panel_bytes(panel_depth)) : NULL,
        .k = k,
        .y = k->out[0],
        .ldy = sct_desc_last(&k->d->out[0]),
        .scale = params(k)->scale,
    };
    return g;
}

/* y[idx] += scale * (sum + bias). */
static void store_scatter(const struct base_gemm *g, const float *tile, size_t row, size_t rows,
                          size_t col, size_t cols)
{
    for (size_t i = 0; i < rows; i++) {
        float *y = g->y + (row + i) * g->ldy;
        const float *t = tile + i * BASE_NR;
        for (size_t j = 0; j < cols; j++)
            y[g->idx[col + j]] += g->scale * (t[j] + (g->bias ? g->bias[col + j] : 0.0f));
    }
}

void sct_module_base(const struct sct_kargs *k)
{
    const size_t width = sct_desc_last(&k->d->in[0]), n = sct_desc_last(&k->d->out[1]);
    const struct cpu_range r = cpu_split(k, sct_desc_rows(&k->d->in[0]), BASE_MR);
    const float *h = k->in[0];
    const int32_t *idx = k->in[1];
    float *kept = k->out[1];
    for (size_t i = r.first; i < r.end; i++)
        for (size_t j = 0; j < n; j++)
            kept[i * n + j] = h[i * width + (size_t)idx[j]];
    copy_rows(k, r, width);
    struct base_gemm g = product(k, kept, n, 2, n, 0, n);
    g.store = store_scatter;
    g.idx = idx;
    g.bias = k->d->n_in > 3 ? k->in[3] : NULL;
    base_gemm(&g, r, (struct cpu_range){0, n});
}

void sct_module_dx_base(const struct sct_kargs *k)
{
    const size_t width = sct_desc_last(&k->d->in[0]), n = sct_desc_last(&k->d->out[1]);
    const struct cpu_range r = cpu_split(k, sct_desc_rows(&k->d->in[0]), BASE_MR);
    const float *dy = k->in[0], scale = params(k)->scale;
    const int32_t *idx = k->in[1];
    float *dl = k->out[1];
    for (size_t i = r.first; i < r.end; i++)
        for (size_t j = 0; j < n; j++)
            dl[i * n + j] = scale * dy[i * width + (size_t)idx[j]];
    copy_rows(k, r, width);
    struct base_gemm g = product(k, dl, n, 2, n, 1, n);
    g.store = store_scatter;
    g.idx = idx;
    g.scale = 1.0f; /* exact: dl carries the scale */
    base_gemm(&g, r, (struct cpu_range){0, n});
}

/* y += scale * sum. */
static void store_scaled(const struct base_gemm *g, const float *tile, size_t row, size_t rows,
                         size_t col, size_t cols)
{
    for (size_t i = 0; i < rows; i++) {
        float *y = g->y + (row + i) * g->ldy + col;
        const float *t = tile + i * BASE_NR;
        for (size_t j = 0; j < cols; j++)
            y[j] += g->scale * t[j];
    }
}

void lora_module_base(const struct sct_kargs *k)
{
    const size_t in = sct_desc_last(&k->d->in[1]), rank = sct_desc_last(&k->d->out[1]),
                 width = sct_desc_last(&k->d->out[0]), n = k->d->in[3].dim[0],
                 deep = in > rank ? in : rank;
    const struct cpu_range r = cpu_split(k, sct_desc_rows(&k->d->out[0]), BASE_MR);
    copy_rows(k, r, width);
    struct base_gemm down = product(k, k->in[1], in, 2, rank, 0, deep);
    down.store = base_store_linear;
    down.y = k->out[1];
    down.ldy = rank;
    base_gemm(&down, r, (struct cpu_range){0, rank});
    struct base_gemm up = product(k, k->out[1], rank, 3, n, 0, deep);
    up.store = store_scaled;
    up.y = (float *)k->out[0] + params(k)->first;
    base_gemm(&up, r, (struct cpu_range){0, n});
}

void lora_module_dx_base(const struct sct_kargs *k)
{
    const size_t in = sct_desc_last(&k->d->out[0]), rank = sct_desc_last(&k->d->out[1]),
                 n = sct_desc_last(&k->d->out[2]), width = sct_desc_last(&k->d->in[1]),
                 deep = n > rank ? n : rank;
    const struct cpu_range r = cpu_split(k, sct_desc_rows(&k->d->out[0]), BASE_MR);
    const float *dy = (const float *)k->in[1] + params(k)->first, scale = params(k)->scale;
    float *du = k->out[2];
    for (size_t i = r.first; i < r.end; i++)
        for (size_t j = 0; j < n; j++)
            du[i * n + j] = scale * dy[i * width + j];
    copy_rows(k, r, in);
    struct base_gemm dt = product(k, du, n, 3, rank, 1, deep);
    dt.store = base_store_linear;
    dt.y = k->out[1];
    dt.ldy = rank;
    base_gemm(&dt, r, (struct cpu_range){0, rank});
    struct base_gemm dx = product(k, k->out[1], rank, 2, in, 1, deep);
    dx.store = store_scaled;
    dx.scale = 1.0f; /* exact: du carries the scale */
    base_gemm(&dx, r, (struct cpu_range){0, in});
}
