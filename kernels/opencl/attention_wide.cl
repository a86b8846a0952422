/* SPDX-License-Identifier: MIT
 * attention_wide.cl - attention of CPU devices. A unit is one head of one window (or image); a
 * work-item takes a run of units, one after the other, and keeps all it needs of one in its own
 * scratch, small enough for its core's cache. Every product is made of the register tiles of
 * common.clh. Units are ordered by head, so that the bias of a head is laid out once. */

static inline uint up_to_tiles(uint n)
{
    return (n + TILE_COLS - 1) / TILE_COLS * TILE_COLS;
}

struct unit {
    uint img, h, w;
};

static inline struct unit unit_of(const struct win *p, uint b, uint u)
{
    struct unit o;
    o.w = u % p->nw;
    o.img = u / p->nw % b;
    o.h = u / p->nw / b;
    return o;
}

/* The window's tokens and, where the wrapped border runs through it, their regions. Returns
 * whether it does. */
static inline int load_places(const struct win *p, uint w, __global uint *tok,
                              __global float *reg, uint wp)
{
    const uint across = p->grid_w ? p->grid_w / p->win_w : 1;
    const uint down = p->grid_w ? p->grid_h / p->win_h : 1;
    const int mixed =
        (p->shift_h && w / across == down - 1) || (p->shift_w && w % across == across - 1);
    for (uint i = 0; i < p->wn; i++)
        tok[i] = token_of(p, w, i);
    if (mixed)
        for (uint i = 0; i < wp; i++) /* past the end: anything, the bias is -inf there */
            reg[i] = (float)region_of(p, w, i);
    return mixed;
}

/* to [wn][dp] = mul from [token][ld], columns past d zero. */
static inline void load_rows(const struct win *p, CG uint *tok, CG float *from, ulong ld,
                             __global float *to, uint dp, float mul)
{
    for (uint i = 0; i < p->wn; i++, to += dp) {
        CG float *x = from + tok[i] * ld;
        uint e = 0;
        for (; e + SCT_SIMD <= p->d; e += SCT_SIMD)
            VSTORE(VLOAD(x + e) * mul, to + e);
        for (; e < dp; e++)
            to[e] = e < p->d ? x[e] * mul : 0.0f;
    }
}

typedef float4 __attribute__((aligned(4))) f4_any;
#define F4(P)    (*(CG f4_any *)(P))
#define F4_TO(P) (*(__global f4_any *)(P))

/* The transpose in panels: to [wp / TILE_COLS][d][TILE_COLS], columns past wn zero. Blocks of 4
 * x 4 go through registers. */
static inline void load_panels(const struct win *p, CG uint *tok, CG float *from, ulong ld,
                               __global float *to, uint wp)
{
    for (uint j = 0; j < wp; j += 4) {
        __global float *o = to + (size_t)(j / TILE_COLS) * TILE_COLS * p->d + j % TILE_COLS;
        uint e = 0;
        if (j + 4 <= p->wn) {
            CG float *x0 = from + tok[j] * ld, *x1 = from + tok[j + 1] * ld;
            CG float *x2 = from + tok[j + 2] * ld, *x3 = from + tok[j + 3] * ld;
            for (; e + 4 <= p->d; e += 4, o += 4 * TILE_COLS) {
                const float4 a = F4(x0 + e), b = F4(x1 + e), c = F4(x2 + e), d = F4(x3 + e);
                F4_TO(o) = (float4)(a.s0, b.s0, c.s0, d.s0);
                F4_TO(o + TILE_COLS) = (float4)(a.s1, b.s1, c.s1, d.s1);
                F4_TO(o + 2 * TILE_COLS) = (float4)(a.s2, b.s2, c.s2, d.s2);
                F4_TO(o + 3 * TILE_COLS) = (float4)(a.s3, b.s3, c.s3, d.s3);
            }
        }
        for (; e < p->d; e++, o += TILE_COLS)
            for (uint i = 0; i < 4; i++)
                o[i] = j + i < p->wn ? from[tok[j + i] * ld + e] : 0.0f;
    }
}

/* What is added to the scores of a head: its bias, and -inf past the window's end. Whole images
 * have one row for all queries. */
static inline void load_bias(const struct win *p, CG float *table, uint h, __global float *bias,
                             uint wp)
{
    const uint rows = p->grid_w ? p->wn : 1;
    for (uint i = 0; i < rows; i++)
        for (uint j = 0; j < wp; j++)
            bias[i * wp + j] = j >= p->wn  ? -INFINITY
                               : p->grid_w ? table[bias_row(p, i, j) * p->heads + h]
                                           : 0.0f;
}

/* to [d] at token rows = the tile's row, `by` times. */
static inline void store_row(__global float *to, VF v, uint c, uint d, float by)
{
    if (c + SCT_SIMD <= d) {
        VSTORE(v * by, to + c);
    } else if (c < d) {
        float part[SCT_SIMD];
        CAT(vstore, SCT_SIMD)(v * by, 0, part);
        for (uint j = 0; c + j < d; j++)
            to[c + j] = part[j];
    }
}

/* scores [M][wp] of queries R.. against all keys, without bias. */
#define TILE_SCORES(M, R, A, PANELS, TO, DP)                                                   \
    for (uint c_ = 0; c_ < wp; c_ += TILE_COLS) {                                              \
        VF s_[M][2];                                                                           \
        __global float *a_tile_ = (A) + (size_t)(R) * (DP),                                    \
                       *b_tile_ = (PANELS) + (size_t)c_ * d;                                   \
        TILE_CLEAR(s_, M);                                                                     \
        TILE_SUM(s_, M, a_tile_, DP, 1, b_tile_, TILE_COLS, d);                                \
        _Pragma("unroll") for (uint q_ = 0; q_ < M; q_++)                                      \
        {                                                                                      \
            VSTORE(s_[q_][0], (TO) + (size_t)q_ * wp + c_);                                    \
            VSTORE(s_[q_][1], (TO) + (size_t)q_ * wp + c_ + SCT_SIMD);                         \
        }                                                                                      \
    }

/* Adds bias and, between regions, -100 to a row of scores; returns its largest. reg is NULL
 * where there is one region. */
static inline float finish_scores(CG float *reg, uint i, __global float *row, CG float *bias,
                                  uint wp)
{
    VF top = (VF)(-INFINITY);
    for (uint j = 0; j < wp; j += SCT_SIMD) {
        VF v = VLOAD(row + j) + VLOAD(bias + j);
        if (reg)
            v -= select((VF)(0.0f), (VF)(100.0f), VLOAD(reg + j) != (VF)(reg[i]));
        VSTORE(v, row + j);
        top = fmax(top, v);
    }
    return vmax(top);
}

#define WIDE_BASE                                                                              \
    const struct win p = WIN_INIT;                                                             \
    const uint c3 = 3 * heads * d, c1 = heads * d, dp = up_to_tiles(d), wp = up_to_tiles(wn);  \
    const uint u0 = (uint)block_at(total, get_group_id(0), get_num_groups(0));                 \
    const uint u1 = (uint)block_at(total, get_group_id(0) + 1, get_num_groups(0));             \
    const uint bias_ld = grid_w ? wp : 0;                                                      \
    qkv += qkv_off;                                                                            \
    table += table_off;                                                                        \
    scratch += scratch_off + get_group_id(0) * room;                                           \
    __global uint *tok = (__global uint *)scratch;                                             \
    __global float *reg = scratch + wp, *bias = reg + wp;                                      \
    uint head = heads

/* Unit u is cut into `parts` runs of queries; work-items are numbered over both. */
KERNEL(1)

void attention_wide(CG float *qkv, ulong qkv_off, CG float *table, ulong table_off,
                    __global float *out, ulong out_off, __global float *lse, ulong lse_off,
                    __global float *scratch, ulong scratch_off, WIN_ARGS, uint total,
                    uint parts, ulong room)
{
    WIDE_BASE;
    __global float *kt = bias + (size_t)(grid_w ? wn : 1) * wp;
    __global float *q = kt + (size_t)wp * d, *v = q + (size_t)wn * dp, *s = v + (size_t)wn * dp;
    out += out_off;
    lse += lse_off;
    for (uint u = u0; u < u1; u++) {
        const struct unit o = unit_of(&p, b, u / parts);
        CG float *from = qkv + (ulong)o.img * n * c3 + o.h * d;
        const uint i0 = (uint)block_at(wn, u % parts, parts);
        const uint i1 = (uint)block_at(wn, u % parts + 1, parts);
        CG float *regions = load_places(&p, o.w, tok, reg, wp) ? reg : 0;
        if (head != o.h)
            load_bias(&p, table, o.h, bias, wp);
        head = o.h;
        load_rows(&p, tok, from, c3, q, dp, scale);
        load_panels(&p, tok, from + c1, c3, kt, wp);
        load_rows(&p, tok, from + 2 * c1, c3, v, dp, 1.0f);
#define DO(M, R)                                                                               \
    {                                                                                          \
        float sum[M];                                                                          \
        TILE_SCORES(M, R, q, kt, s, dp);                                                       \
        for (uint g = 0; g < M; g++) {                                                         \
            __global float *row = s + (size_t)g * wp;                                          \
            const float top =                                                                  \
                finish_scores(regions, (R) + g, row, bias + (size_t)((R) + g) * bias_ld, wp);  \
            VF acc = (VF)(0.0f);                                                               \
            for (uint j = 0; j < wp; j += SCT_SIMD) {                                          \
                const VF x = exp_v(VLOAD(row + j) - top);                                      \
                VSTORE(x, row + j);                                                            \
                acc += x;                                                                      \
            }                                                                                  \
            sum[g] = vsum(acc);                                                                \
            lse[((ulong)o.img * heads + o.h) * n + tok[(R) + g]] = top + log(sum[g]);          \
            sum[g] = 1.0f / sum[g];                                                            \
        }                                                                                      \
        for (uint c = 0; c < d; c += TILE_COLS) {                                              \
            VF y[M][2];                                                                        \
            __global float *v_tile = v + c;                                                    \
            TILE_CLEAR(y, M);                                                                  \
            TILE_SUM(y, M, s, wp, 1, v_tile, dp, wn);                                          \
            _Pragma("unroll") for (uint g = 0; g < M; g++)                                     \
            {                                                                                  \
                __global float *to = out + ((ulong)o.img * n + tok[(R) + g]) * c1 + o.h * d;   \
                store_row(to, y[g][0], c, d, sum[g]);                                          \
                store_row(to, y[g][1], c + SCT_SIMD, d, sum[g]);                               \
            }                                                                                  \
        }                                                                                      \
    }
        TILE_ROWS(uint, i0, i1, DO);
#undef DO
    }
}

/* Rows R.. of P and ds from the scores, and dq. Names are those of attention_dx_wide. */
#define DX_QUERIES(M, R)                                                                       \
    {                                                                                          \
        __global float *p_rows = ps + (size_t)(R)*wp, *ds_rows = ds + (size_t)(R)*wp;          \
        TILE_SCORES(M, R, q, kt, p_rows, dp);                                                  \
        TILE_SCORES(M, R, g, vt, ds_rows, dp);                                                 \
        for (uint h = 0; h < M; h++) {                                                         \
            const uint t = tok[(R) + h];                                                       \
            __global float *row = p_rows + (size_t)h * wp, *dr = ds_rows + (size_t)h * wp;     \
            finish_scores(regions, (R) + h, row, bias + (size_t)((R) + h) * bias_ld, wp);      \
            const float l = lse[((ulong)o.img * heads + o.h) * n + t];                         \
            CG float *yr = y + (ulong)t * c1, *gr = dy + (ulong)t * c1;                        \
            VF acc = (VF)(0.0f);                                                               \
            float own = 0.0f;                                                                  \
            uint e = 0;                                                                        \
            for (; e + SCT_SIMD <= d; e += SCT_SIMD)                                           \
                acc = fma(VLOAD(yr + e), VLOAD(gr + e), acc);                                  \
            for (; e < d; e++)                                                                 \
                own = fma(yr[e], gr[e], own);                                                  \
            own += vsum(acc);                                                                  \
            for (uint j = 0; j < wp; j += SCT_SIMD) {                                          \
                const VF x = exp_v(VLOAD(row + j) - l);                                        \
                VSTORE(x, row + j);                                                            \
                VSTORE((VLOAD(dr + j) - own) * x, dr + j);                                     \
            }                                                                                  \
        }                                                                                      \
        for (uint c = 0; c < d; c += TILE_COLS) {                                              \
            VF z[M][2];                                                                        \
            __global float *k_tile = k + c;                                                    \
            TILE_CLEAR(z, M);                                                                  \
            TILE_SUM(z, M, ds_rows, wp, 1, k_tile, dp, wn);                                    \
            _Pragma("unroll") for (uint h = 0; h < M; h++)                                     \
            {                                                                                  \
                __global float *dq = to + tok[(R) + h] * (ulong)c3;                            \
                store_row(dq, z[h][0], c, d, scale);                                           \
                store_row(dq, z[h][1], c + SCT_SIMD, d, scale);                                \
            }                                                                                  \
        }                                                                                      \
    }

/* Columns R.. of P and ds against all rows of dout and q (which carries the scale). */
#define DX_KEYS(M, R)                                                                          \
    for (uint c = 0; c < d; c += TILE_COLS) {                                                  \
        VF zk[M][2], zv[M][2];                                                                 \
        __global float *q_tile = q + c, *g_tile = g + c, *p_cols = ps + (R),                   \
                       *ds_cols = ds + (R);                                                    \
        TILE_CLEAR(zk, M);                                                                     \
        TILE_SUM(zk, M, ds_cols, 1, wp, q_tile, dp, wn);                                       \
        _Pragma("unroll") for (uint h = 0; h < M; h++)                                         \
        {                                                                                      \
            __global float *dk = to + tok[(R) + h] * (ulong)c3 + c1;                           \
            store_row(dk, zk[h][0], c, d, 1.0f);                                               \
            store_row(dk, zk[h][1], c + SCT_SIMD, d, 1.0f);                                    \
        }                                                                                      \
        TILE_CLEAR(zv, M);                                                                     \
        TILE_SUM(zv, M, p_cols, 1, wp, g_tile, dp, wn);                                        \
        _Pragma("unroll") for (uint h = 0; h < M; h++)                                         \
        {                                                                                      \
            __global float *dv = to + tok[(R) + h] * (ulong)c3 + 2 * c1;                       \
            store_row(dv, zv[h][0], c, d, 1.0f);                                               \
            store_row(dv, zv[h][1], c + SCT_SIMD, d, 1.0f);                                    \
        }                                                                                      \
    }

/* P = e^(s - lse), ds = P (dout . v - dout . out); dq = scale ds k; dk = scale ds^T q; dv = P^T
 * dout. P and ds of a unit stay whole in scratch between the two halves. */
KERNEL(1)

void attention_dx_wide(CG float *qkv, ulong qkv_off, CG float *table, ulong table_off,
                       CG float *out, ulong out_off, CG float *lse, ulong lse_off,
                       CG float *dout, ulong dout_off, __global float *dqkv, ulong dqkv_off,
                       __global float *scratch, ulong scratch_off, WIN_ARGS, uint total,
                       ulong room)
{
    WIDE_BASE;
    __global float *kt = bias + (size_t)(grid_w ? wn : 1) * wp;
    __global float *vt = kt + (size_t)wp * d, *q = vt + (size_t)wp * d;
    __global float *k = q + (size_t)wn * dp, *g = k + (size_t)wn * dp;
    __global float *ps = g + (size_t)wn * dp, *ds = ps + (size_t)wn * wp;
    out += out_off;
    lse += lse_off;
    dout += dout_off;
    dqkv += dqkv_off;
    for (uint u = u0; u < u1; u++) {
        const struct unit o = unit_of(&p, b, u);
        CG float *from = qkv + (ulong)o.img * n * c3 + o.h * d;
        CG float *y = out + (ulong)o.img * n * c1 + o.h * d;
        CG float *dy = dout + (ulong)o.img * n * c1 + o.h * d;
        __global float *to = dqkv + (ulong)o.img * n * c3 + o.h * d;
        CG float *regions = load_places(&p, o.w, tok, reg, wp) ? reg : 0;
        if (head != o.h)
            load_bias(&p, table, o.h, bias, wp);
        head = o.h;
        load_rows(&p, tok, from, c3, q, dp, scale);
        load_rows(&p, tok, from + c1, c3, k, dp, 1.0f);
        load_rows(&p, tok, dy, c1, g, dp, 1.0f);
        load_panels(&p, tok, from + c1, c3, kt, wp);
        load_panels(&p, tok, from + 2 * c1, c3, vt, wp);
        TILE_ROWS(uint, 0u, wn, DX_QUERIES);
        TILE_ROWS(uint, 0u, wn, DX_KEYS);
    }
}
