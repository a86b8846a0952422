/* SPDX-License-Identifier: MIT
 * resize_rows.c - weighted sums of 8-bit pixels, portable and AVX2.
 * Integer sums: any order gives the same bits. |sum of k| < 2^23 keeps 32 bits enough. */
#include "core/data/resize.h"

#include <stdbool.h>
#include <string.h>

#define WEIGHT_BITS 22
#define HALF        (1 << (WEIGHT_BITS - 1))

static uint8_t clamp(int32_t acc)
{
    const int32_t v = acc >> WEIGHT_BITS;
    return v < 0 ? 0 : v > 255 ? 255 : (uint8_t)v;
}

/* One output pixel of one row. */
static void pixel_c(uint8_t *dst, const uint8_t *src, const struct sct_resize_taps *t,
                    uint32_t i)
{
    const int32_t *k = t->k + (size_t)i * t->ksize;
    const uint8_t *s = src + (size_t)t->first[i] * 3;
    int32_t r = HALF, g = HALF, b = HALF;
    for (uint32_t j = 0; j < t->count[i]; j++) {
        r += k[j] * s[3 * j + 0];
        g += k[j] * s[3 * j + 1];
        b += k[j] * s[3 * j + 2];
    }
    dst[3 * (size_t)i + 0] = clamp(r);
    dst[3 * (size_t)i + 1] = clamp(g);
    dst[3 * (size_t)i + 2] = clamp(b);
}

static void horizontal_c(uint8_t *dst, const uint8_t *src, uint32_t src_w, uint32_t rows,
                         const struct sct_resize_taps *t)
{
    for (uint32_t y = 0; y < rows; y++)
        for (uint32_t i = 0; i < t->n; i++)
            pixel_c(dst + (size_t)y * t->n * 3, src + (size_t)y * src_w * 3, t, i);
}

static void vertical_tail(uint8_t *dst, const uint8_t *src, size_t stride, size_t at,
                          size_t bytes, uint32_t count, const int32_t *k)
{
    for (size_t i = at; i < bytes; i++) {
        int32_t acc = HALF;
        for (uint32_t j = 0; j < count; j++)
            acc += k[j] * src[j * stride + i];
        dst[i] = clamp(acc);
    }
}

/* Sixteen sums side by side: rows are read in long runs and the compiler can use vectors. */
static void vertical_c(uint8_t *dst, const uint8_t *src, size_t stride, size_t bytes,
                       uint32_t count, const int32_t *k)
{
    size_t i = 0;
    for (; i + 16 <= bytes; i += 16) {
        int32_t acc[16];
        for (uint32_t c = 0; c < 16; c++)
            acc[c] = HALF;
        for (uint32_t j = 0; j < count; j++)
            for (uint32_t c = 0; c < 16; c++)
                acc[c] += k[j] * src[j * stride + i + c];
        for (uint32_t c = 0; c < 16; c++)
            dst[i + c] = clamp(acc[c]);
    }
    vertical_tail(dst, src, stride, i, bytes, count, k);
}

const struct sct_resize_rows sct_resize_rows_c = {"c", horizontal_c, vertical_c};

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#define AVX2 __attribute__((target("avx2")))

/* A weight has 24 bits and vpmaddwd multiplies 16: k = hi 2^11 + lo with 0 <= lo < 2^11, summed
 * apart and put together at the end. */
#define LO_BITS 11

AVX2 static inline __m256i pair(int32_t a, int32_t b, int part)
{
    const int32_t mask = (1 << LO_BITS) - 1;
    const uint16_t x = (uint16_t)(part ? a >> LO_BITS : a & mask);
    const uint16_t y = (uint16_t)(part ? b >> LO_BITS : b & mask);
    return _mm256_set1_epi32((int32_t)((uint32_t)x | (uint32_t)y << 16));
}

AVX2 static inline __m256i join(__m256i hi, __m256i lo)
{
    const __m256i sum = _mm256_add_epi32(_mm256_slli_epi32(hi, LO_BITS), lo);
    return _mm256_srai_epi32(_mm256_add_epi32(sum, _mm256_set1_epi32(HALF)), WEIGHT_BITS);
}

/* Sixteen bytes of row j next to the same bytes of row j + 1, as 16-bit pairs: unpacking works
 * in 128-bit halves, so `even` holds bytes 0-3 and 8-11, and packing later undoes it. */
AVX2 static void vertical_avx2(uint8_t *dst, const uint8_t *src, size_t stride, size_t bytes,
                               uint32_t count, const int32_t *k)
{
    const __m256i zero = _mm256_setzero_si256();
    size_t i = 0;
    for (; i + 16 <= bytes; i += 16) {
        __m256i h0 = zero, h1 = zero, l0 = zero, l1 = zero;
        for (uint32_t j = 0; j < count; j += 2) {
            const uint8_t *s = src + j * stride + i;
            const bool two = j + 1 < count;
            const __m128i none = _mm_setzero_si128();
            const __m128i ra = _mm_loadu_si128((const __m128i *)(const void *)s);
            const __m128i rb =
                two ? _mm_loadu_si128((const __m128i *)(const void *)(s + stride)) : none;
            const __m256i a = _mm256_cvtepu8_epi16(ra), b = _mm256_cvtepu8_epi16(rb);
            const __m256i even = _mm256_unpacklo_epi16(a, b), odd = _mm256_unpackhi_epi16(a, b);
            const __m256i kh = pair(k[j], two ? k[j + 1] : 0, 1);
            const __m256i kl = pair(k[j], two ? k[j + 1] : 0, 0);
            h0 = _mm256_add_epi32(h0, _mm256_madd_epi16(even, kh));
            l0 = _mm256_add_epi32(l0, _mm256_madd_epi16(even, kl));
            h1 = _mm256_add_epi32(h1, _mm256_madd_epi16(odd, kh));
            l1 = _mm256_add_epi32(l1, _mm256_madd_epi16(odd, kl));
        }
        const __m256i v = _mm256_packs_epi32(join(h0, l0), join(h1, l1));
        const __m128i out =
            _mm_packus_epi16(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
        _mm_storeu_si128((__m128i *)(void *)(dst + i), out);
    }
    vertical_tail(dst, src, stride, i, bytes, count, k);
}

AVX2 static inline void store_pixel(uint8_t *dst, __m256i h, __m256i l)
{
    const __m256i both = _mm256_add_epi32(_mm256_slli_epi32(h, LO_BITS), l);
    __m128i v = _mm_add_epi32(_mm256_castsi256_si128(both), _mm256_extracti128_si256(both, 1));
    v = _mm_srai_epi32(_mm_add_epi32(v, _mm_set1_epi32(HALF)), WEIGHT_BITS);
    v = _mm_packs_epi32(v, v);
    v = _mm_packus_epi16(v, v);
    const uint32_t rgb = (uint32_t)_mm_cvtsi128_si32(v);
    dst[0] = (uint8_t)rgb;
    dst[1] = (uint8_t)(rgb >> 8);
    dst[2] = (uint8_t)(rgb >> 16);
}

/* One output pixel of four rows, so that the weights are split once for all of them. Four taps
 * a step: pixels 0-1 in the low half and 2-3 in the high half, as (r r')(g g')(b b') pairs. */
AVX2 static inline void pixel_avx2(uint8_t *const dst[4], const uint8_t *const src[4],
                                   const struct sct_resize_taps *t, uint32_t i)
{
    const __m256i pick =
        _mm256_setr_epi8(0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1, 6, -1, 9, -1,
                         7, -1, 10, -1, 8, -1, 11, -1, -1, -1, -1, -1);
    const __m256i zero = _mm256_setzero_si256();
    const int32_t *k = t->k + (size_t)i * t->ksize;
    __m256i h[4] = {zero, zero, zero, zero}, l[4] = {zero, zero, zero, zero};
    size_t at = (size_t)t->first[i] * 3;
    for (uint32_t j = 0; j < t->count[i]; j += 4, at += 12, k += 4) {
        const __m256i kh = _mm256_blend_epi32(pair(k[0], k[1], 1), pair(k[2], k[3], 1), 0xf0);
        const __m256i kl = _mm256_blend_epi32(pair(k[0], k[1], 0), pair(k[2], k[3], 0), 0xf0);
        for (int r = 0; r < 4; r++) {
            const __m128i raw = _mm_loadu_si128((const __m128i *)(const void *)(src[r] + at));
            const __m256i p = _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(raw), pick);
            h[r] = _mm256_add_epi32(h[r], _mm256_madd_epi16(p, kh));
            l[r] = _mm256_add_epi32(l[r], _mm256_madd_epi16(p, kl));
        }
    }
    for (int r = 0; r < 4; r++)
        store_pixel(dst[r] + 3 * (size_t)i, h[r], l[r]);
}

/* A step reads 16 bytes and four weights; pixels whose last step would leave the row or the
 * table take the plain way. Zero weights beyond count make a long last step harmless. */
AVX2 static void horizontal_avx2(uint8_t *dst, const uint8_t *src, uint32_t src_w,
                                 uint32_t rows, const struct sct_resize_taps *t)
{
    const size_t in = (size_t)src_w * 3, out = (size_t)t->n * 3;
    for (uint32_t y = 0; y < rows; y += 4) {
        const uint32_t live = rows - y < 4 ? rows - y : 4;
        uint8_t *d[4];
        const uint8_t *s[4];
        for (uint32_t r = 0; r < 4; r++) { /* a short last group makes its last row again */
            const size_t row = y + (r < live ? r : live - 1);
            d[r] = dst + row * out;
            s[r] = src + row * in;
        }
        for (uint32_t i = 0; i < t->n; i++) {
            const size_t steps = (t->count[i] + 3) / 4;
            if ((size_t)t->first[i] * 3 + steps * 12 + 4 <= in)
                pixel_avx2(d, s, t, i);
            else
                for (uint32_t r = 0; r < live; r++)
                    pixel_c(d[r], s[r], t, i);
        }
    }
}

static const struct sct_resize_rows rows_avx2 = {"avx2", horizontal_avx2, vertical_avx2};

const struct sct_resize_rows *sct_resize_rows_best(void)
{
    return __builtin_cpu_supports("avx2") ? &rows_avx2 : &sct_resize_rows_c;
}
#else
const struct sct_resize_rows *sct_resize_rows_best(void)
{
    return &sct_resize_rows_c;
}
#endif
