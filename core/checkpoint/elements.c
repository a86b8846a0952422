/* SPDX-License-Identifier: MIT
 * elements.c - elements of a weight file as float or int32, assembled from bytes. */
#include "core/checkpoint/elements.h"

#include "core/checkpoint/half.h"

#include <math.h>
#include <string.h>

static uint16_t load_u16(const unsigned char *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

static uint32_t load_u32(const unsigned char *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint64_t load_u64(const unsigned char *p)
{
    return (uint64_t)load_u32(p + 4) << 32 | load_u32(p);
}

static void read_words(const unsigned char *p, void *dst, size_t n)
{
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    memcpy(dst, p, 4 * n);
#else
    unsigned char *d = dst;
    for (size_t i = 0; i < n; i++) {
        const uint32_t w = load_u32(p + 4 * i);
        memcpy(d + 4 * i, &w, sizeof w);
    }
#endif
}

/* Rounds to nearest; refuses what would turn a finite number into infinity. */
static sct_status read_f64(const struct sct_elements *e, const unsigned char *src, size_t n,
                           float *dst, sct_error *err)
{
    /* FLT_MAX and half a unit: the first double that rounds to infinity. */
    const double limit = 0x1.ffffffp+127;
    for (size_t i = 0; i < n; i++) {
        const uint64_t bits = load_u64(src + 8 * i);
        double v;
        memcpy(&v, &bits, sizeof v);
        if (isfinite(v) && fabs(v) >= limit)
            return sct_fail(err, SCT_EFILE,
                            "%s: tensor '%s': element %llu is %g, beyond the range of f32",
                            e->file, e->tensor, (unsigned long long)(e->first + i), v);
        dst[i] = (float)v;
    }
    return SCT_OK;
}

sct_status sct_elements_f32(const struct sct_elements *e, const unsigned char *src, size_t n,
                            float *dst, sct_error *err)
{
    if (n == 0)
        return SCT_OK;
    switch (e->dtype) {
    case SCT_ST_F32:
        read_words(src, dst, n);
        return SCT_OK;
    case SCT_ST_F16:
        for (size_t i = 0; i < n; i++)
            dst[i] = sct_f16_get(load_u16(src + 2 * i));
        return SCT_OK;
    case SCT_ST_BF16:
        for (size_t i = 0; i < n; i++)
            dst[i] = sct_bf16_get(load_u16(src + 2 * i));
        return SCT_OK;
    case SCT_ST_F64:
        return read_f64(e, src, n, dst, err);
    default:
        return sct_fail(
            err, SCT_EFILE,
            "%s: tensor '%s' has dtype %s, expected F32, F16, BF16 or F64; convert the "
            "file to one of these",
            e->file, e->tensor, sct_st_dtype_name(e->dtype));
    }
}

static sct_status read_i64(const struct sct_elements *e, const unsigned char *src, size_t n,
                           int32_t *dst, sct_error *err)
{
    for (size_t i = 0; i < n; i++) {
        const uint64_t u = load_u64(src + 8 * i);
        int64_t v;
        memcpy(&v, &u, sizeof v);
        if (v < INT32_MIN || v > INT32_MAX)
            return sct_fail(err, SCT_EFILE,
                            "%s: tensor '%s': element %llu is %lld, beyond the range of i32",
                            e->file, e->tensor, (unsigned long long)(e->first + i),
                            (long long)v);
        dst[i] = (int32_t)v;
    }
    return SCT_OK;
}

sct_status sct_elements_i32(const struct sct_elements *e, const unsigned char *src, size_t n,
                            int32_t *dst, sct_error *err)
{
    if (n == 0)
        return SCT_OK;
    switch (e->dtype) {
    case SCT_ST_I32:
        read_words(src, dst, n);
        return SCT_OK;
    case SCT_ST_BOOL:
    case SCT_ST_U8:
        for (size_t i = 0; i < n; i++)
            dst[i] = src[i];
        return SCT_OK;
    case SCT_ST_I8:
        for (size_t i = 0; i < n; i++)
            dst[i] = src[i] < 128 ? src[i] : src[i] - 256;
        return SCT_OK;
    case SCT_ST_I16:
        for (size_t i = 0; i < n; i++) {
            const int32_t v = load_u16(src + 2 * i);
            dst[i] = v < 32768 ? v : v - 65536;
        }
        return SCT_OK;
    case SCT_ST_I64:
        return read_i64(e, src, n, dst, err);
    default:
        return sct_fail(err, SCT_EFILE,
                        "%s: tensor '%s' has dtype %s, expected I32, I64, I16, I8, U8 or BOOL",
                        e->file, e->tensor, sct_st_dtype_name(e->dtype));
    }
}
