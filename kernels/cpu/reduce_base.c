/* SPDX-License-Identifier: MIT
 * reduce_base.c - sums: over leading dimensions, slots, everything, squares, observers.
 * A sum that continues an accumulator adds row after row, so its bits do not depend on how many
 * images a micro-batch has. Sums to one scalar run on one thread, in double. */
#include "kernels/cpu/cpu_base.h"
#include "kernels/cpu/cpu_layout.h"

#include <math.h>

static void add_row(float *restrict acc, const float *restrict x, size_t n)
{
    for (size_t j = 0; j < n; j++)
        acc[j] += x[j];
}

void sum_to_base(const struct sct_kargs *k)
{
    const size_t n = sct_desc_count(&k->d->out[0]), rows = sct_desc_count(&k->d->in[1]) / n;
    const struct cpu_range r = cpu_split(k, n, 64);
    const float *x = k->in[1];
    float *acc = k->out[0];
    for (size_t i = 0; i < rows; i++)
        add_row(acc + r.first, x + i * n + r.first, r.end - r.first);
}

void slot_sum_base(const struct sct_kargs *k)
{
    const size_t n = sct_desc_count(&k->d->out[0]), slots = sct_desc_count(&k->d->in[0]) / n;
    const struct cpu_range all = cpu_split(k, n, 1024);
    const float *x = k->in[0];
    float *y = k->out[0];
    for (size_t first = all.first; first < all.end; first += 1024) { /* stays in L1 */
        const size_t m = all.end - first < 1024 ? all.end - first : 1024;
        for (size_t j = 0; j < m; j++)
            y[first + j] = x[first + j];
        for (size_t s = 1; s < slots; s++)
            add_row(y + first, x + s * n + first, m);
    }
}

void sum_all_base(const struct sct_kargs *k)
{
    const size_t n = sct_desc_count(&k->d->in[0]);
    const float *x = k->in[0];
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)x[i];
    *(float *)k->out[0] = (float)sum;
}

void sumsq_base(const struct sct_kargs *k)
{
    const size_t n = sct_desc_count(&k->d->in[0]);
    const float *restrict x = k->in[0];
    double s[8] = {0};
    size_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (size_t j = 0; j < 8; j++)
            s[j] += (double)x[i + j] * (double)x[i + j];
    for (; i < n; i++)
        s[i & 7] += (double)x[i] * (double)x[i];
    double sum = k->d->n_in > 1 ? (double)*(const float *)k->in[1] : 0.0;
    for (size_t j = 0; j < 8; j++)
        sum += s[j];
    *(float *)k->out[0] = (float)sum;
}

void clip_coef_base(const struct sct_kargs *k)
{
    const struct sct_clip_params *p = k->d->params;
    const double norm = sqrt((double)*(const float *)k->in[0]);
    const double coef = (double)p->max_norm / (norm + 1e-6);
    *(float *)k->out[0] = (float)(coef > 1.0 ? 1.0 : coef); /* a norm of NaN stays NaN */
}

void obs_sumsq_label_base(const struct sct_kargs *k)
{
    const struct sct_observe_params *p = k->d->params;
    const size_t images = k->d->in[1].dim[0], n = k->d->in[1].dim[1], c = k->d->in[1].dim[2];
    const struct cpu_range r = cpu_split(k, c, 16);
    const int32_t *label = k->in[2];
    const float *weight = k->in[3];
    for (size_t i = 0; i < images; i++) {
        const size_t row = p->any_class ? 0 : (size_t)label[2 * i];
        float *restrict acc = (float *)k->out[0] + row * c;
        const float w = weight[i];
        for (size_t t = p->skip; t < n; t++) {
            const float *restrict x = (const float *)k->in[1] + (i * n + t) * c;
            for (size_t j = r.first; j < r.end; j++)
                acc[j] += w * (x[j] * x[j]);
        }
    }
}

void obs_sumsq_base(const struct sct_kargs *k)
{
    const struct cpu_range r = cpu_split(k, sct_desc_count(&k->d->out[0]), 1024);
    const float *restrict g = k->in[1];
    float *restrict acc = k->out[0];
    for (size_t i = r.first; i < r.end; i++)
        acc[i] += g[i] * g[i];
}
