/* SPDX-License-Identifier: MIT
 * update_tmpl.h - what runs once a step: ADAMW, SGD, EMA, OBS_SUMSQ, SUM_ALL, SUMSQ.
 * Updates are in place (out[i] is in[i]); scalars are prepared in double. */
#include <math.h>

#include "kernels/cpu/simd.h"
#include "kernels/cpu/vec_math.h"
#include "kernels/ema_weight.h"

enum { GRAIN = 1024 };

/* (p, m, v, g, coef?); formula in ops.h. */
void KERNEL(adamw)(const struct sct_kargs *k)
{
    const struct sct_adamw_params *a = k->d->params;
    const float *g_in = k->in[3], *coef_in = k->d->n_in > 4 ? k->in[4] : NULL;
    float *p = k->out[0], *m = k->out[1], *v = k->out[2];
    const double b1 = (double)a->beta1, b2 = (double)a->beta2, t = (double)k->step->step + 1.0;
    const double lr = (double)k->step->lr * (double)a->lr_mult;
    const vf beta1 = v_set1(a->beta1), rest1 = v_set1((float)(1.0 - b1));
    const vf beta2 = v_set1(a->beta2), rest2 = v_set1((float)(1.0 - b2));
    const vf decay = v_set1((float)(1.0 - lr * (double)a->weight_decay));
    const vf rate = v_set1((float)(lr / (1.0 - pow(b1, t))));
    const vf root = v_set1((float)(1.0 / sqrt(1.0 - pow(b2, t))));
    const vf eps = v_set1(a->eps), coef = v_set1(coef_in ? *coef_in : 1.0f);
    const struct cpu_range r = cpu_split(k, (size_t)sct_desc_count(&k->d->in[0]), GRAIN);
    for (size_t i = r.first; i < r.end; i += VW) {
        const size_t n = r.end - i;
        const vf g = v_mul(coef, v_load_n(g_in + i, n));
        const vf m1 = v_fma(beta1, v_load_n(m + i, n), v_mul(rest1, g));
        const vf v1 = v_fma(beta2, v_load_n(v + i, n), v_mul(v_mul(rest2, g), g));
        const vf step = v_div(v_mul(rate, m1), v_fma(v_sqrt(v1), root, eps));
        v_store_n(p + i, v_fms(decay, v_load_n(p + i, n), step), n);
        v_store_n(m + i, m1, n);
        v_store_n(v + i, v1, n);
    }
}

/* (p, buf, g, coef?) */
void KERNEL(sgd)(const struct sct_kargs *k)
{
    const struct sct_sgd_params *a = k->d->params;
    const float *g_in = k->in[2], *coef_in = k->d->n_in > 3 ? k->in[3] : NULL;
    float *p = k->out[0], *buf = k->out[1];
    const vf lr = v_set1((float)((double)k->step->lr * (double)a->lr_mult));
    const vf momentum = v_set1(a->momentum), decay = v_set1(a->weight_decay);
    const vf coef = v_set1(coef_in ? *coef_in : 1.0f);
    const struct cpu_range r = cpu_split(k, (size_t)sct_desc_count(&k->d->in[0]), GRAIN);
    for (size_t i = r.first; i < r.end; i += VW) {
        const size_t n = r.end - i;
        const vf x = v_load_n(p + i, n);
        const vf g = v_fma(decay, x, v_mul(coef, v_load_n(g_in + i, n)));
        const vf b = v_fma(momentum, v_load_n(buf + i, n), g);
        v_store_n(p + i, v_fnma(lr, a->nesterov ? v_fma(momentum, b, g) : b, x), n);
        v_store_n(buf + i, b, n);
    }
}

/* (average, x): average += weight (x - average) */
void KERNEL(ema)(const struct sct_kargs *k)
{
    const float *x_in = k->in[1];
    float *average = k->out[0];
    const vf weight = v_set1((float)ema_weight(k));
    const struct cpu_range r = cpu_split(k, (size_t)sct_desc_count(&k->d->in[0]), GRAIN);
    for (size_t i = r.first; i < r.end; i += VW) {
        const vf a = v_load_n(average + i, r.end - i), x = v_load_n(x_in + i, r.end - i);
        v_store_n(average + i, v_fma(weight, v_sub(x, a), a), r.end - i);
    }
}

/* (acc, g): acc += g g */
void KERNEL(obs_sumsq)(const struct sct_kargs *k)
{
    const float *g = k->in[1];
    float *acc = k->out[0];
    const struct cpu_range r = cpu_split(k, (size_t)sct_desc_count(&k->d->in[0]), GRAIN);
    for (size_t i = r.first; i < r.end; i += VW) {
        const vf x = v_load_n(g + i, r.end - i);
        v_store_n(acc + i, v_fma(x, x, v_load_n(acc + i, r.end - i)), r.end - i);
    }
}

/* Sum of x or of x x: a double over blocks of four vectors that take turns 64 times. */
VEC double sum_blocks(const float *x, size_t n, const bool square)
{
    enum { BLOCK = 256 * VW };

    double total = 0.0;
    for (size_t i = 0; i < n; i += BLOCK) {
        const size_t end = n - i < BLOCK ? n : i + BLOCK;
        vf s[4] = {v_zero(), v_zero(), v_zero(), v_zero()};
        size_t j = i;
        for (; j + 4 * VW <= end; j += 4 * VW)
            UNROLL for (size_t q = 0; q < 4; q++)
            {
                const vf a = v_load(x + j + q * VW);
                s[q] = square ? v_fma(a, a, s[q]) : v_add(s[q], a);
            }
        for (; j < end; j += VW) {
            const vf a = v_load_n(x + j, end - j);
            s[0] = square ? v_fma(a, a, s[0]) : v_add(s[0], a);
        }
        total += (double)v_sum(v_add(v_add(s[0], s[1]), v_add(s[2], s[3])));
    }
    return total;
}

/* One scalar: one part. */
void KERNEL(sum_all)(const struct sct_kargs *k)
{
    float *out = k->out[0];
    *out = (float)sum_blocks(k->in[0], (size_t)sct_desc_count(&k->d->in[0]), false);
}

/* (x, start?) -> start + sum of x x */
void KERNEL(sumsq)(const struct sct_kargs *k)
{
    const float *start = k->d->n_in > 1 ? k->in[1] : NULL;
    float *out = k->out[0];
    const double sum = sum_blocks(k->in[0], (size_t)sct_desc_count(&k->d->in[0]), true);
    *out = (float)(start ? (double)*start + sum : sum);
}
