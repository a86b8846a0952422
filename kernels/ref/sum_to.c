/* SPDX-License-Identifier: MIT
 * sum_to.c - SUM_TO: the gradient of whatever was repeated over leading dimensions. */
#include "kernels/ref/ref_util.h"

void REF(sum_to)(const struct sct_kargs *k)
{
    const struct sct_desc *d = &k->d->in[1];
    const size_t n = ref_count(&k->d->in[0]), total = ref_count(d) / n;
    const size_t images = d->nd > k->d->in[0].nd ? d->dim[0] : 1, rows = total / images;
    const REAL *x = k->in[1];
    REAL *acc = k->out[0];
    for (size_t b = 0; b < images; b++, x += rows * n)
        for (size_t i = 0; i < n; i++) {
            double sum = 0.0;
            for (size_t r = 0; r < rows; r++)
                sum += (double)x[r * n + i];
            acc[i] = (REAL)((double)acc[i] + sum);
        }
}
