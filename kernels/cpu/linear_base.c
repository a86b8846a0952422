/* SPDX-License-Identifier: MIT
 * linear_base.c - y = x w^T + bias, and with GELU or a residual in the store of the tile. */
#include "kernels/cpu/base_gemm.h"
#include "kernels/cpu/base_math.h"
#include "kernels/cpu/cpu_base.h"

#include <string.h>

/* The product of in[x] with in[x + 1], bias in[x + 2] if given. */
static struct base_gemm product(const struct sct_kargs *k, uint32_t x, base_store_fn store)
{
    const struct sct_opdesc *d = k->d;
    const struct base_gemm g = {
        .a = k->in[x],
        .lda = sct_desc_last(&d->in[x]),
        .depth = sct_desc_last(&d->in[x]),
        .cols = sct_desc_last(&d->out[0]),
        .w = k->in[x + 1],
        .layout = d->in[x + 1].layout,
        .panel = d->in[x + 1].layout == CPU_DENSE
                     ? cpu_share(k, base_panel_bytes(sct_desc_last(&d->in[x])))
                     : NULL,
        .store = store,
        .k = k,
        .y = k->out[0],
        .ldy = sct_desc_last(&d->out[0]),
        .bias = d->n_in > x + 2 ? k->in[x + 2] : NULL,
    };
    return g;
}

void linear_base(const struct sct_kargs *k)
{
    const struct base_gemm g = product(k, 0, base_store_linear);
    base_gemm_shared(&g, sct_desc_rows(&k->d->out[0]));
}

/* 16 columns at a time whatever `cols` is: a fixed count is one that compilers vectorise well.
 */
static void store_gelu(const struct base_gemm *g, const float *tile, size_t row, size_t rows,
                       size_t col, size_t cols)
{
    const uint32_t kind = ((const struct sct_gelu_params *)g->k->d->params)->kind;
    for (size_t i = 0; i < rows; i++) {
        const size_t at = (row + i) * g->ldy + col;
        float pre[BASE_NR], y[BASE_NR];
        memcpy(pre, tile + i * BASE_NR, sizeof pre);
        for (size_t j = 0; g->bias && j < cols; j++)
            pre[j] += g->bias[col + j];
        base_gelu(pre, y, BASE_NR, kind);
        memcpy((float *)g->k->out[1] + at, pre, cols * sizeof *pre);
        memcpy(g->y + at, y, cols * sizeof *y);
    }
}

void linear_gelu_base(const struct sct_kargs *k)
{
    const struct base_gemm g = product(k, 0, store_gelu);
    base_gemm_shared(&g, sct_desc_rows(&k->d->out[0]));
}

static void store_add(const struct base_gemm *g, const float *tile, size_t row, size_t rows,
                      size_t col, size_t cols)
{
    for (size_t i = 0; i < rows; i++) {
        const size_t at = (row + i) * g->ldy + col;
        const float *t = tile + i * BASE_NR;
        for (size_t j = 0; j < cols; j++)
            g->y[at + j] = g->add[at + j] + (t[j] + (g->bias ? g->bias[col + j] : 0.0f));
    }
}

void linear_add_base(const struct sct_kargs *k)
{
    struct base_gemm g = product(k, 1, store_add);
    g.add = k->in[0];
    base_gemm_shared(&g, sct_desc_rows(&k->d->out[0]));
}
