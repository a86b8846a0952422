/* SPDX-License-Identifier: MIT
 * dora_base.c - DORA_SCALE in blocks of columns, so that a row of the updated weight is never
 * stored. Threads share rows: a row's sum has one order. */
#include "kernels/cpu/cpu_base.h"
#include "kernels/cpu/cpu_layout.h"

#include <math.h>

enum { BLOCK = 256 };

/* Sum of squares of w[0..n) + sum_k by[k] a[k][0..n), a with rows of `in`. */
static double block_sumsq(const float *restrict w, const float *restrict a, size_t in,
                          const float *restrict by, size_t r, float scale, size_t n)
{
    float v[BLOCK];
    double sum[8] = {0};
    for (size_t i = 0; i < n; i++)
        v[i] = w[i];
    for (size_t k = 0; k < r; k++) {
        const float c = scale * by[k];
        for (size_t i = 0; i < n; i++)
            v[i] += c * a[k * in + i];
    }
    for (size_t i = 0; i < n; i++)
        sum[i & 7] += (double)v[i] * (double)v[i];
    return ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7]));
}

void dora_scale_base(const struct sct_kargs *k)
{
    const struct sct_module_params *p = k->d->params;
    const size_t in = sct_desc_last(&k->d->in[1]), r = k->d->n_in > 2 ? k->d->in[2].dim[0] : 0;
    const struct cpu_range rows = cpu_split(k, sct_desc_count(&k->d->in[0]), 1);
    const float *m = k->in[0], *w = k->in[1], *a = r ? k->in[2] : NULL,
                *b = r ? k->in[3] : NULL;
    float *f = k->out[0], *rnorm = k->out[1];
    for (size_t o = rows.first; o < rows.end; o++) {
        const float *row = w + (p->first + o) * in;
        double sum = 0;
        for (size_t i = 0; i < in; i += BLOCK)
            sum += block_sumsq(row + i, r ? a + i : NULL, in, r ? b + o * r : NULL, r, p->scale,
                               in - i < BLOCK ? in - i : BLOCK);
        const double by = sum == 0 ? 0 : 1 / sqrt(sum); /* a norm of NaN stays NaN */
        rnorm[o] = (float)by;
        f[o] = (float)((double)m[o] * by);
    }
}
