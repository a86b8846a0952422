/* SPDX-License-Identifier: MIT
 * elementwise_base.c - add, mul (with a repeated suffix), scale, GELU, ReLU and their
 * gradients. The in-place case has loops of its own, so that `restrict` stays true. */
#include "kernels/cpu/base_math.h"
#include "kernels/cpu/cpu_base.h"
#include "kernels/cpu/cpu_layout.h"

enum { GRAIN = 1024 };

static void add_to(float *restrict o, const float *restrict y, size_t n)
{
    for (size_t i = 0; i < n; i++)
        o[i] += y[i];
}

static void add(float *restrict o, const float *restrict x, const float *restrict y, size_t n)
{
    for (size_t i = 0; i < n; i++)
        o[i] = x[i] + y[i];
}

static void mul_to(float *restrict o, const float *restrict y, size_t n)
{
    for (size_t i = 0; i < n; i++)
        o[i] *= y[i];
}

static void mul(float *restrict o, const float *restrict x, const float *restrict y, size_t n)
{
    for (size_t i = 0; i < n; i++)
        o[i] = x[i] * y[i];
}

/* out = x op y with y repeated every `period` elements. */
static void binary(const struct sct_kargs *k, void (*in_place)(float *, const float *, size_t),
                   void (*apart)(float *, const float *, const float *, size_t))
{
    const size_t n = sct_desc_count(&k->d->out[0]), period = sct_desc_count(&k->d->in[1]);
    const struct cpu_range r = cpu_split(k, n, GRAIN);
    const float *x = k->in[0], *y = k->in[1];
    float *o = k->out[0];
    for (size_t i = r.first; i < r.end;) {
        const size_t at = i % period, left = r.end - i,
                     run = period - at < left ? period - at : left;
        if (o == x)
            in_place(o + i, y + at, run);
        else
            apart(o + i, x + i, y + at, run);
        i += run;
    }
}

void add_base(const struct sct_kargs *k)
{
    binary(k, add_to, add);
}

void mul_base(const struct sct_kargs *k)
{
    binary(k, mul_to, mul);
}

void scale_base(const struct sct_kargs *k)
{
    const struct sct_scale_params *p = k->d->params;
    const struct cpu_range r = cpu_split(k, sct_desc_count(&k->d->out[0]), GRAIN);
    const float *x = k->in[0], m = p->mul, a = p->add;
    float *o = k->out[0];
    if (o == x)
        for (size_t i = r.first; i < r.end; i++)
            o[i] = m * o[i] + a;
    else
        for (size_t i = r.first; i < r.end; i++)
            o[i] = m * x[i] + a;
}

void gelu_base(const struct sct_kargs *k)
{
    const struct sct_gelu_params *p = k->d->params;
    const struct cpu_range r = cpu_split(k, sct_desc_count(&k->d->out[0]), GRAIN);
    const float *restrict x = k->in[0];
    float *restrict y = k->out[0];
    base_gelu(x + r.first, y + r.first, r.end - r.first, p->kind);
}

void gelu_dx_base(const struct sct_kargs *k)
{
    const struct sct_gelu_params *p = k->d->params;
    const struct cpu_range r = cpu_split(k, sct_desc_count(&k->d->out[0]), GRAIN);
    const float *restrict x = k->in[0], *restrict dy = k->in[1];
    float *restrict dx = k->out[0];
    base_gelu_grad(x + r.first, dx + r.first, r.end - r.first, p->kind);
    for (size_t i = r.first; i < r.end; i++)
        dx[i] *= dy[i];
}

void relu_base(const struct sct_kargs *k)
{
    const struct cpu_range r = cpu_split(k, sct_desc_count(&k->d->out[0]), GRAIN);
    const float *x = k->in[0];
    float *y = k->out[0];
    for (size_t i = r.first; i < r.end; i++)
        y[i] = x[i] <= 0.0f ? 0.0f : x[i]; /* NaN stays */
}

void relu_dx_base(const struct sct_kargs *k)
{
    const struct cpu_range r = cpu_split(k, sct_desc_count(&k->d->out[0]), GRAIN);
    const float *y = k->in[0], *dy = k->in[1];
    float *dx = k->out[0];
    for (size_t i = r.first; i < r.end; i++)
        dx[i] = y[i] <= 0.0f ? 0.0f : dy[i];
}
