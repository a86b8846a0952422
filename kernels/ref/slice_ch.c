/* SPDX-License-Identifier: MIT
 * slice_ch.c - SLICE_CH, PAD_CH, ADD_CH: a range of channels. */
#include "kernels/ref/ref_util.h"

void REF(slice_ch)(const struct sct_kargs *k)
{
    const struct sct_range_params *p = k->d->params;
    const size_t rows = ref_rows(&k->d->in[0]), C = sct_desc_last(&k->d->in[0]);
    const size_t n = sct_desc_last(&k->d->out[0]);
    const REAL *x = k->in[0];
    REAL *out = k->out[0];
    for (size_t r = 0; r < rows; r++)
        memcpy(out + r * n, x + r * C + p->first, n * sizeof *out);
}

void REF(pad_ch)(const struct sct_kargs *k)
{
    const struct sct_range_params *p = k->d->params;
    const size_t rows = ref_rows(&k->d->in[0]), C = sct_desc_last(&k->d->out[0]);
    const size_t n = sct_desc_last(&k->d->in[0]);
    const REAL *x = k->in[0];
    REAL *out = k->out[0];
    memset(out, 0, rows * C * sizeof *out);
    for (size_t r = 0; r < rows; r++)
        memcpy(out + r * C + p->first, x + r * n, n * sizeof *out);
}

void REF(add_ch)(const struct sct_kargs *k)
{
    const struct sct_range_params *p = k->d->params;
    const size_t rows = ref_rows(&k->d->in[0]), C = sct_desc_last(&k->d->in[0]);
    const size_t n = sct_desc_last(&k->d->in[1]);
    const REAL *y = k->in[1];
    REAL *out = k->out[0];
    if (k->out[0] != k->in[0])
        memcpy(out, k->in[0], rows * C * sizeof *out);
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < n; i++)
            out[r * C + p->first + i] += y[r * n + i];
}
