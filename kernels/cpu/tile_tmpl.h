/* SPDX-License-Identifier: MIT
 * tile_tmpl.h - one register tile of C = A B, up to MR_MAX x NR; include a vec_<isa>.h first.
 *
 * Every element of C is one chain of FMAs over k = 0, 1, .. starting from 0 (or from what C
 * holds), so its bits depend on neither the tile, nor the number of rows, nor who computes it.
 */
#ifndef SCT_TILE_TMPL_H
#define SCT_TILE_TMPL_H

#include "kernels/cpu/simd_size.h"

/* One tile: c[i][j] (+)= sum_k a[i rs + k ks] b[k ldb + j], j < NR. */
struct tile {
    size_t depth;
    const float *a;
    size_t rs, ks;
    const float *b;
    size_t ldb;
    float *c;
    size_t ldc;
    bool add; /* start from c, not from 0 */
};

/* mr rows of one vector, or of two. Rows are addressed in threes, base + {0, 1, 2} rs, which
 * x86 folds into the load (scales 4 and 8): fourteen rows need five pointers and one stride,
 * all in registers. */
VEC void tile_rows(const struct tile *t, const size_t mr, const bool two)
{
    enum { GROUPS = (MR_MAX + 2) / 3, AHEAD = 8, LINE = 64 / sizeof(float) };

    const size_t rs = t->rs, ks = t->ks, ldb = t->ldb;
    const float *a[GROUPS], *b = t->b;
    vf acc0[MR_MAX], acc1[MR_MAX];
    UNROLL
    for (size_t g = 0; g < GROUPS; g++)
        a[g] = t->a + (3 * g < mr ? 3 * g : 0) * rs;
    UNROLL
    for (size_t i = 0; i < mr; i++) {
        acc0[i] = t->add ? v_load(t->c + i * t->ldc) : v_zero();
        if (two)
            acc1[i] = t->add ? v_load(t->c + i * t->ldc + VW) : v_zero();
    }
    for (size_t k = t->depth; k > 0; k--) {
        const vf b0 = v_load(b), b1 = two ? v_load(b + VW) : v_zero();
        _mm_prefetch((const char *)(b + AHEAD * ldb), _MM_HINT_T0);
        if (two && (size_t)NR > LINE)
            _mm_prefetch((const char *)(b + AHEAD * ldb + LINE), _MM_HINT_T0);
        UNROLL
        for (size_t i = 0; i < mr; i++) {
            const vf x = v_set1(a[i / 3][i % 3 * rs]);
            acc0[i] = v_fma(x, b0, acc0[i]);
            if (two)
                acc1[i] = v_fma(x, b1, acc1[i]);
        }
        UNROLL
        for (size_t g = 0; g < GROUPS; g++)
            a[g] += ks;
        b += ldb;
    }
    UNROLL
    for (size_t i = 0; i < mr; i++) {
        v_store(t->c + i * t->ldc, acc0[i]);
        if (two)
            v_store(t->c + i * t->ldc + VW, acc1[i]);
    }
}

/* Rows and vectors are constants in every instance, so that the accumulators are registers. */
VEC void tile_switch(const struct tile *t, size_t mr, const bool two)
{
#define CASE(N)                                                                                \
    case N:                                                                                    \
        if (N <= MR_MAX)                                                                       \
            tile_rows(t, N <= MR_MAX ? N : 1, two);                                            \
        break
    switch (mr) {
        CASE(1);
        CASE(2);
        CASE(3);
        CASE(4);
        CASE(5);
        CASE(6);
        CASE(7);
        CASE(8);
        CASE(9);
        CASE(10);
        CASE(11);
        CASE(12);
        CASE(13);
        CASE(14);
    default:
        break;
    }
#undef CASE
}

/* All NR columns. */
static inline void tile_run(const struct tile *t, size_t mr)
{
    tile_switch(t, mr, true);
}

#endif
