/* SPDX-License-Identifier: MIT
 * dropout.c - DROPOUT and DROPPATH. The draw: docs/formats.md, "Random numbers". */
#include "kernels/philox.h"
#include "kernels/ref/ref_util.h"

static REAL drop(const struct sct_kargs *k, uint64_t e, REAL x)
{
    const struct sct_random_params *p = k->d->params;
    uint32_t word[4];
    philox_block(k->step->seed, p->key, k->step->step, e / 4, word);
    if (philox_unit(word[e % 4]) < p->rate)
        return 0;
    return (REAL)((double)x / (1.0 - (double)p->rate));
}

/* Rows of the first dimension, elements of each. */
static void drop_all(const struct sct_kargs *k, size_t rows, size_t per_row, int whole_rows)
{
    const struct sct_random_params *p = k->d->params;
    const REAL *x = k->in[0];
    REAL *out = k->out[0];
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < per_row; i++, x++, out++) {
            const uint64_t row = (uint64_t)k->micro->first + r;
            *out = p->off ? *x : drop(k, whole_rows ? row : row * per_row + i, *x);
        }
}

void REF(dropout)(const struct sct_kargs *k)
{
    const struct sct_desc *d = &k->d->in[0];
    const size_t rows = d->nd ? d->dim[0] : 1;
    drop_all(k, rows, ref_count(d) / rows, 0);
}

void REF(droppath)(const struct sct_kargs *k)
{
    const struct sct_desc *d = &k->d->in[0];
    drop_all(k, d->dim[0], ref_count(d) / d->dim[0], 1);
}
