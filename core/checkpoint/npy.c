/* SPDX-License-Identifier: MIT
 * npy.c - writes NumPy .npy files, version 1.0.
 * Layout: "\x93NUMPY" 1 0, u16le length, a Python dict padded so that the data starts at 64 k.
 */
#include "core/checkpoint/npy.h"

#include "core/io/file.h"

#include <string.h>

/* "(3, 4)", "(3,)", "()". */
static void format_shape(char *buf, size_t size, const uint32_t *dim, uint32_t nd)
{
    size_t at = 1;
    (void)snprintf(buf, size, "(");
    for (uint32_t i = 0; i < nd; i++) {
        const int n =
            snprintf(buf + at, size - at, "%s%u%s", i ? ", " : "", dim[i], nd == 1 ? "," : "");
        at += n > 0 ? (size_t)n : 0;
    }
    (void)snprintf(buf + at, size - at, ")");
}

/* Fills buf with the whole head and returns its length, a multiple of 64. NumPy leaves room for
 * the first dimension to grow to 21 digits; so do we, to give the same bytes. */
static size_t format_head(char *buf, size_t size, uint32_t dtype, const uint32_t *dim,
                          uint32_t nd)
{
    enum { MAGIC = 10, GROWTH = 21, ALIGN = 64 };

    char shape[16 * SCT_MAX_DIMS + 4], first[16];
    format_shape(shape, sizeof shape, dim, nd);
    const int digits = snprintf(first, sizeof first, "%u", nd ? dim[0] : 0);
    const int n = snprintf(buf + MAGIC, size - MAGIC,
                           "{'descr': '<%s', 'fortran_order': False, 'shape': %s, }",
                           dtype == SCT_F32 ? "f4" : "i4", shape);
    const size_t used = MAGIC + (size_t)n + (nd ? (size_t)(GROWTH - digits) : 0) + 1;
    const size_t total = (used + ALIGN - 1) / ALIGN * ALIGN;
    memset(buf + MAGIC + n, ' ', total - MAGIC - (size_t)n - 1);
    buf[total - 1] = '\n';
    memcpy(buf, "\x93NUMPY\x01\x00", 8);
    buf[8] = (char)((total - MAGIC) & 0xff);
    buf[9] = (char)((total - MAGIC) >> 8);
    return total;
}

static sct_status put_words(struct sct_file_out *f, const void *data, uint64_t n,
                            sct_error *err)
{
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return sct_file_put(f, data, (size_t)(4 * n), err);
#else
    for (uint64_t i = 0; i < n; i++) {
        uint32_t w;
        memcpy(&w, (const char *)data + 4 * i, sizeof w);
        const unsigned char b[4] = {(unsigned char)w, (unsigned char)(w >> 8),
                                    (unsigned char)(w >> 16), (unsigned char)(w >> 24)};
        SCT_TRY(sct_file_put(f, b, sizeof b, err));
    }
    return SCT_OK;
#endif
}

sct_status sct_npy_write(const char *path, uint32_t dtype, const uint32_t *dim, uint32_t nd,
                         const void *data, sct_error *err)
{
    if (dtype != SCT_F32 && dtype != SCT_I32)
        return sct_fail(err, SCT_EINVAL, "%s: expected dtype f32 or i32, found number %u", path,
                        dtype);
    if (nd > SCT_MAX_DIMS)
        return sct_fail(err, SCT_EINVAL, "%s: expected at most %d dims, found %u", path,
                        SCT_MAX_DIMS, nd);
    uint64_t n = 1;
    for (uint32_t i = 0; i < nd; i++) {
        if (dim[i] && n > SIZE_MAX / 4 / dim[i])
            return sct_fail(err, SCT_EINVAL, "%s: the product of the shape overflows", path);
        n *= dim[i];
    }
    char head[256];
    const size_t head_size = format_head(head, sizeof head, dtype, dim, nd);
    struct sct_file_out *f = NULL;
    SCT_TRY(sct_file_begin(&f, path, err));
    sct_status rc = sct_file_put(f, head, head_size, err);
    if (rc == SCT_OK)
        rc = put_words(f, data, n, err);
    if (rc != SCT_OK) {
        sct_file_abort(&f);
        return rc;
    }
    return sct_file_commit(&f, err);
}
