/* SPDX-License-Identifier: MIT
 * simd_size.h - register tiles and scratch sizes: what kernels and planning must agree on.
 * Knows no ISA. Sizes are bytes of one part; see cpu_row.choose. */
#ifndef SCT_SIMD_SIZE_H
#define SCT_SIMD_SIZE_H

#include <stdbool.h>
#include <stddef.h>

/* A GEMM tile: rows, and columns (two vectors) = the width of a packed panel. */
enum { AVX512_MR = 14, AVX512_NR = 32, AVX2_MR = 6, AVX2_NR = 16 };

static inline size_t simd_round_up(size_t n, size_t to)
{
    return (n + to - 1) / to * to;
}

/* Rows of A, `depth` floats each, that stay in the L2 cache beside one panel. It has 1 MiB or
 * more where AVX-512 is; where AVX2 is all there is, 256 or 512 KiB are common. */
static inline size_t gemm_block(size_t depth, size_t mr)
{
    const size_t bytes = (size_t)(mr == AVX512_MR ? 640 : 384) * 1024;
    const size_t rows = bytes / sizeof(float) / depth;
    return rows < mr ? mr : rows / mr * mr;
}

/* Rows 2 KiB (or a multiple) apart fall into one or two sets of the L1 cache, which then cannot
 * hold the lines of a whole tile beside those of the panel; up to a quarter of the speed is
 * lost. Copy A. */
static inline bool gemm_copies(size_t m, size_t n, size_t depth, size_t mr, size_t nr)
{
    return m > mr && n >= 4 * nr && depth % 512 == 0;
}

/* Distance of the rows of that copy. */
static inline size_t gemm_copy_stride(size_t depth)
{
    return depth + 16;
}

static inline size_t gemm_scratch(size_t m, size_t n, size_t depth, size_t mr, size_t nr)
{
    const size_t block = gemm_block(depth, mr);
    if (!gemm_copies(m, n, depth, mr, nr))
        return 0;
    return (m < block ? m : block) * gemm_copy_stride(depth) * sizeof(float);
}

/* LINEAR_DW: rows of the batch at a time, and the panel of x that is packed for them. */
enum { DW_ROWS = 512 };

static inline size_t dw_scratch(size_t m, size_t nr)
{
    return (m < DW_ROWS ? m : DW_ROWS) * nr * sizeof(float);
}

/* LINEAR_GROUPED, LINEAR_GROUPED_DX: the panel of a group's weight that is packed. */
static inline size_t grouped_scratch(size_t depth, size_t nr)
{
    return depth * nr * sizeof(float);
}

/* Where things lie in the scratch of attention, in floats; see attention_tmpl.h. */
struct attn_layout {
    size_t ld;      /* distance of score rows: an odd number of cache lines */
    size_t block;   /* query rows whose scores exist at one time */
    size_t panel_d; /* d in whole panels */
    size_t tok;
    size_t bias, masked, region, sum, grad; /* windows only */
    size_t kt, vt, kr, vr;                  /* K^T, V^T [panel][d][NR]; K, V [panel][n][NR] */
    size_t dk, dv;                          /* as kr */
    size_t q, o, qp, op; /* block of Q, dO: rows [block][d], and panels [panel][block][NR] */
    size_t p, ds, delta, tile;
    size_t floats;
};

static inline size_t attn_take(struct attn_layout *l, size_t floats)
{
    const size_t at = l->floats;
    l->floats += simd_round_up(floats, 16);
    return at;
}

/* n tokens that attend to each other, head size d. */
static inline struct attn_layout attn_layout(size_t n, size_t d, size_t mr, size_t nr,
                                             bool backward, bool window)
{
    struct attn_layout l = {0};
    const size_t pn = simd_round_up(n, nr), pd = simd_round_up(d, nr);
    l.panel_d = pd / nr;
    l.ld = pn / 16 % 2 ? simd_round_up(pn, 16) : pn + 16;
    l.block = !backward ? mr : n > 512 ? 2 * mr : 56 / mr * mr;
    l.tok = attn_take(&l, n);
    l.bias = window ? attn_take(&l, n * l.ld) : 0;
    l.masked = window ? attn_take(&l, n * l.ld) : 0;
    l.region = window ? attn_take(&l, n) : 0;
    l.sum = window && backward ? attn_take(&l, n * n) : 0;
    l.grad = window && backward ? attn_take(&l, 4 * n) : 0;
    l.kt = attn_take(&l, pn * d);
    l.q = attn_take(&l, l.block * d);
    l.p = attn_take(&l, l.block * l.ld);
    l.tile = attn_take(&l, mr * nr);
    if (!backward) {
        l.vr = attn_take(&l, pd * n);
        return l;
    }
    l.vt = attn_take(&l, pn * d);
    l.kr = attn_take(&l, pd * n);
    l.dk = attn_take(&l, pd * n);
    l.dv = attn_take(&l, pd * n);
    l.o = attn_take(&l, l.block * d);
    l.qp = attn_take(&l, l.block * pd);
    l.op = attn_take(&l, l.block * pd);
    l.ds = attn_take(&l, l.block * l.ld);
    l.delta = attn_take(&l, l.block);
    return l;
}

#endif
