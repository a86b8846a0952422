/* SPDX-License-Identifier: MIT
 * arith.c - ADD, MUL, SCALE. The second operand of ADD and MUL is repeated along the leading
 * dimensions that it lacks. One rounding per operation, in REAL. */
#include "kernels/ref/ref_util.h"

void REF(add)(const struct sct_kargs *k)
{
    const size_t n = ref_count(&k->d->in[0]), period = ref_count(&k->d->in[1]);
    const REAL *x = k->in[0], *y = k->in[1];
    REAL *out = k->out[0];
    for (size_t i = 0; i < n; i++)
        out[i] = x[i] + y[i % period];
}

void REF(mul)(const struct sct_kargs *k)
{
    const size_t n = ref_count(&k->d->in[0]), period = ref_count(&k->d->in[1]);
    const REAL *x = k->in[0], *y = k->in[1];
    REAL *out = k->out[0];
    for (size_t i = 0; i < n; i++)
        out[i] = x[i] * y[i % period];
}

void REF(scale)(const struct sct_kargs *k)
{
    const struct sct_scale_params *p = k->d->params;
    const size_t n = ref_count(&k->d->in[0]);
    const REAL m = (REAL)p->mul, a = (REAL)p->add;
    const REAL *x = k->in[0];
    REAL *out = k->out[0];
    for (size_t i = 0; i < n; i++) {
        const REAL product = m * x[i];
        out[i] = product + a;
    }
}
