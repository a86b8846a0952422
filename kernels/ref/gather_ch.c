/* SPDX-License-Identifier: MIT
 * gather_ch.c - GATHER_CH, SCATTER_CH and the forms that change channels of an existing value.
 */
#include "kernels/ref/ref_util.h"

void REF(gather_ch)(const struct sct_kargs *k)
{
    const size_t rows = ref_rows(&k->d->in[0]), C = sct_desc_last(&k->d->in[0]);
    const size_t K = k->d->in[1].dim[0];
    const int32_t *idx = k->in[1];
    const REAL *x = k->in[0];
    REAL *out = k->out[0];
    for (size_t r = 0; r < rows; r++, x += C)
        for (size_t i = 0; i < K; i++)
            *out++ = x[idx[i]];
}

void REF(scatter_ch)(const struct sct_kargs *k)
{
    const size_t rows = ref_rows(&k->d->out[0]), C = sct_desc_last(&k->d->out[0]);
    const size_t K = k->d->in[1].dim[0];
    const int32_t *idx = k->in[1];
    const REAL *y = k->in[0];
    REAL *out = k->out[0];
    memset(out, 0, rows * C * sizeof *out);
    for (size_t r = 0; r < rows; r++, out += C)
        for (size_t i = 0; i < K; i++)
            out[idx[i]] = *y++;
}

/* out = in[0], unless it is in place. */
static REAL *copied(const struct sct_kargs *k)
{
    if (k->out[0] != k->in[0])
        memcpy(k->out[0], k->in[0], ref_count(&k->d->in[0]) * sizeof(REAL));
    return k->out[0];
}

void REF(scatter_add_ch)(const struct sct_kargs *k)
{
    const size_t rows = ref_rows(&k->d->in[0]), C = sct_desc_last(&k->d->in[0]);
    const size_t K = k->d->in[1].dim[0];
    const int32_t *idx = k->in[1];
    const REAL *y = k->in[2];
    REAL *out = copied(k);
    for (size_t r = 0; r < rows; r++, out += C)
        for (size_t i = 0; i < K; i++)
            out[idx[i]] += *y++;
}

void REF(scatter_set_ch)(const struct sct_kargs *k)
{
    const size_t rows = ref_rows(&k->d->in[0]), C = sct_desc_last(&k->d->in[0]);
    const size_t K = k->d->in[1].dim[0];
    const int32_t *idx = k->in[1];
    const REAL *y = k->in[2];
    REAL *out = copied(k);
    for (size_t r = 0; r < rows; r++, out += C)
        for (size_t i = 0; i < K; i++)
            out[idx[i]] = *y++;
}

void REF(mask_ch)(const struct sct_kargs *k)
{
    const size_t rows = ref_rows(&k->d->in[0]), C = sct_desc_last(&k->d->in[0]);
    const size_t K = k->d->in[1].dim[0];
    const int32_t *idx = k->in[1];
    REAL *out = copied(k);
    for (size_t r = 0; r < rows; r++, out += C)
        for (size_t i = 0; i < K; i++)
            out[idx[i]] = 0;
}
