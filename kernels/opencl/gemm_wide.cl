/* SPDX-License-Identifier: MIT
 * gemm_wide.cl - matrix products of CPU devices: a work-item owns register tiles of TILE rows
 * by two vectors and walks down a block of rows, so that its panel of w stays in cache. */

/* The end of a tile meets rows that are far apart, so no hardware prefetcher sees them coming:
 * they are asked for before the sum, to be read (0) or written (1). */
#define EPI_PREFETCH(P, IF, M, R, WRITE)                                                       \
    if (IF) {                                                                                  \
        _Pragma("unroll") for (uint q_ = 0; q_ < M; q_++)                                      \
        {                                                                                      \
            PREFETCH((P) + ((R) + q_) * n + c, WRITE);                                         \
            PREFETCH((P) + ((R) + q_) * n + c + SCT_SIMD, WRITE);                              \
        }                                                                                      \
    }

/* The ends of m rows of a tile of TILE_COLS columns, t [m][2]. What is asked of them is looked
 * up once, and two vectors at a time give the long chains of gelu something to overlap with. */
static inline void epi_tile(const struct epi *e, ulong row, uint col, uint m, const VF *t)
{
    if (col + TILE_COLS > e->n || (e->flags & (EPI_RANGE | EPI_SCATTER))) {
        for (uint q = 0; q < m; q++)
            for (uint h = 0; h < 2 && col + h * SCT_SIMD < e->n; h++)
                epi_v(e, row + q, col + h * SCT_SIMD, t[2 * q + h]);
        return;
    }
    const bool bias = e->flags & EPI_BIAS;
    const VF b0 = bias ? VLOAD(e->bias + col) : (VF)(0.0f);
    const VF b1 = bias ? VLOAD(e->bias + col + SCT_SIMD) : (VF)(0.0f);
    const ulong n = e->n;
    const uint kind = e->kind;
    ulong i = row * n + col;
    __global float *out = e->out, *pre = e->out2;
    CG float *extra = e->extra;
#define EACH(DO)                                                                               \
    for (uint q = 0; q < m; q++, i += n) {                                                     \
        VF v0 = t[2 * q] + b0, v1 = t[2 * q + 1] + b1;                                         \
        DO;                                                                                    \
        VSTORE(v0, out + i);                                                                   \
        VSTORE(v1, out + i + SCT_SIMD);                                                        \
    }
    if (e->flags & EPI_GELU) {
        EACH(VSTORE(v0, pre + i); VSTORE(v1, pre + i + SCT_SIMD); v0 = gelu_v(v0, kind);
             v1 = gelu_v(v1, kind));
    } else if (e->flags & EPI_GELU_GRAD) {
        EACH(v0 *= gelu_grad_v(VLOAD(extra + i), kind);
             v1 *= gelu_grad_v(VLOAD(extra + i + SCT_SIMD), kind));
    } else if (e->flags & EPI_ADD) {
        EACH(v0 += VLOAD(extra + i); v1 += VLOAD(extra + i + SCT_SIMD));
    } else {
        EACH((void)0);
    }
#undef EACH
}

/* out [rows][n] = a [rows][k] w; w in panels of 32 columns (pack32 of move.cl). Group x is a
 * block of rows, group y a tile of columns. */
KERNEL(1)

void gemm_wide(CG float *a, ulong a_off, CG float *w, ulong w_off, EPI_ARGS, uint block_rows)
{
    const struct epi e = EPI_INIT;
    const uint c = (uint)get_group_id(0) * TILE_COLS;
    CG float *b = w + w_off + (ulong)(c / 32) * 32 * k + c % 32;
    const ulong r0 = get_group_id(1) * block_rows, r1 = min(r0 + block_rows, rows);
    a += a_off;
#define DO(M, R)                                                                               \
    {                                                                                          \
        VF s[M][2];                                                                            \
        EPI_PREFETCH(e.extra, flags &(EPI_ADD | EPI_GELU_GRAD), M, R, 0);                      \
        EPI_PREFETCH(e.out, !(flags & (EPI_RANGE | EPI_SCATTER)), M, R, 1);                    \
        EPI_PREFETCH(e.out2, flags &EPI_GELU, M, R, 1);                                        \
        TILE_CLEAR(s, M);                                                                      \
        CG float *a_tile = a + (R)*k;                                                          \
        TILE_SUM(s, M, a_tile, k, 1, b, 32, k);                                                \
        VF t[2 * M]; /* s stays in registers: no index of it is computed */                    \
        _Pragma("unroll") for (uint q = 0; q < 2 * M; q++) t[q] = s[q / 2][q % 2];             \
        epi_tile(&e, R, c, M, t);                                                              \
    }
    TILE_ROWS(ulong, r0, r1, DO);
#undef DO
}

/* Lanes from `from` on; the others belong to another work-item and are not touched. */
static inline VF load_strided(CG float *p, uint s, uint from)
{
    if (s == 1 && from == 0)
        return VLOAD(p);
    float t[SCT_SIMD];
    for (uint i = 0; i < SCT_SIMD; i++)
        t[i] = i < from ? 0.0f : p[(size_t)i * s];
    return CAT(vload, SCT_SIMD)(0, t);
}

static inline void store_strided(VF v, __global float *p, uint s, uint from)
{
    if (s == 1 && from == 0) {
        VSTORE(v, p);
        return;
    }
    float t[SCT_SIMD];
    CAT(vstore, SCT_SIMD)(v, 0, t);
    for (uint i = from; i < SCT_SIMD; i++)
        p[(size_t)i * s] = t[i];
}

/* acc(m, n) += sum over rows, in order, of x [rows][m] y [rows][n], at m sm + n sn of acc; n is
 * at least TILE_COLS. Group x is a block of m, group y a tile of columns; the last tile is
 * moved back to end at n and leaves alone what the one before has. y's rows are far apart:
 * DEPTH of them at a time are brought together, and acc is the running sum between two such
 * slices (the chain of fma stays what it would be in one go). */
#define DEPTH 128

KERNEL(1)

void gemm_dw_wide(__global float *acc, ulong acc_off, ulong acc_slot, CG uint *st, CG float *x,
                  ulong x_off, CG float *y, ulong y_off, ulong rows, uint m, uint n, uint sm,
                  uint sn, uint block_m)
{
    __local float slice[DEPTH * TILE_COLS];
    acc += acc_off + st[ST_SLOT] * acc_slot;
    const uint c0 = (uint)get_group_id(1) * TILE_COLS, c = min(c0, n - TILE_COLS);
    const uint skip = c0 - c, skip1 = max(skip, (uint)SCT_SIMD) - SCT_SIMD;
    const uint m0 = (uint)get_group_id(0) * block_m, m1 = min(m0 + block_m, m);
    y += y_off + c;
    x += x_off;
    for (ulong r0 = 0; r0 < rows; r0 += DEPTH) {
        const uint len = (uint)min((ulong)DEPTH, rows - r0);
        for (uint k = 0; k < len; k++) {
            LSTORE(VLOAD(y + (r0 + k) * n), slice + k * TILE_COLS);
            LSTORE(VLOAD(y + (r0 + k) * n + SCT_SIMD), slice + k * TILE_COLS + SCT_SIMD);
        }
#define DO(M, R)                                                                               \
    {                                                                                          \
        VF s[M][2];                                                                            \
        _Pragma("unroll") for (uint q = 0; q < M; q++)                                         \
        {                                                                                      \
            __global float *o = acc + (size_t)((R) + q) * sm + (size_t)c * sn;                 \
            s[q][0] = load_strided(o, sn, skip);                                               \
            s[q][1] = load_strided(o + (size_t)SCT_SIMD * sn, sn, skip1);                      \
        }                                                                                      \
        CG float *a_tile = x + r0 * m + (R);                                                   \
        TILE_SUM_OF(__local float, LLOAD, s, M, a_tile, 1, m, slice, TILE_COLS, len);          \
        _Pragma("unroll") for (uint q = 0; q < M; q++)                                         \
        {                                                                                      \
            __global float *o = acc + (size_t)((R) + q) * sm + (size_t)c * sn;                 \
            store_strided(s[q][0], o, sn, skip);                                               \
            store_strided(s[q][1], o + (size_t)SCT_SIMD * sn, sn, skip1);                      \
        }                                                                                      \
    }
        TILE_ROWS(uint, m0, m1, DO);
#undef DO
    }
}
