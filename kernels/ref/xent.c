/* SPDX-License-Identifier: MIT
 * xent.c - XENT and XENT_DX. Formulas: core/ops/loss.c. */
#include "kernels/ref/ref_util.h"

/* One sample: its logits, its labels, their shares of the target, the share of every label. */
struct sample {
    const REAL *x;
    size_t labels, first, second;
    double share1, share2, everywhere, weight, lse;
};

static double log_sum_exp(const REAL *x, size_t n)
{
    double top = (double)x[0], sum = 0.0;
    for (size_t l = 1; l < n; l++)
        top = fmax(top, (double)x[l]);
    for (size_t l = 0; l < n; l++)
        sum += exp((double)x[l] - top);
    return top + log(sum);
}

static struct sample sample_of(const struct sct_kargs *k, size_t b)
{
    const struct sct_xent_params *p = k->d->params;
    const size_t L = k->d->in[0].dim[1];
    const REAL *logits = k->in[0], *mix = k->in[2], *weight = k->in[3];
    const int32_t *label = k->in[1];
    const double s = (double)p->smoothing;
    struct sample a = {.x = logits + b * L, .labels = L};
    a.first = (size_t)label[2 * b];
    a.second = (size_t)label[2 * b + 1];
    a.share1 = (1.0 - s) * (double)mix[b];
    a.share2 = (1.0 - s) * (1.0 - (double)mix[b]);
    a.everywhere = s / (double)L;
    a.weight = (double)weight[b];
    a.lse = log_sum_exp(a.x, L);
    return a;
}

static double target(const struct sample *a, size_t l)
{
    return (l == a->first ? a->share1 : 0.0) + (l == a->second ? a->share2 : 0.0) +
           a->everywhere;
}

void REF(xent)(const struct sct_kargs *k)
{
    const size_t images = k->d->in[0].dim[0];
    REAL *loss = k->out[0];
    for (size_t b = 0; b < images; b++) {
        const struct sample a = sample_of(k, b);
        double sum = 0.0;
        /* a target of 0 does not look at its logit: 0 log 0 is 0 */
        for (size_t l = 0; l < a.labels; l++)
            if (target(&a, l) != 0.0)
                sum += target(&a, l) * (a.lse - (double)a.x[l]);
        loss[b] = a.weight != 0.0 ? (REAL)(a.weight * sum) : 0;
    }
}

void REF(xent_dx)(const struct sct_kargs *k)
{
    const size_t images = k->d->in[0].dim[0];
    const REAL *dloss = k->in[4];
    REAL *dx = k->out[0];
    for (size_t b = 0; b < images; b++) {
        const struct sample a = sample_of(k, b);
        const double factor = (double)dloss[b] * a.weight;
        for (size_t l = 0; l < a.labels; l++) {
            const double softmax = exp((double)a.x[l] - a.lse);
            *dx++ = a.weight != 0.0 ? (REAL)(factor * (softmax - target(&a, l))) : 0;
        }
    }
}
