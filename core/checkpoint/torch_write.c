/* SPDX-License-Identifier: MIT
 * torch_write.c - plain values as torch.save writes them: pickle protocol 2 without memo, one
 * member a storage. The tree is jansson's, whose parser limits its depth. */
#include "core/base/mem.h"
#include "core/base/status.h"
#include "core/checkpoint/torch_values.h"
#include "core/checkpoint/zip_write.h"

#include <stdbool.h>
#include <string.h>

enum { MAX_STORAGES = 64, MAX_DEPTH = 8 };

struct storage {
    unsigned char *data;
    uint64_t size;
    char name[32];
};

/* Bytes that grow; a failure is remembered. */
struct pickler {
    const char *path;
    unsigned char *b;
    size_t n, cap;
    bool failed;
    struct storage storage[MAX_STORAGES];
    uint32_t n_storage;
    sct_error *err;
};

static void put(struct pickler *p, const void *data, size_t n)
{
    if (p->failed || n > SIZE_MAX / 4 - p->n) {
        p->failed = true;
        return;
    }
    if (p->n + n > p->cap) {
        const size_t cap = 2 * (p->n + n) + 256;
        unsigned char *b = sct_realloc(p->b, cap, 1);
        if (!b) {
            p->failed = true;
            return;
        }
        p->b = b;
        p->cap = cap;
    }
    memcpy(p->b + p->n, data, n);
    p->n += n;
}

static void code(struct pickler *p, const char *ops)
{
    put(p, ops, strlen(ops));
}

static void little(struct pickler *p, uint64_t v, unsigned bytes)
{
    unsigned char b[8];
    for (unsigned i = 0; i < bytes; i++)
        b[i] = (unsigned char)(v >> 8 * i);
    put(p, b, bytes);
}

static void global(struct pickler *p, const char *module, const char *name)
{
    code(p, "c");
    code(p, module);
    code(p, "\n");
    code(p, name);
    code(p, "\n");
}

static void string(struct pickler *p, const char *s)
{
    const size_t n = strlen(s);
    code(p, "X"); /* BINUNICODE */
    little(p, n, 4);
    put(p, s, n);
}

static void integer(struct pickler *p, int64_t v)
{
    if (v >= 0 && v < 256) {
        code(p, "K"); /* BININT1 */
        little(p, (uint64_t)v, 1);
    } else if (v >= INT32_MIN && v <= INT32_MAX) {
        code(p, "J"); /* BININT */
        little(p, (uint64_t)v, 4);
    } else {
        code(p, "\x8a\x08"); /* LONG1 of 8 bytes */
        little(p, (uint64_t)v, 8);
    }
}

static void real(struct pickler *p, double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    code(p, "G"); /* BINFLOAT, big-endian */
    for (unsigned i = 8; i-- > 0;)
        little(p, bits >> 8 * i & 0xff, 1);
}

static sct_status bad(const struct pickler *p, const char *key, const char *expected)
{
    return sct_fail(p->err, SCT_EINVAL, "%s: %s: expected %s", p->path, key, expected);
}

/* ---- values as what they are ---- */

static void scalar(struct pickler *p, const json_t *v)
{
    switch (json_typeof(v)) {
    case JSON_STRING:
        string(p, json_string_value(v));
        break;
    case JSON_INTEGER:
        integer(p, (int64_t)json_integer_value(v));
        break;
    case JSON_REAL:
        real(p, json_real_value(v));
        break;
    case JSON_TRUE:
        code(p, "\x88");
        break;
    case JSON_FALSE:
        code(p, "\x89");
        break;
    default:
        code(p, "N");
    }
}

/* A container being written, and how far. */
struct level {
    const json_t *v;
    void *at; /* of an object */
    size_t index;
};

/* The next item of a container, its key written; NULL at the end. */
static const json_t *next(struct pickler *p, struct level *l)
{
    if (json_is_array(l->v))
        return json_array_get(l->v, l->index++);
    json_t *obj = (json_t *)(uintptr_t)l->v;
    l->at = l->index++ ? json_object_iter_next(obj, l->at) : json_object_iter(obj);
    if (!l->at)
        return NULL;
    string(p, json_object_iter_key(l->at));
    return json_object_iter_value(l->at);
}

static sct_status plain(struct pickler *p, const char *key, const json_t *v)
{
    struct level level[MAX_DEPTH];
    unsigned depth = 0;
    for (;;) {
        if (!json_is_array(v) && !json_is_object(v)) {
            scalar(p, v);
        } else {
            if (depth == MAX_DEPTH)
                return bad(p, key, "values that are nested less deep");
            code(p, json_is_array(v) ? "](" : "}(");
            level[depth++] = (struct level){v, NULL, 0};
        }
        while (depth && !(v = next(p, &level[depth - 1]))) {
            depth--;
            code(p, json_is_array(level[depth].v) ? "e" : "u");
        }
        if (!depth)
            return SCT_OK;
    }
}

/* ---- torch and numpy ---- */

/* A tuple of whole numbers. */
static sct_status sizes(struct pickler *p, const char *key, const json_t *v)
{
    global(p, "torch", "Size");
    code(p, "(");
    for (size_t i = 0; i < json_array_size(v); i++) {
        if (!json_is_integer(json_array_get(v, i)))
            return bad(p, key, "lists of whole numbers");
        integer(p, (int64_t)json_integer_value(json_array_get(v, i)));
    }
    code(p, "t\x85R");
    return json_is_array(v) ? SCT_OK : bad(p, key, "lists of whole numbers");
}

/* _codecs.encode(text, "latin1"): how protocol 2 writes bytes. */
static void latin1(struct pickler *p, uint64_t v)
{
    char text[17];
    size_t n = 0;
    for (unsigned i = 0; i < 8; i++) {
        const unsigned b = (unsigned)(v >> 8 * i) & 0xff;
        if (b >= 0x80)
            text[n++] = (char)(0xc0 | b >> 6);
        text[n++] = (char)(b >= 0x80 ? 0x80 | (b & 0x3f) : b);
    }
    global(p, "_codecs", "encode");
    code(p, "X");
    little(p, n, 4);
    put(p, text, n);
    string(p, "latin1");
    code(p, "\x86R");
}

static sct_status numpy(struct pickler *p, const char *key, const json_t *v)
{
    if (!json_is_integer(v))
        return bad(p, key, "whole numbers");
    global(p, "numpy.core.multiarray", "scalar");
    global(p, "numpy", "dtype");
    string(p, "i8");
    code(p, "\x89\x88\x87R("); /* dtype("i8", False, True) */
    integer(p, 3);
    string(p, "<");
    code(p, "NNN");
    integer(p, -1);
    integer(p, -1);
    integer(p, 0);
    code(p, "tb"); /* its state: version 3, little-endian */
    latin1(p, (uint64_t)json_integer_value(v));
    code(p, "\x86R");
    return SCT_OK;
}

/* The members of a mapping, each by one of the two above. */
static sct_status members(struct pickler *p, const char *key, const json_t *v,
                          sct_status (*write)(struct pickler *, const char *, const json_t *))
{
    const char *name;
    json_t *x;
    if (!json_is_object(v) && !(json_is_array(v) && json_array_size(v) == 0))
        return bad(p, key, "a mapping");
    code(p, "}(");
    json_object_foreach((json_t *)(uintptr_t)v, name, x)
    {
        string(p, name);
        SCT_TRY(write(p, key, x));
    }
    code(p, "u");
    return SCT_OK;
}

/* Elements of 8 bytes (int64), or one of 4 (float32). */
static sct_status tensor(struct pickler *p, const char *key, const json_t *v)
{
    const bool list = json_is_array(v);
    const uint64_t n = list ? json_array_size(v) : 1, size = list ? 8 * n : 4;
    if (!list && !json_is_number(v))
        return bad(p, key, "a number, or a list of whole numbers");
    if (p->n_storage == MAX_STORAGES)
        return bad(p, key, "fewer tensors");
    struct storage *s = &p->storage[p->n_storage];
    char id[16];
    (void)snprintf(id, sizeof id, "%u", p->n_storage++);
    s->size = size;
    if (!(s->data = sct_calloc((size_t)size + 1, 1)))
        return sct_nomem(p->err);
    const float f = (float)json_number_value(v);
    if (!list)
        memcpy(s->data, &f, sizeof f);
    for (uint64_t i = 0; list && i < n; i++) {
        const json_t *x = json_array_get(v, (size_t)i);
        if (!json_is_integer(x))
            return bad(p, key, "a list of whole numbers");
        const uint64_t bits = (uint64_t)json_integer_value(x);
        for (unsigned k = 0; k < 8; k++)
            s->data[8 * i + k] = (unsigned char)(bits >> 8 * k);
    }
    global(p, "torch._utils", "_rebuild_tensor_v2");
    code(p, "((");
    string(p, "storage");
    global(p, "torch", list ? "LongStorage" : "FloatStorage");
    string(p, id);
    string(p, "cpu");
    integer(p, (int64_t)n);
    code(p, "tQ"); /* BINPERSID */
    integer(p, 0); /* offset */
    for (int part = 0; part < 2 && list; part++) {
        integer(p, part ? 1 : (int64_t)n); /* size, stride */
        code(p, "\x85");
    }
    if (!list)
        code(p, "))");
    code(p, "\x89"); /* requires_grad */
    global(p, "collections", "OrderedDict");
    code(p, ")RtR");
    return SCT_OK;
}

/* ---- the file ---- */

static sct_status pickle(struct pickler *p, const json_t *tree,
                         enum sct_values_form (*form)(const void *ctx, const char *key),
                         const void *ctx)
{
    const char *key;
    json_t *v;
    code(p, "\x80\x02}("); /* protocol 2 */
    json_object_foreach((json_t *)(uintptr_t)tree, key, v)
    {
        const enum sct_values_form f = form(ctx, key);
        string(p, key);
        SCT_TRY(f == SCT_VALUES_TENSOR  ? tensor(p, key, v)
                : f == SCT_VALUES_SIZES ? members(p, key, v, sizes)
                : f == SCT_VALUES_NUMPY ? members(p, key, v, numpy)
                                        : plain(p, key, v));
    }
    code(p, "u.");
    return p->failed ? sct_nomem(p->err) : SCT_OK;
}

/* The members in the order and under the names of torch.save. */
static sct_status write_archive(struct pickler *p)
{
    struct sct_zip_member m[MAX_STORAGES + 3];
    uint32_t n = 0;
    m[n++] = (struct sct_zip_member){"archive/data.pkl", p->b, p->n};
    m[n++] = (struct sct_zip_member){"archive/byteorder", "little", 6};
    for (uint32_t i = 0; i < p->n_storage; i++) {
        struct storage *s = &p->storage[i];
        (void)snprintf(s->name, sizeof s->name, "archive/data/%u", i);
        m[n++] = (struct sct_zip_member){s->name, s->data, s->size};
    }
    m[n++] = (struct sct_zip_member){"archive/version", "3\n", 2};
    return sct_zip_write(p->path, m, n, p->err);
}

sct_status sct_torch_values_write(const char *path, const json_t *tree,
                                  enum sct_values_form (*form)(const void *ctx,
                                                               const char *key),
                                  const void *ctx, sct_error *err)
{
    struct pickler p = {.path = path, .err = err};
    sct_status rc = pickle(&p, tree, form, ctx);
    if (rc == SCT_OK)
        rc = write_archive(&p);
    for (uint32_t i = 0; i < p.n_storage; i++)
        sct_free(p.storage[i].data);
    sct_free(p.b);
    return rc;
}
