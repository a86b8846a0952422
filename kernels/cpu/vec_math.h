/* SPDX-License-Identifier: MIT
 * vec_math.h - tails, exp and GELU on vectors; include a vec_<isa>.h first.
 * Every operation is written out (FMA where it says v_fma), so both widths give the same bits.
 */
#ifndef SCT_VEC_MATH_H
#define SCT_VEC_MATH_H

#include <sctrun/ops.h>

/* The first n floats (all of the vector for n >= VW). Whole vectors take the unmasked path,
 * because masked stores are slow where AVX2 is all there is. */
VEC vf v_load_n(const float *p, size_t n)
{
    return n >= VW ? v_load(p) : v_load_m(v_first(n), p);
}

VEC void v_store_n(float *p, vf x, size_t n)
{
    if (n >= VW)
        v_store(p, x);
    else
        v_store_m(v_first(n), p, x);
}

VEC vf v_clamp(vf x, float lo, float hi) /* NaN stays NaN */
{
    return v_min(v_set1(hi), v_max(v_set1(lo), x));
}

/* e^x = 2^n e^r, |r| <= ln 2 / 2, e^r = 1 + r + r^2 q(r), q a minimax polynomial (relative
 * error 3.1e-9). Largest error over all 2^32 floats, against double: 1.02 ulp where the result
 * is normal, 0.75 ulp where it is denormal; NaN, infinities, overflow and underflow as in C. */
VEC vf v_exp(vf x)
{
    const vf c = v_clamp(x, -104.0f, 89.0f);
    const vf n = v_round(v_mul(c, v_set1(0x1.715476p+0f))); /* 1 / ln 2 */
    vf r = v_fnma(n, v_set1(0x1.62e430p-1f), c);            /* ln 2, high part, */
    r = v_fnma(n, v_set1(-0x1.05c610p-29f), r);             /* and the rest */
    vf q = v_set1(0x1.6a2350p-10f);
    q = v_fma(q, r, v_set1(0x1.123a6cp-7f));
    q = v_fma(q, r, v_set1(0x1.5558f4p-5f));
    q = v_fma(q, r, v_set1(0x1.555490p-3f));
    q = v_fma(q, r, v_set1(0x1.fffffcp-2f));
    q = v_fma(v_mul(r, r), q, r);
    return v_scale2(v_add(q, v_set1(1.0f)), n);
}

/* The same, 0 below -87: for terms of a sum whose largest is 1. Denormal numbers would be
 * without effect there, but on many processors a hundred times slower. */
VEC vf v_exp_term(vf x)
{
    const vf least = v_set1(-87.0f);
    return v_sel(v_lt(x, least), v_zero(), v_exp(v_max(least, x)));
}

/* The normal density's bell exp(-x^2/2) and the distribution function Phi(x), which is
 * (1 + erf(x/sqrt 2))/2. Phi(-a) = bell t s(t), t = 1/(1 + 0.34 a), s of degree 8 (relative
 * error 3.2e-8), so that the error stays relative in the lower tail, where 1 + erf cancels. The
 * rounding of a^2 is put back as 1 - low/2. Both are 0 for a > 12.5, where they are below
 * 2e-34. Measured on every 101st float against double: x Phi(x) for x > -5 within 4.1e-7 of
 * itself, Phi(x) + x phi(x) within 2.2e-7, the slope of the tanh form within 2.0e-6. */
struct normal {
    vf bell, phi;
};

VEC struct normal v_normal(vf x)
{
    const vf far = v_set1(12.5f), size = v_abs(x), a = v_min(far, size); /* NaN stays NaN */
    const vf t = v_div(v_set1(1.0f), v_fma(a, v_set1(0.34f), v_set1(1.0f)));
    const vf high = v_mul(a, a), low = v_fms(a, a, high);
    vf bell = v_exp(v_mul(high, v_set1(-0.5f)));
    bell = v_fnma(v_mul(bell, v_set1(0.5f)), low, bell);
    bell = v_sel(v_lt(far, size), v_zero(), bell);
    vf s = v_set1(-2.602215123e-02f);
    s = v_fma(s, t, v_set1(1.390388285e-01f));
    s = v_fma(s, t, v_set1(-2.722198221e-01f));
    s = v_fma(s, t, v_set1(2.011864098e-01f));
    s = v_fma(s, t, v_set1(-4.406587704e-02f));
    s = v_fma(s, t, v_set1(1.150973488e-01f));
    s = v_fma(s, t, v_set1(1.152602804e-01f));
    s = v_fma(s, t, v_set1(1.361040558e-01f));
    s = v_fma(s, t, v_set1(1.356209430e-01f));
    const vf lower = v_mul(bell, v_mul(t, s));
    const struct normal r = {bell, v_sel(v_lt(x, v_zero()), lower, v_sub(v_set1(1.0f), lower))};
    return r;
}

/* The logistic function of 2u, u = sqrt(2/pi) (x + 0.044715 x^3): (1 + tanh u)/2. */
VEC vf v_tanh_gate(vf x)
{
    const vf c = v_clamp(x, -32.0f, 9.0f); /* the gate is 0 or 1 well before */
    const vf w = v_mul(c, v_fma(v_mul(c, c), v_set1(-0x1.2444f2p-4f), v_set1(-0x1.988454p+0f)));
    return v_div(v_set1(1.0f), v_add(v_set1(1.0f), v_exp(w)));
}

/* The logistic function of 1.702 x. */
VEC vf v_quick_gate(vf x)
{
    return v_div(v_set1(1.0f), v_add(v_set1(1.0f), v_exp(v_mul(x, v_set1(-1.702f)))));
}

VEC vf v_gelu(vf x, uint32_t kind)
{
    if (kind == SCT_GELU_ERF)
        return v_mul(x, v_normal(x).phi);
    return v_mul(x, kind == SCT_GELU_TANH ? v_tanh_gate(x) : v_quick_gate(x));
}

/* ERF: Phi(x) + x phi(x). TANH: s + x s (1 - s) 2u', s the gate. QUICK: 2u' is 1.702. Infinite
 * x gives NaN, as the formulas do. */
VEC vf v_gelu_dx(vf x, uint32_t kind)
{
    if (kind == SCT_GELU_ERF) {
        const struct normal n = v_normal(x);
        return v_fma(v_mul(x, v_set1(0x1.988454p-2f)), n.bell, n.phi);
    }
    if (kind == SCT_GELU_QUICK) {
        const vf s = v_quick_gate(x);
        return v_fma(v_mul(v_mul(x, s), v_sub(v_set1(1.0f), s)), v_set1(1.702f), s);
    }
    const vf c = v_clamp(x, -32.0f, 32.0f); /* x^2 is finite; s (1 - s) is 0 well before */
    const vf s = v_tanh_gate(x);
    const vf du = v_fma(v_mul(c, c), v_set1(0x1.b6676cp-3f), v_set1(0x1.988454p+0f));
    return v_fma(v_mul(v_mul(x, s), v_sub(v_set1(1.0f), s)), du, s);
}

#endif
