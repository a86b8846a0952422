/* SPDX-License-Identifier: MIT
 * gemm_simt.cl - matrix products of GPUs without matrix units: 256 items (16 x 16) own a tile
 * of 16 PER x 16 PER results, PER x PER each, in blocks of 4 x 4 so that local memory is read
 * in float4. The next slice of k travels to registers while the present one is used. Options:
 * -DPER=4 or 8; -DVEC=1 when the rows of dense operands are multiples of 4 floats. */
#define SIDE  (16 * PER)
#define SLICE 16
#define PARTS (PER / 4) /* float4s an item loads of either operand's slice */
#define PAD   (SIDE + 4)

/* Columns at .. at + 3 of a row of n; zero past its end. */
static inline float4 load4(CG float *row, uint at, uint n)
{
#ifdef VEC
    const int in = at < n;
    const float4 v = *(CG float4 *)(row + (in ? at : 0));
    return in ? v : (float4)(0.0f);
#else
    const float4 v = (float4)(row[min(at, n - 1)], row[min(at + 1, n - 1)],
                              row[min(at + 2, n - 1)], row[min(at + 3, n - 1)]);
    return (float4)(at < n ? v.s0 : 0.0f, at + 1 < n ? v.s1 : 0.0f, at + 2 < n ? v.s2 : 0.0f,
                    at + 3 < n ? v.s3 : 0.0f);
#endif
}

/* SIDE x SIDE results from slices [SLICE][PAD] of both operands in local memory. */
#define USE_SLICE()                                                                            \
    _Pragma("unroll") for (uint k_ = 0; k_ < SLICE; k_++)                                      \
    {                                                                                          \
        float x_[PER];                                                                         \
        float4 y_[PARTS];                                                                      \
        _Pragma("unroll") for (uint i_ = 0; i_ < PARTS; i_++)                                  \
        {                                                                                      \
            const float4 v_ = vload4(0, as + k_ * PAD + 64 * i_ + 4 * ty);                     \
            x_[4 * i_] = v_.s0;                                                                \
            x_[4 * i_ + 1] = v_.s1;                                                            \
            x_[4 * i_ + 2] = v_.s2;                                                            \
            x_[4 * i_ + 3] = v_.s3;                                                            \
            y_[i_] = vload4(0, bs + k_ * PAD + 64 * i_ + 4 * tx);                              \
        }                                                                                      \
        _Pragma("unroll") for (uint i_ = 0; i_ < PER; i_++)                                    \
            _Pragma("unroll") for (uint j_ = 0; j_ < PARTS; j_++) sum[i_][j_] =                \
                fma((float4)(x_[i_]), y_[j_], sum[i_][j_]);                                    \
    }
/* Row of the tile that sum[I] is. */
#define TILE_ROW(I) (64 * ((I) / 4) + 4 * ty + (I) % 4)

/* out [rows][n] = a [rows][k] w, w in panels of 32 columns (pack32). Groups are numbered in
 * blocks of 8 tiles of rows, column by column, so that both operands stay in the last-level
 * cache. */
KERNEL(256)

void gemm_simt(CG float *a, ulong a_off, CG float *w, ulong w_off, EPI_ARGS, uint row_tiles,
               uint col_tiles)
{
    __local float tiles[2 * SLICE * PAD];
    __local float *as = tiles, *bs = tiles + SLICE * PAD;
    const struct epi e = EPI_INIT;
    const uint id = (uint)get_local_id(0), tx = id % 16, ty = id / 16;
    const uint g = (uint)get_group_id(0), block = g / (8 * col_tiles);
    const uint high = min(8u, row_tiles - 8 * block), in = g - 8 * block * col_tiles;
    const ulong r0 = (ulong)(8 * block + in % high) * SIDE;
    const uint c0 = in / high * SIDE;
    const uint last_panel = (n + 31) / 32 - 1;
    /* a: 4 items along k, 64 rows at a time; w: PER * 4 items along the columns */
    const uint ak = id % 4 * 4, ar = id / 4, bk = id / (SIDE / 4), bc = id % (SIDE / 4) * 4;
    CG float *a_row[PARTS];
    float4 sum[PER][PARTS], next_a[PARTS], next_b[PARTS];
    _Pragma("unroll") for (uint i = 0; i < PARTS; i++) a_row[i] =
        a + a_off + min(r0 + ar + 64 * i, rows - 1) * k;
    CG float *panel = w + w_off + (ulong)min((c0 + bc) / 32, last_panel) * 32 * k + bc % 32;
    _Pragma("unroll") for (uint i = 0; i < PER; i++)
        _Pragma("unroll") for (uint j = 0; j < PARTS; j++) sum[i][j] = (float4)(0.0f);
#define FETCH(K0)                                                                              \
    _Pragma("unroll") for (uint i = 0; i < PARTS; i++)                                         \
    {                                                                                          \
        const uint kb = (K0) + bk + (256 / (SIDE / 4)) * i;                                    \
        const float4 v = *(CG float4 *)(panel + (ulong)min(kb, k - 1) * 32);                   \
        next_a[i] = load4(a_row[i], (K0) + ak, k);                                             \
        next_b[i] = kb < k ? v : (float4)(0.0f);                                               \
    }
    FETCH(0u);
    for (uint k0 = 0; k0 < k; k0 += SLICE) {
        barrier(CLK_LOCAL_MEM_FENCE); /* the last slice has been used */
        _Pragma("unroll") for (uint i = 0; i < PARTS; i++)
        {
            __local float *to = as + ak * PAD + ar + 64 * i;
            to[0] = next_a[i].s0;
            to[PAD] = next_a[i].s1;
            to[2 * PAD] = next_a[i].s2;
            to[3 * PAD] = next_a[i].s3;
            vstore4(next_b[i], 0, bs + (bk + (256 / (SIDE / 4)) * i) * PAD + bc);
        }
        barrier(CLK_LOCAL_MEM_FENCE);
        if (k0 + SLICE < k) /* the same for all items */
            FETCH(k0 + SLICE);
        USE_SLICE();
    }
#undef FETCH
    _Pragma("unroll") for (uint i = 0; i < PER; i++)
    {
        const ulong r = r0 + TILE_ROW(i);
        if (r < rows) {
            _Pragma("unroll") for (uint j = 0; j < PARTS; j++)
            {
                const uint c = c0 + 64 * j + 4 * tx;
                if (c < n)
                    epi_v(&e, r, c, sum[i][j]);
            }
        }
    }
}

/* part [splits][m][n]: sums over equal runs of rows of x [rows][m] y [rows][n]; run rows each.
 */
KERNEL(256)

void gemm_dw_simt(CG float *x, ulong x_off, CG float *y, ulong y_off, __global float *part,
                  ulong part_off, ulong rows, uint m, uint n, uint run, uint col_tiles)
{
    __local float tiles[2 * SLICE * PAD];
    __local float *as = tiles, *bs = tiles + SLICE * PAD;
    const uint id = (uint)get_local_id(0), tx = id % 16, ty = id / 16;
    const uint g = (uint)get_group_id(0), split = (uint)get_group_id(1);
    const uint m0 = g / col_tiles * SIDE, n0 = g % col_tiles * SIDE;
    const ulong begin = (ulong)split * run, end = min(begin + run, rows);
    const uint lr = id / (SIDE / 4), lc = id % (SIDE / 4) * 4;
    float4 sum[PER][PARTS], next_a[PARTS], next_b[PARTS];
    x += x_off;
    y += y_off;
    _Pragma("unroll") for (uint i = 0; i < PER; i++)
        _Pragma("unroll") for (uint j = 0; j < PARTS; j++) sum[i][j] = (float4)(0.0f);
#define FETCH(R0)                                                                              \
    _Pragma("unroll") for (uint i = 0; i < PARTS; i++)                                         \
    {                                                                                          \
        const ulong at = (R0) + lr + (256 / (SIDE / 4)) * i, r = min(at, end - 1);             \
        const float4 u = load4(x + r * m, m0 + lc, m), v = load4(y + r * n, n0 + lc, n);       \
        next_a[i] = at < end ? u : (float4)(0.0f);                                             \
        next_b[i] = at < end ? v : (float4)(0.0f);                                             \
    }
    FETCH(begin);
    for (ulong q = begin; q < end; q += SLICE) {
        barrier(CLK_LOCAL_MEM_FENCE);
        _Pragma("unroll") for (uint i = 0; i < PARTS; i++)
        {
            const uint at = (lr + (256 / (SIDE / 4)) * i) * PAD + lc;
            vstore4(next_a[i], 0, as + at);
            vstore4(next_b[i], 0, bs + at);
        }
        barrier(CLK_LOCAL_MEM_FENCE);
        if (q + SLICE < end)
            FETCH(q + SLICE);
        USE_SLICE();
    }
#undef FETCH
    part += part_off + (ulong)split * m * n;
    _Pragma("unroll") for (uint i = 0; i < PER; i++)
    {
        const uint r = m0 + TILE_ROW(i);
        if (r < m) {
            _Pragma("unroll") for (uint j = 0; j < PARTS; j++)
            {
                const uint c = n0 + 64 * j + 4 * tx;
                __global float *to = part + (ulong)r * n + c;
                const float4 v = sum[i][j];
                if (c < n)
                    to[0] = v.s0;
                if (c + 1 < n)
                    to[1] = v.s1;
                if (c + 2 < n)
                    to[2] = v.s2;
                if (c + 3 < n)
                    to[3] = v.s3;
            }
        }
    }
}

/* acc [rows][cols] += the splits, one after the other. */
KERNEL(64)

void add_splits(__global float *acc, ulong acc_off, ulong acc_slot, CG uint *st, CG float *part,
                ulong part_off, ulong rows, uint cols, uint splits)
{
    acc += acc_off + st[ST_SLOT] * acc_slot;
    part += part_off;
    ROWS (r, rows)
        COLS (c, cols) {
            float s = acc[r * cols + c];
            for (uint i = 0; i < splits; i++)
                s += part[(i * rows + r) * cols + c];
            acc[r * cols + c] = s;
        }
}
