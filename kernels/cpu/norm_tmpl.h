/* SPDX-License-Identifier: MIT
 * norm_tmpl.h - LAYERNORM and its gradients.
 * y = (x - mean) rstd g + beta; with h = (x - mean) rstd and t = g dy,
 * dx = rstd (t - avg(t) - h avg(t h)); dg = sum over rows of dy h.
 * A row is summed in two vectors that take turns, then across their lanes. Parts take rows; for
 * dg, which is summed in row order, columns. */
#include <math.h>

#include "kernels/cpu/simd.h"
#include "kernels/cpu/vec_math.h"

enum { COLUMN_GRAIN = 16 };

static float row_mean(const float *x, size_t c)
{
    vf s[2] = {v_zero(), v_zero()};
    size_t j = 0;
    for (; j + 2 * VW <= c; j += 2 * VW) {
        s[0] = v_add(s[0], v_load(x + j));
        s[1] = v_add(s[1], v_load(x + j + VW));
    }
    for (; j < c; j += VW)
        s[0] = v_add(s[0], v_load_n(x + j, c - j));
    return v_sum(v_add(s[0], s[1])) / (float)c;
}

static float row_variance(const float *x, size_t c, float mean)
{
    const vf m = v_set1(mean);
    vf s[2] = {v_zero(), v_zero()};
    size_t j = 0;
    for (; j + 2 * VW <= c; j += 2 * VW) {
        const vf a = v_sub(v_load(x + j), m), b = v_sub(v_load(x + j + VW), m);
        s[0] = v_fma(a, a, s[0]);
        s[1] = v_fma(b, b, s[1]);
    }
    for (; j < c; j += VW) {
        vf a = v_sub(v_load_n(x + j, c - j), m);
        if (c - j < VW)
            a = v_keep(v_first(c - j), a, v_zero());
        s[0] = v_fma(a, a, s[0]);
    }
    return v_sum(v_add(s[0], s[1])) / (float)c;
}

/* (x, g, beta) -> y, mean, rstd */
void KERNEL(layernorm)(const struct sct_kargs *k)
{
    const struct sct_norm_params *p = k->d->params;
    const float *x = k->in[0], *g = k->in[1], *beta = k->in[2];
    float *y = k->out[0], *mean = k->out[1], *rstd = k->out[2];
    const size_t c = sct_desc_last(&k->d->in[0]);
    const struct cpu_range rows = cpu_split(k, (size_t)sct_desc_rows(&k->d->in[0]), 1);
    for (size_t i = rows.first; i < rows.end; i++) {
        const float *from = x + i * c;
        mean[i] = row_mean(from, c);
        rstd[i] = 1.0f / sqrtf(row_variance(from, c, mean[i]) + p->eps);
        const vf m = v_set1(mean[i]), r = v_set1(rstd[i]);
        for (size_t j = 0; j < c; j += VW) {
            const vf h = v_mul(v_sub(v_load_n(from + j, c - j), m), r);
            const vf to = v_fma(h, v_load_n(g + j, c - j), v_load_n(beta + j, c - j));
            v_store_n(y + i * c + j, to, c - j);
        }
    }
}

/* One row of dx (+ res, or NULL). */
static void row_dx(float *dx, const float *res, const float *x, const float *g, float mean,
                   float rstd, const float *dy, size_t c)
{
    const vf m = v_set1(mean), r = v_set1(rstd);
    vf sum_t = v_zero(), sum_th = v_zero();
    for (size_t j = 0; j < c; j += VW) { /* t is 0 past the end */
        const vf t = v_mul(v_load_n(g + j, c - j), v_load_n(dy + j, c - j));
        sum_t = v_add(sum_t, t);
        sum_th = v_fma(t, v_mul(v_sub(v_load_n(x + j, c - j), m), r), sum_th);
    }
    const vf avg_t = v_set1(v_sum(sum_t) / (float)c), avg_th = v_set1(v_sum(sum_th) / (float)c);
    for (size_t j = 0; j < c; j += VW) {
        const vf t = v_mul(v_load_n(g + j, c - j), v_load_n(dy + j, c - j));
        const vf h = v_mul(v_sub(v_load_n(x + j, c - j), m), r);
        vf y = v_mul(r, v_fnma(h, avg_th, v_sub(t, avg_t)));
        if (res)
            y = v_add(v_load_n(res + j, c - j), y);
        v_store_n(dx + j, y, c - j);
    }
}

/* in[a ..] = (x, g, mean, rstd, dy) */
static void norm_dx(const struct sct_kargs *k, const float *res, size_t a)
{
    const float *x = k->in[a], *mean = k->in[a + 2], *rstd = k->in[a + 3], *dy = k->in[a + 4];
    float *dx = k->out[0];
    const size_t c = sct_desc_last(&k->d->in[a]);
    const struct cpu_range rows = cpu_split(k, (size_t)sct_desc_rows(&k->d->in[a]), 1);
    for (size_t i = rows.first; i < rows.end; i++)
        row_dx(dx + i * c, res ? res + i * c : NULL, x + i * c, k->in[a + 1], mean[i], rstd[i],
               dy + i * c, c);
}

void KERNEL(layernorm_dx)(const struct sct_kargs *k)
{
    norm_dx(k, NULL, 0);
}

void KERNEL(layernorm_dx_add)(const struct sct_kargs *k)
{
    norm_dx(k, k->in[0], 1);
}

/* (acc, x, mean, rstd, dy): acc [C] += sum of dy h */
void KERNEL(layernorm_dg)(const struct sct_kargs *k)
{
    float *acc = k->out[0];
    const float *x = k->in[1], *mean = k->in[2], *rstd = k->in[3], *dy = k->in[4];
    const size_t c = sct_desc_last(&k->d->in[1]), rows = (size_t)sct_desc_rows(&k->d->in[1]);
    const struct cpu_range cols = cpu_split(k, c, COLUMN_GRAIN);
    for (size_t j = cols.first; j < cols.end; j += VW) {
        const size_t n = cols.end - j;
        vf s = v_load_n(acc + j, n);
        for (size_t i = 0; i < rows; i++) {
            const vf h =
                v_mul(v_sub(v_load_n(x + i * c + j, n), v_set1(mean[i])), v_set1(rstd[i]));
            s = v_fma(v_load_n(dy + i * c + j, n), h, s);
        }
        v_store_n(acc + j, s, n);
    }
}
