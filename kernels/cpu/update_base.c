/* SPDX-License-Identifier: MIT
 * update_base.c - AdamW and SGD, in place, as torch.optim computes them; moving averages.
 * What is one number for all elements is made in double, once a call. */
#include "kernels/cpu/cpu_base.h"
#include "kernels/cpu/cpu_layout.h"
#include "kernels/ema_weight.h"

#include <math.h>

enum { GRAIN = 1024 };

void adamw_base(const struct sct_kargs *k)
{
    const struct sct_adamw_params *a = k->d->params;
    const struct cpu_range r = cpu_split(k, sct_desc_count(&k->d->out[0]), GRAIN);
    float *restrict p = k->out[0], *restrict m = k->out[1], *restrict v = k->out[2];
    const float *restrict grad = k->in[3];
    const float coef = k->d->n_in > 4 ? *(const float *)k->in[4] : 1.0f;
    const double lr = (double)k->step->lr * (double)a->lr_mult, t = (double)k->step->step + 1.0,
                 c1 = 1.0 - pow((double)a->beta1, t), c2 = 1.0 - pow((double)a->beta2, t);
    const float keep = (float)(1.0 - lr * (double)a->weight_decay), rate = (float)(lr / c1),
                root = (float)(1.0 / sqrt(c2)), eps = a->eps, b1 = a->beta1, b2 = a->beta2,
                d1 = (float)(1.0 - (double)a->beta1), d2 = (float)(1.0 - (double)a->beta2);
    for (size_t i = r.first; i < r.end; i++) {
        const float g = grad[i] * coef;
        m[i] = b1 * m[i] + d1 * g;
        v[i] = b2 * v[i] + d2 * g * g;
        p[i] = p[i] * keep - rate * m[i] / (sqrtf(v[i]) * root + eps);
    }
}

void sgd_base(const struct sct_kargs *k)
{
    const struct sct_sgd_params *a = k->d->params;
    const struct cpu_range r = cpu_split(k, sct_desc_count(&k->d->out[0]), GRAIN);
    float *restrict p = k->out[0], *restrict buf = k->out[1];
    const float *restrict grad = k->in[2];
    const float coef = k->d->n_in > 3 ? *(const float *)k->in[3] : 1.0f;
    const float lr = (float)((double)k->step->lr * (double)a->lr_mult), wd = a->weight_decay,
                momentum = a->momentum;
    for (size_t i = r.first; i < r.end; i++) {
        const float g = grad[i] * coef + wd * p[i];
        buf[i] = momentum * buf[i] + g;
        p[i] -= lr * (a->nesterov ? g + momentum * buf[i] : buf[i]);
    }
}

void ema_base(const struct sct_kargs *k)
{
    const struct cpu_range r = cpu_split(k, sct_desc_count(&k->d->out[0]), GRAIN);
    const float *restrict x = k->in[1];
    float *restrict average = k->out[0];
    const float weight = (float)ema_weight(k);
    for (size_t i = r.first; i < r.end; i++)
        average[i] += weight * (x[i] - average[i]);
}
