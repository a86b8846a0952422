/* SPDX-License-Identifier: MIT
 * table.c - tables from and to trees of JSON. Names of a table lead through the tree:
 * "a/b/0" is member b of member a, and of it the first. */
#include "core/peft/table.h"

#include <string.h>

#include "core/base/status.h"
#include "core/checkpoint/torch_values.h"
#include "core/io/file.h"

/* ---- a tree opened up ---- */

struct level {
    const json_t *v;
    void *at;
    size_t index, name_size;
};

struct opening {
    sct_adapter *t;
    struct level level[SCT_JSON_MAX_DEPTH];
    uint32_t depth;
    size_t n;
    char name[SCT_TABLE_MAX_NAME];
    sct_error *err;
};

static sct_status too_much(const struct opening *o, const char *what)
{
    return sct_fail(o->err, SCT_EFILE, "%s: '%.200s': %s", o->t->origin, o->name, what);
}

static sct_status key(struct opening *o, const json_t *v)
{
    const size_t flags = JSON_ENCODE_ANY | JSON_REAL_PRECISION(15),
                 n = json_dumpb(v, NULL, 0, flags);
    char *text = n ? sct_calloc(n + 1, 1) : NULL;
    const sct_status rc = text && json_dumpb(v, text, n, flags) == n
                              ? sct_adapter_put_key(o->t, o->name, text, o->err)
                              : sct_nomem(o->err);
    sct_free(text);
    return rc;
}

/* 1: whole numbers of 32 bits; 2: numbers; 0: anything else, or nothing. */
static int numbers(const json_t *v)
{
    int kind = json_array_size(v) > 0;
    for (size_t i = 0; i < json_array_size(v) && kind; i++) {
        const json_t *x = json_array_get(v, i);
        const json_int_t k = json_is_integer(x) ? json_integer_value(x) : INT64_MAX;
        if (!json_is_number(x))
            kind = 0;
        else if (k < INT32_MIN || k > INT32_MAX)
            kind = 2;
    }
    return kind;
}

static sct_status tensor(struct opening *o, const json_t *v, bool whole)
{
    const size_t n = json_array_size(v);
    const uint32_t dim = (uint32_t)n;
    const struct sct_desc d = sct_desc_make(whole ? SCT_I32 : SCT_F32, 1, &dim);
    int32_t *x = sct_calloc(n, sizeof *x);
    if (!x)
        return sct_nomem(o->err);
    for (size_t i = 0; i < n; i++) {
        const float f = (float)json_number_value(json_array_get(v, i));
        if (whole)
            x[i] = (int32_t)json_integer_value(json_array_get(v, i));
        else
            memcpy(&x[i], &f, sizeof f);
    }
    const sct_status rc = sct_adapter_put(o->t, o->name, &d, x, o->err);
    sct_free(x);
    return rc;
}

static sct_status visit(struct opening *o, const json_t *v)
{
    const bool empty = (json_is_array(v) && json_array_size(v) == 0) ||
                       (json_is_object(v) && json_object_size(v) == 0);
    const int kind = json_is_array(v) ? numbers(v) : 0;
    if (o->t->n + o->t->n_key >= SCT_TABLE_MAX_ITEMS)
        return too_much(o, "more items than a table holds");
    if (kind)
        return json_array_size(v) > INT32_MAX ? too_much(o, "a list that is too long")
                                              : tensor(o, v, kind == 1);
    if (empty || !(json_is_array(v) || json_is_object(v)))
        return key(o, v);
    if (o->depth == SCT_JSON_MAX_DEPTH)
        return too_much(o, "nested too deep");
    o->level[o->depth++] = (struct level){v, NULL, 0, o->n};
    return SCT_OK;
}

static sct_status append_name(struct opening *o, const char *s)
{
    const size_t n = strlen(s), slash = o->n > 0;
    if (o->n + slash + n >= sizeof o->name)
        return too_much(o, "a name that is too long");
    if (slash)
        o->name[o->n++] = '/';
    memcpy(o->name + o->n, s, n + 1);
    o->n += n;
    return SCT_OK;
}

/* The next item of the innermost container; *v NULL at its end. */
static sct_status next(struct opening *o, const json_t **v)
{
    struct level *l = &o->level[o->depth - 1];
    o->n = l->name_size;
    o->name[o->n] = 0;
    if (json_is_array(l->v)) {
        char index[32];
        (void)snprintf(index, sizeof index, "%zu", l->index);
        *v = json_array_get(l->v, l->index++);
        return *v ? append_name(o, index) : SCT_OK;
    }
    json_t *obj = (json_t *)(uintptr_t)l->v;
    l->at = l->index++ ? json_object_iter_next(obj, l->at) : json_object_iter(obj);
    *v = l->at ? json_object_iter_value(l->at) : NULL;
    return *v ? append_name(o, json_object_iter_key(l->at)) : SCT_OK;
}

sct_status sct_table_from_json(const json_t *tree, const char *what, sct_adapter **out,
                               sct_error *err)
{
    struct opening o = {.t = sct_adapter_create(what), .err = err};
    *out = NULL;
    sct_status rc = o.t ? SCT_OK : sct_nomem(err);
    if (rc == SCT_OK && json_object_size(tree) > 0)
        o.level[o.depth++] = (struct level){tree, NULL, 0, 0};
    while (o.depth && rc == SCT_OK) {
        const json_t *v = NULL;
        rc = next(&o, &v);
        if (rc == SCT_OK && v)
            rc = visit(&o, v);
        else
            o.depth--;
    }
    if (rc != SCT_OK)
        sct_adapter_destroy(&o.t);
    *out = o.t;
    return rc;
}

/* ---- a tree put together ---- */

static sct_status clash(const sct_adapter *t, const char *name, sct_error *err)
{
    return sct_fail(err, SCT_EINVAL, "%s: %s does not fit the names before it", t->origin,
                    name);
}

/* The member `word` of a container; NULL when there is none. */
static json_t *member(const json_t *in, const char *word)
{
    char index[32];
    if (!json_is_array(in))
        return json_object_get(in, word);
    (void)snprintf(index, sizeof index, "%zu", json_array_size(in) - 1);
    return json_array_size(in) && strcmp(index, word) == 0
               ? json_array_get(in, json_array_size(in) - 1)
               : NULL;
}

/* Adds v, which is taken over; lists grow by their next number only. */
static bool add(json_t *in, const char *word, json_t *v)
{
    char index[32];
    (void)snprintf(index, sizeof index, "%zu", json_array_size(in));
    if (v && json_is_array(in) && strcmp(index, word) == 0)
        return json_array_append_new(in, v) == 0;
    if (v && json_is_object(in) && !json_object_get(in, word))
        return json_object_set_new(in, word, v) == 0;
    json_decref(v);
    return false;
}

/* Puts v (taken over) where the name says. */
static sct_status place(const sct_adapter *t, json_t *tree, const char *name, json_t *v,
                        sct_error *err)
{
    char word[SCT_TABLE_MAX_NAME];
    json_t *in = tree;
    if (!v)
        return sct_nomem(err);
    for (const char *at = name;;) {
        const size_t n = strcspn(at, "/");
        if (n >= sizeof word) {
            json_decref(v);
            return clash(t, name, err);
        }
        memcpy(word, at, n);
        word[n] = 0;
        at += n;
        if (!*at)
            return add(in, word, v) ? SCT_OK : clash(t, name, err);
        json_t *inner = member(in, word);
        if (!inner) {
            /* "x/0" begins a list */
            inner = strncmp(at, "/0", 2) == 0 && (at[2] == 0 || at[2] == '/') ? json_array()
                                                                              : json_object();
            if (!add(in, word, inner))
                inner = NULL;
        }
        if (!json_is_array(inner) && !json_is_object(inner)) {
            json_decref(v);
            return clash(t, name, err);
        }
        in = inner;
        at++;
    }
}

static json_t *list_of(const struct sct_adapter_tensor *x)
{
    const uint64_t n = sct_desc_count(&x->desc);
    const bool whole = x->desc.dtype == SCT_I32;
    json_t *a = json_array();
    for (uint64_t i = 0; a && i < n; i++)
        if (json_array_append_new(a, whole ? json_integer(((const int32_t *)x->data)[i])
                                           : sct_json_f32(((const float *)x->data)[i])) != 0) {
            json_decref(a);
            a = NULL;
        }
    return a;
}

sct_status sct_table_to_json(const sct_adapter *t, json_t **out, sct_error *err)
{
    json_t *tree = json_object();
    sct_status rc = tree ? SCT_OK : sct_nomem(err);
    for (uint32_t i = 0; i < t->n_key && rc == SCT_OK; i++)
        rc = place(t, tree, t->key[i].key, json_loads(t->key[i].json, JSON_DECODE_ANY, NULL),
                   err);
    for (uint32_t i = 0; i < t->n && rc == SCT_OK; i++)
        rc = place(t, tree, t->item[i].name, list_of(&t->item[i]), err);
    if (rc != SCT_OK) {
        json_decref(tree);
        tree = NULL;
    }
    *out = tree;
    return rc;
}

/* ---- files ---- */

static bool is_zip(const char *data, size_t n)
{
    return n >= 4 && memcmp(data, "PK\3\4", 4) == 0;
}

sct_status sct_table_read(const char *path, sct_adapter **out, sct_error *err)
{
    char *text = NULL;
    size_t n = 0;
    json_t *tree = NULL;
    *out = NULL;
    SCT_TRY(sct_file_read(path, SCT_TABLE_MAX_BYTES, SCT_EFILE, &text, &n, err));
    sct_status rc = is_zip(text, n) ? sct_torch_values_parse(text, n, path, &tree, err)
                                    : sct_json_parse(text, n, path, SCT_EFILE, &tree, err);
    sct_free(text);
    if (rc == SCT_OK)
        rc = sct_table_from_json(tree, path, out, err);
    json_decref(tree);
    return rc;
}

static enum sct_values_form form_of(const void *ctx, const char *name)
{
    static const enum sct_values_form forms[] = {[SCT_TABLE_TENSOR] = SCT_VALUES_TENSOR,
                                                 [SCT_TABLE_SIZES] = SCT_VALUES_SIZES,
                                                 [SCT_TABLE_NUMPY] = SCT_VALUES_NUMPY};

    for (const struct sct_table_form *f = ctx; f->name; f++)
        if (strcmp(f->name, name) == 0 && f->form < sizeof forms / sizeof *forms)
            return forms[f->form];
    return SCT_VALUES_PLAIN;
}

sct_status sct_table_write(const char *path, const sct_adapter *t,
                           const struct sct_table_form *forms, sct_error *err)
{
    json_t *tree = NULL;
    SCT_TRY(sct_table_to_json(t, &tree, err));
    const sct_status rc = forms ? sct_torch_values_write(path, tree, form_of, forms, err)
                                : sct_json_save(path, tree, err);
    json_decref(tree);
    return rc;
}
