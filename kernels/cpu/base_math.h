/* SPDX-License-Identifier: MIT
 * base_math.h - exp, GELU and its derivative, and sums, as plain C that compilers vectorise.
 * Branch-free in the arguments; polynomials are own minimax fits (relative error beside each).
 */
#ifndef SCT_CPU_BASE_MATH_H
#define SCT_CPU_BASE_MATH_H

#include <stddef.h>
#include <stdint.h>

#include <sctrun/op_params.h>

union base_bits {
    float f;
    uint32_t u;
};

/* e^x with relative error below 2e-7; 0 below -87.3, held at e^88 above; NaN stays NaN.
 * x = n ln 2 + r, e^r = 1 + r + r^2 P(r) (fit: 3e-9), ln 2 in two parts. */
static inline float base_exp(float x)
{
    const float lo = -87.3f, hi = 88.0f, magic = 12582912.0f; /* 1.5 * 2^23 */
    float v = x < lo ? lo : x;
    v = v > hi ? hi : v;
    union base_bits n = {.f = v * 1.44269504f + magic};
    const float whole = n.f - magic;
    const float r = (v - whole * 0.693359375f) + whole * 2.12194440e-4f;
    float p = 0.00139504892f;
    p = p * r + 0.00836888956f;
    p = p * r + 0.0416662058f;
    p = p * r + 0.166665188f;
    p = p * r + 0.50000001f;
    p = p * r * r + r + 1.0f;
    const union base_bits scale = {.u = (n.u - 0x4b400000u + 127u) << 23};
    const float y = p * scale.f;
    return x < lo ? 0.0f : y;
}

/* Phi(-|x|) = exp(-x^2/2) G(|x|), G(t) = erfcx(t / sqrt 2) / 2 = q P(q), q = 1 / (1 + 0.35 t)
 * (fit: 3e-8 for t up to 14; exp is 0 beyond). Both tails keep their relative accuracy.
 * *density gets exp(-x^2/2). */
static inline float base_normal_cdf(float x, float *density)
{
    float t = x < 0.0f ? -x : x;
    const float e = base_exp(-0.5f * x * x);
    t = t > 14.0f ? 14.0f : t;
    const float q = 1.0f / (1.0f + 0.35f * t);
    float p = -0.0291461345f;
    p = p * q + 0.143972683f;
    p = p * q - 0.255716268f;
    p = p * q + 0.159176431f;
    p = p * q - 0.0231113754f;
    p = p * q + 0.105508645f;
    p = p * q + 0.119832709f;
    p = p * q + 0.139861891f;
    p = p * q + 0.139621403f;
    const float tail = e * (q * p);
    *density = e;
    return x < 0.0f ? tail : 1.0f - tail;
}

static inline float base_gelu_erf(float x)
{
    float e;
    return x * base_normal_cdf(x, &e);
}

static inline float base_gelu_erf_grad(float x)
{
    float e;
    const float cdf = base_normal_cdf(x, &e);
    return cdf + x * e * 0.398942280f; /* 1 / sqrt(2 pi) */
}

/* x/2 (1 + tanh u) = x s with s = 1 / (1 + e^-2u), u = sqrt(2/pi) (x + 0.044715 x^3). */
static inline float base_gelu_tanh(float x)
{
    const float u2 = 1.59576912f * (x + 0.044715f * x * x * x);
    return x / (1.0f + base_exp(-u2));
}

static inline float base_gelu_tanh_grad(float x)
{
    const float u2 = 1.59576912f * (x + 0.044715f * x * x * x);
    const float s = 1.0f / (1.0f + base_exp(-u2));
    return s + x * s * (1.0f - s) * 1.59576912f * (1.0f + 0.134145f * x * x);
}

/* x s with s = 1 / (1 + e^-1.702x). */
static inline float base_gelu_quick(float x)
{
    return x / (1.0f + base_exp(-1.702f * x));
}

static inline float base_gelu_quick_grad(float x)
{
    const float s = 1.0f / (1.0f + base_exp(-1.702f * x));
    return s + 1.702f * x * s * (1.0f - s);
}

/* y = gelu(x); y may be x. One loop a kind, so that compilers vectorise each. */
static inline void base_gelu(const float *x, float *y, size_t n, uint32_t kind)
{
    if (kind == SCT_GELU_TANH)
        for (size_t i = 0; i < n; i++)
            y[i] = base_gelu_tanh(x[i]);
    else if (kind == SCT_GELU_QUICK)
        for (size_t i = 0; i < n; i++)
            y[i] = base_gelu_quick(x[i]);
    else
        for (size_t i = 0; i < n; i++)
            y[i] = base_gelu_erf(x[i]);
}

/* y = gelu'(x), in the same way. */
static inline void base_gelu_grad(const float *x, float *y, size_t n, uint32_t kind)
{
    if (kind == SCT_GELU_TANH)
        for (size_t i = 0; i < n; i++)
            y[i] = base_gelu_tanh_grad(x[i]);
    else if (kind == SCT_GELU_QUICK)
        for (size_t i = 0; i < n; i++)
            y[i] = base_gelu_quick_grad(x[i]);
    else
        for (size_t i = 0; i < n; i++)
            y[i] = base_gelu_erf_grad(x[i]);
}

/* Sum of n values through eight partial sums in double. */
static inline double base_sum(const float *restrict x, size_t n)
{
    double s[8] = {0};
    size_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (size_t j = 0; j < 8; j++)
            s[j] += (double)x[i + j];
    for (; i < n; i++)
        s[i & 7] += (double)x[i];
    return ((s[0] + s[4]) + (s[1] + s[5])) + ((s[2] + s[6]) + (s[3] + s[7]));
}

#endif
