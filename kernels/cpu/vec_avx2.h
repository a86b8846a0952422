/* SPDX-License-Identifier: MIT
 * vec_avx2.h - eight floats: the vector type that the shared kernel templates are written in.
 * The same names as vec_avx512.h; AVX2 and FMA only. */
#ifndef SCT_VEC_AVX2_H
#define SCT_VEC_AVX2_H

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/cpu/simd_size.h"

#define KERNEL(OP) OP##_avx2

enum {
    VW = 8,           /* lanes */
    MR_MAX = AVX2_MR, /* rows of a GEMM tile: 6 x 2 accumulators, 2 of B, 1 broadcast of 16
                         registers */
    NR = AVX2_NR      /* its columns */
};

typedef __m256 vf;
typedef __m256i vm; /* which lanes are loaded or stored */
typedef __m256 vb;  /* result of a comparison */

#define VEC static inline __attribute__((always_inline))
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

VEC vm v_first(size_t n) /* the first n lanes, n <= VW */
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n),
                              _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

VEC vf v_load(const float *p)
{
    return _mm256_loadu_ps(p);
}

VEC void v_store(float *p, vf x)
{
    _mm256_storeu_ps(p, x);
}

VEC vf v_load_m(vm m, const float *p) /* other lanes 0; their memory is not touched */
{
    return _mm256_maskload_ps(p, m);
}

VEC void v_store_m(vm m, float *p, vf x)
{
    _mm256_maskstore_ps(p, m, x);
}

VEC vf v_set1(float x)
{
    return _mm256_set1_ps(x);
}

VEC vf v_zero(void)
{
    return _mm256_setzero_ps();
}

VEC vf v_add(vf a, vf b)
{
    return _mm256_add_ps(a, b);
}

VEC vf v_sub(vf a, vf b)
{
    return _mm256_sub_ps(a, b);
}

VEC vf v_mul(vf a, vf b)
{
    return _mm256_mul_ps(a, b);
}

VEC vf v_div(vf a, vf b)
{
    return _mm256_div_ps(a, b);
}

VEC vf v_sqrt(vf a)
{
    return _mm256_sqrt_ps(a);
}

VEC vf v_fma(vf a, vf b, vf c) /* a b + c */
{
    return _mm256_fmadd_ps(a, b, c);
}

VEC vf v_fms(vf a, vf b, vf c) /* a b - c */
{
    return _mm256_fmsub_ps(a, b, c);
}

VEC vf v_fnma(vf a, vf b, vf c) /* c - a b */
{
    return _mm256_fnmadd_ps(a, b, c);
}

VEC vf v_max(vf a, vf b) /* b where either is NaN */
{
    return _mm256_max_ps(a, b);
}

VEC vf v_min(vf a, vf b) /* b where either is NaN */
{
    return _mm256_min_ps(a, b);
}

VEC vf v_abs(vf a)
{
    return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a);
}

VEC vf v_round(vf a) /* to nearest even */
{
    return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

/* a 2^n, one rounding; n integral, |n| < 200. Two factors, because 2^n alone may lie outside
 * the range of a float; the larger part of the exponent goes first and is exact. */
VEC vf v_scale2(vf a, vf n)
{
    const __m256i i = _mm256_cvtps_epi32(n);
    const __m256i h = _mm256_srai_epi32(i, 1);
    const __m256i bias = _mm256_set1_epi32(127);
    const __m256i p = _mm256_slli_epi32(_mm256_add_epi32(h, bias), 23);
    const __m256i q = _mm256_slli_epi32(_mm256_add_epi32(_mm256_sub_epi32(i, h), bias), 23);
    return _mm256_mul_ps(_mm256_mul_ps(a, _mm256_castsi256_ps(p)), _mm256_castsi256_ps(q));
}

VEC vb v_lt(vf a, vf b)
{
    return _mm256_cmp_ps(a, b, _CMP_LT_OQ);
}

VEC vf v_sel(vb c, vf a, vf b) /* c ? a : b */
{
    return _mm256_blendv_ps(b, a, c);
}

VEC vf v_keep(vm m, vf a, vf other) /* a in the lanes of m */
{
    return _mm256_blendv_ps(other, a, _mm256_castsi256_ps(m));
}

VEC float v_sum(vf a) /* a fixed tree: halves, quarters, pairs */
{
    const __m128 q = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    const __m128 p = _mm_add_ps(q, _mm_movehl_ps(q, q));
    return _mm_cvtss_f32(_mm_add_ss(p, _mm_movehdup_ps(p)));
}

VEC float v_hmax(vf a)
{
    const __m128 q = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    const __m128 p = _mm_max_ps(q, _mm_movehl_ps(q, q));
    return _mm_cvtss_f32(_mm_max_ss(p, _mm_movehdup_ps(p)));
}

/* Eight rows of eight in place: pairs, fours, then halves of the registers. */
VEC void v_transpose(vf r[VW])
{
    vf t[VW], u[VW];
    UNROLL for (size_t i = 0; i < VW; i += 2)
    {
        t[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
        t[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
    }
    UNROLL for (size_t i = 0; i < VW; i += 4)
    {
        UNROLL for (size_t j = 0; j < 2; j++)
        {
            const __m256d lo = _mm256_castps_pd(t[i + j]), hi = _mm256_castps_pd(t[i + j + 2]);
            u[i + 2 * j] = _mm256_castpd_ps(_mm256_unpacklo_pd(lo, hi));
            u[i + 2 * j + 1] = _mm256_castpd_ps(_mm256_unpackhi_pd(lo, hi));
        }
    }
    UNROLL for (size_t i = 0; i < 4; i++)
    {
        r[i] = _mm256_permute2f128_ps(u[i], u[i + 4], 0x20);
        r[i + 4] = _mm256_permute2f128_ps(u[i], u[i + 4], 0x31);
    }
}

#endif
