/* SPDX-License-Identifier: MIT
 * attention.cl - the plain attention kernels, whole images and shifted windows: a work-item
 * owns one query or one key and goes through its window, so no sum crosses items. */

static inline float dot(CG float *a, CG float *b, uint n)
{
    float s = 0.0f;
    for (uint i = 0; i < n; i++)
        s = fma(a[i], b[i], s);
    return s;
}

/* Score of query i and key j of window w. q, k: their heads' first elements. */
static inline float score(const struct win *p, CG float *table, uint w, uint h, uint i, uint j,
                          CG float *q, CG float *k)
{
    float s = dot(q, k, p->d) * p->scale;
    if (p->grid_w != 0) {
        s += table[bias_row(p, i, j) * p->heads + h];
        if (region_of(p, w, i) != region_of(p, w, j))
            s -= 100.0f;
    }
    return s;
}

/* Item r is (image, head, window, token of the window). */
struct who {
    uint img, h, w, i, t;
};

static inline struct who who_of(const struct win *p, ulong r)
{
    struct who o;
    o.i = (uint)(r % p->wn);
    r /= p->wn;
    o.w = (uint)(r % p->nw);
    r /= p->nw;
    o.h = (uint)(r % p->heads);
    o.img = (uint)(r / p->heads);
    o.t = token_of(p, o.w, o.i);
    return o;
}

#define QKV(T)     (qkv + ((ulong)o.img * n + (T)) * 3 * c + o.h * d)
#define HEAD(X, T) (X + ((ulong)o.img * n + (T)) * c + o.h * d)
#define LSE(T)     lse[((ulong)o.img * heads + o.h) * n + (T)]

#ifdef SCT_DEV_CPU
#define ITEMS(R, N) ROWS (R, N)
#else
#define ITEMS(R, N)                                                                            \
    for (ulong R = get_group_id(1) * LANES + get_local_id(0); R < (N);                         \
         R += get_num_groups(1) * LANES)
#endif

KERNEL(LANES)

void attention(CG float *qkv, ulong qkv_off, CG float *table, ulong table_off,
               __global float *out, ulong out_off, __global float *lse, ulong lse_off, WIN_ARGS)
{
    const struct win p = WIN_INIT;
    const uint c = heads * d;
    qkv += qkv_off;
    table += table_off;
    out += out_off;
    lse += lse_off;
    ITEMS (r, (ulong)b * heads * n) {
        const struct who o = who_of(&p, r);
        CG float *q = QKV(o.t);
        __global float *y = HEAD(out, o.t);
        float top = -INFINITY, sum = 0.0f;
        for (uint j = 0; j < wn; j++)
            top =
                fmax(top, score(&p, table, o.w, o.h, o.i, j, q, QKV(token_of(&p, o.w, j)) + c));
        for (uint e = 0; e < d; e++)
            y[e] = 0.0f;
        for (uint j = 0; j < wn; j++) {
            CG float *k = QKV(token_of(&p, o.w, j)) + c;
            const float x = exp_f(score(&p, table, o.w, o.h, o.i, j, q, k) - top);
            sum += x;
            for (uint e = 0; e < d; e++)
                y[e] = fma(x, k[c + e], y[e]);
        }
        for (uint e = 0; e < d; e++)
            y[e] /= sum;
        LSE(o.t) = top + log(sum);
    }
}

/* With P = e^(s - lse), D = dout . out, ds = P (dout . v - D): dq = scale sum over keys of ds
 * k. */
KERNEL(LANES)

void attention_dq(CG float *qkv, ulong qkv_off, CG float *table, ulong table_off, CG float *out,
                  ulong out_off, CG float *lse, ulong lse_off, CG float *dout, ulong dout_off,
                  __global float *dqkv, ulong dqkv_off, WIN_ARGS)
{
    const struct win p = WIN_INIT;
    const uint c = heads * d;
    qkv += qkv_off;
    table += table_off;
    out += out_off;
    lse += lse_off;
    dout += dout_off;
    dqkv += dqkv_off;
    ITEMS (r, (ulong)b * heads * n) {
        const struct who o = who_of(&p, r);
        CG float *q = QKV(o.t), *dy = HEAD(dout, o.t);
        __global float *dq = dqkv + ((ulong)o.img * n + o.t) * 3 * c + o.h * d;
        const float own = dot(dy, HEAD(out, o.t), d), l = LSE(o.t);
        for (uint e = 0; e < d; e++)
            dq[e] = 0.0f;
        for (uint j = 0; j < wn; j++) {
            CG float *k = QKV(token_of(&p, o.w, j)) + c;
            const float x = exp_f(score(&p, table, o.w, o.h, o.i, j, q, k) - l);
            const float ds = x * (dot(dy, k + c, d) - own) * scale;
            for (uint e = 0; e < d; e++)
                dq[e] = fma(ds, k[e], dq[e]);
        }
    }
}

/* dk = scale sum over queries of ds q; dv = sum of P dout. */
KERNEL(LANES)

void attention_dkv(CG float *qkv, ulong qkv_off, CG float *table, ulong table_off,
                   CG float *out, ulong out_off, CG float *lse, ulong lse_off, CG float *dout,
                   ulong dout_off, __global float *dqkv, ulong dqkv_off, WIN_ARGS)
{
    const struct win p = WIN_INIT;
    const uint c = heads * d;
    qkv += qkv_off;
    table += table_off;
    out += out_off;
    lse += lse_off;
    dout += dout_off;
    dqkv += dqkv_off;
    ITEMS (r, (ulong)b * heads * n) {
        const struct who o = who_of(&p, r);
        CG float *k = QKV(o.t) + c;
        __global float *dk = dqkv + ((ulong)o.img * n + o.t) * 3 * c + c + o.h * d;
        __global float *dv = dk + c;
        for (uint e = 0; e < d; e++)
            dk[e] = dv[e] = 0.0f;
        for (uint i = 0; i < wn; i++) {
            const uint t = token_of(&p, o.w, i);
            CG float *q = QKV(t), *dy = HEAD(dout, t);
            const float x = exp_f(score(&p, table, o.w, o.h, i, o.i, q, k) - LSE(t));
            const float ds = x * (dot(dy, k + c, d) - dot(dy, HEAD(out, t), d)) * scale;
            for (uint e = 0; e < d; e++) {
                dk[e] = fma(ds, q[e], dk[e]);
                dv[e] = fma(x, dy[e], dv[e]);
            }
        }
    }
}

/* acc [(2 win_h - 1)(2 win_w - 1)][heads] += ds of all pairs at that distance: images, then
 * windows, then queries in order. Item r is an element of acc. */
KERNEL(LANES)

void attention_dt(__global float *acc, ulong acc_off, ulong acc_slot, CG uint *st,
                  CG float *qkv, ulong qkv_off, CG float *table, ulong table_off, CG float *out,
                  ulong out_off, CG float *lse, ulong lse_off, CG float *dout, ulong dout_off,
                  WIN_ARGS)
{
    const struct win p = WIN_INIT;
    const uint c = heads * d, wide = 2 * win_w - 1;
    acc += acc_off + st[ST_SLOT] * acc_slot;
    qkv += qkv_off;
    table += table_off;
    out += out_off;
    lse += lse_off;
    dout += dout_off;
    ITEMS (r, (ulong)(2 * win_h - 1) * wide * heads) {
        struct who o;
        o.h = (uint)(r % heads);
        const int dy = (int)(r / heads / wide) - (int)(win_h - 1);
        const int dx = (int)(r / heads % wide) - (int)(win_w - 1);
        float s = acc[r];
        for (o.img = 0; o.img < b; o.img++) {
            for (o.w = 0; o.w < p.nw; o.w++) {
                for (o.i = 0; o.i < wn; o.i++) {
                    const int ky = (int)(o.i / win_w) - dy, kx = (int)(o.i % win_w) - dx;
                    if (ky < 0 || kx < 0 || ky >= (int)win_h || kx >= (int)win_w)
                        continue;
                    const uint j = (uint)ky * win_w + (uint)kx;
                    const uint t = token_of(&p, o.w, o.i);
                    CG float *q = QKV(t), *k = QKV(token_of(&p, o.w, j)) + c;
                    CG float *g = HEAD(dout, t);
                    const float x = exp_f(score(&p, table, o.w, o.h, o.i, j, q, k) - LSE(t));
                    s += x * (dot(g, k + c, d) - dot(g, HEAD(out, t), d));
                }
            }
        }
        acc[r] = s;
    }
}
