/* SPDX-License-Identifier: MIT
 * conv_tmpl.h - CONV_GRID and its gradients in register tiles of one vector; include a
 * vec_<isa>.h first. The walks are those of conv_base.c: a kernel's element passes over a run
 * of neighbouring tokens of a row, those for which it is inside. Every element of a result is
 * one chain of FMAs, whatever the tile and the split. */
#include <string.h>

#include "kernels/cpu/conv_grid.h"
#include "kernels/cpu/simd.h"
#include "kernels/cpu/tile_tmpl.h"
#include "kernels/cpu/vec_math.h"

/* ---- forward, and the gradient of the input ---- */

/* y [width channels] of x [depth channels]; panel: [kh kw][depth][VW] of columns col .. */
struct walk {
    struct conv_grid g;
    const float *x, *bias;
    float *y, *panel;
    size_t depth, width, col, cols;
};

/* sum[n][VW] += x [n][depth] times the kernel's element. */
static void add_element(const struct walk *c, float *sum, size_t token, size_t element,
                        size_t n)
{
    const struct tile t = {c->depth,
                           c->x + token * c->depth,
                           c->depth,
                           1,
                           c->panel + element * c->depth * VW,
                           VW,
                           sum,
                           VW,
                           true};
    tile_switch(&t, n, false);
}

static void store(const struct walk *c, const float *sum, size_t token, size_t n)
{
    const vf bias = c->bias ? v_load_n(c->bias + c->col, c->cols) : v_zero();
    for (size_t t = 0; t < n; t++) {
        vf y = v_load(sum + t * VW);
        if (c->bias)
            y = v_add(y, bias);
        v_store_n(c->y + (token + t) * c->width + c->col, y, c->cols);
    }
}

/* n <= MR_MAX tokens of row y of an image whose grid begins at token `first`. */
static void row_tile(const struct walk *c, size_t first, size_t y, size_t x0, size_t n)
{
    _Alignas(64) float sum[MR_MAX * VW] = {0};
    const struct conv_grid *g = &c->g;
    size_t to;
    for (size_t a = 0; a < g->kh; a++) {
        if (!conv_row_inside(g, y, a, &to))
            continue;
        for (size_t b = 0; b < g->kw; b++) {
            const struct cpu_range r = conv_inside(g, x0, n, b);
            if (r.first < r.end)
                add_element(c, sum + r.first * VW,
                            first + to * g->w + x0 + r.first + b - g->kw / 2, a * g->kw + b,
                            r.end - r.first);
        }
    }
    store(c, sum, first + y * g->w + x0, n);
}

/* Row y of an image's grid; row h: the tokens in front of it. */
static void row(const struct walk *c, size_t image, size_t y)
{
    const struct conv_grid *g = &c->g;
    const size_t token = image * g->n, all = y == g->h ? g->first : g->w;
    for (size_t x = 0; x < all; x += MR_MAX) {
        const size_t n = all - x < MR_MAX ? all - x : MR_MAX;
        if (y < g->h) {
            row_tile(c, token + g->first, y, x, n);
            continue;
        }
        _Alignas(64) float sum[MR_MAX * VW] = {0};
        add_element(c, sum, token + x, g->kh / 2 * g->kw + g->kw / 2, n);
        store(c, sum, token + x, n);
    }
}

static void convolve(struct walk *c, const struct sct_kargs *k, int turned)
{
    const struct cpu_range rows = cpu_split(k, c->g.images * (c->g.h + 1), 1);
    c->panel = cpu_share(k, conv_scratch(k->d, turned, VW));
    for (c->col = 0; c->col < c->width; c->col += VW) {
        c->cols = c->width - c->col < VW ? c->width - c->col : VW;
        const struct conv_panel p = {c->depth, c->width, c->col, c->cols, VW};
        conv_pack(&c->g, &p, k->in[1], turned, c->panel);
        for (size_t r = rows.first; r < rows.end; r++)
            row(c, r / (c->g.h + 1), r % (c->g.h + 1));
    }
}

void KERNEL(conv_grid)(const struct sct_kargs *k)
{
    struct walk c = {.g = conv_grid_of(k, &k->d->in[0], &k->d->in[1]),
                     .x = k->in[0],
                     .bias = k->d->n_in > 2 ? k->in[2] : NULL,
                     .y = k->out[0],
                     .depth = k->d->in[1].dim[1],
                     .width = k->d->in[1].dim[0]};
    convolve(&c, k, 0);
}

void KERNEL(conv_grid_dx)(const struct sct_kargs *k)
{
    struct walk c = {.g = conv_grid_of(k, &k->d->in[0], &k->d->in[1]),
                     .x = k->in[0],
                     .y = k->out[0],
                     .depth = k->d->in[1].dim[0],
                     .width = k->d->in[1].dim[1]};
    convolve(&c, k, 1);
}

/* ---- the gradient of the weight: channels of x down, channels of dy across ---- */

/* One kernel element; dy and x at their first column. own: [w][VW], for rows of dy that are no
 * whole vector, since tiles read whole ones. */
struct element {
    const struct conv_grid *g;
    const float *dy, *x;
    float *own, *sum;
    size_t out, in, outs, ins;
};

/* n tokens in a row that meet n in a row. */
static void add_run(void *ctx, size_t token, size_t meets, size_t n)
{
    const struct element *e = ctx;
    for (size_t t0 = 0; t0 < n; t0 += e->g->w) {
        const size_t m = n - t0 < e->g->w ? n - t0 : e->g->w;
        const float *b = e->dy + (token + t0) * e->out;
        size_t ldb = e->out;
        for (size_t t = 0; e->outs < VW && t < m; t++)
            v_store(e->own + t * VW, v_load_n(b + t * e->out, e->outs));
        if (e->outs < VW) {
            b = e->own;
            ldb = VW;
        }
        const struct tile t = {m,   e->x + (meets + t0) * e->in, 1, e->in, b, ldb, e->sum, VW,
                               true};
        tile_switch(&t, e->ins, false);
    }
}

void KERNEL(conv_grid_dw)(const struct sct_kargs *k)
{
    _Alignas(64) float sum[MR_MAX * VW];
    const struct conv_grid g = conv_grid_of(k, &k->d->in[1], &k->d->in[0]);
    const size_t out = k->d->in[0].dim[0], in = k->d->in[0].dim[1], taps = g.kh * g.kw;
    const struct cpu_range mine = cpu_split(k, (out + VW - 1) / VW * taps, 1);
    for (size_t q = mine.first; q < mine.end; q++) {
        const size_t o = q / taps * VW, tap = q % taps;
        for (size_t i = 0; i < in; i += MR_MAX) {
            struct element e = {.g = &g,
                                .dy = (const float *)k->in[1] + o,
                                .x = (const float *)k->in[2] + i,
                                .own = cpu_share(k, conv_dw_scratch(k->d, VW)),
                                .sum = sum,
                                .out = out,
                                .in = in,
                                .outs = out - o < VW ? out - o : VW,
                                .ins = in - i < MR_MAX ? in - i : MR_MAX};
            float *acc = (float *)k->out[0] + (o * in + i) * taps + tap;
            memset(sum, 0, sizeof sum);
            for (size_t s = 0; s < e.outs * e.ins; s++)
                sum[s % e.ins * VW + s / e.ins] = acc[(s / e.ins * in + s % e.ins) * taps];
            conv_runs(&g, tap / g.kw, tap % g.kw, add_run, &e);
            for (size_t s = 0; s < e.outs * e.ins; s++)
                acc[(s / e.ins * in + s % e.ins) * taps] = sum[s % e.ins * VW + s / e.ins];
        }
    }
}
