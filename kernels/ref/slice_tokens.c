/* SPDX-License-Identifier: MIT
 * slice_tokens.c - SLICE_TOKENS and its gradient PAD_TOKENS. */
#include "kernels/ref/ref_util.h"

void REF(slice_tokens)(const struct sct_kargs *k)
{
    const struct sct_range_params *p = k->d->params;
    const uint32_t *from = k->d->in[0].dim, *to = k->d->out[0].dim;
    const size_t C = to[2], n = to[1] * C;
    const REAL *x = k->in[0];
    REAL *out = k->out[0];
    for (size_t b = 0; b < to[0]; b++)
        memcpy(out + b * n, x + (b * from[1] + p->first) * C, n * sizeof *out);
}

void REF(pad_tokens)(const struct sct_kargs *k)
{
    const struct sct_range_params *p = k->d->params;
    const uint32_t *from = k->d->in[0].dim, *to = k->d->out[0].dim;
    const size_t C = to[2], n = from[1] * C;
    const REAL *x = k->in[0];
    REAL *out = k->out[0];
    memset(out, 0, ref_count(&k->d->out[0]) * sizeof *out);
    for (size_t b = 0; b < to[0]; b++)
        memcpy(out + (b * to[1] + p->first) * C, x + b * n, n * sizeof *out);
}
