/* SPDX-License-Identifier: MIT
 * base_gemm.c - the portable tile, packing of one dense panel, the loops around them.
 * A panel stays in L2 while all rows pass by it; four rows of A stay in L1. */
#include "kernels/cpu/base_gemm.h"

#include <string.h>

void base_tile(const float *a, size_t row, size_t col, size_t rows, size_t depth,
               const float *b, size_t ldb, float *tile)
{
    const float *a0 = a, *a1 = rows > 1 ? a + row : a, *a2 = rows > 2 ? a + 2 * row : a1,
                *a3 = rows > 3 ? a + 3 * row : a2;
    float c0[BASE_NR], c1[BASE_NR], c2[BASE_NR], c3[BASE_NR];
    memcpy(c0, tile, sizeof c0);
    memcpy(c1, tile + BASE_NR, sizeof c1);
    memcpy(c2, tile + 2 * BASE_NR, sizeof c2);
    memcpy(c3, tile + 3 * BASE_NR, sizeof c3);
    for (size_t k = 0; k < depth; k++) {
        const float *p = b + k * ldb;
        for (size_t j = 0; j < BASE_NR; j++) {
            c0[j] += a0[k * col] * p[j];
            c1[j] += a1[k * col] * p[j];
            c2[j] += a2[k * col] * p[j];
            c3[j] += a3[k * col] * p[j];
        }
    }
    memcpy(tile, c0, sizeof c0);
    memcpy(tile + BASE_NR, c1, sizeof c1);
    memcpy(tile + 2 * BASE_NR, c2, sizeof c2);
    memcpy(tile + 3 * BASE_NR, c3, sizeof c3);
}

static void pack_panel(const struct base_gemm *g, size_t col, size_t cols)
{
    float *to = g->panel;
    for (size_t k = 0; k < g->depth; k++, to += BASE_NR) {
        if (g->dx) {
            memcpy(to, g->w + k * g->cols + col, cols * sizeof *to);
        } else {
            const float *from = g->w + col * g->depth + k;
            for (size_t j = 0; j < cols; j++)
                to[j] = from[j * g->depth];
        }
        for (size_t j = cols; j < BASE_NR; j++)
            to[j] = 0.0f;
    }
}

void base_gemm(const struct base_gemm *g, struct cpu_range rows, struct cpu_range columns)
{
    if (rows.first >= rows.end)
        return;
    for (size_t col = columns.first; col < columns.end; col += BASE_NR) {
        const size_t cols = columns.end - col < BASE_NR ? columns.end - col : BASE_NR;
        const float *panel = g->w + col * g->depth;
        if (g->layout == CPU_DENSE) {
            pack_panel(g, col, cols);
            panel = g->panel;
        }
        for (size_t row = rows.first; row < rows.end; row += BASE_MR) {
            const size_t n = rows.end - row < BASE_MR ? rows.end - row : BASE_MR;
            float tile[BASE_MR * BASE_NR] = {0};
            base_tile(g->a + row * g->lda, g->lda, 1, n, g->depth, panel, BASE_NR, tile);
            g->store(g, tile, row, n, col, cols);
        }
    }
}

void base_gemm_shared(const struct base_gemm *g, size_t rows)
{
    struct cpu_range r = {0, rows}, c = {0, g->cols};
    if ((g->cols + BASE_NR - 1) / BASE_NR >= g->k->parts)
        c = cpu_split(g->k, g->cols, BASE_NR);
    else
        r = cpu_split(g->k, rows, BASE_MR);
    base_gemm(g, r, c);
}

void base_store_linear(const struct base_gemm *g, const float *tile, size_t row, size_t rows,
                       size_t col, size_t cols)
{
    for (size_t i = 0; i < rows; i++) {
        float *y = g->y + (row + i) * g->ldy + col;
        const float *t = tile + i * BASE_NR;
        for (size_t j = 0; j < cols; j++)
            y[j] = t[j] + (g->bias ? g->bias[col + j] : 0.0f);
    }
}
