/* SPDX-License-Identifier: MIT
 * gemm_tmpl.h - a matrix times packed panels, tile by tile; include a vec_<isa>.h first.
 * Parts share the tiles; bits do not depend on the split (see tile_tmpl.h). */
#ifndef SCT_GEMM_TMPL_H
#define SCT_GEMM_TMPL_H

#include <string.h>

#include "kernels/cpu/tile_tmpl.h"

/* Consumes a finished tile: rows x cols (cols <= NR) of the product, at (row, col), NR apart.
 */
typedef void (*gemm_store)(const void *ctx, const float *tile, size_t row, size_t rows,
                           size_t col, size_t cols);

/* [m][depth] times ceil(n / NR) panels of [depth][NR]. */
struct gemm {
    size_t m, n, depth;
    const float *a; /* [m][depth] */
    const float *panel;
    gemm_store store;
    const void *ctx;
    const float *reads; /* [m][n] that store will read, fetched ahead; or NULL */
    float *scratch;     /* gemm_scratch() bytes of this part, or NULL: no copy of A */
};

/* The first VW columns: what a rank of 8 or ten classes leave of a panel. */
static void tile_run_narrow(const struct tile *t, size_t mr)
{
    tile_switch(t, mr, false);
}

/* Panels outside, row tiles inside: the panel stays in the caches while A passes, and a block
 * of A stays in L2 while the panels pass. Parts take equal runs of the (panel, tile) pairs.
 * Tiles have nearly equal heights, for a last one of one row would leave the FMA units waiting.
 */
static void gemm_run(const struct gemm *g, size_t part, size_t parts)
{
    _Alignas(64) float c[MR_MAX * NR];
    const size_t m = g->m, depth = g->depth;
    const size_t tiles = (m + MR_MAX - 1) / MR_MAX, panels = (g->n + NR - 1) / NR;
    const size_t u0 = panels * tiles * part / parts, u1 = panels * tiles * (part + 1) / parts;
    const size_t step = gemm_block(depth, MR_MAX) / MR_MAX;
    const size_t blocks = (tiles + step - 1) / step;
    const bool copies = g->scratch && gemm_copies(m, g->n, depth, MR_MAX, NR);
    if (u0 == u1)
        return;
    for (size_t b = 0; b < blocks; b++) {
        const size_t t0 = tiles * b / blocks, t1 = tiles * (b + 1) / blocks;
        const size_t r0 = m * t0 / tiles, r1 = m * t1 / tiles;
        const float *a = g->a + r0 * depth;
        const size_t lda = copies ? gemm_copy_stride(depth) : depth;
        if (copies) {
            for (size_t r = 0; r < r1 - r0; r++)
                memcpy(g->scratch + r * lda, a + r * depth, depth * sizeof(float));
            a = g->scratch;
        }
        for (size_t p = u0 / tiles; p <= (u1 - 1) / tiles; p++) {
            const size_t first = p * tiles < u0 ? u0 - p * tiles : 0;
            const size_t last = u1 - p * tiles < tiles ? u1 - p * tiles : tiles;
            const size_t col = p * NR, cols = g->n - col < NR ? g->n - col : NR;
            for (size_t t = first > t0 ? first : t0; t < (last < t1 ? last : t1); t++) {
                const size_t row = m * t / tiles, rows = m * (t + 1) / tiles - row;
                const struct tile x = {
                    depth, a + (row - r0) * lda, lda, 1, g->panel + p * depth * NR, NR, c, NR,
                    false};
                if (g->reads)
                    for (size_t i = 0; i < rows; i++) {
                        const float *r = g->reads + (row + i) * g->n + col;
                        _mm_prefetch((const char *)r, _MM_HINT_T0);
                        _mm_prefetch((const char *)(r + cols - 1), _MM_HINT_T0);
                    }
                (cols > VW ? tile_run : tile_run_narrow)(&x, rows);
                g->store(g->ctx, c, row, rows, col, cols);
            }
        }
    }
}

#endif
