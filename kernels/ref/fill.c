/* SPDX-License-Identifier: MIT
 * fill.c - FILL and ZERO. ZERO clears every slot of an accumulator: its shape here is [S][..].
 */
#include "kernels/ref/ref_util.h"

static void fill(const struct sct_kargs *k, REAL value)
{
    const size_t n = ref_count(&k->d->out[0]);
    REAL *out = k->out[0];
    for (size_t i = 0; i < n; i++)
        out[i] = value;
}

void REF(fill)(const struct sct_kargs *k)
{
    const struct sct_fill_params *p = k->d->params;
    fill(k, (REAL)p->value);
}

void REF(zero)(const struct sct_kargs *k)
{
    fill(k, 0);
}
