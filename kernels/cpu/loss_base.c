/* SPDX-License-Identifier: MIT
 * loss_base.c - cross-entropy with two labels, mixing and sample weights, and its gradient.
 * Softmax in double: L is small, and the loss is what people compare. Parts share images. */
#include "kernels/cpu/cpu_base.h"
#include "kernels/cpu/cpu_layout.h"

#include <math.h>

/* log sum exp of a row, through its largest element. */
static double log_sum_exp(const float *x, size_t n)
{
    double most = (double)x[0], sum = 0;
    for (size_t i = 1; i < n; i++)
        most = (double)x[i] > most ? (double)x[i] : most;
    for (size_t i = 0; i < n; i++)
        sum += exp((double)x[i] - most);
    return most + log(sum);
}

/* t = (1 - s)(mix at label 0, 1 - mix at label 1) + s / L. */
static double target(size_t j, size_t n, const int32_t *label, double mix, double smoothing)
{
    double t = 0;
    if ((int64_t)j == label[0])
        t += mix;
    if ((int64_t)j == label[1])
        t += 1.0 - mix;
    return (1.0 - smoothing) * t + smoothing / (double)n;
}

void xent_base(const struct sct_kargs *k)
{
    const struct sct_xent_params *p = k->d->params;
    const size_t n = sct_desc_last(&k->d->in[0]);
    const struct cpu_range r = cpu_split(k, k->d->in[0].dim[0], 1);
    const float *mix = k->in[2], *weight = k->in[3];
    float *loss = k->out[0];
    for (size_t i = r.first; i < r.end; i++) {
        const float *x = (const float *)k->in[0] + i * n;
        const int32_t *label = (const int32_t *)k->in[1] + 2 * i;
        const double lse = log_sum_exp(x, n);
        double sum = 0;
        for (size_t j = 0; j < n; j++) {
            const double t = target(j, n, label, (double)mix[i], (double)p->smoothing);
            if (t != 0) /* 0 times a log of 0 is 0 here */
                sum += t * ((double)x[j] - lse);
        }
        loss[i] = (float)((double)weight[i] * -sum);
    }
}

void xent_dx_base(const struct sct_kargs *k)
{
    const struct sct_xent_params *p = k->d->params;
    const size_t n = sct_desc_last(&k->d->in[0]);
    const struct cpu_range r = cpu_split(k, k->d->in[0].dim[0], 1);
    const float *mix = k->in[2], *weight = k->in[3], *dloss = k->in[4];
    for (size_t i = r.first; i < r.end; i++) {
        const float *x = (const float *)k->in[0] + i * n;
        const int32_t *label = (const int32_t *)k->in[1] + 2 * i;
        float *dx = (float *)k->out[0] + i * n;
        const double lse = log_sum_exp(x, n), by = (double)dloss[i] * (double)weight[i];
        for (size_t j = 0; j < n; j++) {
            const double t = target(j, n, label, (double)mix[i], (double)p->smoothing);
            dx[j] = (float)(by * (exp((double)x[j] - lse) - t));
        }
    }
}
