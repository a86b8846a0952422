/* SPDX-License-Identifier: MIT
 * linear_grouped.c - LINEAR_GROUPED and its gradients: one matrix product a group. */
#include "kernels/ref/ref_util.h"

/* Of the weight [groups][out][in], so of one group. */
struct groups {
    size_t n, out, in;
};

static struct groups groups_of(const struct sct_desc *w)
{
    const struct groups g = {w->dim[0], w->dim[1], w->dim[2]};
    return g;
}

void REF(linear_grouped)(const struct sct_kargs *k)
{
    const struct groups g = groups_of(&k->d->in[1]);
    const size_t rows = ref_rows(&k->d->in[0]);
    const REAL *x = k->in[0], *w = k->in[1], *bias = k->d->n_in > 2 ? k->in[2] : NULL;
    REAL *y = k->out[0];
    for (size_t r = 0; r < rows; r++)
        for (size_t o = 0; o < g.n * g.out; o++) {
            const REAL *xg = x + (r * g.n + o / g.out) * g.in;
            *y++ = (REAL)(ref_dot(xg, w + o * g.in, g.in) + (bias ? (double)bias[o] : 0.0));
        }
}

void REF(linear_grouped_dx)(const struct sct_kargs *k)
{
    const struct groups g = groups_of(&k->d->in[1]);
    const size_t rows = ref_rows(&k->d->in[0]);
    const REAL *dy = k->in[0], *w = k->in[1];
    REAL *dx = k->out[0];
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < g.n * g.in; i++) {
            const size_t n = i / g.in;
            *dx++ = (REAL)ref_dot_column(dy + (r * g.n + n) * g.out, w + n * g.out * g.in,
                                         g.out, g.in, i % g.in);
        }
}

void REF(linear_grouped_dw)(const struct sct_kargs *k)
{
    const struct groups g = groups_of(&k->d->in[0]);
    const size_t images = ref_images(&k->d->in[1]), rows = ref_rows(&k->d->in[1]) / images;
    const size_t out = g.n * g.out, in = g.n * g.in;
    const REAL *dy = k->in[1], *x = k->in[2];
    REAL *acc = k->out[0];
    for (size_t b = 0; b < images; b++, dy += rows * out, x += rows * in)
        for (size_t o = 0; o < out; o++)
            for (size_t i = 0; i < g.in; i++) {
                double sum = 0.0;
                for (size_t r = 0; r < rows; r++)
                    sum += (double)dy[r * out + o] * (double)x[r * in + o / g.out * g.in + i];
                acc[o * g.in + i] = (REAL)((double)acc[o * g.in + i] + sum);
            }
}
