/* SPDX-License-Identifier: MIT
 * random.cl - dropout and droppath. Philox4x32-10 with the counters of docs/formats.md, "Random
 * numbers": an element's number depends on seed, key, step and its place in the batch alone.
 * The lanes of a vector are consecutive blocks of four elements. */
#define VU    CAT(uint, SCT_SIMD)
#define VL    CAT(ulong, SCT_SIMD)
#define TO_VU CAT(convert_uint, SCT_SIMD)
#define TO_VL CAT(convert_ulong, SCT_SIMD)
#define TO_VF CAT(convert_float, SCT_SIMD)
#define RUN   (4 * SCT_SIMD)

static inline VU lane_numbers(void)
{
    uint n[SCT_SIMD];
    for (uint i = 0; i < SCT_SIMD; i++)
        n[i] = i;
    return CAT(vload, SCT_SIMD)(0, n);
}

/* keep[e] = -1 where u >= rate, else 0, for the RUN elements of blocks n .. n + SCT_SIMD - 1.
 */
static inline void draw(CG uint *st, uint key_lo, uint key_hi, uint n, float rate, int *keep)
{
    VU x0 = lane_numbers() + n, x1 = (VU)(st[ST_STEP_LO]), x2 = (VU)(key_lo), x3 = (VU)(key_hi);
    uint k0 = st[ST_SEED_LO], k1 = st[ST_SEED_HI];
    for (int i = 0; i < 10; i++) {
        const VL a = TO_VL(x0) * 0xD2511F53ul, b = TO_VL(x2) * 0xCD9E8D57ul;
        x0 = TO_VU(b >> 32) ^ x1 ^ k0;
        x2 = TO_VU(a >> 32) ^ x3 ^ k1;
        x1 = TO_VU(b);
        x3 = TO_VU(a);
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    int w[4][SCT_SIMD];
    CAT(vstore, SCT_SIMD)(TO_VF(x0 >> 8) * 0x1p-24f >= rate, 0, w[0]);
    CAT(vstore, SCT_SIMD)(TO_VF(x1 >> 8) * 0x1p-24f >= rate, 0, w[1]);
    CAT(vstore, SCT_SIMD)(TO_VF(x2 >> 8) * 0x1p-24f >= rate, 0, w[2]);
    CAT(vstore, SCT_SIMD)(TO_VF(x3 >> 8) * 0x1p-24f >= rate, 0, w[3]);
    for (uint e = 0; e < RUN; e++)
        keep[e] = w[e % 4][e / 4];
}

/* n elements, `each` per image. Column i is a run of RUN elements that begins at a multiple of
 * RUN in the batch: the first and the last run may be short. */
KERNEL(LANES)

void dropout(CG float *x, ulong x_off, __global float *y, ulong y_off, CG uint *st, ulong n,
             ulong each, uint runs, uint key_lo, uint key_hi, float rate)
{
    const ulong e0 = st[ST_FIRST] * each, begin = e0 / RUN;
    const float part = 1.0f - rate;
    x += x_off;
    y += y_off;
    COLS (i, runs) {
        const ulong at = (begin + i) * RUN - e0; /* wraps below the first element */
        int keep[RUN];
        draw(st, key_lo, key_hi, (uint)((begin + i) * SCT_SIMD), rate, keep);
        if (at < n && n - at >= RUN) {
            for (uint j = 0; j < RUN; j += SCT_SIMD) {
                const VF v = VLOAD(x + at + j), q = v / part;
                const VF exact = fma(fma(-q, (VF)(part), v), (VF)(1.0f / part), q);
                const VF kept = select(q, exact, isfinite(q));
                VSTORE(select((VF)(0.0f), kept, CAT(vload, SCT_SIMD)(0, keep + j)), y + at + j);
            }
        } else {
            for (uint j = 0; j < RUN; j++)
                if (at + j < n)
                    y[at + j] = keep[j] ? div_exact(x[at + j], part) : 0.0f;
        }
    }
}

KERNEL(LANES)

void droppath(CG float *x, ulong x_off, __global float *y, ulong y_off, CG uint *st, ulong rows,
              uint cols, uint key_lo, uint key_hi, float rate)
{
    ROWS (r, rows) {
        const ulong e = st[ST_FIRST] + r;
        int keep[RUN];
        draw(st, key_lo, key_hi, (uint)(e / 4), rate, keep);
        const int kept = e % 4 == 0   ? keep[0]
                         : e % 4 == 1 ? keep[1]
                         : e % 4 == 2 ? keep[2]
                                      : keep[3];
        CG float *a = x + x_off + r * cols;
        __global float *o = y + y_off + r * cols;
        COLS (c, cols)
            o[c] = kept ? div_exact(a[c], 1.0f - rate) : 0.0f;
    }
}
