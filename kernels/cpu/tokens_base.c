/* SPDX-License-Identifier: MIT
 * tokens_base.c - ops over the tokens of an image: join, cut, pad, mean, grids, patch merging.
 * Parts share tokens of the result; a token's channels move as one run of floats. */
#include "kernels/cpu/cpu_base.h"
#include "kernels/cpu/cpu_layout.h"

#include <string.h>

enum { TOKENS = 16 };

/* Token t of image i of the result: where it comes from, or NULL for zeros. */
typedef const float *(*source_fn)(const struct sct_kargs *k, size_t i, size_t t, size_t c);

static void move_tokens(const struct sct_kargs *k, source_fn source)
{
    const size_t n = k->d->out[0].dim[1], c = k->d->out[0].dim[2];
    const struct cpu_range r = cpu_split(k, k->d->out[0].dim[0] * n, TOKENS);
    for (size_t at = r.first; at < r.end; at++) {
        const float *from = source(k, at / n, at % n, c);
        float *to = (float *)k->out[0] + at * c;
        if (from)
            memcpy(to, from, c * sizeof *to);
        else
            memset(to, 0, c * sizeof *to);
    }
}

/* Tokens of an input that may be one for all images ([N][C]). */
static size_t tokens_of(const struct sct_desc *d)
{
    return d->dim[d->nd - 2];
}

static const float *concat_source(const struct sct_kargs *k, size_t i, size_t t, size_t c)
{
    const size_t n0 = tokens_of(&k->d->in[0]);
    const uint32_t which = t < n0 ? 0 : 1;
    const struct sct_desc *d = &k->d->in[which];
    const size_t image = d->nd == 2 ? 0 : i, at = which ? t - n0 : t;
    return (const float *)k->in[which] + (image * tokens_of(d) + at) * c;
}

void concat_tokens_base(const struct sct_kargs *k)
{
    move_tokens(k, concat_source);
}

static const float *slice_source(const struct sct_kargs *k, size_t i, size_t t, size_t c)
{
    const struct sct_range_params *p = k->d->params;
    return (const float *)k->in[0] + (i * k->d->in[0].dim[1] + p->first + t) * c;
}

void slice_tokens_base(const struct sct_kargs *k)
{
    move_tokens(k, slice_source);
}

static const float *pad_source(const struct sct_kargs *k, size_t i, size_t t, size_t c)
{
    const struct sct_range_params *p = k->d->params;
    const size_t n = k->d->in[0].dim[1];
    if (t < p->first || t - p->first >= n)
        return NULL;
    return (const float *)k->in[0] + (i * n + t - p->first) * c;
}

void pad_tokens_base(const struct sct_kargs *k)
{
    move_tokens(k, pad_source);
}

/* PAD_GRID and CROP_GRID: the same place of the rolled grid in one of another size. */
static const float *grid_source(const struct sct_kargs *k, size_t i, size_t t, size_t c)
{
    const struct sct_grid_params *p = k->d->params;
    const size_t y = (t / p->out_w + p->out_h - p->roll_h) % p->out_h;
    const size_t x = (t % p->out_w + p->out_w - p->roll_w) % p->out_w;
    if (y >= p->h || x >= p->w)
        return NULL;
    const size_t from = (y + p->roll_h) % p->h * p->w + (x + p->roll_w) % p->w;
    return (const float *)k->in[0] + (i * p->h * p->w + from) * c;
}

void pad_grid_base(const struct sct_kargs *k)
{
    move_tokens(k, grid_source);
}

void crop_grid_base(const struct sct_kargs *k)
{
    move_tokens(k, grid_source);
}

/* Neighbours in the order (0,0), (1,0), (0,1), (1,1) of (row, column). */
static void merge(const struct sct_kargs *k, size_t c, int split)
{
    const struct sct_grid_params *p = k->d->params;
    const size_t across = p->w / 2, n = p->h / 2 * across;
    const struct cpu_range r = cpu_split(k, k->d->in[0].dim[0] * n, TOKENS);
    for (size_t at = r.first; at < r.end; at++) {
        const size_t image = at / n, y = at % n / across, x = at % n % across;
        for (size_t part = 0; part < 4; part++) {
            const size_t big = (at * 4 + part) * c,
                         small = (image * p->h * p->w + (2 * y + part % 2) * p->w + 2 * x +
                                  part / 2) *
                                 c;
            if (split)
                memcpy((float *)k->out[0] + small, (const float *)k->in[0] + big,
                       c * sizeof(float));
            else
                memcpy((float *)k->out[0] + big, (const float *)k->in[0] + small,
                       c * sizeof(float));
        }
    }
}

void patch_merge_base(const struct sct_kargs *k)
{
    merge(k, k->d->in[0].dim[2], 0);
}

void patch_split_base(const struct sct_kargs *k)
{
    merge(k, k->d->out[0].dim[2], 1);
}

void mean_tokens_base(const struct sct_kargs *k)
{
    const struct sct_range_params *p = k->d->params;
    const size_t images = k->d->in[0].dim[0], n = k->d->in[0].dim[1], c = k->d->in[0].dim[2];
    const struct cpu_range r = cpu_split(k, c, 16);
    const float count = (float)(n - p->first);
    for (size_t i = 0; i < images; i++) {
        float *restrict y = (float *)k->out[0] + i * c;
        for (size_t j = r.first; j < r.end; j++)
            y[j] = 0.0f;
        for (size_t t = p->first; t < n; t++) {
            const float *restrict x = (const float *)k->in[0] + (i * n + t) * c;
            for (size_t j = r.first; j < r.end; j++)
                y[j] += x[j];
        }
        for (size_t j = r.first; j < r.end; j++)
            y[j] /= count;
    }
}

void spread_tokens_base(const struct sct_kargs *k)
{
    const struct sct_range_params *p = k->d->params;
    const size_t n = k->d->out[0].dim[1], c = k->d->out[0].dim[2];
    const struct cpu_range r = cpu_split(k, k->d->out[0].dim[0] * n, TOKENS);
    const float count = (float)(n - p->first);
    for (size_t at = r.first; at < r.end; at++) {
        const float *restrict x = (const float *)k->in[0] + at / n * c;
        float *restrict y = (float *)k->out[0] + at * c;
        for (size_t j = 0; j < c; j++)
            y[j] = at % n < p->first ? 0.0f : x[j] / count;
    }
}
