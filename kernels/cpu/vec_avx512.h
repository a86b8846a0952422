/* SPDX-License-Identifier: MIT
 * vec_avx512.h - sixteen floats: the vector type that the shared kernel templates are written
 * in. vec_avx2.h has the same names for eight. Only F, BW, DQ and VL are used. */
#ifndef SCT_VEC_AVX512_H
#define SCT_VEC_AVX512_H

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/cpu/simd_size.h"

#define KERNEL(OP) OP##_avx512

enum {
    VW = 16,            /* lanes */
    MR_MAX = AVX512_MR, /* rows of a GEMM tile: 14 x 2 accumulators, 2 of B, 1 broadcast of 32
                           registers */
    NR = AVX512_NR      /* its columns */
};

typedef __m512 vf;
typedef __mmask16 vm; /* which lanes are loaded or stored */
typedef __mmask16 vb; /* result of a comparison */

#define VEC static inline __attribute__((always_inline))
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

VEC vm v_first(size_t n) /* the first n lanes, n <= VW */
{
    return (vm)((1u << n) - 1u);
}

VEC vf v_load(const float *p)
{
    return _mm512_loadu_ps(p);
}

VEC void v_store(float *p, vf x)
{
    _mm512_storeu_ps(p, x);
}

VEC vf v_load_m(vm m, const float *p) /* other lanes 0; their memory is not touched */
{
    return _mm512_maskz_loadu_ps(m, p);
}

VEC void v_store_m(vm m, float *p, vf x)
{
    _mm512_mask_storeu_ps(p, m, x);
}

VEC vf v_set1(float x)
{
    return _mm512_set1_ps(x);
}

VEC vf v_zero(void)
{
    return _mm512_setzero_ps();
}

VEC vf v_add(vf a, vf b)
{
    return _mm512_add_ps(a, b);
}

VEC vf v_sub(vf a, vf b)
{
    return _mm512_sub_ps(a, b);
}

VEC vf v_mul(vf a, vf b)
{
    return _mm512_mul_ps(a, b);
}

VEC vf v_div(vf a, vf b)
{
    return _mm512_div_ps(a, b);
}

VEC vf v_sqrt(vf a)
{
    return _mm512_sqrt_ps(a);
}

VEC vf v_fma(vf a, vf b, vf c) /* a b + c */
{
    return _mm512_fmadd_ps(a, b, c);
}

VEC vf v_fms(vf a, vf b, vf c) /* a b - c */
{
    return _mm512_fmsub_ps(a, b, c);
}

VEC vf v_fnma(vf a, vf b, vf c) /* c - a b */
{
    return _mm512_fnmadd_ps(a, b, c);
}

VEC vf v_max(vf a, vf b) /* b where either is NaN */
{
    return _mm512_max_ps(a, b);
}

VEC vf v_min(vf a, vf b) /* b where either is NaN */
{
    return _mm512_min_ps(a, b);
}

VEC vf v_abs(vf a)
{
    return _mm512_abs_ps(a);
}

VEC vf v_round(vf a) /* to nearest even */
{
    return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

VEC vf v_scale2(vf a, vf n) /* a 2^n, one rounding; n integral, |n| < 200 */
{
    return _mm512_scalef_ps(a, n);
}

VEC vb v_lt(vf a, vf b)
{
    return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ);
}

VEC vf v_sel(vb c, vf a, vf b) /* c ? a : b */
{
    return _mm512_mask_blend_ps(c, b, a);
}

VEC vf v_keep(vm m, vf a, vf other) /* a in the lanes of m */
{
    return _mm512_mask_blend_ps(m, other, a);
}

VEC float v_sum(vf a) /* a fixed tree: halves, quarters, pairs */
{
    const __m256 h = _mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
    const __m128 q = _mm_add_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
    const __m128 p = _mm_add_ps(q, _mm_movehl_ps(q, q));
    return _mm_cvtss_f32(_mm_add_ss(p, _mm_movehdup_ps(p)));
}

VEC float v_hmax(vf a)
{
    return _mm512_reduce_max_ps(a);
}

/* Sixteen rows of sixteen in place: pairs, fours, then quarters of the registers. */
VEC void v_transpose(vf r[VW])
{
    vf t[VW], u[VW];
    UNROLL for (size_t i = 0; i < VW; i += 2)
    {
        t[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
    }
    UNROLL for (size_t i = 0; i < VW; i += 4)
    {
        UNROLL for (size_t j = 0; j < 2; j++)
        {
            const __m512d lo = _mm512_castps_pd(t[i + j]), hi = _mm512_castps_pd(t[i + j + 2]);
            u[i + 2 * j] = _mm512_castpd_ps(_mm512_unpacklo_pd(lo, hi));
            u[i + 2 * j + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(lo, hi));
        }
    }
    UNROLL for (size_t i = 0; i < 4; i++)
    {
        const vf a = _mm512_shuffle_f32x4(u[i], u[i + 4], 0x88);
        const vf b = _mm512_shuffle_f32x4(u[i + 8], u[i + 12], 0x88);
        const vf c = _mm512_shuffle_f32x4(u[i], u[i + 4], 0xdd);
        const vf d = _mm512_shuffle_f32x4(u[i + 8], u[i + 12], 0xdd);
        r[i] = _mm512_shuffle_f32x4(a, b, 0x88);
        r[i + 4] = _mm512_shuffle_f32x4(c, d, 0x88);
        r[i + 8] = _mm512_shuffle_f32x4(a, b, 0xdd);
        r[i + 12] = _mm512_shuffle_f32x4(c, d, 0xdd);
    }
}

#endif
