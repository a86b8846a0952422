/* SPDX-License-Identifier: MIT
 * relu.c - RELU and RELU_DX. Comparisons are written so that NaN is passed on. */
#include "kernels/ref/ref_util.h"

void REF(relu)(const struct sct_kargs *k)
{
    const size_t n = ref_count(&k->d->in[0]);
    const REAL *x = k->in[0];
    REAL *y = k->out[0];
    for (size_t i = 0; i < n; i++)
        y[i] = x[i] <= 0 ? 0 : x[i];
}

void REF(relu_dx)(const struct sct_kargs *k)
{
    const size_t n = ref_count(&k->d->in[0]);
    const REAL *y = k->in[0], *dy = k->in[1];
    REAL *dx = k->out[0];
    for (size_t i = 0; i < n; i++)
        dx[i] = y[i] <= 0 ? 0 : dy[i];
}
