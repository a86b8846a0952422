/* SPDX-License-Identifier: MIT
 * conv_base.c - CONV_GRID and its gradients in portable C, without a copy of the input.
 *
 * Eight channels of the result stand in a register tile beside up to four neighbouring tokens
 * of a row of the grid; the kernel's elements pass by, each over the tokens for which it is not
 * outside. So a sum runs over the elements (a, b) in order and inside one over the channels in
 * order, whatever the tile, and what is outside is never multiplied. The gradient of the input
 * is the same walk with the kernel turned round and its two sides swapped. Eight is what
 * Convpass needs. */
#include <string.h>

#include "kernels/cpu/conv_grid.h"
#include "kernels/cpu/cpu_base.h"

enum { TOKENS = 4, COLS = 8 };

/* ---- forward, and the gradient of the input ---- */

/* One walk: `depth` channels read, `width` written. panel: [kh kw][depth][COLS] of the columns
 * that are being written. */
struct walk {
    struct conv_grid g;
    const float *x, *bias;
    float *y, *panel;
    size_t depth, width, col, cols;
};

/* sum[n][COLS] += x [n][depth] p [depth][COLS]. */
static inline void add_element(float *sum, const float *x, const float *p, size_t depth,
                               size_t n)
{
    for (size_t k = 0; k < depth; k++)
        for (size_t t = 0; t < n; t++)
            for (size_t j = 0; j < COLS; j++)
                sum[t * COLS + j] += x[t * depth + k] * p[k * COLS + j];
}

static void store(const struct walk *c, const float *sum, size_t token, size_t n)
{
    for (size_t t = 0; t < n; t++) {
        float *y = c->y + (token + t) * c->width + c->col;
        for (size_t j = 0; j < c->cols; j++)
            y[j] = sum[t * COLS + j] + (c->bias ? c->bias[c->col + j] : 0.0f);
    }
}

/* n <= TOKENS tokens of row y of an image whose grid begins at token `first`. */
static void row_tile(const struct walk *c, size_t first, size_t y, size_t x0, size_t n)
{
    const struct conv_grid *g = &c->g;
    float sum[TOKENS * COLS] = {0};
    size_t to;
    for (size_t a = 0; a < g->kh; a++) {
        if (!conv_row_inside(g, y, a, &to))
            continue;
        for (size_t b = 0; b < g->kw; b++) {
            const struct cpu_range r = conv_inside(g, x0, n, b);
            if (r.first >= r.end)
                continue;
            const size_t token = first + to * g->w + x0 + r.first + b - g->kw / 2;
            const float *p = c->panel + (a * g->kw + b) * c->depth * COLS,
                        *x = c->x + token * c->depth;
            if (r.end - r.first == TOKENS) /* a count that compilers see */
                add_element(sum, x, p, c->depth, TOKENS);
            else
                add_element(sum + r.first * COLS, x, p, c->depth, r.end - r.first);
        }
    }
    store(c, sum, first + y * g->w + x0, n);
}

/* Row y of an image's grid; row h: the tokens in front of it. */
static void row(const struct walk *c, size_t image, size_t y)
{
    const struct conv_grid *g = &c->g;
    const size_t token = image * g->n, centre = (g->kh / 2) * g->kw + g->kw / 2;
    for (size_t t = 0; y == g->h && t < g->first; t++) {
        float sum[COLS] = {0};
        add_element(sum, c->x + (token + t) * c->depth, c->panel + centre * c->depth * COLS,
                    c->depth, 1);
        store(c, sum, token + t, 1);
    }
    for (size_t x0 = 0; y < g->h && x0 < g->w; x0 += TOKENS)
        row_tile(c, token + g->first, y, x0, g->w - x0 < TOKENS ? g->w - x0 : TOKENS);
}

static void convolve(struct walk *c, const struct sct_kargs *k, const float *w, int turned)
{
    const struct cpu_range rows = cpu_split(k, c->g.images * (c->g.h + 1), 1);
    for (c->col = 0; c->col < c->width; c->col += COLS) {
        c->cols = c->width - c->col < COLS ? c->width - c->col : COLS;
        const struct conv_panel p = {c->depth, c->width, c->col, c->cols, COLS};
        conv_pack(&c->g, &p, w, turned, c->panel);
        for (size_t r = rows.first; r < rows.end; r++)
            row(c, r / (c->g.h + 1), r % (c->g.h + 1));
    }
}

uint64_t conv_grid_base_scratch(const struct sct_opdesc *d)
{
    return conv_scratch(d, 0, COLS);
}

uint64_t conv_grid_dx_base_scratch(const struct sct_opdesc *d)
{
    return conv_scratch(d, 1, COLS);
}

void conv_grid_base(const struct sct_kargs *k)
{
    struct walk c = {.g = conv_grid_of(k, &k->d->in[0], &k->d->in[1]),
                     .x = k->in[0],
                     .bias = k->d->n_in > 2 ? k->in[2] : NULL,
                     .y = k->out[0],
                     .panel = cpu_share(k, conv_grid_base_scratch(k->d)),
                     .depth = k->d->in[1].dim[1],
                     .width = k->d->in[1].dim[0]};
    convolve(&c, k, k->in[1], 0);
}

void conv_grid_dx_base(const struct sct_kargs *k)
{
    struct walk c = {.g = conv_grid_of(k, &k->d->in[0], &k->d->in[1]),
                     .x = k->in[0],
                     .y = k->out[0],
                     .panel = cpu_share(k, conv_grid_dx_base_scratch(k->d)),
                     .depth = k->d->in[1].dim[0],
                     .width = k->d->in[1].dim[1]};
    convolve(&c, k, k->in[1], 1);
}

/* ---- the gradient of the weight ---- */

enum { OUTS = 4, INS = COLS };

/* One kernel element of outs x ins weights; dy and x at their first column. */
struct element {
    const float *dy, *x;
    size_t out, in, outs, ins;
    float sum[OUTS * INS];
};

static inline void add_rows(float *sum, const float *dy, size_t out, const float *x, size_t in,
                            size_t n, size_t outs, size_t ins)
{
    for (size_t t = 0; t < n; t++)
        for (size_t o = 0; o < outs; o++)
            for (size_t i = 0; i < ins; i++)
                sum[o * INS + i] += dy[t * out + o] * x[t * in + i];
}

/* n tokens in a row that meet n in a row. */
static void add_run(void *ctx, size_t token, size_t meets, size_t n)
{
    struct element *e = ctx;
    const float *dy = e->dy + token * e->out, *x = e->x + meets * e->in;
    if (e->outs == OUTS && e->ins == INS)
        add_rows(e->sum, dy, e->out, x, e->in, n, OUTS, INS);
    else
        add_rows(e->sum, dy, e->out, x, e->in, n, e->outs, e->ins);
}

void conv_grid_dw_base(const struct sct_kargs *k)
{
    const struct conv_grid g = conv_grid_of(k, &k->d->in[1], &k->d->in[0]);
    const size_t out = k->d->in[0].dim[0], in = k->d->in[0].dim[1], taps = g.kh * g.kw;
    const struct cpu_range mine = cpu_split(k, (out + OUTS - 1) / OUTS * taps, 1);
    for (size_t q = mine.first; q < mine.end; q++) {
        const size_t o = q / taps * OUTS, tap = q % taps;
        for (size_t i = 0; i < in; i += INS) {
            struct element e = {.dy = (const float *)k->in[1] + o,
                                .x = (const float *)k->in[2] + i,
                                .out = out,
                                .in = in,
                                .outs = out - o < OUTS ? out - o : OUTS,
                                .ins = in - i < INS ? in - i : INS};
            float *acc = (float *)k->out[0] + (o * in + i) * taps + tap;
            for (size_t s = 0; s < e.outs * e.ins; s++)
                e.sum[s / e.ins * INS + s % e.ins] = acc[(s / e.ins * in + s % e.ins) * taps];
            conv_runs(&g, tap / g.kw, tap % g.kw, add_run, &e);
            for (size_t s = 0; s < e.outs * e.ins; s++)
                acc[(s / e.ins * in + s % e.ins) * taps] = e.sum[s / e.ins * INS + s % e.ins];
        }
    }
}
