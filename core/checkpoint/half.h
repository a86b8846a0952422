/* SPDX-License-Identifier: MIT
 * half.h - f16 (IEEE binary16) and bf16 bit patterns to and from float, in integer arithmetic.
 * To float is exact; from float rounds to nearest even; NaN stays a NaN of the same sign. */
#ifndef SCT_CHECKPOINT_HALF_H
#define SCT_CHECKPOINT_HALF_H

#include <stdint.h>
#include <string.h>

static inline float sct_half_float(uint32_t bits)
{
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

static inline uint32_t sct_half_bits(float f)
{
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return bits;
}

static inline float sct_bf16_get(uint16_t h)
{
    return sct_half_float((uint32_t)h << 16);
}

static inline uint16_t sct_bf16_put(float f)
{
    const uint32_t u = sct_half_bits(f);
    if ((u & 0x7fffffffu) > 0x7f800000u)
        return (uint16_t)(u >> 16 | 0x40u); /* quiet, so that cutting off bits leaves a NaN */
    return (uint16_t)((u + 0x7fffu + (u >> 16 & 1u)) >> 16);
}

static inline float sct_f16_get(uint16_t h)
{
    const uint32_t sign = (uint32_t)(h & 0x8000u) << 16, exp = h >> 10 & 0x1fu,
                   man = h & 0x3ffu;
    if (exp == 0x1f)
        return sct_half_float(sign | 0x7f800000u | man << 13);
    if (exp)
        return sct_half_float(sign | (exp + 112u) << 23 | man << 13);
    /* Zero and subnormals: man * 2^-24 is exact in float. */
    const float f = (float)man * 0x1p-24f;
    return sign ? -f : f;
}

static inline uint16_t sct_f16_put(float f)
{
    const uint32_t u = sct_half_bits(f), a = u & 0x7fffffffu;
    const uint16_t sign = (uint16_t)(u >> 16 & 0x8000u);
    if (a > 0x7f800000u)
        return (uint16_t)(sign | 0x7e00u | (a >> 13 & 0x3ffu));
    if (a >= 0x477ff000u) /* 65520 and above round to infinity */
        return (uint16_t)(sign | 0x7c00u);
    if (a < 0x38800000u) {
        /* Below 2^-14. Adding 0.5 puts the last bit of f16, 2^-24, in the last bit of the float
         * mantissa, so the addition itself rounds to nearest even. */
        const float r = sct_half_float(a) + 0.5f;
        return (uint16_t)(sign | (sct_half_bits(r) - 0x3f000000u));
    }
    const uint32_t r = a - (112u << 23) + 0xfffu + (a >> 13 & 1u);
    return (uint16_t)(sign | r >> 13);
}

#endif
