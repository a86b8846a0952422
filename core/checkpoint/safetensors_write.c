/* SPDX-License-Identifier: MIT
 * safetensors_write.c - writes a .safetensors file, byte for byte as the reference does.
 * Items are checked before the first byte is written, so only the system can fail half-way. */
#include "core/checkpoint/safetensors.h"

#include "core/base/mem.h"
#include "core/base/status.h"
#include "core/checkpoint/half.h"
#include "core/io/file.h"
#include "core/io/json.h"
#include "core/io/text.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static int by_dtype_and_name(const void *a, const void *b)
{
    const struct sct_st_item *const *x = a, *const *y = b;
    if ((*x)->dtype != (*y)->dtype)
        return (*x)->dtype > (*y)->dtype ? -1 : 1;
    return strcmp((*x)->name, (*y)->name);
}

static sct_status item_bytes(const struct sct_st_item *it, uint64_t *count, uint64_t *bytes,
                             sct_error *err)
{
    /* JSON integers are signed, and so are file offsets. */
    const uint64_t limit = (uint64_t)INT64_MAX / 2;
    const uint32_t bits = sct_st_dtype_bits(it->dtype);
    uint64_t n = 1;
    for (uint32_t i = 0; i < it->nd; i++) {
        if (it->dim[i] != 0 && n > limit / 64 / it->dim[i])
            return sct_fail(err, SCT_EINVAL, "tensor '%s': the product of its shape overflows",
                            it->name);
        n *= it->dim[i];
    }
    if (n * bits % 8)
        return sct_fail(err, SCT_EINVAL,
                        "tensor '%s': %llu elements of %s are not a whole number of bytes",
                        it->name, (unsigned long long)n, sct_st_dtype_name(it->dtype));
    *count = n;
    *bytes = n * bits / 8;
    return SCT_OK;
}

/* What is written: items as they are, or (make) by their number. */
struct writer {
    const struct sct_st_item *items;
    const struct sct_st_item **order;
    size_t n;
    sct_status (*make)(void *ctx, size_t i, float *dst, sct_error *err);
    void *ctx;
};

static sct_status check_item(const struct sct_st_item *it, bool made, sct_error *err)
{
    if (!it->name || strcmp(it->name, "__metadata__") == 0)
        return sct_fail(err, SCT_EINVAL, "expected a tensor name, found %s",
                        it->name ? "the reserved '__metadata__'" : "none");
    if (sct_utf8_valid(it->name, strlen(it->name)) != strlen(it->name))
        return sct_fail(err, SCT_EINVAL, "a tensor name is not UTF-8");
    if (it->dtype >= SCT_ST_DTYPE_COUNT)
        return sct_fail(err, SCT_EINVAL, "tensor '%s': unknown dtype %u", it->name, it->dtype);
    if ((it->f32 || made) && it->dtype != SCT_ST_F32 && it->dtype != SCT_ST_F16 &&
        it->dtype != SCT_ST_BF16)
        return sct_fail(err, SCT_EINVAL, "tensor '%s': floats cannot be written as %s",
                        it->name, sct_st_dtype_name(it->dtype));
    uint64_t count, bytes;
    SCT_TRY(item_bytes(it, &count, &bytes, err));
    if (made ? it->data || it->f32 : count ? !it->data == !it->f32 : it->data && it->f32)
        return sct_fail(err, SCT_EINVAL, "tensor '%s': expected exactly one of data and f32",
                        it->name);
    return SCT_OK;
}

static sct_status add_metadata(json_t *header, const struct sct_st_meta *meta, size_t n,
                               sct_error *err)
{
    json_t *obj = json_object();
    if (json_object_set_new(header, "__metadata__", obj) != 0)
        return sct_nomem(err);
    int own_format = 0;
    for (size_t i = 0; i < n; i++) {
        const size_t k = strlen(meta[i].key), v = strlen(meta[i].value);
        if (sct_utf8_valid(meta[i].key, k) != k || sct_utf8_valid(meta[i].value, v) != v)
            return sct_fail(err, SCT_EINVAL, "metadata %zu is not UTF-8", i);
        own_format |= strcmp(meta[i].key, "format") == 0;
    }
    if (!own_format && json_object_set_new(obj, "format", json_string("pt")) != 0)
        return sct_nomem(err);
    for (size_t i = 0; i < n; i++)
        if (json_object_set_new(obj, meta[i].key, json_string(meta[i].value)) != 0)
            return sct_nomem(err);
    return SCT_OK;
}

/* {"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}; *at moves on by the size of the tensor.
 */
static json_t *entry(const struct sct_st_item *it, uint64_t *at, uint64_t bytes)
{
    json_t *shape = json_array();
    for (uint32_t i = 0; i < it->nd; i++)
        if (json_array_append_new(shape, json_integer((json_int_t)it->dim[i])) != 0) {
            json_decref(shape);
            return NULL;
        }
    const json_int_t begin = (json_int_t)*at;
    *at += bytes;
    return json_pack("{s:s, s:o, s:[I, I]}", "dtype", sct_st_dtype_name(it->dtype), "shape",
                     shape, "data_offsets", begin, (json_int_t)*at);
}

static sct_status build_header(const struct sct_st_item *const *order, size_t n,
                               const struct sct_st_meta *meta, size_t n_meta, json_t **out,
                               sct_error *err)
{
    json_t *header = *out = json_object();
    if (!header)
        return sct_nomem(err);
    SCT_TRY(add_metadata(header, meta, n_meta, err));
    uint64_t at = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t count, bytes;
        SCT_TRY(item_bytes(order[i], &count, &bytes, err));
        if (json_object_get(header, order[i]->name))
            return sct_fail(err, SCT_EINVAL, "two tensors have the name '%s'", order[i]->name);
        if (bytes > (uint64_t)INT64_MAX / 2 - at)
            return sct_fail(err, SCT_EINVAL, "tensor '%s': the file would be too large",
                            order[i]->name);
        if (json_object_set_new(header, order[i]->name, entry(order[i], &at, bytes)) != 0)
            return sct_nomem(err);
    }
    return SCT_OK;
}

/* u64le length, JSON, spaces up to a multiple of 8. */
static sct_status put_header(struct sct_file_out *f, const json_t *header, sct_error *err)
{
    const size_t n = json_dumpb(header, NULL, 0, JSON_COMPACT);
    if (n == 0)
        return sct_nomem(err);
    const size_t padded = (n + 7) / 8 * 8;
    if (padded > SCT_ST_MAX_HEADER)
        return sct_fail(err, SCT_EINVAL, "header of %zu bytes, the format allows %d", padded,
                        SCT_ST_MAX_HEADER);
    char *buf = sct_alloc(8 + padded);
    if (!buf)
        return sct_nomem(err);
    for (unsigned i = 0; i < 8; i++)
        buf[i] = (char)((uint64_t)padded >> 8 * i & 0xff);
    memset(buf + 8, ' ', padded);
    sct_status rc =
        json_dumpb(header, buf + 8, padded, JSON_COMPACT) == n ? SCT_OK : sct_nomem(err);
    if (rc == SCT_OK)
        rc = sct_file_put(f, buf, 8 + padded, err);
    sct_free(buf);
    return rc;
}

/* Converts and writes piece by piece: a tensor is never in memory twice. */
static sct_status put_f32(struct sct_file_out *f, uint32_t dtype, const float *v, uint64_t n,
                          sct_error *err)
{
    enum { PIECE = 8192 };

    unsigned char buf[4 * PIECE];
    const size_t width = sct_st_dtype_bits(dtype) / 8;
    for (uint64_t at = 0; at < n; at += PIECE) {
        const size_t m = n - at < PIECE ? (size_t)(n - at) : PIECE;
        for (size_t i = 0; i < m; i++) {
            const float x = v[at + i];
            const uint32_t w = dtype == SCT_ST_F32   ? sct_half_bits(x)
                               : dtype == SCT_ST_F16 ? sct_f16_put(x)
                                                     : sct_bf16_put(x);
            for (size_t b = 0; b < width; b++)
                buf[width * i + b] = (unsigned char)(w >> 8 * b);
        }
        SCT_TRY(sct_file_put(f, buf, width * m, err));
    }
    return SCT_OK;
}

static sct_status put_made(struct sct_file_out *f, const struct writer *w,
                           const struct sct_st_item *it, uint64_t n, sct_error *err)
{
    float *v = n > SIZE_MAX / sizeof *v ? NULL : sct_calloc((size_t)n, sizeof *v);
    if (!v)
        return sct_nomem(err);
    sct_status rc = w->make(w->ctx, (size_t)(it - w->items), v, err);
    if (rc == SCT_OK)
        rc = put_f32(f, it->dtype, v, n, err);
    sct_free(v);
    return rc;
}

static sct_status put_all(struct sct_file_out *f, const json_t *header, const struct writer *w,
                          sct_error *err)
{
    SCT_TRY(put_header(f, header, err));
    for (size_t i = 0; i < w->n; i++) {
        const struct sct_st_item *it = w->order[i];
        uint64_t count, bytes;
        SCT_TRY(item_bytes(it, &count, &bytes, err));
        if (count && w->make)
            SCT_TRY(put_made(f, w, it, count, err));
        else if (count && it->f32)
            SCT_TRY(put_f32(f, it->dtype, it->f32, count, err));
        else if (count)
            SCT_TRY(sct_file_put(f, it->data, (size_t)bytes, err));
    }
    return SCT_OK;
}

static sct_status write_file(const char *path, const json_t *header, const struct writer *w,
                             sct_error *err)
{
    struct sct_file_out *f = NULL;
    SCT_TRY(sct_file_begin(&f, path, err));
    const sct_status rc = put_all(f, header, w, err);
    if (rc != SCT_OK) {
        sct_file_abort(&f);
        return rc;
    }
    return sct_file_commit(&f, err);
}

static sct_status write_items(const char *path, struct writer *w,
                              const struct sct_st_meta *meta, size_t n_meta, sct_error *err)
{
    if (w->n > SCT_ST_MAX_TENSORS)
        return sct_fail(err, SCT_EINVAL, "%s: %zu tensors, the limit is %d", path, w->n,
                        SCT_ST_MAX_TENSORS);
    for (size_t i = 0; i < w->n; i++)
        SCT_TRY(check_item(&w->items[i], w->make != NULL, err));
    w->order = sct_calloc(w->n + 1, sizeof *w->order);
    if (!w->order)
        return sct_nomem(err);
    for (size_t i = 0; i < w->n; i++)
        w->order[i] = &w->items[i];
    qsort(w->order, w->n, sizeof *w->order, by_dtype_and_name);
    json_t *header = NULL;
    sct_status rc = build_header(w->order, w->n, meta, n_meta, &header, err);
    if (rc == SCT_OK)
        rc = write_file(path, header, w, err);
    json_decref(header);
    sct_free(w->order);
    return rc;
}

sct_status sct_st_write(const char *path, const struct sct_st_item *items, size_t n,
                        const struct sct_st_meta *meta, size_t n_meta, sct_error *err)
{
    struct writer w = {.items = items, .n = n};
    return write_items(path, &w, meta, n_meta, err);
}

sct_status sct_st_write_made(const char *path, const struct sct_st_item *items, size_t n,
                             sct_status (*make)(void *ctx, size_t i, float *dst,
                                                sct_error *err),
                             void *ctx, sct_error *err)
{
    struct writer w = {.items = items, .n = n, .make = make, .ctx = ctx};
    return write_items(path, &w, NULL, 0, err);
}
