/* SPDX-License-Identifier: MIT
 * torch_values.c - plain values out of a file of torch.save. The file is opened twice: as a
 * checkpoint, which finds, bounds and checks its tensors, and as a pickle, whose tree is walked
 * here. The tree may share and contain itself: depth and number of values are limited, and
 * there is no recursion. */
#include "core/checkpoint/torch_values.h"

#include "core/base/status.h"
#include "core/checkpoint/ckpt_impl.h"
#include "core/checkpoint/pickle.h"
#include "core/io/text.h"

#include <math.h>
#include <string.h>

/* A container whose items are being looked at. */
struct frame {
    json_t *into; /* borrowed: what holds it keeps it alive */
    uint32_t cell;
    size_t name_size; /* of the path to it */
};

struct walk {
    const char *path;
    const struct sct_pickle *p;
    struct sct_ckpt *ck;
    struct frame frame[SCT_VALUES_MAX_DEPTH];
    uint32_t depth, tensors;
    uint64_t values;
    size_t n;
    char name[SCT_CKPT_MAX_NAME + 1]; /* as the checkpoint calls it */
    sct_error *err;
};

static const struct sct_pickle_node *at(const struct walk *w, uint32_t node)
{
    return &w->p->node[node];
}

static sct_status bad(const struct walk *w, const char *what)
{
    return sct_fail(w->err, SCT_EFILE, "%s: '%.200s': %s", w->path, w->name, what);
}

static bool calls(const struct walk *w, uint32_t node, const char *module, const char *name)
{
    return node != SCT_PICKLE_NIL && at(w, node)->kind == SCT_PICKLE_CALL &&
           sct_pickle_is_global(w->p, at(w, node)->u.obj.fn, module, name);
}

static sct_status count(struct walk *w, uint64_t n)
{
    w->values += n;
    if (w->values <= SCT_VALUES_MAX)
        return SCT_OK;
    return sct_fail(w->err, SCT_EFILE, "%s: more than %d values, shared ones counted each time",
                    w->path, SCT_VALUES_MAX);
}

/* ---- single values ---- */

static sct_status real(const struct walk *w, double v, json_t **out)
{
    if (!isfinite(v))
        return bad(w, "expected a finite number");
    *out = json_real(v);
    return *out ? SCT_OK : sct_nomem(w->err);
}

static sct_status text(const struct walk *w, struct sct_pickle_text t, json_t **out)
{
    if (sct_utf8_valid(t.s, t.n) != t.n)
        return bad(w, "expected text in UTF-8");
    *out = json_stringn(t.s, t.n);
    return *out ? SCT_OK : sct_nomem(w->err);
}

/* The bytes of a numpy scalar: bytes, or in protocol 2 _codecs.encode(text, "latin1"). */
static bool scalar_bytes(const struct walk *w, uint32_t node, unsigned char *b, uint32_t want)
{
    if (node == SCT_PICKLE_NIL)
        return false;
    if (at(w, node)->kind == SCT_PICKLE_BYTES) {
        const struct sct_pickle_text t = at(w, node)->u.text;
        if (t.n == want)
            memcpy(b, t.s, want);
        return t.n == want;
    }
    if (!calls(w, node, "_codecs", "encode"))
        return false;
    const uint32_t arg = sct_pickle_item(w->p, at(w, node)->u.obj.args, 0);
    if (arg == SCT_PICKLE_NIL || at(w, arg)->kind != SCT_PICKLE_STR)
        return false;
    const struct sct_pickle_text t = at(w, arg)->u.text;
    uint32_t n = 0;
    for (uint32_t i = 0; i < t.n; i++) {
        const unsigned char c = (unsigned char)t.s[i];
        unsigned v = c;
        if ((c & 0xfe) == 0xc2 && i + 1 < t.n) /* U+0080 to U+00FF */
            v = (c & 3u) << 6 | ((unsigned char)t.s[++i] & 0x3f);
        else if (c >= 0x80)
            return false;
        if (n == want)
            return false;
        b[n++] = (unsigned char)v;
    }
    return n == want;
}

/* numpy.core.multiarray.scalar(dtype, bytes), little-endian. */
static sct_status numpy_scalar(const struct walk *w, uint32_t node, json_t **out)
{
    static const struct {
        const char *name;
        uint32_t bytes;
    } types[] = {{"i8", 8}, {"i4", 4}, {"f8", 8}, {"f4", 4}};

    static const char wanted[] = "expected a numpy scalar of int64, int32, float64 or float32";
    const uint32_t args = at(w, node)->u.obj.args, type = sct_pickle_item(w->p, args, 0);
    if (!calls(w, type, "numpy", "dtype"))
        return bad(w, wanted);
    const uint32_t word = sct_pickle_item(w->p, at(w, type)->u.obj.args, 0),
                   state = at(w, type)->u.obj.state, order = sct_pickle_item(w->p, state, 1);
    if (word == SCT_PICKLE_NIL || at(w, word)->kind != SCT_PICKLE_STR ||
        order == SCT_PICKLE_NIL || at(w, order)->kind != SCT_PICKLE_STR ||
        at(w, order)->u.text.n != 1 || at(w, order)->u.text.s[0] != '<')
        return bad(w, wanted);
    const struct sct_pickle_text t = at(w, word)->u.text;
    unsigned char b[8] = {0};
    uint64_t bits = 0;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (t.n != 2 || memcmp(t.s, types[i].name, 2) != 0)
            continue;
        if (!scalar_bytes(w, sct_pickle_item(w->p, args, 1), b, types[i].bytes))
            return bad(w, wanted);
        for (uint32_t k = 0; k < types[i].bytes; k++)
            bits |= (uint64_t)b[k] << 8 * k;
        const uint32_t low = (uint32_t)bits;
        double d;
        float f;
        memcpy(&d, &bits, sizeof d);
        memcpy(&f, &low, sizeof f);
        if (types[i].name[0] == 'f')
            return real(w, types[i].bytes == 8 ? d : (double)f, out);
        *out = json_integer(types[i].bytes == 8 ? (json_int_t)bits : (json_int_t)(int32_t)low);
        return *out ? SCT_OK : sct_nomem(w->err);
    }
    return bad(w, wanted);
}

/* ---- tensors ---- */

static json_t *element(bool whole, const void *v, uint64_t i)
{
    return whole ? json_integer(((const int32_t *)v)[i]) : sct_json_f32(((const float *)v)[i]);
}

/* What the checkpoint has under the name at hand. */
static sct_status tensor(struct walk *w, json_t **out)
{
    const struct sct_ckpt_tensor *t = sct_ckpt_find(w->ck, w->name);
    if (!t || t->nd > 1)
        return bad(w, "expected a tensor of at most one dimension, of a type that is known");
    SCT_TRY(count(w, t->count));
    if (++w->tensors > SCT_VALUES_MAX_TENSORS)
        return bad(w, "more tensors than a file of values has");
    const bool whole = t->dtype != SCT_ST_F32 && t->dtype != SCT_ST_F16 &&
                       t->dtype != SCT_ST_BF16 && t->dtype != SCT_ST_F64;
    void *v = sct_calloc((size_t)t->count + 1, 4);
    if (!v)
        return sct_nomem(w->err);
    sct_status rc =
        whole ? sct_ckpt_read_i32(w->ck, t, v, w->err) : sct_ckpt_read_f32(w->ck, t, v, w->err);
    for (uint64_t i = 0; rc == SCT_OK && !whole && i < t->count; i++)
        if (!isfinite(((const float *)v)[i]))
            rc = bad(w, "expected finite numbers");
    if (rc == SCT_OK)
        *out = t->nd ? json_array() : element(whole, v, 0);
    for (uint64_t i = 0; rc == SCT_OK && *out && t->nd && i < t->count; i++)
        if (json_array_append_new(*out, element(whole, v, i)) != 0) {
            json_decref(*out);
            *out = NULL;
        }
    sct_free(v);
    return rc == SCT_OK && !*out ? sct_nomem(w->err) : rc;
}

/* ---- the walk ---- */

/* The node that holds the items of a mapping or a list, or NIL; *mapping says which. */
static uint32_t container(const struct walk *w, uint32_t node, bool *mapping)
{
    const uint32_t kind = at(w, node)->kind;
    *mapping = kind == SCT_PICKLE_DICT || calls(w, node, "collections", "OrderedDict");
    if (*mapping || kind == SCT_PICKLE_LIST || kind == SCT_PICKLE_TUPLE)
        return node;
    if (!calls(w, node, "torch", "Size"))
        return SCT_PICKLE_NIL;
    const uint32_t inner = sct_pickle_item(w->p, at(w, node)->u.obj.args, 0);
    return inner != SCT_PICKLE_NIL && at(w, inner)->kind == SCT_PICKLE_TUPLE ? inner
                                                                             : SCT_PICKLE_NIL;
}

static bool is_tensor(const struct walk *w, uint32_t node)
{
    return calls(w, node, "torch._utils", "_rebuild_tensor") ||
           calls(w, node, "torch._utils", "_rebuild_tensor_v2") ||
           calls(w, node, "torch._utils", "_rebuild_tensor_v3") ||
           calls(w, node, "torch._utils", "_rebuild_parameter");
}

/* A value in new memory; a container is entered. */
static sct_status value(struct walk *w, uint32_t node, json_t **out)
{
    const struct sct_pickle_node *x = at(w, node);
    bool mapping;
    *out = NULL;
    SCT_TRY(count(w, 1));
    const uint32_t items = container(w, node, &mapping);
    if (items != SCT_PICKLE_NIL) {
        if (w->depth == SCT_VALUES_MAX_DEPTH)
            return bad(w, "nested too deep, or contains itself");
        if (!(*out = mapping ? json_object() : json_array()))
            return sct_nomem(w->err);
        w->frame[w->depth++] = (struct frame){*out, at(w, items)->u.obj.head, w->n};
        return SCT_OK;
    }
    if (is_tensor(w, node))
        return tensor(w, out);
    if (calls(w, node, "numpy.core.multiarray", "scalar") ||
        calls(w, node, "numpy._core.multiarray", "scalar"))
        return numpy_scalar(w, node, out);
    switch (x->kind) {
    case SCT_PICKLE_NONE:
        *out = json_null();
        return SCT_OK;
    case SCT_PICKLE_BOOL:
        *out = json_boolean(x->u.i);
        return SCT_OK;
    case SCT_PICKLE_INT:
        *out = json_integer((json_int_t)x->u.i);
        return *out ? SCT_OK : sct_nomem(w->err);
    case SCT_PICKLE_FLOAT:
        return real(w, x->u.f, out);
    case SCT_PICKLE_STR:
        return text(w, x->u.text, out);
    default:
        return bad(w, "expected plain values, found another Python object");
    }
}

/* Puts ".key" behind the name, as the checkpoint does. */
static sct_status append_name(struct walk *w, const char *s, size_t n)
{
    const size_t dot = w->n > 0;
    if (n + dot > SCT_CKPT_MAX_NAME - w->n)
        return bad(w, "a name that is too long");
    if (dot)
        w->name[w->n++] = '.';
    memcpy(w->name + w->n, s, n);
    w->n += n;
    w->name[w->n] = 0;
    return SCT_OK;
}

static sct_status next(struct walk *w)
{
    struct frame *f = &w->frame[w->depth - 1];
    json_t *into = f->into, *v = NULL;
    const struct sct_pickle_cell *c = &w->p->cell[f->cell];
    f->cell = c->next;
    if (json_is_array(into)) {
        char index[32];
        const int n = snprintf(index, sizeof index, "%zu", json_array_size(into));
        SCT_TRY(append_name(w, index, (size_t)n));
        SCT_TRY(value(w, c->value, &v));
        return json_array_append_new(into, v) == 0 ? SCT_OK : sct_nomem(w->err);
    }
    if (c->key == SCT_PICKLE_NIL || at(w, c->key)->kind != SCT_PICKLE_STR)
        return bad(w, "expected keys that are strings");
    const struct sct_pickle_text k = at(w, c->key)->u.text;
    if (sct_utf8_valid(k.s, k.n) != k.n || memchr(k.s, 0, k.n))
        return bad(w, "expected keys in UTF-8");
    SCT_TRY(append_name(w, k.s, k.n));
    char *key = sct_calloc((size_t)k.n + 1, 1);
    if (!key)
        return sct_nomem(w->err);
    memcpy(key, k.s, k.n);
    sct_status rc =
        json_object_get(into, key) ? bad(w, "the key is there twice") : value(w, c->value, &v);
    if (rc == SCT_OK && json_object_set_new(into, key, v) != 0)
        rc = sct_nomem(w->err);
    sct_free(key);
    return rc;
}

static sct_status walk_tree(struct walk *w, json_t **out)
{
    bool mapping;
    if (container(w, w->p->root, &mapping) == SCT_PICKLE_NIL || !mapping)
        return sct_fail(w->err, SCT_EFILE, "%s: expected a dict", w->path);
    SCT_TRY(value(w, w->p->root, out));
    sct_status rc = SCT_OK;
    while (w->depth && rc == SCT_OK) {
        const struct frame *top = &w->frame[w->depth - 1];
        w->n = top->name_size;
        w->name[w->n] = 0;
        if (top->cell == SCT_PICKLE_NIL)
            w->depth--;
        else
            rc = next(w);
    }
    if (rc != SCT_OK) {
        json_decref(*out);
        *out = NULL;
    }
    return rc;
}

/* The pickle of the archive, parsed; *copy: its bytes when they were compressed. */
static sct_status open_pickle(struct sct_zip *z, const char *path, struct sct_pickle *p,
                              unsigned char **copy, sct_error *err)
{
    const uint32_t i = sct_ckpt_torch_pickle(z);
    if (i == SCT_ZIP_NONE)
        return sct_fail(err, SCT_EFILE, "%s: expected a zip file of torch.save", path);
    const struct sct_zip_entry *x = sct_zip_at(z, i);
    if (!x->data) {
        if (!(*copy = sct_alloc((size_t)x->size + 1)))
            return sct_nomem(err);
        SCT_TRY(sct_zip_read(z, i, *copy, err));
    }
    return sct_pickle_parse(p, *copy ? *copy : x->data, (size_t)x->size, path, err);
}

sct_status sct_torch_values_parse(const void *data, size_t n, const char *name, json_t **out,
                                  sct_error *err)
{
    struct sct_zip *z = NULL;
    struct sct_pickle p = {0};
    struct walk w = {.path = name, .p = &p, .err = err};
    unsigned char *copy = NULL;
    *out = NULL;
    sct_status rc = sct_ckpt_open_memory(&w.ck, data, n, name, err);
    if (rc == SCT_OK && strcmp(sct_ckpt_kind(w.ck), "torch zip") != 0)
        rc = sct_fail(err, SCT_EFILE, "%s: expected a zip file of torch.save, found %s", name,
                      sct_ckpt_kind(w.ck));
    if (rc == SCT_OK)
        rc = sct_zip_open(&z, data, n, name, err);
    if (rc == SCT_OK)
        rc = open_pickle(z, name, &p, &copy, err);
    if (rc == SCT_OK)
        rc = walk_tree(&w, out);
    sct_pickle_fini(&p);
    sct_free(copy);
    sct_zip_close(&z);
    sct_ckpt_close(&w.ck);
    return rc;
}

sct_status sct_torch_values_read(const char *path, json_t **out, sct_error *err)
{
    struct sct_map map;
    *out = NULL;
    SCT_TRY(sct_map_open(&map, path, err));
    const sct_status rc = sct_torch_values_parse(map.base, map.size, path, out, err);
    sct_map_close(&map);
    return rc;
}
