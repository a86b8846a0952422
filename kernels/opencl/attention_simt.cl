/* SPDX-License-Identifier: MIT
 * attention_simt.cl - attention of GPUs without matrix units. A group of 64 items takes up to
 * 64 queries (or keys) of one head of one window; an item owns one, in registers, and all walk
 * together over the other side, KEYS rows at a time in local memory, where every read is a
 * broadcast. No sum crosses items, so the order is fixed. The gradient is three kernels, of at
 * most three registers' worth of HD floats each: dq, dk, dv. Options: -DHD=<head size>, a
 * multiple of 16: then a tile is whole rounds of 64 float4s. */
#define KEYS 16
#define Q4   (HD / 4)
/* One local array: rows of the first side, of the second, then three words for each row. */
#define LOCAL                                                                                  \
    __local float mem[KEYS * HD * 2 + KEYS * 6];                                               \
    __local float *la = mem, *lb = mem + KEYS * HD, *l0 = lb + KEYS * HD, *l1 = l0 + KEYS;     \
    __local uint *ly = (__local uint *)(l1 + KEYS), *lx = ly + KEYS, *lr = lx + KEYS;          \
    __local uint *lt = lr + KEYS

/* Which rows this group has, and where its head begins. */
#define GROUP                                                                                  \
    const struct win p = WIN_INIT;                                                             \
    const uint lid = (uint)get_local_id(0), c1 = heads * HD, c3 = 3 * c1;                      \
    const uint blocks = (wn + 63) / 64;                                                        \
    uint unit = (uint)get_group_id(0);                                                         \
    const uint mine = unit % blocks * 64 + lid, i = min(mine, wn - 1);                         \
    unit /= blocks;                                                                            \
    const uint w = unit % p.nw, h = unit / p.nw % heads, img = unit / p.nw / heads;            \
    const uint t = token_of(&p, w, i), own_reg = grid_w ? region_of(&p, w, i) : 0u;            \
    const uint own_y = grid_w ? i / win_w : 0u, own_x = grid_w ? i % win_w : 0u;               \
    CG float *x_head = qkv + qkv_off + (ulong)img * n * c3 + h * HD;                           \
    (void)b, (void)d, (void)own_reg, (void)own_y, (void)own_x;                                 \
    table += table_off + h

/* KEYS rows from row j0 of two values into local memory; places of windows too. */
static inline void load_tile(const struct win *p, uint w, uint j0, CG float *a, ulong a_ld,
                             CG float *b, ulong b_ld, __local float *la, __local float *lb,
                             __local uint *ly, __local uint *lx, __local uint *lr,
                             __local uint *lt, uint lid)
{
    if (lid < KEYS) {
        const uint j = min(j0 + lid, p->wn - 1);
        lt[lid] = token_of(p, w, j);
        if (p->grid_w) {
            ly[lid] = j / p->win_w;
            lx[lid] = j % p->win_w;
            lr[lid] = region_of(p, w, j);
        }
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    /* No item is left out: PoCL 3.1 threads a second condition on the item's number through the
     * barrier above, and loses the one below. */
    for (uint f = lid; f < KEYS * Q4; f += 64) {
        const uint row = f / Q4, e = f % Q4 * 4;
        vstore4(*(CG float4 *)(a + lt[row] * a_ld + e), 0, la + row * HD + e);
        vstore4(*(CG float4 *)(b + lt[row] * b_ld + e), 0, lb + row * HD + e);
    }
    barrier(CLK_LOCAL_MEM_FENCE);
}

#define FOR4(E) _Pragma("unroll") for (uint E = 0; E < Q4; E++)
#define LOAD_ROW(R, P)                                                                         \
    FOR4 (e_)                                                                                  \
    R[e_] = *(CG float4 *)((P) + 4 * e_)
#define DOT(S, R, L)                                                                           \
    float S;                                                                                   \
    {                                                                                          \
        float4 s4_ = (float4)(0.0f);                                                           \
        FOR4 (e_)                                                                              \
            s4_ = fma(R[e_], vload4(e_, (L)), s4_);                                            \
        S = sum4(s4_);                                                                         \
    }
/* Bias and mask between the item's row and row J of the tile. query: the item's row is the
 * query. */
#define BIAS(S, J, QUERY)                                                                      \
    if (grid_w) {                                                                              \
        const uint dy_ = (QUERY) ? own_y - ly[J] : ly[J] - own_y;                              \
        const uint dx_ = (QUERY) ? own_x - lx[J] : lx[J] - own_x;                              \
        S += table[((dy_ + win_h - 1) * (2 * win_w - 1) + dx_ + win_w - 1) * heads];           \
        S -= lr[J] != own_reg ? 100.0f : 0.0f;                                                 \
    }

KERNEL(64)

void attention_simt(CG float *qkv, ulong qkv_off, CG float *table, ulong table_off,
                    __global float *out, ulong out_off, __global float *lse, ulong lse_off,
                    WIN_ARGS)
{
    LOCAL;
    GROUP;
    float4 q[Q4], y[Q4];
    float s[KEYS], top = -INFINITY, sum = 0.0f;
    LOAD_ROW(q, x_head + (ulong)t * c3);
    FOR4 (e)
        y[e] = (float4)(0.0f);
    for (uint j0 = 0; j0 < wn; j0 += KEYS) {
        load_tile(&p, w, j0, x_head + c1, c3, x_head + 2 * c1, c3, la, lb, ly, lx, lr, lt, lid);
        float high = top;
        _Pragma("unroll") for (uint j = 0; j < KEYS; j++)
        {
            DOT(v, q, la + j * HD);
            v *= scale;
            BIAS(v, j, 1);
            s[j] = j0 + j < wn ? v : -INFINITY;
            high = fmax(high, s[j]);
        }
        const float fade = exp_f(top - high);
        top = high;
        sum *= fade;
        FOR4 (e)
            y[e] *= fade;
        _Pragma("unroll") for (uint j = 0; j < KEYS; j++)
        {
            const float x = exp_f(s[j] - top);
            sum += x;
            FOR4 (e)
                y[e] = fma((float4)(x), vload4(e, lb + j * HD), y[e]);
        }
        barrier(CLK_LOCAL_MEM_FENCE); /* the tile has been used */
    }
    (void)l0, (void)l1;
    if (mine < wn) {
        const float by = 1.0f / sum;
        __global float *to = out + out_off + ((ulong)img * n + t) * c1 + h * HD;
        FOR4 (e)
            *(__global float4 *)(to + 4 * e) = y[e] * by;
        lse[lse_off + ((ulong)img * heads + h) * n + t] = top + log(sum);
    }
}

/* own [b][heads][n] = dout . out of a head */
KERNEL(64)

void attention_own(CG float *out, ulong out_off, CG float *dout, ulong dout_off,
                   __global float *own, ulong own_off, uint b, uint n, uint heads)
{
    const ulong r = get_group_id(0) * 64 + get_local_id(0);
    if (r < (ulong)b * heads * n) {
        const ulong t = r % n, h = r / n % heads, img = r / n / heads;
        const ulong at = ((img * n + t) * heads + h) * HD;
        float4 s = (float4)(0.0f);
        for (uint e = 0; e < HD; e += 4)
            s = fma(*(CG float4 *)(out + out_off + at + e),
                    *(CG float4 *)(dout + dout_off + at + e), s);
        own[own_off + r] = sum4(s);
    }
}

#define DX_ARGS                                                                                \
    CG float *qkv, ulong qkv_off, CG float *table, ulong table_off, CG float *own,             \
        ulong own_off, CG float *lse, ulong lse_off, CG float *dout, ulong dout_off,           \
        __global float *dqkv, ulong dqkv_off, WIN_ARGS
#define DX_BASE                                                                                \
    LOCAL;                                                                                     \
    GROUP;                                                                                     \
    CG float *dy_head = dout + dout_off + (ulong)img * n * c1 + h * HD;                        \
    CG float *own_head = own + own_off + ((ulong)img * heads + h) * n;                         \
    CG float *lse_head = lse + lse_off + ((ulong)img * heads + h) * n;                         \
    __global float *to = dqkv + dqkv_off + ((ulong)img * n + t) * c3 + h * HD

KERNEL(64) void attention_dq_simt(DX_ARGS)
{
    DX_BASE;
    float4 q[Q4], g[Q4], z[Q4];
    LOAD_ROW(q, x_head + (ulong)t * c3);
    LOAD_ROW(g, dy_head + (ulong)t * c1);
    FOR4 (e)
        z[e] = (float4)(0.0f);
    const float l = lse_head[t], o = own_head[t];
    for (uint j0 = 0; j0 < wn; j0 += KEYS) {
        load_tile(&p, w, j0, x_head + c1, c3, x_head + 2 * c1, c3, la, lb, ly, lx, lr, lt, lid);
        for (uint j = 0; j < KEYS && j0 + j < wn; j++) {
            DOT(v, q, la + j * HD);
            v *= scale;
            BIAS(v, j, 1);
            DOT(u, g, lb + j * HD);
            const float ds = exp_f(v - l) * (u - o) * scale;
            FOR4 (e)
                z[e] = fma((float4)(ds), vload4(e, la + j * HD), z[e]);
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    (void)l0, (void)l1;
    if (mine < wn)
        FOR4 (e)
            *(__global float4 *)(to + 4 * e) = z[e];
}

/* lse and dout . out of the tile's queries; the barrier of the next tile's load closes it. */
#define LOAD_STATS                                                                             \
    if (lid < KEYS) {                                                                          \
        l0[lid] = lse_head[lt[lid]];                                                           \
        l1[lid] = own_head[lt[lid]];                                                           \
    }                                                                                          \
    barrier(CLK_LOCAL_MEM_FENCE)

KERNEL(64) void attention_dk_simt(DX_ARGS)
{
    DX_BASE;
    float4 k[Q4], v[Q4], z[Q4];
    LOAD_ROW(k, x_head + (ulong)t * c3 + c1);
    LOAD_ROW(v, x_head + (ulong)t * c3 + 2 * c1);
    FOR4 (e)
        z[e] = (float4)(0.0f);
    for (uint i0 = 0; i0 < wn; i0 += KEYS) {
        load_tile(&p, w, i0, x_head, c3, dy_head, c1, la, lb, ly, lx, lr, lt, lid);
        LOAD_STATS;
        for (uint j = 0; j < KEYS && i0 + j < wn; j++) {
            DOT(s, k, la + j * HD);
            s *= scale;
            BIAS(s, j, 0);
            DOT(u, v, lb + j * HD);
            const float ds = exp_f(s - l0[j]) * (u - l1[j]) * scale;
            FOR4 (e)
                z[e] = fma((float4)(ds), vload4(e, la + j * HD), z[e]);
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    if (mine < wn)
        FOR4 (e)
            *(__global float4 *)(to + c1 + 4 * e) = z[e];
}

KERNEL(64) void attention_dv_simt(DX_ARGS)
{
    DX_BASE;
    float4 k[Q4], z[Q4];
    LOAD_ROW(k, x_head + (ulong)t * c3 + c1);
    FOR4 (e)
        z[e] = (float4)(0.0f);
    for (uint i0 = 0; i0 < wn; i0 += KEYS) {
        load_tile(&p, w, i0, x_head, c3, dy_head, c1, la, lb, ly, lx, lr, lt, lid);
        LOAD_STATS;
        for (uint j = 0; j < KEYS && i0 + j < wn; j++) {
            DOT(s, k, la + j * HD);
            s *= scale;
            BIAS(s, j, 0);
            const float x = exp_f(s - l0[j]);
            FOR4 (e)
                z[e] = fma((float4)(x), vload4(e, lb + j * HD), z[e]);
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    if (mine < wn)
        FOR4 (e)
            *(__global float4 *)(to + 2 * c1 + 4 * e) = z[e];
}
