/* SPDX-License-Identifier: MIT
 * attention.c - ATTENTION, WATTENTION and their gradients. Formulas: core/ops/attention.c,
 * window.c. Plain attention is one window that covers all tokens, without table. Nothing is
 * stored but the results: scores are recomputed, and sums over tokens run over TILE channels at
 * a time. */
#include "kernels/ref/ref_util.h"

enum { TILE = 64 };

/* One head of one window of one image. q of token t, channel c: qkv[t * 3 * channels + c]. */
struct window {
    const REAL *q, *k, *v;
    const REAL *table; /* of this head, stride heads; NULL: no bias, no mask */
    const struct sct_wattention_params *p;
    size_t tokens, channels, size; /* per window, per token, per head */
    size_t row, column;            /* of the window's corner, in the rolled grid */
    double scale;
};

/* The three regions of a shifted axis that do not see each other (timm, get_attn_mask). */
static size_t region(size_t at, size_t grid, size_t win, size_t shift)
{
    return shift == 0 || at < grid - win ? 0 : at < grid - shift ? 1 : 2;
}

/* Where token i of the window stands in the grid. */
static size_t place(const struct window *w, size_t i)
{
    if (!w->table)
        return i;
    const size_t y = (w->row + i / w->p->win_w + w->p->shift_h) % w->p->grid_h;
    const size_t x = (w->column + i % w->p->win_w + w->p->shift_w) % w->p->grid_w;
    return y * w->p->grid_w + x;
}

/* Row of the table for query i and key j. */
static size_t relative(const struct sct_wattention_params *p, size_t i, size_t j)
{
    const size_t dy = i / p->win_w + p->win_h - 1 - j / p->win_w;
    const size_t dx = i % p->win_w + p->win_w - 1 - j % p->win_w;
    return dy * (2 * (size_t)p->win_w - 1) + dx;
}

static double bias(const struct window *w, size_t i, size_t j)
{
    const struct sct_wattention_params *p = w->p;
    if (!w->table)
        return 0.0;
    const size_t yi = w->row + i / p->win_w, xi = w->column + i % p->win_w;
    const size_t yj = w->row + j / p->win_w, xj = w->column + j % p->win_w;
    const int apart = region(yi, p->grid_h, p->win_h, p->shift_h) !=
                          region(yj, p->grid_h, p->win_h, p->shift_h) ||
                      region(xi, p->grid_w, p->win_w, p->shift_w) !=
                          region(xj, p->grid_w, p->win_w, p->shift_w);
    return (double)w->table[relative(p, i, j) * p->heads] - (apart ? 100.0 : 0.0);
}

static double score(const struct window *w, size_t i, size_t j)
{
    const size_t step = 3 * w->channels;
    return w->scale * ref_dot(w->q + place(w, i) * step, w->k + place(w, j) * step, w->size) +
           bias(w, i, j);
}

/* out and lse of this head: out[token * channels + d], lse[token]. */
static void attend(const struct window *w, REAL *out, REAL *lse)
{
    for (size_t i = 0; i < w->tokens; i++) {
        double top = score(w, i, 0), sum = 0.0, acc[TILE];
        for (size_t j = 1; j < w->tokens; j++)
            top = fmax(top, score(w, i, j));
        for (size_t j = 0; j < w->tokens; j++)
            sum += exp(score(w, i, j) - top);
        const double log_sum = top + log(sum);
        lse[place(w, i)] = (REAL)log_sum;
        for (size_t d0 = 0; d0 < w->size; d0 += TILE) {
            const size_t n = w->size - d0 < TILE ? w->size - d0 : TILE;
            memset(acc, 0, sizeof acc);
            for (size_t j = 0; j < w->tokens; j++) {
                const double p = exp(score(w, i, j) - log_sum);
                const REAL *v = w->v + place(w, j) * 3 * w->channels + d0;
                for (size_t d = 0; d < n; d++)
                    acc[d] += p * (double)v[d];
            }
            for (size_t d = 0; d < n; d++)
                out[place(w, i) * w->channels + d0 + d] = (REAL)acc[d];
        }
    }
}

/* What the backward pass knows of this head. */
struct saved {
    const REAL *out, *lse, *dout;
};

static double probability(const struct window *w, const struct saved *s, size_t i, size_t j)
{
    return exp(score(w, i, j) - (double)s->lse[place(w, i)]);
}

/* ds[i][j] = p (dout[i].v[j] - dout[i].out[i]), p that of (i, j). */
static double score_gradient(const struct window *w, const struct saved *s, size_t i, size_t j,
                             double p)
{
    const size_t at = place(w, i) * w->channels;
    const REAL *v = w->v + place(w, j) * 3 * w->channels;
    const double delta = ref_dot(s->dout + at, s->out + at, w->size);
    return p * (ref_dot(s->dout + at, v, w->size) - delta);
}

/* Channels d0 .. d0 + n - 1 of dq, dk and dv of token t; g points at dq of token 0. */
static void gradients_of(const struct window *w, const struct saved *s, size_t t, size_t d0,
                         size_t n, REAL *g)
{
    const size_t step = 3 * w->channels;
    double dq[TILE] = {0}, dk[TILE] = {0}, dv[TILE] = {0};
    for (size_t o = 0; o < w->tokens; o++) {
        const REAL *q = w->q + place(w, o) * step + d0, *k = w->k + place(w, o) * step + d0;
        const REAL *dout = s->dout + place(w, o) * w->channels + d0;
        const double p = probability(w, s, o, t);
        const double as_query = score_gradient(w, s, t, o, probability(w, s, t, o));
        const double as_key = score_gradient(w, s, o, t, p);
        for (size_t d = 0; d < n; d++) {
            dq[d] += as_query * (double)k[d];
            dk[d] += as_key * (double)q[d];
            dv[d] += p * (double)dout[d];
        }
    }
    g += place(w, t) * step + d0;
    for (size_t d = 0; d < n; d++) {
        g[d] = (REAL)(w->scale * dq[d]);
        g[w->channels + d] = (REAL)(w->scale * dk[d]);
        g[2 * w->channels + d] = (REAL)dv[d];
    }
}

static void attend_back(const struct window *w, const struct saved *s, REAL *dqkv)
{
    for (size_t t = 0; t < w->tokens; t++)
        for (size_t d0 = 0; d0 < w->size; d0 += TILE)
            gradients_of(w, s, t, d0, w->size - d0 < TILE ? w->size - d0 : TILE, dqkv);
}

/* All heads and windows of a call. */
struct call {
    const struct sct_wattention_params *p; /* NULL: plain attention */
    size_t images, tokens, channels, heads, size, windows;
    double scale;
    const REAL *qkv, *table;
};

static struct call plain_call(const struct sct_kargs *k)
{
    const struct sct_attention_params *p = k->d->params;
    const uint32_t *d = k->d->in[0].dim;
    struct call c = {NULL, d[0], d[1], d[2] / 3, p->heads, d[2] / 3 / p->heads,
                     1,    0.0,  NULL, NULL};
    c.scale = p->scale != 0.0f ? (double)p->scale : 1.0 / sqrt((double)c.size);
    c.qkv = k->in[0];
    return c;
}

/* qkv = in[at], table = in[at + 1]. */
static struct call window_call(const struct sct_kargs *k, uint32_t at)
{
    const struct sct_wattention_params *p = k->d->params;
    const uint32_t *d = k->d->in[at].dim;
    struct call c = {p, d[0], d[1], d[2] / 3, p->heads, d[2] / 3 / p->heads,
                     0, 0.0,  NULL, NULL};
    c.windows = (size_t)(p->grid_h / p->win_h) * (p->grid_w / p->win_w);
    c.scale = p->scale != 0.0f ? (double)p->scale : 1.0 / sqrt((double)c.size);
    c.qkv = k->in[at];
    c.table = k->in[at + 1];
    return c;
}

static struct window window_of(const struct call *c, size_t image, size_t head, size_t window)
{
    struct window w = {.p = c->p, .channels = c->channels, .size = c->size, .scale = c->scale};
    w.q = c->qkv + image * c->tokens * 3 * c->channels + head * c->size;
    w.k = w.q + c->channels;
    w.v = w.k + c->channels;
    w.tokens = c->tokens / c->windows;
    if (c->p) {
        const size_t across = c->p->grid_w / c->p->win_w;
        w.table = c->table + head;
        w.row = window / across * c->p->win_h;
        w.column = window % across * c->p->win_w;
    }
    return w;
}

static struct saved saved_of(const struct call *c, const struct sct_kargs *k, uint32_t at,
                             size_t image, size_t head)
{
    const REAL *out = k->in[at], *lse = k->in[at + 1], *dout = k->in[at + 2];
    const size_t first = image * c->tokens * c->channels + head * c->size;
    const struct saved s = {out + first, lse + (image * c->heads + head) * c->tokens,
                            dout + first};
    return s;
}

static void forward(const struct sct_kargs *k, const struct call *c)
{
    REAL *out = k->out[0], *lse = k->out[1];
    for (size_t b = 0; b < c->images; b++)
        for (size_t h = 0; h < c->heads; h++)
            for (size_t i = 0; i < c->windows; i++) {
                const struct window w = window_of(c, b, h, i);
                attend(&w, out + b * c->tokens * c->channels + h * c->size,
                       lse + (b * c->heads + h) * c->tokens);
            }
}

/* out, lse, dout = in[at], .. */
static void backward(const struct sct_kargs *k, const struct call *c, uint32_t at)
{
    REAL *dqkv = k->out[0];
    for (size_t b = 0; b < c->images; b++)
        for (size_t h = 0; h < c->heads; h++) {
            const struct saved s = saved_of(c, k, at, b, h);
            for (size_t i = 0; i < c->windows; i++) {
                const struct window w = window_of(c, b, h, i);
                attend_back(&w, &s, dqkv + b * c->tokens * 3 * c->channels + h * c->size);
            }
        }
}

void REF(attention)(const struct sct_kargs *k)
{
    const struct call c = plain_call(k);
    forward(k, &c);
}

void REF(attention_dx)(const struct sct_kargs *k)
{
    const struct call c = plain_call(k);
    backward(k, &c, 1);
}

void REF(wattention)(const struct sct_kargs *k)
{
    const struct call c = window_call(k, 0);
    forward(k, &c);
}

void REF(wattention_dx)(const struct sct_kargs *k)
{
    const struct call c = window_call(k, 0);
    backward(k, &c, 2);
}

/* Sum of ds over the pairs of a window that read row `rel` of the table: every query has at
 * most one such key. */
static double table_gradient(const struct window *w, const struct saved *s, size_t rel)
{
    const size_t wide = 2 * (size_t)w->p->win_w - 1;
    double sum = 0.0;
    for (size_t i = 0; i < w->tokens; i++) {
        const size_t y = i / w->p->win_w + w->p->win_h - 1,
                     x = i % w->p->win_w + w->p->win_w - 1;
        const size_t dy = rel / wide, dx = rel % wide;
        if (dy > y || y - dy >= w->p->win_h || dx > x || x - dx >= w->p->win_w)
            continue;
        const size_t j = (y - dy) * w->p->win_w + x - dx;
        sum += score_gradient(w, s, i, j, probability(w, s, i, j));
    }
    return sum;
}

void REF(wattention_dt)(const struct sct_kargs *k)
{
    const struct call c = window_call(k, 1);
    const size_t rows = k->d->in[0].dim[0];
    REAL *acc = k->out[0];
    for (size_t b = 0; b < c.images; b++)
        for (size_t h = 0; h < c.heads; h++) {
            const struct saved s = saved_of(&c, k, 3, b, h);
            for (size_t r = 0; r < rows; r++) {
                double sum = 0.0;
                for (size_t i = 0; i < c.windows; i++) {
                    const struct window w = window_of(&c, b, h, i);
                    sum += table_gradient(&w, &s, r);
                }
                acc[r * c.heads + h] = (REAL)((double)acc[r * c.heads + h] + sum);
            }
        }
}
