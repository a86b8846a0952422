/* SPDX-License-Identifier: MIT
 * attention_core.c - softmax(scale q k^T + bias) v of one head, and its gradient.
 * Scores of 32 queries at a time. Gradients of k and v continue their sums in query order. */
#include "kernels/cpu/attention_core.h"

#include "kernels/cpu/base_math.h"

#include <math.h>
#include <string.h>

static size_t padded(size_t n)
{
    return (n + BASE_NR - 1) / BASE_NR * BASE_NR;
}

static float *take(float **memory, size_t count)
{
    float *p = *memory;
    *memory += (count + 15) / 16 * 16;
    return p;
}

/* The one layout, measured from NULL-free offsets: returns floats used. */
static size_t lay_out(struct attention_core *c, float *memory, int backward)
{
    const size_t n = c->n, d = c->d, np = padded(n), dp = padded(d);
    float *m = memory;
    c->q = take(&m, n * d);
    c->k = take(&m, n * d);
    c->v = take(&m, n * d);
    c->out = take(&m, n * d);
    c->lse = take(&m, n);
    c->kt = take(&m, d * np);
    c->p = take(&m, CORE_ROWS * n);
    if (backward) {
        c->dout = take(&m, n * d);
        c->vt = take(&m, d * np);
        c->kp = take(&m, n * dp);
        c->ds = take(&m, CORE_ROWS * n);
        c->dq = take(&m, n * dp);
        c->dk = take(&m, n * dp);
        c->dv = take(&m, n * dp);
    } else {
        c->vp = take(&m, n * dp);
    }
    return (size_t)(m - memory);
}

uint64_t core_bytes(size_t n, size_t d, int backward)
{
    const uint64_t np = padded(n), dp = padded(d), slack = 16; /* of take's rounding */
    const uint64_t rows = (uint64_t)n * d + slack, prob = (uint64_t)CORE_ROWS * n + slack,
                   forward = 4 * rows + n + slack + d * np + prob;
    const uint64_t floats =
        backward ? forward + rows + d * np + 4 * n * dp + prob : forward + n * dp;
    return floats * sizeof(float);
}

void core_place(struct attention_core *c, float *memory, int backward)
{
    (void)lay_out(c, memory, backward);
}

/* Panels of x^T (x [n][d]): depth d, columns n. */
static void panels_t(const float *restrict x, float *restrict to, size_t n, size_t d)
{
    for (size_t j0 = 0; j0 < n; j0 += BASE_NR)
        for (size_t k = 0; k < d; k++)
            for (size_t j = 0; j < BASE_NR; j++)
                *to++ = j0 + j < n ? x[(j0 + j) * d + k] : 0.0f;
}

/* Panels of x [n][d]: depth n, columns d. */
static void panels(const float *restrict x, float *restrict to, size_t n, size_t d)
{
    for (size_t j0 = 0; j0 < d; j0 += BASE_NR)
        for (size_t k = 0; k < n; k++)
            for (size_t j = 0; j < BASE_NR; j++)
                *to++ = j0 + j < d ? x[k * d + j0 + j] : 0.0f;
}

/* y [rows][cols] (row stride ldy) = a [rows][depth] times panels. */
static void product(const float *a, size_t rows, size_t depth, const float *panel, size_t cols,
                    float *y, size_t ldy)
{
    for (size_t j0 = 0; j0 < cols; j0 += BASE_NR) {
        const size_t w = cols - j0 < BASE_NR ? cols - j0 : BASE_NR;
        for (size_t i = 0; i < rows; i += BASE_MR) {
            const size_t h = rows - i < BASE_MR ? rows - i : BASE_MR;
            float tile[BASE_MR * BASE_NR] = {0};
            base_tile(a + i * depth, depth, 1, h, depth, panel + j0 * depth, BASE_NR, tile);
            for (size_t r = 0; r < h; r++)
                memcpy(y + (i + r) * ldy + j0, tile + r * BASE_NR, w * sizeof *y);
        }
    }
}

/* acc [n][width] += a^T b over `rows` rows of a [rows][n] and b [rows][d]; width = padded d. */
static void outer(const float *a, const float *b, size_t rows, size_t n, size_t d, float *acc)
{
    const size_t width = padded(d), whole = d / BASE_NR * BASE_NR;
    for (size_t i = 0; i < n; i += BASE_MR) {
        const size_t h = n - i < BASE_MR ? n - i : BASE_MR;
        for (size_t j0 = 0; j0 < whole; j0 += BASE_NR) {
            float tile[BASE_MR * BASE_NR] = {0};
            for (size_t r = 0; r < h; r++)
                memcpy(tile + r * BASE_NR, acc + (i + r) * width + j0, BASE_NR * sizeof *acc);
            base_tile(a + i, 1, n, h, rows, b + j0, d, tile);
            for (size_t r = 0; r < h; r++)
                memcpy(acc + (i + r) * width + j0, tile + r * BASE_NR, BASE_NR * sizeof *acc);
        }
        for (size_t r = 0; r < h; r++)
            for (size_t t = 0; t < rows; t++)
                for (size_t j = whole; j < d; j++)
                    acc[(i + r) * width + j] += a[t * n + i + r] * b[t * d + j];
    }
}

/* p [rows][n] = scaled scores of queries i0.. */
static void scores(struct attention_core *c, size_t i0, size_t rows)
{
    product(c->q + i0 * c->d, rows, c->d, c->kt, c->n, c->p, c->n);
    for (size_t i = 0; i < rows; i++) {
        float *restrict p = c->p + i * c->n;
        const float *restrict bias = c->bias ? c->bias + (i0 + i) * c->n : NULL;
        for (size_t j = 0; j < c->n; j++)
            p[j] *= c->scale;
        if (bias)
            for (size_t j = 0; j < c->n; j++)
                p[j] += bias[j];
    }
}

static void exps(float *restrict p, float minus, size_t n)
{
    for (size_t j = 0; j < n; j++)
        p[j] = base_exp(p[j] - minus);
}

void core_prepare(struct attention_core *c, int backward)
{
    panels_t(c->k, c->kt, c->n, c->d);
    if (backward)
        panels_t(c->v, c->vt, c->n, c->d);
}

void core_forward(struct attention_core *c)
{
    const size_t n = c->n, d = c->d;
    core_prepare(c, 0);
    panels(c->v, c->vp, n, d);
    for (size_t i0 = 0; i0 < n; i0 += CORE_ROWS) {
        const size_t rows = n - i0 < CORE_ROWS ? n - i0 : CORE_ROWS;
        scores(c, i0, rows);
        for (size_t i = 0; i < rows; i++) {
            float *p = c->p + i * n, most = p[0];
            for (size_t j = 1; j < n; j++)
                most = p[j] > most ? p[j] : most;
            exps(p, most, n);
            const double sum = base_sum(p, n);
            const float inverse = (float)(1.0 / sum);
            for (size_t j = 0; j < n; j++)
                p[j] *= inverse;
            c->lse[i0 + i] = (float)((double)most + log(sum));
        }
        product(c->p, rows, n, c->vp, d, c->out + i0 * d, d);
    }
}

void core_grad_scores(struct attention_core *c, size_t i0, size_t rows)
{
    const size_t n = c->n, d = c->d;
    scores(c, i0, rows);
    product(c->dout + i0 * d, rows, d, c->vt, n, c->ds, n);
    for (size_t i = 0; i < rows; i++) {
        float *restrict p = c->p + i * n, *restrict ds = c->ds + i * n;
        const float *restrict o = c->out + (i0 + i) * d, *restrict g = c->dout + (i0 + i) * d;
        double dot = 0;
        for (size_t j = 0; j < d; j++)
            dot += (double)o[j] * (double)g[j];
        const float delta = (float)dot;
        exps(p, c->lse[i0 + i], n);
        for (size_t j = 0; j < n; j++)
            ds[j] = p[j] * (ds[j] - delta);
    }
}

void core_backward(struct attention_core *c)
{
    const size_t n = c->n, d = c->d, dp = padded(d);
    core_prepare(c, 1);
    panels(c->k, c->kp, n, d);
    memset(c->dk, 0, n * dp * sizeof *c->dk);
    memset(c->dv, 0, n * dp * sizeof *c->dv);
    for (size_t i0 = 0; i0 < n; i0 += CORE_ROWS) {
        const size_t rows = n - i0 < CORE_ROWS ? n - i0 : CORE_ROWS;
        core_grad_scores(c, i0, rows);
        for (size_t j = 0; j < rows * n; j++)
            c->ds[j] *= c->scale;
        product(c->ds, rows, n, c->kp, d, c->dq + i0 * dp, dp);
        outer(c->ds, c->q + i0 * d, rows, n, d, c->dk);
        outer(c->p, c->dout + i0 * d, rows, n, d, c->dv);
    }
}
