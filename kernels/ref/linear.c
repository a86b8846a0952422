/* SPDX-License-Identifier: MIT
 * linear.c - LINEAR, its gradients LINEAR_DX and LINEAR_DW, and the fused forms of the first
 * two. A fused form differs in what becomes of the sum before it is rounded and stored. */
#include "kernels/ref/ref_util.h"

/* A matrix product's operands: rows x [rows][in] with w [out][in]. */
struct product {
    const REAL *x, *w, *bias;
    size_t rows, in, out;
};

/* x = in[at], w = in[at + 1], bias = in[at + 2] if it is there. */
static struct product forward(const struct sct_kargs *k, uint32_t at)
{
    const struct sct_desc *x = &k->d->in[at], *w = &k->d->in[at + 1];
    const struct product m = {
        k->in[at],   k->in[at + 1], at + 2 < k->d->n_in ? k->in[at + 2] : NULL,
        ref_rows(x), w->dim[1],     w->dim[0]};
    return m;
}

static double forward_at(const struct product *m, size_t r, size_t o)
{
    const double bias = m->bias ? (double)m->bias[o] : 0.0;
    return ref_dot(m->x + r * m->in, m->w + o * m->in, m->in) + bias;
}

void REF(linear)(const struct sct_kargs *k)
{
    const struct product m = forward(k, 0);
    REAL *y = k->out[0];
    for (size_t r = 0; r < m.rows; r++)
        for (size_t o = 0; o < m.out; o++)
            *y++ = (REAL)forward_at(&m, r, o);
}

void REF(linear_gelu)(const struct sct_kargs *k)
{
    const struct sct_gelu_params *p = k->d->params;
    const struct product m = forward(k, 0);
    REAL *y = k->out[0], *pre = k->out[1];
    for (size_t r = 0; r < m.rows; r++)
        for (size_t o = 0; o < m.out; o++) {
            *pre = (REAL)forward_at(&m, r, o);
            *y++ = (REAL)ref_gelu((double)*pre++, p->kind);
        }
}

void REF(linear_add)(const struct sct_kargs *k)
{
    const struct product m = forward(k, 1);
    const REAL *res = k->in[0];
    REAL *y = k->out[0];
    for (size_t r = 0; r < m.rows; r++)
        for (size_t o = 0; o < m.out; o++)
            *y++ = (REAL)((double)*res++ + forward_at(&m, r, o));
}

/* dy = in[at] in the place of x, w = in[at + 1]. */
static struct product backward(const struct sct_kargs *k, uint32_t at)
{
    const struct sct_desc *dy = &k->d->in[at], *w = &k->d->in[at + 1];
    const struct product m = {k->in[at],    k->in[at + 1], NULL,
                              ref_rows(dy), w->dim[1],     w->dim[0]};
    return m;
}

static double backward_at(const struct product *m, size_t r, size_t i)
{
    return ref_dot_column(m->x + r * m->out, m->w, m->out, m->in, i);
}

void REF(linear_dx)(const struct sct_kargs *k)
{
    const struct product m = backward(k, 0);
    REAL *dx = k->out[0];
    for (size_t r = 0; r < m.rows; r++)
        for (size_t i = 0; i < m.in; i++)
            *dx++ = (REAL)backward_at(&m, r, i);
}

void REF(linear_dx_gelu)(const struct sct_kargs *k)
{
    const struct sct_gelu_params *p = k->d->params;
    const struct product m = backward(k, 0);
    const REAL *pre = k->in[2];
    REAL *dx = k->out[0];
    for (size_t r = 0; r < m.rows; r++)
        for (size_t i = 0; i < m.in; i++)
            *dx++ = (REAL)(backward_at(&m, r, i) * ref_gelu_slope((double)*pre++, p->kind));
}

void REF(linear_dx_add)(const struct sct_kargs *k)
{
    const struct product m = backward(k, 1);
    const REAL *res = k->in[0];
    REAL *dx = k->out[0];
    for (size_t r = 0; r < m.rows; r++)
        for (size_t i = 0; i < m.in; i++)
            *dx++ = (REAL)((double)*res++ + backward_at(&m, r, i));
}

void REF(linear_dw)(const struct sct_kargs *k)
{
    const struct sct_desc *d = &k->d->in[1];
    const size_t out = sct_desc_last(d), in = sct_desc_last(&k->d->in[2]);
    const size_t images = ref_images(d), rows = ref_rows(d) / images;
    const REAL *dy = k->in[1], *x = k->in[2];
    REAL *acc = k->out[0];
    for (size_t b = 0; b < images; b++, dy += rows * out, x += rows * in)
        for (size_t o = 0; o < out; o++)
            for (size_t i = 0; i < in; i++) {
                double sum = 0.0;
                for (size_t r = 0; r < rows; r++)
                    sum += (double)dy[r * out + o] * (double)x[r * in + i];
                acc[o * in + i] = (REAL)((double)acc[o * in + i] + sum);
            }
}

/* Each element in the order of linear_dw, so that it is the same number. */
void REF(linear_dw_el)(const struct sct_kargs *k)
{
    const struct sct_desc *d = &k->d->in[1];
    const size_t out = sct_desc_last(d), in = sct_desc_last(&k->d->in[2]);
    const size_t images = ref_images(d), rows = ref_rows(d) / images, n = k->d->in[3].dim[0];
    const int32_t *idx = k->in[3];
    const REAL *dy = k->in[1], *x = k->in[2];
    REAL *acc = k->out[0];
    for (size_t b = 0; b < images; b++, dy += rows * out, x += rows * in)
        for (size_t e = 0; e < n; e++) {
            const size_t o = (size_t)idx[e] / in, i = (size_t)idx[e] % in;
            double sum = 0.0;
            for (size_t r = 0; r < rows; r++)
                sum += (double)dy[r * out + o] * (double)x[r * in + i];
            acc[e] = (REAL)((double)acc[e] + sum);
        }
}
