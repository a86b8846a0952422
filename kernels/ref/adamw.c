/* SPDX-License-Identifier: MIT
 * adamw.c - ADAMW: one step of torch.optim.AdamW (Loshchilov and Hutter 2019), in place.
 * Computed in double; parameter and moments are rounded once each, when stored. */
#include "kernels/ref/ref_util.h"

void REF(adamw)(const struct sct_kargs *k)
{
    const struct sct_adamw_params *a = k->d->params;
    const size_t n = ref_count(&k->d->in[0]);
    const REAL *g_in = k->in[3], *coef_in = k->d->n_in > 4 ? k->in[4] : NULL;
    REAL *p = k->out[0], *m = k->out[1], *v = k->out[2];
    const double b1 = (double)a->beta1, b2 = (double)a->beta2, t = (double)k->step->step + 1.0;
    const double lr = (double)k->step->lr * (double)a->lr_mult;
    const double rate = lr / (1.0 - pow(b1, t)), root = sqrt(1.0 - pow(b2, t));
    const double decay = 1.0 - lr * (double)a->weight_decay;
    const double coef = coef_in ? (double)*coef_in : 1.0;
    for (size_t i = 0; i < n; i++) {
        const double g = coef * (double)g_in[i];
        const double m1 = b1 * (double)m[i] + (1.0 - b1) * g;
        const double v1 = b2 * (double)v[i] + (1.0 - b2) * g * g;
        p[i] = (REAL)(decay * (double)p[i] - rate * m1 / (sqrt(v1) / root + (double)a->eps));
        m[i] = (REAL)m1;
        v[i] = (REAL)v1;
    }
}
