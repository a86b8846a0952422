/* SPDX-License-Identifier: MIT
 * gather_el.c - GATHER_EL and SCATTER_ADD_EL: elements of a parameter by flat position. */
#include "kernels/ref/ref_util.h"

void REF(gather_el)(const struct sct_kargs *k)
{
    const size_t n = k->d->in[1].dim[0];
    const int32_t *idx = k->in[1];
    const REAL *w = k->in[0];
    REAL *out = k->out[0];
    for (size_t i = 0; i < n; i++)
        out[i] = w[idx[i]];
}

void REF(scatter_add_el)(const struct sct_kargs *k)
{
    const size_t n = k->d->in[1].dim[0];
    const int32_t *idx = k->in[1];
    const REAL *delta = k->in[2];
    REAL *out = k->out[0];
    if (k->out[0] != k->in[0])
        memcpy(out, k->in[0], ref_count(&k->d->in[0]) * sizeof *out);
    for (size_t i = 0; i < n; i++)
        out[idx[i]] += delta[i];
}
