/* SPDX-License-Identifier: MIT
 * attn_tmpl.h - attention of one head over one set of n tokens, forward and backward.
 *
 * S = s Q K^T (+ bias), P = softmax(S), O = P V;
 * dV = P^T dO, dP = dO V^T, dS = P (dP - rowsum(dO O)), dQ = s dS K, dK = s dS^T Q.
 * Scores exist for a block of query rows only. P is recomputed from the log-sum-exp. A head is
 * the work of one part, in one fixed order. */
#ifndef SCT_ATTN_TMPL_H
#define SCT_ATTN_TMPL_H

#include <math.h>
#include <string.h>

#include "kernels/cpu/tile_tmpl.h"
#include "kernels/cpu/vec_math.h"

/* Rows of q, k, v and dqkv are `row` apart, rows of out and dout `c` apart; all point at the
 * head's first column. tok: row of each of the n tokens. bias [n][ld] or NULL. */
struct attn {
    const float *q, *k, *v;
    size_t row, c, n, d;
    const uint32_t *tok;
    const float *bias;
    float scale;
    struct attn_layout l;
    float *mem;
};

/* out [panel][j][NR] = rows x[tok[j]][0 .. d), times `scale`, in panels with zeros to the
 * right. */
static void pack_rows(float *out, const float *x, size_t row, const uint32_t *tok, size_t n,
                      size_t d, float scale)
{
    const vf s = v_set1(scale);
    for (size_t p = 0; p < d; p += NR, out += n * NR)
        for (size_t j = 0; j < n; j++)
            for (size_t i = 0; i < NR; i += VW) {
                const float *from = x + tok[j] * row + p + i;
                const vf y = p + i < d ? v_load_n(from, d - p - i) : v_zero();
                v_store(out + j * NR + i, v_mul(y, s));
            }
}

/* out [panel][i][NR] = x[tok[j]][i] transposed, zeros behind the n tokens; out [d] per panel.
 */
static void pack_columns(float *out, const float *x, size_t row, const uint32_t *tok, size_t n,
                         size_t d)
{
    for (size_t j = 0; j < simd_round_up(n, NR); j += VW)
        for (size_t i = 0; i < d; i += VW) {
            float *to = out + (j / NR * d + i) * NR + j % NR;
            vf r[VW];
            UNROLL for (size_t t = 0; t < VW; t++) r[t] =
                j + t < n ? v_load_n(x + tok[j + t] * row + i, d - i) : v_zero();
            v_transpose(r);
            for (size_t t = 0; t < VW && i + t < d; t++)
                v_store(to + t * NR, r[t]);
        }
}

/* out [rows][d] = x[tok[j]] times scale. */
static void copy_rows(float *out, const float *x, size_t row, const uint32_t *tok, size_t rows,
                      size_t d, float scale)
{
    for (size_t j = 0; j < rows; j++)
        for (size_t i = 0; i < d; i += VW)
            v_store_n(out + j * d + i,
                      v_mul(v_load_n(x + tok[j] * row + i, d - i), v_set1(scale)), d - i);
}

/* out [rows][ld] = a [rows][d] times the panels b: [..][d][NR]. */
static void product(float *out, size_t ld, const float *a, size_t rows, size_t d,
                    const float *b, size_t n)
{
    for (size_t j = 0; j < n; j += NR) {
        const struct tile t = {d, a, d, 1, b + j * d, NR, out + j, ld, false};
        tile_run(&t, rows);
    }
}

/* s [n] + bias -> exp(s - max), zeros up to a whole vector; returns the sum. */
static float softmax_row(float *s, const float *bias, size_t n, float *max)
{
    vf m = v_set1(-INFINITY), sum = v_zero();
    for (size_t j = 0; j < n; j += VW) {
        vf x = v_load(s + j);
        if (bias) {
            x = v_add(x, v_load(bias + j));
            v_store(s + j, x);
        }
        m = v_max(m, n - j < VW ? v_keep(v_first(n - j), x, m) : x);
    }
    *max = v_hmax(m);
    for (size_t j = 0; j < n; j += VW) {
        vf e = v_exp_term(v_sub(v_load(s + j), v_set1(*max)));
        if (n - j < VW)
            e = v_keep(v_first(n - j), e, v_zero());
        v_store(s + j, e);
        sum = v_add(sum, e);
    }
    return v_sum(sum);
}

/* out [..][c], lse: this head's. */
static void attn_forward(const struct attn *u, float *out, float *lse)
{
    const struct attn_layout *l = &u->l;
    const size_t n = u->n, d = u->d, tiles = (n + MR_MAX - 1) / MR_MAX;
    float *kt = u->mem + l->kt, *vr = u->mem + l->vr, *q = u->mem + l->q, *p = u->mem + l->p;
    float *c = u->mem + l->tile;
    float inverse[MR_MAX];
    pack_columns(kt, u->k, u->row, u->tok, n, d);
    pack_rows(vr, u->v, u->row, u->tok, n, d, 1.0f);
    for (size_t t = 0; t < tiles; t++) {
        const size_t r0 = n * t / tiles, rows = n * (t + 1) / tiles - r0;
        const uint32_t *tok = u->tok + r0;
        copy_rows(q, u->q, u->row, tok, rows, d, u->scale);
        product(p, l->ld, q, rows, d, kt, n);
        for (size_t i = 0; i < rows; i++) {
            float max;
            const float *bias = u->bias ? u->bias + (r0 + i) * l->ld : NULL;
            const float sum = softmax_row(p + i * l->ld, bias, n, &max);
            lse[tok[i]] = max + logf(sum);
            inverse[i] = 1.0f / sum;
        }
        for (size_t j = 0; j < d; j += NR) {
            const struct tile x = {n, p, l->ld, 1, vr + j * n, NR, c, NR, false};
            tile_run(&x, rows);
            for (size_t i = 0; i < rows; i++)
                for (size_t v = 0; v < NR && j + v < d; v += VW)
                    v_store_n(out + tok[i] * u->c + j + v,
                              v_mul(v_load(c + i * NR + v), v_set1(inverse[i])), d - j - v);
        }
    }
}

/* p: scores -> probabilities; ds: dP -> dS. Lanes past n become zero. */
static void softmax_row_dx(float *p, float *ds, const float *bias, size_t n, float lse,
                           float delta)
{
    for (size_t j = 0; j < n; j += VW) {
        vf x = v_load(p + j);
        if (bias)
            x = v_add(x, v_load(bias + j));
        vf e = v_exp_term(v_sub(x, v_set1(lse)));
        if (n - j < VW)
            e = v_keep(v_first(n - j), e, v_zero());
        v_store(p + j, e);
        v_store(ds + j, v_mul(e, v_sub(v_load(ds + j), v_set1(delta))));
    }
}

/* Rows r0 .. of the block: P and dS of `rows` queries, and their rowsum(dO O). */
static void attn_scores(const struct attn *u, const float *out, const float *lse,
                        const float *dout, size_t r0, size_t rows, size_t at)
{
    const struct attn_layout *l = &u->l;
    const size_t n = u->n, d = u->d;
    const uint32_t *tok = u->tok + r0;
    float *q = u->mem + l->q + at * d, *o = u->mem + l->o + at * d;
    float *p = u->mem + l->p + at * l->ld, *ds = u->mem + l->ds + at * l->ld;
    copy_rows(q, u->q, u->row, tok, rows, d, u->scale);
    copy_rows(o, dout, u->c, tok, rows, d, 1.0f);
    product(p, l->ld, q, rows, d, u->mem + l->kt, n);
    product(ds, l->ld, o, rows, d, u->mem + l->vt, n);
    for (size_t i = 0; i < rows; i++) {
        vf sum = v_zero();
        for (size_t j = 0; j < d; j += VW)
            sum = v_fma(v_load_n(o + i * d + j, d - j),
                        v_load_n(out + tok[i] * u->c + j, d - j), sum);
        softmax_row_dx(p + i * l->ld, ds + i * l->ld,
                       u->bias ? u->bias + (r0 + i) * l->ld : NULL, n, lse[tok[i]], v_sum(sum));
    }
}

/* x [..][n][NR] += a^T b: a [rows][ld] (n columns used), b [..][rows][NR]. */
static void product_t(float *x, const float *a, size_t ld, size_t rows, const float *b,
                      size_t n, size_t panels)
{
    const size_t tiles = (n + MR_MAX - 1) / MR_MAX;
    for (size_t p = 0; p < panels; p++)
        for (size_t t = 0; t < tiles; t++) {
            const size_t j = n * t / tiles, height = n * (t + 1) / tiles - j;
            const struct tile y = {
                rows, a + j, 1, ld, b + p * rows * NR, NR, x + (p * n + j) * NR, NR, true};
            tile_run(&y, height);
        }
}

/* x [rows][row] at the tokens = panels c [..][n][NR]. */
static void unpack_rows(float *x, size_t row, const uint32_t *tok, const float *c, size_t n,
                        size_t d)
{
    for (size_t p = 0; p < d; p += NR, c += n * NR)
        for (size_t j = 0; j < n; j++)
            for (size_t i = 0; i < NR && p + i < d; i += VW)
                v_store_n(x + tok[j] * row + p + i, v_load(c + j * NR + i), d - p - i);
}

/* Receives dS of query rows r0 .. r0 + rows - 1, [rows][l.ld]. */
typedef void (*attn_watch)(void *ctx, const float *ds, size_t ld, size_t r0, size_t rows);

/* P and dS of every block of queries, in order. dq, dk, dv may be NULL: then only `watch` sees
 * them. */
static void attn_backward(const struct attn *u, const float *out, const float *lse,
                          const float *dout, float *dq, float *dk, float *dv, attn_watch watch,
                          void *ctx)
{
    const struct attn_layout *l = &u->l;
    const size_t n = u->n, d = u->d, tiles = (n + MR_MAX - 1) / MR_MAX,
                 step = l->block / MR_MAX;
    float *m = u->mem, *c = m + l->tile;
    pack_columns(m + l->kt, u->k, u->row, u->tok, n, d);
    pack_columns(m + l->vt, u->v, u->row, u->tok, n, d);
    if (dq) {
        pack_rows(m + l->kr, u->k, u->row, u->tok, n, d, u->scale);
        memset(m + l->dk, 0, l->panel_d * n * NR * sizeof(float));
        memset(m + l->dv, 0, l->panel_d * n * NR * sizeof(float));
    }
    for (size_t t0 = 0; t0 < tiles; t0 += step) {
        const size_t t1 = t0 + step < tiles ? t0 + step : tiles;
        const size_t b0 = n * t0 / tiles, rows = n * t1 / tiles - b0;
        for (size_t t = t0; t < t1; t++) {
            const size_t r0 = n * t / tiles, height = n * (t + 1) / tiles - r0;
            attn_scores(u, out, lse, dout, r0, height, r0 - b0);
            for (size_t j = 0; dq && j < d; j += NR) {
                const struct tile x = {
                    n,    m + l->ds + (r0 - b0) * l->ld, l->ld, 1, m + l->kr + j * n, NR, c, NR,
                    false};
                tile_run(&x, height);
                unpack_rows(dq + j, u->row, u->tok + r0, c, height, d - j < NR ? d - j : NR);
            }
        }
        if (watch)
            watch(ctx, m + l->ds, l->ld, b0, rows);
        if (!dq)
            continue;
        pack_rows(m + l->qp, u->q, u->row, u->tok + b0, rows, d, u->scale);
        pack_rows(m + l->op, dout, u->c, u->tok + b0, rows, d, 1.0f);
        product_t(m + l->dk, m + l->ds, l->ld, rows, m + l->qp, n, l->panel_d);
        product_t(m + l->dv, m + l->p, l->ld, rows, m + l->op, n, l->panel_d);
    }
    if (dq) {
        unpack_rows(dk, u->row, u->tok, m + l->dk, n, d);
        unpack_rows(dv, u->row, u->tok, m + l->dv, n, d);
    }
}

#endif
