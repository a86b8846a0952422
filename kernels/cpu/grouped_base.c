/* SPDX-License-Identifier: MIT
 * grouped_base.c - LINEAR_GROUPED and LINEAR_GROUPED_DX: the portable matrix product, one group
 * of channels after the other. The gradient of the weight stands beside LINEAR's. */
#include "kernels/cpu/base_gemm.h"
#include "kernels/cpu/cpu_base.h"

/* [groups][out][in], so of one group. */
static const uint32_t *weight_of(const struct sct_opdesc *d)
{
    return d->in[1].dim;
}

uint64_t linear_grouped_base_scratch(const struct sct_opdesc *d)
{
    return base_panel_bytes(weight_of(d)[2]);
}

uint64_t linear_grouped_dx_base_scratch(const struct sct_opdesc *d)
{
    return base_panel_bytes(weight_of(d)[1]);
}

/* All groups; g describes the first. */
static void products(struct base_gemm g, uint32_t groups)
{
    const size_t rows = sct_desc_rows(&g.k->d->out[0]);
    for (uint32_t i = 0; i < groups; i++) {
        base_gemm_shared(&g, rows);
        g.a += g.depth;
        g.w += g.depth * g.cols;
        g.y += g.cols;
        g.bias = g.bias ? g.bias + g.cols : NULL;
    }
}

void linear_grouped_base(const struct sct_kargs *k)
{
    const uint32_t *w = weight_of(k->d);
    const struct base_gemm g = {
        .a = k->in[0],
        .lda = sct_desc_last(&k->d->in[0]),
        .depth = w[2],
        .cols = w[1],
        .w = k->in[1],
        .layout = CPU_DENSE,
        .panel = cpu_share(k, linear_grouped_base_scratch(k->d)),
        .store = base_store_linear,
        .k = k,
        .y = k->out[0],
        .ldy = sct_desc_last(&k->d->out[0]),
        .bias = k->d->n_in > 2 ? k->in[2] : NULL,
    };
    products(g, w[0]);
}

void linear_grouped_dx_base(const struct sct_kargs *k)
{
    const uint32_t *w = weight_of(k->d);
    const struct base_gemm g = {
        .a = k->in[0],
        .lda = sct_desc_last(&k->d->in[0]),
        .depth = w[1],
        .cols = w[2],
        .w = k->in[1],
        .layout = CPU_DENSE,
        .dx = 1,
        .panel = cpu_share(k, linear_grouped_dx_base_scratch(k->d)),
        .store = base_store_linear,
        .k = k,
        .y = k->out[0],
        .ldy = sct_desc_last(&k->d->out[0]),
    };
    products(g, w[0]);
}
