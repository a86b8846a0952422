/* SPDX-License-Identifier: MIT
 * random.cl - dropout and droppath. Philox4x32-10 with the counters of docs/formats.md, "Random
 * numbers": an element's number depends on seed, key, step and its place in the batch alone. */

static inline uint4 philox(uint4 x, uint2 k)
{
    for (int i = 0; i < 10; i++) {
        const uint a = mul_hi(0xD2511F53u, x.s0), b = mul_hi(0xCD9E8D57u, x.s2);
        x = (uint4)(b ^ x.s1 ^ k.s0, 0xCD9E8D57u * x.s2, a ^ x.s3 ^ k.s1, 0xD2511F53u * x.s0);
        k += (uint2)(0x9E3779B9u, 0xBB67AE85u);
    }
    return x;
}

/* u of elements 4n .. 4n + 3. */
static inline float4 units(CG uint *st, uint key_lo, uint key_hi, uint n)
{
    const uint4 w = philox((uint4)(n, st[2], key_lo, key_hi), (uint2)(st[0], st[1]));
    return convert_float4(w >> 8) * 0x1p-24f;
}

/* Column i is block first_element / 4 + i: up to four elements. n elements; per image `each`. */
KERNEL(LANES) void dropout(CG float *x, ulong x_off, __global float *y, ulong y_off, CG uint *st,
                           ulong n, ulong each, uint blocks, uint key_lo, uint key_hi, float rate)
{
    const ulong e0 = st[8] * each;
    x += x_off;
    y += y_off;
    COLS(i, blocks)
    {
        const ulong block = e0 / 4 + i;
        float u[4];
        vstore4(units(st, key_lo, key_hi, (uint)block), 0, u);
        for (uint j = 0; j < 4; j++) {
            const ulong at = 4 * block + j - e0; /* wraps below the first */
            if (at < n)
                y[at] = u[j] >= rate ? div_exact(x[at], 1.0f - rate) : 0.0f;
        }
    }
}

KERNEL(LANES) void droppath(CG float *x, ulong x_off, __global float *y, ulong y_off, CG uint *st,
                            ulong rows, uint cols, uint key_lo, uint key_hi, float rate)
{
    ROWS(r, rows)
    {
        const ulong e = st[8] + r;
        float u[4];
        vstore4(units(st, key_lo, key_hi, (uint)(e / 4)), 0, u);
        const int keep = (e % 4 == 0 ? u[0] : e % 4 == 1 ? u[1] : e % 4 == 2 ? u[2] : u[3]) >= rate;
        CG float *a = x + x_off + r * cols;
        __global float *o = y + y_off + r * cols;
        COLS(c, cols) o[c] = keep ? div_exact(a[c], 1.0f - rate) : 0.0f;
    }
}
