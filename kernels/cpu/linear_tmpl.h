/* SPDX-License-Identifier: MIT
 * linear_tmpl.h - LINEAR, LINEAR_DX and their fused forms on packed weights.
 * One GEMM; what differs is what happens to a finished tile on its way to memory:
 * y = f(x w^T + bias), each step one rounding, in the order of the composition in ops.h. */
#include "kernels/cpu/gemm_tmpl.h"
#include "kernels/cpu/simd.h"
#include "kernels/cpu/vec_math.h"

/* out [m][n]; NULL where the op has no such operand. out may be res. */
struct finish {
    float *out, *pre_out;
    const float *bias, *res, *pre_in;
    size_t n;
    uint32_t gelu;
};

static void finish_plain(const void *ctx, const float *tile, size_t row, size_t rows,
                         size_t col, size_t cols)
{
    const struct finish *f = ctx;
    for (size_t j = 0; j < cols; j += VW) {
        const vf bias = f->bias ? v_load_n(f->bias + col + j, cols - j) : v_zero();
        for (size_t i = 0; i < rows; i++) {
            const size_t at = (row + i) * f->n + col + j;
            vf y = v_load(tile + i * NR + j);
            if (f->bias)
                y = v_add(y, bias);
            if (f->res)
                y = v_add(v_load_n(f->res + at, cols - j), y);
            v_store_n(f->out + at, y, cols - j);
        }
    }
}

static void finish_gelu(const void *ctx, const float *tile, size_t row, size_t rows, size_t col,
                        size_t cols)
{
    const struct finish *f = ctx;
    for (size_t j = 0; j < cols; j += VW) {
        const vf bias = f->bias ? v_load_n(f->bias + col + j, cols - j) : v_zero();
        for (size_t i = 0; i < rows; i++) {
            const size_t at = (row + i) * f->n + col + j;
            vf y = v_load(tile + i * NR + j);
            if (f->bias)
                y = v_add(y, bias);
            v_store_n(f->pre_out + at, y, cols - j);
            v_store_n(f->out + at, v_gelu(y, f->gelu), cols - j);
        }
    }
}

static void finish_gelu_dx(const void *ctx, const float *tile, size_t row, size_t rows,
                           size_t col, size_t cols)
{
    const struct finish *f = ctx;
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < cols; j += VW) {
            const size_t at = (row + i) * f->n + col + j;
            const vf slope = v_gelu_dx(v_load_n(f->pre_in + at, cols - j), f->gelu);
            v_store_n(f->out + at, v_mul(v_load(tile + i * NR + j), slope), cols - j);
        }
}

/* in[a] [..][depth] times the packed in[a + 1], finished by `store` into out[0]. */
static void run(const struct sct_kargs *k, size_t a, gemm_store store, struct finish *f)
{
    const size_t m = (size_t)sct_desc_rows(&k->d->in[a]), n = sct_desc_last(&k->d->out[0]);
    const size_t depth = sct_desc_last(&k->d->in[a]);
    f->out = k->out[0];
    f->n = n;
    const size_t bytes = gemm_scratch(m, n, depth, MR_MAX, NR);
    const struct gemm g = {.m = m,
                           .n = n,
                           .depth = depth,
                           .a = k->in[a],
                           .panel = k->in[a + 1],
                           .store = store,
                           .ctx = f,
                           .reads = f->res ? f->res : f->pre_in,
                           .scratch = bytes ? cpu_share(k, bytes) : NULL};
    gemm_run(&g, k->part, k->parts);
}

void KERNEL(linear)(const struct sct_kargs *k)
{
    struct finish f = {.bias = k->d->n_in > 2 ? k->in[2] : NULL};
    run(k, 0, finish_plain, &f);
}

void KERNEL(linear_add)(const struct sct_kargs *k)
{
    struct finish f = {.res = k->in[0], .bias = k->d->n_in > 3 ? k->in[3] : NULL};
    run(k, 1, finish_plain, &f);
}

void KERNEL(linear_gelu)(const struct sct_kargs *k)
{
    const struct sct_gelu_params *p = k->d->params;
    struct finish f = {
        .bias = k->d->n_in > 2 ? k->in[2] : NULL, .pre_out = k->out[1], .gelu = p->kind};
    run(k, 0, finish_gelu, &f);
}

void KERNEL(linear_dx)(const struct sct_kargs *k)
{
    struct finish f = {0};
    run(k, 0, finish_plain, &f);
}

void KERNEL(linear_dx_add)(const struct sct_kargs *k)
{
    struct finish f = {.res = k->in[0]};
    run(k, 1, finish_plain, &f);
}

void KERNEL(linear_dx_gelu)(const struct sct_kargs *k)
{
    const struct sct_gelu_params *p = k->d->params;
    struct finish f = {.pre_in = k->in[2], .gelu = p->kind};
    run(k, 0, finish_gelu_dx, &f);
}
