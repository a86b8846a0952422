/* SPDX-License-Identifier: MIT
 * sgd.c - SGD: one step of torch.optim.SGD with dampening 0, in place.
 * Computed in double; parameter and momentum buffer are rounded once each, when stored. */
#include "kernels/ref/ref_util.h"

void REF(sgd)(const struct sct_kargs *k)
{
    const struct sct_sgd_params *a = k->d->params;
    const size_t n = ref_count(&k->d->in[0]);
    const REAL *g_in = k->in[2], *coef_in = k->d->n_in > 3 ? k->in[3] : NULL;
    REAL *p = k->out[0], *buf = k->out[1];
    const double lr = (double)k->step->lr * (double)a->lr_mult, momentum = (double)a->momentum;
    const double coef = coef_in ? (double)*coef_in : 1.0;
    for (size_t i = 0; i < n; i++) {
        const double g = coef * (double)g_in[i] + (double)a->weight_decay * (double)p[i];
        const double b = momentum * (double)buf[i] + g;
        p[i] = (REAL)((double)p[i] - lr * (a->nesterov ? g + momentum * b : b));
        buf[i] = (REAL)b;
    }
}
