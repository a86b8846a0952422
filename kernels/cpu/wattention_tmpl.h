/* SPDX-License-Identifier: MIT
 * wattention_tmpl.h - WATTENTION, _DX, _DT: attention inside the windows of a rolled grid, with
 * a bias by relative position (Swin, 3.2). Every (head, image, window) is one set of tokens;
 * heads outside, so that a head's bias is made once. Parts take runs of sets; for the table's
 * gradient, which is summed over images and windows in order, heads. */
#include "kernels/cpu/attn_tmpl.h"
#include "kernels/cpu/simd.h"

struct windows {
    struct attn u;
    const struct sct_wattention_params *p;
    const float *qkv, *table;
    size_t images, count, tokens; /* windows and tokens of an image */
    size_t head;                  /* whose bias stands in the scratch; heads: none yet */
};

/* in[at] is qkv, in[at + 1] the table. */
static struct windows windows_begin(const struct sct_kargs *k, size_t at, bool backward)
{
    const struct sct_wattention_params *p = k->d->params;
    const uint32_t *dim = k->d->in[at].dim;
    const size_t c = dim[2] / 3, d = c / p->heads, n = (size_t)p->win_h * p->win_w;
    struct windows w = {.p = p, .qkv = k->in[at], .table = k->in[at + 1]};
    w.images = dim[0];
    w.tokens = dim[1];
    w.count = w.tokens / n;
    w.head = p->heads;
    w.u = (struct attn){.row = 3 * c, .c = c, .n = n, .d = d};
    w.u.scale = p->scale != 0.0f ? p->scale : 1.0f / sqrtf((float)d);
    w.u.l = attn_layout(n, d, MR_MAX, NR, backward, true);
    w.u.mem = cpu_share(k, w.u.l.floats * sizeof(float));
    return w;
}

/* Row of the table for query i and the first key of the window's row jy; the keys to its right
 * have the rows before it. */
static size_t relative_row(const struct sct_wattention_params *p, size_t i, size_t jy)
{
    const size_t dy = i / p->win_w + p->win_h - 1 - jy, dx = i % p->win_w + p->win_w - 1;
    return dy * (2 * (size_t)p->win_w - 1) + dx;
}

static void make_bias(const struct windows *w, float *bias, size_t head)
{
    const struct sct_wattention_params *p = w->p;
    for (size_t i = 0; i < w->u.n; i++)
        for (size_t jy = 0; jy < p->win_h; jy++) {
            const float *from = w->table + relative_row(p, i, jy) * p->heads + head;
            float *to = bias + i * w->u.l.ld + jy * p->win_w;
            for (size_t jx = 0; jx < p->win_w; jx++)
                to[jx] = *(from - jx * p->heads);
        }
}

/* The three regions of a shifted axis that do not see each other. */
static uint32_t region(size_t at, size_t grid, size_t win, size_t shift)
{
    return shift == 0 || at < grid - win ? 0 : at < grid - shift ? 1 : 2;
}

/* masked = bias - 100 where query and key lie in different regions. */
static void make_masked(const struct windows *w, size_t row, size_t column)
{
    const struct sct_wattention_params *p = w->p;
    const size_t n = w->u.n, ld = w->u.l.ld;
    const float *bias = w->u.mem + w->u.l.bias;
    float *masked = w->u.mem + w->u.l.masked, *r = w->u.mem + w->u.l.region;
    for (size_t i = 0; i < n; i++)
        r[i] = (float)(3 * region(row + i / p->win_w, p->grid_h, p->win_h, p->shift_h) +
                       region(column + i % p->win_w, p->grid_w, p->win_w, p->shift_w));
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j += VW) {
            const vf apart = v_abs(v_sub(v_load_n(r + j, n - j), v_set1(r[i])));
            const vf off = v_sel(v_lt(v_zero(), apart), v_set1(-100.0f), v_zero());
            v_store_n(masked + i * ld + j, v_add(v_load_n(bias + i * ld + j, n - j), off),
                      n - j);
        }
}

/* Where the window's tokens stand in the grid. */
static void make_tokens(const struct windows *w, size_t row, size_t column)
{
    const struct sct_wattention_params *p = w->p;
    uint32_t *tok = (uint32_t *)(void *)(w->u.mem + w->u.l.tok);
    for (size_t wy = 0; wy < p->win_h; wy++) {
        const size_t y = (row + wy + p->shift_h) % p->grid_h;
        for (size_t wx = 0; wx < p->win_w; wx++) {
            const size_t x = column + wx + p->shift_w;
            *tok++ = (uint32_t)(y * p->grid_w + (x < p->grid_w ? x : x - p->grid_w));
        }
    }
}

/* Points w->u at a window of a head of an image. */
static void windows_enter(struct windows *w, size_t head, size_t image, size_t window)
{
    const struct sct_wattention_params *p = w->p;
    const size_t across = p->grid_w / p->win_w;
    const size_t row = window / across * p->win_h, column = window % across * p->win_w;
    if (w->head != head)
        make_bias(w, w->u.mem + w->u.l.bias, head);
    w->head = head;
    make_tokens(w, row, column);
    w->u.tok = (const uint32_t *)(const void *)(w->u.mem + w->u.l.tok);
    w->u.bias = w->u.mem + w->u.l.bias;
    /* only the last windows of a shifted axis hold more than one region */
    if ((p->shift_h && row + p->win_h == p->grid_h) ||
        (p->shift_w && column + p->win_w == p->grid_w)) {
        make_masked(w, row, column);
        w->u.bias = w->u.mem + w->u.l.masked;
    }
    w->u.q = w->qkv + image * w->tokens * w->u.row + head * w->u.d;
    w->u.k = w->u.q + w->u.c;
    w->u.v = w->u.k + w->u.c;
}

void KERNEL(wattention)(const struct sct_kargs *k)
{
    struct windows w = windows_begin(k, 0, false);
    const size_t heads = w.p->heads, each = w.images * w.count;
    const struct cpu_range r = cpu_split(k, heads * each, 1);
    for (size_t i = r.first; i < r.end; i++) {
        const size_t head = i / each, image = i % each / w.count;
        windows_enter(&w, head, image, i % w.count);
        attn_forward(&w.u, (float *)k->out[0] + image * w.tokens * w.u.c + head * w.u.d,
                     (float *)k->out[1] + (image * heads + head) * w.tokens);
    }
}

/* (qkv, table, out, lse, dout) */
void KERNEL(wattention_dx)(const struct sct_kargs *k)
{
    struct windows w = windows_begin(k, 0, true);
    const size_t heads = w.p->heads, each = w.images * w.count;
    const struct cpu_range r = cpu_split(k, heads * each, 1);
    for (size_t i = r.first; i < r.end; i++) {
        const size_t head = i / each, image = i % each / w.count;
        const size_t o = image * w.tokens * w.u.c + head * w.u.d;
        windows_enter(&w, head, image, i % w.count);
        float *dq = (float *)k->out[0] + image * w.tokens * w.u.row + head * w.u.d;
        attn_backward(&w.u, (const float *)k->in[2] + o,
                      (const float *)k->in[3] + (image * heads + head) * w.tokens,
                      (const float *)k->in[4] + o, dq, dq + w.u.c, dq + 2 * w.u.c, NULL, NULL);
    }
}

struct pair_sum {
    float *sum; /* [n][n] */
    size_t n;
};

static void add_pairs(void *ctx, const float *ds, size_t ld, size_t r0, size_t rows)
{
    const struct pair_sum *s = ctx;
    for (size_t i = 0; i < rows; i++) {
        float *to = s->sum + (r0 + i) * s->n;
        for (size_t j = 0; j < s->n; j += VW)
            v_store_n(to + j, v_add(v_load_n(to + j, s->n - j), v_load(ds + i * ld + j)),
                      s->n - j);
    }
}

/* acc [rows][heads], this head: += the pairs that read each row of the table, row by row of S.
 */
static void add_table(const struct windows *w, float *acc, size_t head, const float *sum)
{
    const struct sct_wattention_params *p = w->p;
    const size_t rows = (2 * (size_t)p->win_h - 1) * (2 * (size_t)p->win_w - 1);
    float *t = w->u.mem + w->u.l.grad;
    memset(t, 0, rows * sizeof *t);
    for (size_t i = 0; i < w->u.n; i++)
        for (size_t jy = 0; jy < p->win_h; jy++) {
            float *to = t + relative_row(p, i, jy);
            for (size_t jx = 0; jx < p->win_w; jx++)
                *(to - jx) += sum[i * w->u.n + jy * p->win_w + jx];
        }
    for (size_t i = 0; i < rows; i++)
        acc[i * p->heads + head] += t[i];
}

/* (acc, qkv, table, out, lse, dout): one addition per image to every element of acc. */
void KERNEL(wattention_dt)(const struct sct_kargs *k)
{
    struct windows w = windows_begin(k, 1, true);
    const size_t heads = w.p->heads;
    struct pair_sum s = {w.u.mem + w.u.l.sum, w.u.n};
    for (size_t head = k->part; head < heads; head += k->parts)
        for (size_t image = 0; image < w.images; image++) {
            const size_t o = image * w.tokens * w.u.c + head * w.u.d;
            memset(s.sum, 0, s.n * s.n * sizeof *s.sum);
            for (size_t i = 0; i < w.count; i++) {
                windows_enter(&w, head, image, i);
                attn_backward(&w.u, (const float *)k->in[3] + o,
                              (const float *)k->in[4] + (image * heads + head) * w.tokens,
                              (const float *)k->in[5] + o, NULL, NULL, NULL, add_pairs, &s);
            }
            add_table(&w, k->out[0], head, s.sum);
        }
}
