/* SPDX-License-Identifier: MIT
 * layernorm.c - LAYERNORM and its gradients. Formulas: core/ops/norm.c. */
#include "kernels/ref/ref_util.h"

void REF(layernorm)(const struct sct_kargs *k)
{
    const struct sct_norm_params *p = k->d->params;
    const size_t rows = ref_rows(&k->d->in[0]), C = sct_desc_last(&k->d->in[0]);
    const REAL *x = k->in[0], *g = k->in[1], *beta = k->in[2];
    REAL *y = k->out[0], *mean_out = k->out[1], *rstd_out = k->out[2];
    for (size_t r = 0; r < rows; r++, x += C, y += C) {
        double mean = 0.0, var = 0.0;
        for (size_t c = 0; c < C; c++)
            mean += (double)x[c];
        mean /= (double)C;
        for (size_t c = 0; c < C; c++)
            var += ((double)x[c] - mean) * ((double)x[c] - mean);
        const double rstd = 1.0 / sqrt(var / (double)C + (double)p->eps);
        for (size_t c = 0; c < C; c++)
            y[c] = (REAL)(((double)x[c] - mean) * rstd * (double)g[c] + (double)beta[c]);
        mean_out[r] = (REAL)mean;
        rstd_out[r] = (REAL)rstd;
    }
}

/* x = in[at], g, mean, rstd, dy behind it; res, if given, is added. */
static void input_gradient(const struct sct_kargs *k, uint32_t at, const REAL *res)
{
    const size_t rows = ref_rows(&k->d->in[at]), C = sct_desc_last(&k->d->in[at]);
    const REAL *x = k->in[at], *g = k->in[at + 1], *mean = k->in[at + 2], *rstd = k->in[at + 3];
    const REAL *dy = k->in[at + 4];
    REAL *dx = k->out[0];
    for (size_t r = 0; r < rows; r++) {
        const double m = (double)mean[r], s = (double)rstd[r];
        double sum = 0.0, dot = 0.0;
        for (size_t c = 0; c < C; c++) {
            const double gdy = (double)g[c] * (double)dy[r * C + c];
            sum += gdy;
            dot += gdy * ((double)x[r * C + c] - m) * s;
        }
        sum /= (double)C;
        dot /= (double)C;
        for (size_t c = 0; c < C; c++) {
            const double xhat = ((double)x[r * C + c] - m) * s;
            const double gdy = (double)g[c] * (double)dy[r * C + c];
            const double base = res ? (double)res[r * C + c] : 0.0;
            dx[r * C + c] = (REAL)(base + s * (gdy - sum - xhat * dot));
        }
    }
}

void REF(layernorm_dx)(const struct sct_kargs *k)
{
    input_gradient(k, 0, NULL);
}

void REF(layernorm_dx_add)(const struct sct_kargs *k)
{
    input_gradient(k, 1, k->in[0]);
}

void REF(layernorm_dg)(const struct sct_kargs *k)
{
    const struct sct_desc *d = &k->d->in[1];
    const size_t C = sct_desc_last(d), images = ref_images(d), rows = ref_rows(d) / images;
    const REAL *x = k->in[1], *mean = k->in[2], *rstd = k->in[3], *dy = k->in[4];
    REAL *acc = k->out[0];
    for (size_t b = 0; b < images;
         b++, x += rows * C, dy += rows * C, mean += rows, rstd += rows)
        for (size_t c = 0; c < C; c++) {
            double sum = 0.0;
            for (size_t r = 0; r < rows; r++)
                sum += (double)dy[r * C + c] * ((double)x[r * C + c] - (double)mean[r]) *
                       (double)rstd[r];
            acc[c] = (REAL)((double)acc[c] + sum);
        }
}
