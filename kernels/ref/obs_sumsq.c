/* SPDX-License-Identifier: MIT
 * obs_sumsq.c - OBS_SUMSQ_LABEL and OBS_SUMSQ: streamed sums of squares. */
#include "kernels/ref/ref_util.h"

void REF(obs_sumsq_label)(const struct sct_kargs *k)
{
    const struct sct_observe_params *p = k->d->params;
    const size_t images = k->d->in[1].dim[0], N = k->d->in[1].dim[1], C = k->d->in[1].dim[2];
    const REAL *x = k->in[1], *weight = k->in[3];
    const int32_t *label = k->in[2];
    REAL *acc = k->out[0];
    for (size_t b = 0; b < images; b++, x += N * C) {
        REAL *row = acc + (p->any_class ? 0 : (size_t)label[2 * b]) * C;
        for (size_t c = 0; c < C; c++) {
            double sum = 0.0;
            for (size_t n = p->skip; n < N; n++)
                sum += (double)x[n * C + c] * (double)x[n * C + c];
            row[c] = (REAL)((double)row[c] + (double)weight[b] * sum);
        }
    }
}

void REF(obs_sumsq)(const struct sct_kargs *k)
{
    const size_t n = ref_count(&k->d->in[0]);
    const REAL *g = k->in[1];
    REAL *acc = k->out[0];
    for (size_t i = 0; i < n; i++)
        acc[i] = (REAL)((double)acc[i] + (double)g[i] * (double)g[i]);
}
