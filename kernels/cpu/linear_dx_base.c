/* SPDX-License-Identifier: MIT
 * linear_dx_base.c - dx = dy w, times gelu'(pre) or plus a residual in the store of the tile.
 */
#include "kernels/cpu/base_gemm.h"
#include "kernels/cpu/base_math.h"
#include "kernels/cpu/cpu_base.h"

#include <string.h>

/* The product of in[dy] with in[dy + 1], which is [depth][cols] here. */
static struct base_gemm product(const struct sct_kargs *k, uint32_t dy, base_store_fn store)
{
    const struct sct_opdesc *d = k->d;
    const struct base_gemm g = {
        .a = k->in[dy],
        .lda = sct_desc_last(&d->in[dy]),
        .depth = sct_desc_last(&d->in[dy]),
        .cols = sct_desc_last(&d->out[0]),
        .w = k->in[dy + 1],
        .layout = d->in[dy + 1].layout,
        .dx = 1,
        .panel = d->in[dy + 1].layout == CPU_DENSE
                     ? cpu_share(k, base_panel_bytes(sct_desc_last(&d->in[dy])))
                     : NULL,
        .store = store,
        .k = k,
        .y = k->out[0],
        .ldy = sct_desc_last(&d->out[0]),
    };
    return g;
}

void linear_dx_base(const struct sct_kargs *k)
{
    const struct base_gemm g = product(k, 0, base_store_linear);
    base_gemm_shared(&g, sct_desc_rows(&k->d->out[0]));
}

/* 16 columns at a time whatever `cols` is: a fixed count is one that compilers vectorise well.
 */
static void store_gelu_grad(const struct base_gemm *g, const float *tile, size_t row,
                            size_t rows, size_t col, size_t cols)
{
    const uint32_t kind = ((const struct sct_gelu_params *)g->k->d->params)->kind;
    for (size_t i = 0; i < rows; i++) {
        const size_t at = (row + i) * g->ldy + col;
        float slope[BASE_NR] = {0};
        memcpy(slope, (const float *)g->k->in[2] + at, cols * sizeof *slope);
        base_gelu_grad(slope, slope, BASE_NR, kind);
        for (size_t j = 0; j < cols; j++)
            g->y[at + j] = tile[i * BASE_NR + j] * slope[j];
    }
}

void linear_dx_gelu_base(const struct sct_kargs *k)
{
    const struct base_gemm g = product(k, 0, store_gelu_grad);
    base_gemm_shared(&g, sct_desc_rows(&k->d->out[0]));
}

static void store_add(const struct base_gemm *g, const float *tile, size_t row, size_t rows,
                      size_t col, size_t cols)
{
    for (size_t i = 0; i < rows; i++) {
        const size_t at = (row + i) * g->ldy + col;
        const float *t = tile + i * BASE_NR;
        for (size_t j = 0; j < cols; j++)
            g->y[at + j] = g->add[at + j] + t[j];
    }
}

void linear_dx_add_base(const struct sct_kargs *k)
{
    struct base_gemm g = product(k, 1, store_add);
    g.add = k->in[0];
    base_gemm_shared(&g, sct_desc_rows(&k->d->out[0]));
}
