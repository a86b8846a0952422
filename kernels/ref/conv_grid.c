/* SPDX-License-Identifier: MIT
 * conv_grid.c - CONV_GRID and its gradients: a convolution of tokens that are a grid, and of
 * the tokens in front of it, each a grid of 1 x 1. */
#include "kernels/ref/ref_util.h"

/* The last h w of n tokens are the grid; the kernel is [out][in][kh][kw]. */
struct conv {
    size_t images, n, h, w, out, in, kh, kw;
};

static struct conv conv_of(const struct sct_kargs *k, const struct sct_desc *x,
                           const struct sct_desc *weight)
{
    const struct sct_grid_params *p = k->d->params;
    const uint32_t *w = weight->dim;
    const struct conv c = {x->dim[0], x->dim[1], p->h, p->w, w[0], w[1], w[2], w[3]};
    return c;
}

/* *to: the token that kernel element (a, b) meets from token t; 0 when there is none. */
static int meets(const struct conv *c, size_t t, size_t a, size_t b, size_t *to)
{
    const size_t first = c->n - c->h * c->w;
    *to = t;
    if (t < first)
        return a == c->kh / 2 && b == c->kw / 2;
    const size_t y = (t - first) / c->w + a, x = (t - first) % c->w + b;
    if (y < c->kh / 2 || y - c->kh / 2 >= c->h || x < c->kw / 2 || x - c->kw / 2 >= c->w)
        return 0;
    *to = first + (y - c->kh / 2) * c->w + x - c->kw / 2;
    return 1;
}

static size_t element(const struct conv *c, size_t o, size_t i, size_t a, size_t b)
{
    return ((o * c->in + i) * c->kh + a) * c->kw + b;
}

void REF(conv_grid)(const struct sct_kargs *k)
{
    const struct conv c = conv_of(k, &k->d->in[0], &k->d->in[1]);
    const REAL *x = k->in[0], *w = k->in[1], *bias = k->d->n_in > 2 ? k->in[2] : NULL;
    REAL *y = k->out[0];
    for (size_t m = 0; m < c.images; m++, x += c.n * c.in)
        for (size_t t = 0; t < c.n; t++)
            for (size_t o = 0; o < c.out; o++) {
                double sum = bias ? (double)bias[o] : 0.0;
                size_t to;
                for (size_t a = 0; a < c.kh; a++)
                    for (size_t b = 0; b < c.kw; b++)
                        for (size_t i = 0; meets(&c, t, a, b, &to) && i < c.in; i++)
                            sum +=
                                (double)x[to * c.in + i] * (double)w[element(&c, o, i, a, b)];
                *y++ = (REAL)sum;
            }
}

void REF(conv_grid_dx)(const struct sct_kargs *k)
{
    const struct conv c = conv_of(k, &k->d->in[0], &k->d->in[1]);
    const REAL *dy = k->in[0], *w = k->in[1];
    REAL *dx = k->out[0];
    for (size_t m = 0; m < c.images; m++, dy += c.n * c.out)
        for (size_t t = 0; t < c.n; t++)
            for (size_t i = 0; i < c.in; i++) {
                double sum = 0.0;
                size_t from;
                /* t is what (a, b) meets from the token that the turned kernel meets from t */
                for (size_t a = 0; a < c.kh; a++)
                    for (size_t b = 0; b < c.kw; b++)
                        for (size_t o = 0;
                             meets(&c, t, c.kh - 1 - a, c.kw - 1 - b, &from) && o < c.out; o++)
                            sum += (double)dy[from * c.out + o] *
                                   (double)w[element(&c, o, i, a, b)];
                *dx++ = (REAL)sum;
            }
}

void REF(conv_grid_dw)(const struct sct_kargs *k)
{
    const struct conv c = conv_of(k, &k->d->in[1], &k->d->in[0]);
    const REAL *dy = k->in[1], *x = k->in[2];
    REAL *acc = k->out[0];
    for (size_t m = 0; m < c.images; m++, dy += c.n * c.out, x += c.n * c.in)
        for (size_t o = 0; o < c.out; o++)
            for (size_t i = 0; i < c.in; i++)
                for (size_t e = 0; e < c.kh * c.kw; e++) {
                    double sum = 0.0;
                    size_t to;
                    for (size_t t = 0; t < c.n; t++)
                        if (meets(&c, t, e / c.kw, e % c.kw, &to))
                            sum += (double)dy[t * c.out + o] * (double)x[to * c.in + i];
                    REAL *at = acc + (o * c.in + i) * c.kh * c.kw + e;
                    *at = (REAL)((double)*at + sum);
                }
}
