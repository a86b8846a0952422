/* SPDX-License-Identifier: MIT
 * mean_tokens.c - MEAN_TOKENS and its gradient SPREAD_TOKENS. */
#include "kernels/ref/ref_util.h"

void REF(mean_tokens)(const struct sct_kargs *k)
{
    const struct sct_range_params *p = k->d->params;
    const size_t images = k->d->in[0].dim[0], N = k->d->in[0].dim[1], C = k->d->in[0].dim[2];
    const REAL *x = k->in[0];
    REAL *out = k->out[0];
    for (size_t b = 0; b < images; b++)
        for (size_t c = 0; c < C; c++) {
            double sum = 0.0;
            for (size_t n = p->first; n < N; n++)
                sum += (double)x[(b * N + n) * C + c];
            out[b * C + c] = (REAL)(sum / (double)(N - p->first));
        }
}

void REF(spread_tokens)(const struct sct_kargs *k)
{
    const struct sct_range_params *p = k->d->params;
    const size_t images = k->d->out[0].dim[0], N = k->d->out[0].dim[1], C = k->d->out[0].dim[2];
    const REAL *x = k->in[0];
    REAL *out = k->out[0];
    for (size_t b = 0; b < images; b++)
        for (size_t n = 0; n < N; n++)
            for (size_t c = 0; c < C; c++)
                *out++ =
                    n < p->first ? 0 : (REAL)((double)x[b * C + c] / (double)(N - p->first));
}
