/* SPDX-License-Identifier: MIT
 * dora_scale.c - DORA_SCALE. */
#include "kernels/ref/ref_util.h"

void REF(dora_scale)(const struct sct_kargs *k)
{
    const struct sct_module_params *p = k->d->params;
    const size_t n = ref_count(&k->d->in[0]), in = sct_desc_last(&k->d->in[1]),
                 r = k->d->n_in > 2 ? k->d->in[2].dim[0] : 0;
    const REAL *m = k->in[0], *w = k->in[1], *a = r ? k->in[2] : NULL, *b = r ? k->in[3] : NULL;
    REAL *f = k->out[0], *rnorm = k->out[1];
    for (size_t o = 0; o < n; o++) {
        const REAL *row = w + (p->first + o) * in;
        double sum = 0.0;
        for (size_t i = 0; i < in; i++) {
            double v = r ? ref_dot_column(b + o * r, a, r, in, i) : 0.0;
            v = (double)row[i] + (double)p->scale * v;
            sum += v * v;
        }
        /* a NaN is no zero and goes on */
        const double by = sum == 0.0 ? 0.0 : 1.0 / sqrt(sum);
        rnorm[o] = (REAL)by;
        f[o] = (REAL)((double)m[o] * by);
    }
}
