/* SPDX-License-Identifier: MIT
 * base_gemm.h - the portable matrix product: a 4 x 16 register tile over panels of 16 columns.
 * Every element is one sum over the depth in order, started from what the tile holds, so
 * neither the split among threads nor the number of rows changes a bit. */
#ifndef SCT_CPU_BASE_GEMM_H
#define SCT_CPU_BASE_GEMM_H

#include "kernels/cpu/cpu_layout.h"

enum { BASE_MR = 4, BASE_NR = 16 };

/* tile[4][16] += A B: element (i, k) of A at a[i * row + k * col] for i < rows (rows above
 * repeat the last one), row k of B at b + k * ldb. */
void base_tile(const float *a, size_t row, size_t col, size_t rows, size_t depth,
               const float *b, size_t ldb, float *tile);

struct base_gemm;
/* Takes tile[rows][16] (row stride 16) for rows row.. and columns col.. of the product. */
typedef void (*base_store_fn)(const struct base_gemm *g, const float *tile, size_t row,
                              size_t rows, size_t col, size_t cols);

/* rows x cols = A [rows][depth] times W. w: panels of 16 when layout says so, else dense
 * [cols][depth] (linear) or, with dx, [depth][cols]; then `panel` [depth][16] is used to pack.
 */
struct base_gemm {
    const float *a;
    size_t lda, depth, cols;
    const float *w;
    uint32_t layout;
    int dx;
    float *panel;
    base_store_fn store;
    /* for the store */
    const struct sct_kargs *k;
    float *y;
    size_t ldy;
    const float *bias, *add;
    const int32_t *idx;
    float scale;
};

/* The part of the product of these rows and columns; columns.first is a multiple of 16. */
void base_gemm(const struct base_gemm *g, struct cpu_range rows, struct cpu_range columns);

/* How a node's product is shared: by columns while there are enough panels, else by rows. */
void base_gemm_shared(const struct base_gemm *g, size_t rows);

/* y[row][col] = sum + bias. */
void base_store_linear(const struct base_gemm *g, const float *tile, size_t row, size_t rows,
                       size_t col, size_t cols);

/* Bytes of scratch for packing one panel of a dense weight. */
static inline uint64_t base_panel_bytes(uint64_t depth)
{
    return depth * BASE_NR * sizeof(float);
}

#endif
