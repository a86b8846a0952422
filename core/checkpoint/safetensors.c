/* SPDX-License-Identifier: MIT
 * safetensors.c - opens a .safetensors file and checks every number in it.
 * Invariant: after open each tensor's bytes lie inside the mapping and no two overlap. */
#include "core/checkpoint/safetensors.h"

#include "core/base/mem.h"
#include "core/base/status.h"
#include "core/checkpoint/names.h"
#include "core/io/json.h"
#include "core/io/map.h"
#include "core/io/text.h"

#include <stdlib.h>
#include <string.h>

struct sct_st {
    char *path;
    const unsigned char *base; /* whole file */
    size_t size, data_at;      /* its length; offset of the data: 8 + N */
    struct sct_map map;        /* empty when the bytes are the caller's */
    json_t *header;            /* owns names and metadata */
    size_t n;
    struct sct_st_tensor *tensor; /* in the order of the data */
    struct sct_names names;
    uint64_t *dims; /* shapes of all tensors, one after the other */
};

/* What the header says of a tensor, before it is believed. */
struct claim {
    uint64_t begin, end;
    struct sct_st_tensor t;
};

static const struct {
    const char *name;
    uint32_t bits;
} dtypes[SCT_ST_DTYPE_COUNT] = {

#define DTYPE_ROW(ID, BITS) {#ID, BITS},
    SCT_ST_DTYPE_MAP(DTYPE_ROW)
#undef DTYPE_ROW
};

const char *sct_st_dtype_name(uint32_t dtype)
{
    return dtype < SCT_ST_DTYPE_COUNT ? dtypes[dtype].name : "?";
}

uint32_t sct_st_dtype_bits(uint32_t dtype)
{
    return dtype < SCT_ST_DTYPE_COUNT ? dtypes[dtype].bits : 0;
}

static int mul_overflows(uint64_t a, uint64_t b, uint64_t *out)
{
    *out = a * b;
    return b != 0 && a > UINT64_MAX / b;
}

/* Finds N and checks it; the JSON text is then base + 8, N bytes. */
static sct_status read_length(struct sct_st *st, sct_error *err)
{
    if (st->size < 8)
        return sct_fail(
            err, SCT_EFILE,
            "%s: not a safetensors file: expected at least 8 bytes, found %zu; is the "
            "download complete?",
            st->path, st->size);
    uint64_t n = 0;
    for (unsigned i = 0; i < 8; i++)
        n |= (uint64_t)st->base[i] << 8 * i;
    if (n > SCT_ST_MAX_HEADER)
        return sct_fail(
            err, SCT_EFILE,
            "%s: not a safetensors file: header length at byte 0 is %llu, the limit is "
            "%d",
            st->path, (unsigned long long)n, SCT_ST_MAX_HEADER);
    if (n > st->size - 8)
        return sct_fail(
            err, SCT_EFILE,
            "%s: header length at byte 0 is %llu, but only %zu bytes follow; is the "
            "download complete?",
            st->path, (unsigned long long)n, st->size - 8);
    st->data_at = 8 + (size_t)n;
    return SCT_OK;
}

/* Everything that can make parsing dear is refused on the text: depth, number of values. */
static sct_status parse_header(struct sct_st *st, sct_error *err)
{
    enum {
        DEPTH = 8,       /* 3 are needed; unknown inner keys may hold something */
        PER_TENSOR = 16, /* values as measured: 9 and the rank */
    };

    const char *text = (const char *)st->base + 8;
    const size_t n = st->data_at - 8;
    const size_t utf8 = sct_utf8_valid(text, n);
    if (utf8 != n)
        return sct_fail(err, SCT_EFILE, "%s: header is not UTF-8 at byte %zu", st->path,
                        8 + utf8);
    const struct sct_json_cost cost = sct_json_measure(text, n);
    if (cost.depth > DEPTH)
        return sct_fail(err, SCT_EFILE,
                        "%s: header is nested deeper than %d levels at byte %zu", st->path,
                        DEPTH, 8 + cost.deepest);
    if (cost.values > (size_t)SCT_ST_MAX_TENSORS * PER_TENSOR)
        return sct_fail(err, SCT_EFILE,
                        "%s: header has more than %d values; at most %d tensors are supported",
                        st->path, SCT_ST_MAX_TENSORS * PER_TENSOR, SCT_ST_MAX_TENSORS);
    json_error_t je;
    memset(&je, 0, sizeof je);
    st->header = json_loadb(text, n, JSON_REJECT_DUPLICATES, &je);
    if (!st->header && (!je.text[0] || json_error_code(&je) == json_error_out_of_memory))
        return sct_nomem(err);
    if (!st->header)
        return sct_fail(err, SCT_EFILE, "%s: header at byte %d: %s", st->path, 8 + je.position,
                        je.text);
    if (!json_is_object(st->header))
        return sct_fail(err, SCT_EFILE, "%s: header: expected an object {...}, found an array",
                        st->path);
    return SCT_OK;
}

static sct_status check_metadata(const struct sct_st *st, sct_error *err)
{
    json_t *meta = json_object_get(st->header, "__metadata__");
    if (!meta)
        return SCT_OK;
    if (!json_is_object(meta))
        return sct_fail(err, SCT_EFILE, "%s: __metadata__: expected an object of strings",
                        st->path);
    const char *key;
    json_t *value;
    json_object_foreach(meta, key, value)
    {
        if (!json_is_string(value))
            return sct_fail(err, SCT_EFILE, "%s: __metadata__: expected a string at key '%s'",
                            st->path, key);
    }
    return SCT_OK;
}

/* Dims go to st->dims at *used; their product and the size in bytes are checked for overflow.
 */
static sct_status read_shape(struct sct_st *st, const json_t *shape, struct sct_st_tensor *t,
                             size_t *used, sct_error *err)
{
    if (!json_is_array(shape))
        return sct_fail(err, SCT_EFILE, "%s: tensor '%s': expected an array at shape", st->path,
                        t->name);
    t->nd = (uint32_t)json_array_size(shape);
    t->dim = st->dims + *used;
    uint64_t count = 1;
    for (uint32_t i = 0; i < t->nd; i++) {
        const json_t *v = json_array_get(shape, i);
        if (!json_is_integer(v) || json_integer_value(v) < 0)
            return sct_fail(err, SCT_EFILE,
                            "%s: tensor '%s': shape[%u]: expected an integer of at least 0",
                            st->path, t->name, i);
        const uint64_t d = (uint64_t)json_integer_value(v);
        st->dims[(*used)++] = d;
        if (mul_overflows(count, d, &count))
            return sct_fail(err, SCT_EFILE,
                            "%s: tensor '%s': the product of the shape overflows at shape[%u]",
                            st->path, t->name, i);
    }
    uint64_t bits;
    if (mul_overflows(count, sct_st_dtype_bits(t->dtype), &bits) || bits % 8)
        return sct_fail(err, SCT_EFILE,
                        "%s: tensor '%s': %llu elements of %s are not a whole number of bytes",
                        st->path, t->name, (unsigned long long)count,
                        sct_st_dtype_name(t->dtype));
    t->count = count;
    t->size = bits / 8;
    return SCT_OK;
}

static sct_status read_offsets(const struct sct_st *st, const json_t *offsets, struct claim *c,
                               sct_error *err)
{
    uint64_t v[2] = {0, 0};
    if (!json_is_array(offsets) || json_array_size(offsets) != 2)
        return sct_fail(err, SCT_EFILE,
                        "%s: tensor '%s': expected [begin, end] at data_offsets", st->path,
                        c->t.name);
    for (size_t i = 0; i < 2; i++) {
        const json_t *o = json_array_get(offsets, i);
        if (!json_is_integer(o) || json_integer_value(o) < 0)
            return sct_fail(
                err, SCT_EFILE,
                "%s: tensor '%s': data_offsets[%zu]: expected an integer of at least 0",
                st->path, c->t.name, i);
        v[i] = (uint64_t)json_integer_value(o);
    }
    c->begin = v[0];
    c->end = v[1];
    return SCT_OK;
}

static sct_status read_claim(struct sct_st *st, const char *name, const json_t *entry,
                             struct claim *c, size_t *used, sct_error *err)
{
    c->t.name = name;
    if (!json_is_object(entry))
        return sct_fail(err, SCT_EFILE,
                        "%s: tensor '%s': expected an object {dtype, shape, "
                        "data_offsets}",
                        st->path, name);
    const char *dtype = json_string_value(json_object_get(entry, "dtype"));
    if (!dtype)
        return sct_fail(err, SCT_EFILE, "%s: tensor '%s': expected a string at dtype", st->path,
                        name);
    while (c->t.dtype < SCT_ST_DTYPE_COUNT && strcmp(dtypes[c->t.dtype].name, dtype) != 0)
        c->t.dtype++;
    if (c->t.dtype == SCT_ST_DTYPE_COUNT)
        return sct_fail(err, SCT_EFILE, "%s: tensor '%s': unknown dtype '%.40s'", st->path,
                        name, dtype);
    SCT_TRY(read_shape(st, json_object_get(entry, "shape"), &c->t, used, err));
    return read_offsets(st, json_object_get(entry, "data_offsets"), c, err);
}

static int by_offset(const void *a, const void *b)
{
    const struct claim *x = a, *y = b;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    if (x->end != y->end)
        return x->end < y->end ? -1 : 1;
    return strcmp(x->t.name,
                  y->t.name); /* empty tensors share offsets; keep the order defined */
}

/* Tensors in the order of their offsets must tile the data exactly. */
static sct_status check_tiling(struct sct_st *st, const struct claim *c, sct_error *err)
{
    const uint64_t room = st->size - st->data_at;
    uint64_t at = 0;
    for (size_t i = 0; i < st->n; at = c[i++].end) {
        const char *name = c[i].t.name;
        if (c[i].begin != at)
            return sct_fail(err, SCT_EFILE,
                            "%s: tensor '%s': data_offsets begin at %llu, expected %llu (%s)",
                            st->path, name, (unsigned long long)c[i].begin,
                            (unsigned long long)at,
                            c[i].begin < at ? "tensors overlap" : "a hole before it");
        if (c[i].end < at || c[i].end - at != c[i].t.size)
            return sct_fail(
                err, SCT_EFILE,
                "%s: tensor '%s': data_offsets [%llu, %llu], expected %llu bytes for "
                "its shape and %s",
                st->path, name, (unsigned long long)c[i].begin, (unsigned long long)c[i].end,
                (unsigned long long)c[i].t.size, sct_st_dtype_name(c[i].t.dtype));
        if (c[i].end > room)
            return sct_fail(
                err, SCT_EFILE,
                "%s: tensor '%s' ends at byte %llu of the data, but the file has only "
                "%llu; is the download complete?",
                st->path, name, (unsigned long long)c[i].end, (unsigned long long)room);
        st->tensor[i] = c[i].t;
        st->tensor[i].data = st->base + st->data_at + at;
    }
    if (at != room)
        return sct_fail(
            err, SCT_EFILE, "%s: expected the file to end at byte %llu, found %llu bytes more",
            st->path, (unsigned long long)(st->data_at + at), (unsigned long long)(room - at));
    return SCT_OK;
}

static const char *name_at(const void *ctx, uint32_t i)
{
    return ((const struct sct_st *)ctx)->tensor[i].name;
}

/* Total of the ranks, so that all shapes share one allocation. Bounded by cost.values. */
static size_t count_dims(const struct sct_st *st)
{
    size_t n = 0;
    const char *name;
    json_t *entry;
    json_object_foreach(st->header, name, entry)
    {
        n += json_array_size(json_object_get(entry, "shape"));
    }
    return n;
}

static sct_status read_entries(struct sct_st *st, struct claim *claims, sct_error *err)
{
    size_t used = 0, i = 0;
    const char *name;
    json_t *entry;
    json_object_foreach(st->header, name, entry)
    {
        if (strcmp(name, "__metadata__") == 0)
            continue;
        SCT_TRY(read_claim(st, name, entry, &claims[i], &used, err));
        i++;
    }
    qsort(claims, st->n, sizeof *claims, by_offset);
    return check_tiling(st, claims, err);
}

static sct_status read_tensors(struct sct_st *st, sct_error *err)
{
    st->n =
        json_object_size(st->header) - (json_object_get(st->header, "__metadata__") != NULL);
    if (st->n > SCT_ST_MAX_TENSORS)
        return sct_fail(err, SCT_EFILE, "%s: %zu tensors, the limit is %d", st->path, st->n,
                        SCT_ST_MAX_TENSORS);
    if (st->n == 0)
        return check_tiling(st, NULL, err);
    st->tensor = sct_calloc(st->n, sizeof *st->tensor);
    st->dims = sct_calloc(count_dims(st) + 1, sizeof *st->dims);
    struct claim *claims = sct_calloc(st->n, sizeof *claims);
    sct_status rc = SCT_OK;
    if (!st->tensor || !st->dims || !claims)
        rc = sct_nomem(err);
    else
        rc = read_entries(st, claims, err);
    sct_free(claims);
    /* the header is an object, so no name occurs twice */
    return rc == SCT_OK ? sct_names_build(&st->names, name_at, st, (uint32_t)st->n, NULL, err)
                        : rc;
}

static sct_status check_all(struct sct_st *st, sct_error *err)
{
    SCT_TRY(read_length(st, err));
    SCT_TRY(parse_header(st, err));
    SCT_TRY(check_metadata(st, err));
    return read_tensors(st, err);
}

static struct sct_st *create(const char *path)
{
    struct sct_st *st = sct_calloc(1, sizeof *st);
    if (st && !(st->path = sct_strdup(path))) {
        sct_free(st);
        return NULL;
    }
    return st;
}

sct_status sct_st_open(struct sct_st **out, const char *path, sct_error *err)
{
    *out = NULL;
    struct sct_st *st = create(path);
    if (!st)
        return sct_nomem(err);
    sct_status rc = sct_map_open(&st->map, path, err);
    st->base = st->map.base;
    st->size = st->map.size;
    if (rc == SCT_OK)
        rc = check_all(st, err);
    if (rc != SCT_OK) {
        sct_st_close(&st);
        return rc;
    }
    *out = st;
    return SCT_OK;
}

sct_status sct_st_open_memory(struct sct_st **out, const void *data, size_t n, const char *name,
                              sct_error *err)
{
    *out = NULL;
    struct sct_st *st = create(name);
    if (!st)
        return sct_nomem(err);
    st->base = data;
    st->size = n;
    const sct_status rc = check_all(st, err);
    if (rc != SCT_OK) {
        sct_st_close(&st);
        return rc;
    }
    *out = st;
    return SCT_OK;
}

void sct_st_close(struct sct_st **out)
{
    struct sct_st *st = *out;
    if (!st)
        return;
    json_decref(st->header);
    sct_free(st->tensor);
    sct_names_free(&st->names);
    sct_free(st->dims);
    sct_map_close(&st->map);
    sct_free(st->path);
    sct_free(st);
    *out = NULL;
}

const char *sct_st_path(const struct sct_st *st)
{
    return st->path;
}

size_t sct_st_count(const struct sct_st *st)
{
    return st->n;
}

const struct sct_st_tensor *sct_st_at(const struct sct_st *st, size_t i)
{
    return &st->tensor[i];
}

const struct sct_st_tensor *sct_st_find(const struct sct_st *st, const char *name)
{
    const uint32_t i = sct_names_find(&st->names, name, strlen(name));
    return i == SCT_NAMES_NONE ? NULL : &st->tensor[i];
}

const char *sct_st_metadata(const struct sct_st *st, const char *key)
{
    return json_string_value(json_object_get(json_object_get(st->header, "__metadata__"), key));
}

const char *sct_st_metadata_at(const struct sct_st *st, size_t i, const char **value)
{
    const char *key;
    json_t *v;
    json_object_foreach(json_object_get(st->header, "__metadata__"), key, v)
    {
        if (i-- == 0) {
            *value = json_string_value(v);
            return key;
        }
    }
    *value = NULL;
    return NULL;
}

void sct_st_drop(const struct sct_st *st, const struct sct_st_tensor *t)
{
    sct_map_drop(&st->map, t->data, (size_t)t->size);
}
