/* SPDX-License-Identifier: MIT
 * sct_module.c - SCT_MODULE and its gradient: a small linear layer on K chosen channels of the
 * stream. The second output is written first: the first may overwrite what it is made of. */
#include "kernels/ref/ref_util.h"

static void copy_stream(const struct sct_kargs *k)
{
    if (k->out[0] != k->in[0])
        memcpy(k->out[0], k->in[0], ref_count(&k->d->in[0]) * sizeof(REAL));
}

void REF(sct_module)(const struct sct_kargs *k)
{
    const struct sct_module_params *p = k->d->params;
    const size_t rows = ref_rows(&k->d->in[0]), C = sct_desc_last(&k->d->in[0]);
    const size_t K = k->d->in[1].dim[0];
    const int32_t *idx = k->in[1];
    const REAL *w = k->in[2], *bias = k->d->n_in > 3 ? k->in[3] : NULL;
    REAL *h = k->out[0], *part = k->out[1];
    copy_stream(k);
    for (size_t r = 0; r < rows; r++, h += C, part += K) {
        for (size_t i = 0; i < K; i++)
            part[i] = h[idx[i]];
        for (size_t i = 0; i < K; i++) {
            const double y = ref_dot(part, w + i * K, K) + (bias ? (double)bias[i] : 0.0);
            h[idx[i]] = (REAL)((double)part[i] + (double)p->scale * y);
        }
    }
}

void REF(sct_module_dx)(const struct sct_kargs *k)
{
    const struct sct_module_params *p = k->d->params;
    const size_t rows = ref_rows(&k->d->in[0]), C = sct_desc_last(&k->d->in[0]);
    const size_t K = k->d->in[1].dim[0];
    const int32_t *idx = k->in[1];
    const REAL *w = k->in[2];
    REAL *dh = k->out[0], *dl = k->out[1];
    copy_stream(k);
    for (size_t r = 0; r < rows; r++, dh += C, dl += K) {
        for (size_t i = 0; i < K; i++)
            dl[i] = (REAL)((double)p->scale * (double)dh[idx[i]]);
        for (size_t i = 0; i < K; i++)
            dh[idx[i]] = (REAL)((double)dh[idx[i]] + ref_dot_column(dl, w, K, K, i));
    }
}
