/* SPDX-License-Identifier: MIT
 * gelu.c - GELU and GELU_DX, in double with one rounding. Formulas: ref_util.h. */
#include "kernels/ref/ref_util.h"

void REF(gelu)(const struct sct_kargs *k)
{
    const struct sct_gelu_params *p = k->d->params;
    const size_t n = ref_count(&k->d->in[0]);
    const REAL *x = k->in[0];
    REAL *y = k->out[0];
    for (size_t i = 0; i < n; i++)
        y[i] = (REAL)ref_gelu((double)x[i], p->kind);
}

void REF(gelu_dx)(const struct sct_kargs *k)
{
    const struct sct_gelu_params *p = k->d->params;
    const size_t n = ref_count(&k->d->in[0]);
    const REAL *x = k->in[0], *dy = k->in[1];
    REAL *dx = k->out[0];
    for (size_t i = 0; i < n; i++)
        dx[i] = (REAL)((double)dy[i] * ref_gelu_slope((double)x[i], p->kind));
}
