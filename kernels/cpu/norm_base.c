/* SPDX-License-Identifier: MIT
 * norm_base.c - LayerNorm over the last dimension and its gradients.
 * Sums of a row run in double, eight partial sums wide: a constant row has variance 0. */
#include "kernels/cpu/base_math.h"
#include "kernels/cpu/cpu_base.h"
#include "kernels/cpu/cpu_layout.h"

#include <math.h>

static double sum_squares(const float *restrict x, double mean, size_t n)
{
    double s[8] = {0};
    size_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (size_t j = 0; j < 8; j++) {
            const double v = (double)x[i + j] - mean;
            s[j] += v * v;
        }
    for (; i < n; i++) {
        const double v = (double)x[i] - mean;
        s[i & 7] += v * v;
    }
    return ((s[0] + s[4]) + (s[1] + s[5])) + ((s[2] + s[6]) + (s[3] + s[7]));
}

void layernorm_base(const struct sct_kargs *k)
{
    const struct sct_norm_params *p = k->d->params;
    const size_t c = sct_desc_last(&k->d->in[0]);
    const struct cpu_range r = cpu_split(k, sct_desc_rows(&k->d->in[0]), 1);
    const float *restrict g = k->in[1], *restrict beta = k->in[2];
    float *means = k->out[1], *rstds = k->out[2];
    for (size_t i = r.first; i < r.end; i++) {
        const float *restrict x = (const float *)k->in[0] + i * c;
        float *restrict y = (float *)k->out[0] + i * c;
        const double m = base_sum(x, c) / (double)c;
        const double var = sum_squares(x, m, c) / (double)c;
        const float mean = (float)m, rstd = (float)(1.0 / sqrt(var + (double)p->eps));
        for (size_t j = 0; j < c; j++)
            y[j] = (x[j] - mean) * rstd * g[j] + beta[j];
        means[i] = mean;
        rstds[i] = rstd;
    }
}

/* dx = rstd (u - mean(u) - xh mean(u xh)) with u = dy g, xh = (x - mean) rstd; plus res. */
static void dx_row(const float *x, const float *restrict g, const float *dy, const float *res,
                   float *dx, size_t c, float mean, float rstd)
{
    double su[8] = {0}, sx[8] = {0};
    size_t i = 0;
    for (; i + 8 <= c; i += 8)
        for (size_t j = 0; j < 8; j++) {
            const float u = dy[i + j] * g[i + j], xh = (x[i + j] - mean) * rstd;
            su[j] += (double)u;
            sx[j] += (double)u * (double)xh;
        }
    for (; i < c; i++) {
        const float u = dy[i] * g[i], xh = (x[i] - mean) * rstd;
        su[i & 7] += (double)u;
        sx[i & 7] += (double)u * (double)xh;
    }
    double mu = 0, mx = 0;
    for (size_t j = 0; j < 8; j++) {
        mu += su[j];
        mx += sx[j];
    }
    const float a = (float)(mu / (double)c), b = (float)(mx / (double)c);
    for (size_t j = 0; j < c; j++) {
        const float v = rstd * (dy[j] * g[j] - a - (x[j] - mean) * rstd * b);
        dx[j] = res ? res[j] + v : v;
    }
}

/* in[at..]: x, g, mean, rstd, dy. */
static void dx_rows(const struct sct_kargs *k, uint32_t at, const float *res)
{
    const size_t c = sct_desc_last(&k->d->out[0]);
    const struct cpu_range r = cpu_split(k, sct_desc_rows(&k->d->out[0]), 1);
    const float *x = k->in[at], *g = k->in[at + 1], *mean = k->in[at + 2],
                *rstd = k->in[at + 3], *dy = k->in[at + 4];
    float *dx = k->out[0];
    for (size_t i = r.first; i < r.end; i++)
        dx_row(x + i * c, g, dy + i * c, res ? res + i * c : NULL, dx + i * c, c, mean[i],
               rstd[i]);
}

void layernorm_dx_base(const struct sct_kargs *k)
{
    dx_rows(k, 0, NULL);
}

void layernorm_dx_add_base(const struct sct_kargs *k)
{
    dx_rows(k, 1, k->in[0]);
}

void layernorm_dg_base(const struct sct_kargs *k)
{
    const size_t c = sct_desc_last(&k->d->in[1]), rows = sct_desc_rows(&k->d->in[1]);
    const struct cpu_range r = cpu_split(k, c, 16);
    const float *restrict mean = k->in[2], *restrict rstd = k->in[3];
    float *restrict acc = k->out[0];
    for (size_t i = 0; i < rows; i++) {
        const float *restrict x = (const float *)k->in[1] + i * c, *restrict dy =
                                                                       (const float *)k->in[4] +
                                                                       i * c;
        for (size_t j = r.first; j < r.end; j++)
            acc[j] += dy[j] * ((x[j] - mean[i]) * rstd[i]);
    }
}
