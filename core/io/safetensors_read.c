/* SPDX-License-Identifier: MIT
 * safetensors_read.c - elements of a tensor as float or int32.
 * The mapping may be unaligned and the host may be big-endian: elements are assembled from
 * bytes. */
#include "core/io/safetensors.h"

#include "core/io/half.h"

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
static sct_status read_f64(const struct sct_st *st, const struct sct_st_tensor *t, float *dst,
                           sct_error *err)
{
    /* FLT_MAX and half a unit: the first double that rounds to infinity. */
    const double limit = 0x1.ffffffp+127;
    for (size_t i = 0; i < (size_t)t->count; i++) {
        const uint64_t bits = load_u64(t->data + 8 * i);
        double v;
        memcpy(&v, &bits, sizeof v);
        if (isfinite(v) && fabs(v) >= limit)
            return sct_fail(err, SCT_EFILE,
                            "%s: tensor '%s': element %zu is %g, beyond the range of f32",
                            sct_st_path(st), t->name, i, v);
        dst[i] = (float)v;
    }
    return SCT_OK;
}

sct_status sct_st_read_f32(const struct sct_st *st, const struct sct_st_tensor *t, float *dst,
                           sct_error *err)
{
    const size_t n = (size_t)t->count;
    if (n == 0)
        return SCT_OK;
    switch (t->dtype) {
    case SCT_ST_F32:
        read_words(t->data, dst, n);
        return SCT_OK;
    case SCT_ST_F16:
        for (size_t i = 0; i < n; i++)
            dst[i] = sct_f16_get(load_u16(t->data + 2 * i));
        return SCT_OK;
    case SCT_ST_BF16:
        for (size_t i = 0; i < n; i++)
            dst[i] = sct_bf16_get(load_u16(t->data + 2 * i));
        return SCT_OK;
    case SCT_ST_F64:
        return read_f64(st, t, dst, err);
    default:
        return sct_fail(
            err, SCT_EFILE,
            "%s: tensor '%s' has dtype %s, expected F32, F16, BF16 or F64; convert the "
            "file to one of these",
            sct_st_path(st), t->name, sct_st_dtype_name(t->dtype));
    }
}

sct_status sct_st_read_i32(const struct sct_st *st, const struct sct_st_tensor *t, int32_t *dst,
                           sct_error *err)
{
    const size_t n = (size_t)t->count;
    if (n == 0)
        return SCT_OK;
    switch (t->dtype) {
    case SCT_ST_I32:
        read_words(t->data, dst, n);
        return SCT_OK;
    case SCT_ST_U8:
        for (size_t i = 0; i < n; i++)
            dst[i] = t->data[i];
        return SCT_OK;
    case SCT_ST_I64:
        for (size_t i = 0; i < n; i++) {
            const uint64_t u = load_u64(t->data + 8 * i);
            int64_t v;
            memcpy(&v, &u, sizeof v);
            if (v < INT32_MIN || v > INT32_MAX)
                return sct_fail(err, SCT_EFILE,
                                "%s: tensor '%s': element %zu is %lld, beyond the range of i32",
                                sct_st_path(st), t->name, i, (long long)v);
            dst[i] = (int32_t)v;
        }
        return SCT_OK;
    default:
        return sct_fail(err, SCT_EFILE, "%s: tensor '%s' has dtype %s, expected I32, I64 or U8",
                        sct_st_path(st), t->name, sct_st_dtype_name(t->dtype));
    }
}

/* "[768, 3072]", cut with "..." when it does not fit. */
static void format_shape(char *buf, size_t size, const uint64_t *d64, const uint32_t *d32,
                         uint32_t nd)
{
    size_t at = 1;
    (void)snprintf(buf, size, "[");
    for (uint32_t i = 0; i < nd; i++) {
        if (at + 32 > size) {
            (void)snprintf(buf + at, size - at, "...");
            at += 3;
            break;
        }
        const int n = snprintf(buf + at, size - at, "%s%llu", i ? ", " : "",
                               (unsigned long long)(d64 ? d64[i] : d32[i]));
        at += n > 0 ? (size_t)n : 0;
    }
    (void)snprintf(buf + at, size - at, "]");
}

sct_status sct_st_expect(const struct sct_st *st, const struct sct_st_tensor *t,
                         const uint32_t *dim, uint32_t nd, sct_error *err)
{
    int same = t->nd == nd;
    for (uint32_t i = 0; same && i < nd; i++)
        same = t->dim[i] == dim[i];
    if (same)
        return SCT_OK;
    char expected[128], found[128];
    format_shape(expected, sizeof expected, NULL, dim, nd);
    format_shape(found, sizeof found, t->dim, NULL, t->nd);
    return sct_fail(err, SCT_EFILE, "%s: tensor '%s': expected shape %s, found %s",
                    sct_st_path(st), t->name, expected, found);
}
