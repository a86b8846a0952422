/* SPDX-License-Identifier: MIT
 * cast.c - CAST: f32 to bf16 or f16, to nearest, ties to even, and back.
 * Rounds from double: both formats are exact there, so one rounding serves f32 and f64 values.
 */
#include "kernels/ref/ref_util.h"

/* A binary format of 1 + exponent + fraction bits. */
struct format {
    int fraction, exponent;
};

static const struct format bf16 = {7, 8}, f16 = {10, 5};

static uint16_t encode(double x, struct format f)
{
    const int bias = (1 << (f.exponent - 1)) - 1;
    const uint16_t inf = (uint16_t)(((1u << f.exponent) - 1u) << f.fraction);
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    const uint16_t sign = (uint16_t)(bits >> 63 << (f.exponent + f.fraction));
    const uint64_t fraction = bits & ((UINT64_C(1) << 52) - 1);
    const int exponent = (int)(bits >> 52 & 0x7ff);

    if (exponent == 0x7ff) { /* a NaN keeps its upper bits and becomes quiet */
        const uint64_t quiet = UINT64_C(1) << (f.fraction - 1);
        return (uint16_t)(sign | inf |
                          (fraction ? (fraction >> (52 - f.fraction)) | quiet : 0));
    }
    /* |x| = significand * 2^(exponent - 1075); denormal doubles are zero in both formats. The
     * result's unit in the last place is 2^(max(e, 1 - bias) - fraction). */
    const uint64_t significand = exponent ? fraction | UINT64_C(1) << 52 : 0;
    const int e = exponent - 1023;
    const int low = e < 1 - bias ? 1 - bias : e;
    const int shift = 52 - f.fraction + (low - e);
    if (e > bias)
        return (uint16_t)(sign | inf);
    if (shift > 53) /* less than half of the smallest denormal */
        return sign;
    const uint64_t half = UINT64_C(1) << (shift - 1), rest = significand & (2 * half - 1);
    uint64_t kept = significand >> shift;
    kept += rest > half || (rest == half && (kept & 1));
    /* A normal number's leading bit, and a carry out of the fraction, go into the exponent. */
    return (uint16_t)(sign | (kept + ((uint64_t)(low + bias - 1) << f.fraction)));
}

static double decode(uint16_t bits, struct format f)
{
    const int bias = (1 << (f.exponent - 1)) - 1;
    const uint64_t sign = (uint64_t)(bits >> (f.exponent + f.fraction)) << 63;
    const int exponent = bits >> f.fraction & ((1 << f.exponent) - 1);
    const int fraction = bits & ((1 << f.fraction) - 1);
    double x;

    if (exponent == (1 << f.exponent) - 1) { /* infinity, or a NaN with its payload */
        const uint64_t wide = UINT64_C(0x7ff) << 52 | (uint64_t)fraction << (52 - f.fraction);
        memcpy(&x, &wide, sizeof x);
    } else if (exponent == 0) {
        x = ldexp((double)fraction, 1 - bias - f.fraction);
    } else {
        x = ldexp((double)(fraction + (1 << f.fraction)), exponent - bias - f.fraction);
    }
    uint64_t wide;
    memcpy(&wide, &x, sizeof wide);
    wide |= sign;
    memcpy(&x, &wide, sizeof x);
    return x;
}

void REF(cast)(const struct sct_kargs *k)
{
    const struct sct_cast_params *p = k->d->params;
    const size_t n = ref_count(&k->d->in[0]);
    if (p->dtype == SCT_F32) {
        const struct format f = k->d->in[0].dtype == SCT_BF16 ? bf16 : f16;
        const uint16_t *in = k->in[0];
        REAL *out = k->out[0];
        for (size_t i = 0; i < n; i++)
            out[i] = (REAL)decode(in[i], f);
    } else {
        const struct format f = p->dtype == SCT_BF16 ? bf16 : f16;
        const REAL *in = k->in[0];
        uint16_t *out = k->out[0];
        for (size_t i = 0; i < n; i++)
            out[i] = encode((double)in[i], f);
    }
}
