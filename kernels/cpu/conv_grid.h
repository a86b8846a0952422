/* SPDX-License-Identifier: MIT
 * conv_grid.h - what the portable and the vector kernels of CONV_GRID share: which tokens a
 * kernel's element meets, the kernel packed for the columns that are being written, and the
 * scratch of both. Everything is static inline: no copy of one ISA is linked into another. */
#ifndef SCT_CPU_CONV_GRID_H
#define SCT_CPU_CONV_GRID_H

#include "kernels/cpu/cpu_layout.h"

/* The last h w of n tokens are the grid, row-major. */
struct conv_grid {
    size_t images, n, first, h, w, kh, kw;
};

/* x [B][N][..], weight [out][in][kh][kw]. */
static inline struct conv_grid conv_grid_of(const struct sct_kargs *k, const struct sct_desc *x,
                                            const struct sct_desc *weight)
{
    const struct sct_grid_params *p = k->d->params;
    const struct conv_grid g = {x->dim[0],     x->dim[1], x->dim[1] - (size_t)p->h * p->w,
                                p->h,          p->w,      weight->dim[2],
                                weight->dim[3]};
    return g;
}

/* The tokens of x0 .. x0 + n - 1 in a row for which kernel column b is inside, counted from x0;
 * token t of them meets column x0 + t + b - kw / 2. */
static inline struct cpu_range conv_inside(const struct conv_grid *g, size_t x0, size_t n,
                                           size_t b)
{
    const size_t half = g->kw / 2, before = b + x0 < half ? half - b - x0 : 0,
                 end = g->w + half > b + x0 ? g->w + half - b - x0 : 0;
    const struct cpu_range r = {before, end < n ? end : n};
    return r;
}

/* Whether row y meets a row with kernel row a, and which. */
static inline int conv_row_inside(const struct conv_grid *g, size_t y, size_t a, size_t *to)
{
    *to = y + a - g->kh / 2;
    return y + a >= g->kh / 2 && *to < g->h;
}

/* run(ctx, token, meets, n): n tokens in a row and the n in a row that kernel element (a, b)
 * meets there, over all images in order. Tokens in front of the grid meet themselves at the
 * centre. */
static inline void conv_runs(const struct conv_grid *g, size_t a, size_t b,
                             void (*run)(void *ctx, size_t token, size_t meets, size_t n),
                             void *ctx)
{
    const struct cpu_range r = conv_inside(g, 0, g->w, b);
    size_t to;
    for (size_t m = 0; m < g->images; m++) {
        const size_t token = m * g->n, grid = token + g->first;
        if (a == g->kh / 2 && b == g->kw / 2 && g->first)
            run(ctx, token, token, g->first);
        for (size_t y = 0; r.first < r.end && y < g->h; y++)
            if (conv_row_inside(g, y, a, &to))
                run(ctx, grid + y * g->w + r.first, grid + to * g->w + r.first + b - g->kw / 2,
                    r.end - r.first);
    }
}

/* `depth` channels are read, `width` written; of those col .. col + cols - 1, in a panel whose
 * rows are `row` floats. */
struct conv_panel {
    size_t depth, width, col, cols, row;
};

/* [kh kw][depth][row] of w [out][in][kh][kw]. turned: the kernel turned round and its sides
 * swapped, which makes a convolution the gradient of its input. */
static inline void conv_pack(const struct conv_grid *g, const struct conv_panel *p,
                             const float *w, int turned, float *to)
{
    const size_t taps = g->kh * g->kw;
    for (size_t e = 0; e < taps; e++)
        for (size_t k = 0; k < p->depth; k++, to += p->row)
            for (size_t j = 0; j < p->row; j++)
                to[j] = j >= p->cols ? 0.0f
                        : turned     ? w[(k * p->width + p->col + j) * taps + taps - 1 - e]
                                     : w[((p->col + j) * p->depth + k) * taps + e];
}

/* Bytes of that panel. */
static inline uint64_t conv_scratch(const struct sct_opdesc *d, int turned, uint64_t row)
{
    const uint32_t *w = d->in[1].dim; /* [out][in][kh][kw] */
    return (uint64_t)w[2] * w[3] * w[turned ? 0 : 1] * row * sizeof(float);
}

/* CONV_GRID_DW in vectors: a row of the grid. */
static inline uint64_t conv_dw_scratch(const struct sct_opdesc *d, uint64_t row)
{
    const struct sct_grid_params *p = d->params;
    return p->w * row * sizeof(float);
}

#endif
