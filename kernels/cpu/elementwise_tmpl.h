/* SPDX-License-Identifier: MIT
 * elementwise_tmpl.h - ADD, MUL, SCALE, GELU, GELU_DX over flat ranges.
 * Parts take ranges of elements; outputs may be the first input. */
#include "kernels/cpu/simd.h"
#include "kernels/cpu/vec_math.h"

enum { GRAIN = 1024 };

VEC vf combine(bool mul, vf x, vf y)
{
    return mul ? v_mul(x, y) : v_add(x, y);
}

/* x (+ or *) y, y repeated every `period` elements: the shape of y is a suffix of that of x. */
VEC void binary(const struct sct_kargs *k, const bool mul)
{
    const float *x = k->in[0], *y = k->in[1];
    float *out = k->out[0];
    const size_t period = (size_t)sct_desc_count(&k->d->in[1]);
    const struct cpu_range r = cpu_split(k, (size_t)sct_desc_count(&k->d->in[0]), GRAIN);
    if (period == 1) {
        const vf b = v_set1(y[0]);
        for (size_t i = r.first; i < r.end; i += VW)
            v_store_n(out + i, combine(mul, v_load_n(x + i, r.end - i), b), r.end - i);
        return;
    }
    for (size_t i = r.first; i < r.end;) {
        const size_t at = i % period;
        const size_t run = period - at < r.end - i ? period - at : r.end - i;
        for (size_t j = 0; j < run; j += VW)
            v_store_n(out + i + j,
                      combine(mul, v_load_n(x + i + j, run - j), v_load_n(y + at + j, run - j)),
                      run - j);
        i += run;
    }
}

void KERNEL(add)(const struct sct_kargs *k)
{
    binary(k, false);
}

void KERNEL(mul)(const struct sct_kargs *k)
{
    binary(k, true);
}

/* mul x + add, two roundings. */
void KERNEL(scale)(const struct sct_kargs *k)
{
    const struct sct_scale_params *p = k->d->params;
    const float *x = k->in[0];
    float *out = k->out[0];
    const vf mul = v_set1(p->mul), add = v_set1(p->add);
    const struct cpu_range r = cpu_split(k, (size_t)sct_desc_count(&k->d->in[0]), GRAIN);
    for (size_t i = r.first; i < r.end; i += VW) {
        const vf y = v_add(v_mul(v_load_n(x + i, r.end - i), mul), add);
        v_store_n(out + i, y, r.end - i);
    }
}

void KERNEL(gelu)(const struct sct_kargs *k)
{
    const struct sct_gelu_params *p = k->d->params;
    const float *x = k->in[0];
    float *out = k->out[0];
    const struct cpu_range r = cpu_split(k, (size_t)sct_desc_count(&k->d->in[0]), GRAIN);
    for (size_t i = r.first; i < r.end; i += VW)
        v_store_n(out + i, v_gelu(v_load_n(x + i, r.end - i), p->kind), r.end - i);
}

/* (x, dy) -> dy gelu'(x) */
void KERNEL(gelu_dx)(const struct sct_kargs *k)
{
    const struct sct_gelu_params *p = k->d->params;
    const float *x = k->in[0], *dy = k->in[1];
    float *out = k->out[0];
    const struct cpu_range r = cpu_split(k, (size_t)sct_desc_count(&k->d->in[0]), GRAIN);
    for (size_t i = r.first; i < r.end; i += VW) {
        const vf slope = v_gelu_dx(v_load_n(x + i, r.end - i), p->kind);
        v_store_n(out + i, v_mul(v_load_n(dy + i, r.end - i), slope), r.end - i);
    }
}
