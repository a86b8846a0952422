/* SPDX-License-Identifier: MIT
 * reduce.c - SLOT_SUM, SUM_ALL, SUMSQ, CLIP_COEF: sums after the body. */
#include "kernels/ref/ref_util.h"

void REF(slot_sum)(const struct sct_kargs *k)
{
    const size_t n = ref_count(&k->d->out[0]), slots = ref_count(&k->d->in[0]) / n;
    const REAL *acc = k->in[0];
    REAL *out = k->out[0];
    for (size_t i = 0; i < n; i++) {
        double sum = (double)acc[i];
        for (size_t s = 1; s < slots; s++)
            sum += (double)acc[s * n + i];
        out[i] = (REAL)sum;
    }
}

void REF(sum_all)(const struct sct_kargs *k)
{
    const size_t n = ref_count(&k->d->in[0]);
    const REAL *x = k->in[0];
    REAL *out = k->out[0];
    double sum = 0.0;
    for (size_t i = 0; i < n; i++)
        sum += (double)x[i];
    *out = (REAL)sum;
}

void REF(sumsq)(const struct sct_kargs *k)
{
    const size_t n = ref_count(&k->d->in[0]);
    const REAL *x = k->in[0], *start = k->d->n_in > 1 ? k->in[1] : NULL;
    REAL *out = k->out[0];
    double sum = 0.0;
    for (size_t i = 0; i < n; i++)
        sum += (double)x[i] * (double)x[i];
    *out = (REAL)(start ? (double)*start + sum : sum);
}

void REF(clip_coef)(const struct sct_kargs *k)
{
    const struct sct_clip_params *p = k->d->params;
    const REAL *sumsq = k->in[0];
    REAL *out = k->out[0];
    const double coef = (double)p->max_norm / (sqrt((double)*sumsq) + 1e-6);
    /* a NaN passes through: the run must see it */
    *out = (REAL)(coef > 1.0 ? 1.0 : coef);
}
