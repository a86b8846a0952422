/* SPDX-License-Identifier: MIT
 * torch_storage.c - the storages that a PyTorch pickle names.
 * A persistent id is the tuple ("storage", type, key, device, number of elements); the stream
 * of older versions has a sixth item, None or a description of a view. */
#include "core/checkpoint/torch_file.h"

#include "core/base/status.h"

#include <stdlib.h>
#include <string.h>

/* Storage class, torch.dtype, and ours. */
static const struct {
    const char *storage, *dtype;
    uint32_t id;
} types[] = {
    {"FloatStorage", "float32", SCT_ST_F32},
    {"HalfStorage", "float16", SCT_ST_F16},
    {"BFloat16Storage", "bfloat16", SCT_ST_BF16},
    {"DoubleStorage", "float64", SCT_ST_F64},
    {"LongStorage", "int64", SCT_ST_I64},
    {"IntStorage", "int32", SCT_ST_I32},
    {"ShortStorage", "int16", SCT_ST_I16},
    {"CharStorage", "int8", SCT_ST_I8},
    {"ByteStorage", "uint8", SCT_ST_U8},
    {"BoolStorage", "bool", SCT_ST_BOOL},
    {"ComplexFloatStorage", "complex64", SCT_ST_C64},
    {"UntypedStorage", "uint8", SCT_ST_U8}, /* the tensor says its type */
    {NULL, "uint16", SCT_ST_U16},
    {NULL, "uint32", SCT_ST_U32},
    {NULL, "uint64", SCT_ST_U64},
    {NULL, "float8_e4m3fn", SCT_ST_F8_E4M3},
    {NULL, "float8_e5m2", SCT_ST_F8_E5M2},
};

enum { TYPES = sizeof types / sizeof *types };

static bool text_is(const char *s, uint32_t n, const char *word)
{
    return word && n == strlen(word) && memcmp(s, word, n) == 0;
}

/* Any module: torch, torch.cuda and torch.storage have had these classes. */
static uint32_t storage_dtype(const struct sct_pickle_global *g)
{
    for (size_t i = 0; i < TYPES; i++)
        if (text_is(g->name, g->name_n, types[i].storage))
            return types[i].id;
    return SCT_ST_DTYPE_COUNT;
}

uint32_t sct_torch_dtype(const struct sct_torch_file *f, uint32_t node)
{
    if (node == SCT_PICKLE_NIL || f->tree.node[node].kind != SCT_PICKLE_GLOBAL)
        return SCT_ST_DTYPE_COUNT;
    const struct sct_pickle_global *g = &f->tree.node[node].u.global;
    for (size_t i = 0; i < TYPES; i++)
        if (text_is(g->module, g->module_n, "torch") &&
            text_is(g->name, g->name_n, types[i].dtype))
            return types[i].id;
    return SCT_ST_DTYPE_COUNT;
}

static int compare(struct sct_pickle_text a, struct sct_pickle_text b)
{
    const int order = memcmp(a.s, b.s, a.n < b.n ? a.n : b.n);
    return order ? order : a.n < b.n ? -1 : a.n > b.n;
}

static int by_key(const void *a, const void *b)
{
    const struct sct_torch_storage *x = a, *y = b;
    return compare(x->key, y->key);
}

/* Node k of a tuple, if it is of this kind. */
static const struct sct_pickle_node *item(const struct sct_torch_file *f, uint32_t tuple,
                                          uint32_t k, uint32_t kind)
{
    const uint32_t i = sct_pickle_item(&f->tree, tuple, k);
    return i != SCT_PICKLE_NIL && f->tree.node[i].kind == kind ? &f->tree.node[i] : NULL;
}

static sct_status read_id(const struct sct_torch_file *f, uint32_t id,
                          struct sct_torch_storage *s, sct_error *err)
{
    const struct sct_pickle_node *what = item(f, id, 0, SCT_PICKLE_STR),
                                 *type = item(f, id, 1, SCT_PICKLE_GLOBAL),
                                 *key = item(f, id, 2, SCT_PICKLE_STR),
                                 *numel = item(f, id, 4, SCT_PICKLE_INT);
    if (!what || !text_is(what->u.text.s, what->u.text.n, "storage") || !type || !key ||
        !numel || numel->u.i < 0)
        return sct_fail(
            err, SCT_EFILE,
            "%s: persistent id: expected (\"storage\", type, key, device, number of "
            "elements)",
            f->ck->path);
    if (sct_pickle_item(&f->tree, id, 5) != SCT_PICKLE_NIL && !item(f, id, 5, SCT_PICKLE_NONE))
        return sct_fail(err, SCT_EFILE,
                        "%s: storage '%.*s' is a view of another, as early versions of "
                        "PyTorch wrote them; load it and save it again with a newer one",
                        f->ck->path, (int)(key->u.text.n < 64 ? key->u.text.n : 64),
                        key->u.text.s);
    const struct sct_pickle_global *g = &type->u.global;
    *s = (struct sct_torch_storage){.key = key->u.text,
                                    .type = {g->name, g->name_n},
                                    .numel = (uint64_t)numel->u.i,
                                    .dtype = storage_dtype(g),
                                    .blob = SCT_PICKLE_NIL};
    s->width = sct_st_dtype_bits(s->dtype) / 8;
    return SCT_OK;
}

static sct_status merge_same(struct sct_torch_file *f, sct_error *err)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < f->n_storage; i++) {
        const struct sct_torch_storage *s = &f->storage[i], *last = &f->storage[n ? n - 1 : 0];
        if (n == 0 || compare(s->key, last->key) != 0)
            f->storage[n++] = *s;
        else if (s->numel != last->numel || compare(s->type, last->type) != 0)
            return sct_fail(err, SCT_EFILE,
                            "%s: storage '%.*s' is described in two ways: %llu elements of "
                            "%.*s, %llu of %.*s",
                            f->ck->path, (int)(s->key.n < 64 ? s->key.n : 64), s->key.s,
                            (unsigned long long)last->numel,
                            (int)(last->type.n < 64 ? last->type.n : 64), last->type.s,
                            (unsigned long long)s->numel,
                            (int)(s->type.n < 64 ? s->type.n : 64), s->type.s);
    }
    f->n_storage = n;
    return SCT_OK;
}

sct_status sct_torch_list_storages(struct sct_torch_file *f, sct_error *err)
{
    for (uint32_t i = 0; i < f->tree.n_node; i++) {
        if (f->tree.node[i].kind != SCT_PICKLE_PERSID)
            continue;
        struct sct_torch_storage s;
        SCT_TRY(read_id(f, f->tree.node[i].u.obj.args, &s, err));
        SCT_TRY(sct_grow((void **)&f->storage, &f->cap_storage, (uint64_t)f->n_storage + 1,
                         sizeof s, err));
        f->storage[f->n_storage++] = s;
    }
    if (f->n_storage)
        qsort(f->storage, f->n_storage, sizeof *f->storage, by_key);
    return merge_same(f, err);
}

struct sct_torch_storage *sct_torch_find_storage(const struct sct_torch_file *f,
                                                 struct sct_pickle_text key)
{
    const struct sct_torch_storage want = {.key = key};
    if (f->n_storage == 0)
        return NULL;
    return bsearch(&want, f->storage, f->n_storage, sizeof want, by_key);
}

const struct sct_torch_storage *sct_torch_storage_of(const struct sct_torch_file *f,
                                                     uint32_t node)
{
    if (node == SCT_PICKLE_NIL || f->tree.node[node].kind != SCT_PICKLE_PERSID)
        return NULL;
    /* every persistent id was looked at by sct_torch_list_storages */
    const struct sct_pickle_node *key =
        item(f, f->tree.node[node].u.obj.args, 2, SCT_PICKLE_STR);
    return key ? sct_torch_find_storage(f, key->u.text) : NULL;
}

sct_status sct_torch_storage_size(const struct sct_torch_file *f,
                                  const struct sct_torch_storage *s, uint64_t *size,
                                  sct_error *err)
{
    if (s->width && s->numel <= UINT64_MAX / s->width) {
        *size = s->numel * s->width;
        return SCT_OK;
    }
    return sct_fail(err, SCT_EFILE, "%s: storage '%.*s': %llu elements of torch.%.*s %s",
                    f->ck->path, (int)(s->key.n < 64 ? s->key.n : 64), s->key.s,
                    (unsigned long long)s->numel, (int)(s->type.n < 64 ? s->type.n : 64),
                    s->type.s,
                    s->width ? "are too many" : "cannot be read; convert them to float32");
}

void sct_torch_file_fini(struct sct_torch_file *f)
{
    sct_pickle_fini(&f->tree);
    sct_free(f->storage);
    *f = (struct sct_torch_file){.ck = NULL};
}
