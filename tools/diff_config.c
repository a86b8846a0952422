/* SPDX-License-Identifier: MIT
 * diff_config.c - two configurations as lists of leaves in plain order of their keys, merged.
 * Nesting is bounded by the parser; an own stack walks it all the same. */
#include "tools/diff_config.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/status.h"

struct leaf {
    char *key;
    const json_t *value; /* no object with keys */
};

struct leaves {
    struct leaf *item;
    uint32_t n, cap;
};

static void free_leaves(struct leaves *l)
{
    for (uint32_t i = 0; i < l->n; i++)
        sct_free(l->item[i].key);
    sct_free(l->item);
}

static sct_status push(struct leaves *l, const char *prefix, const char *key,
                       const json_t *value, sct_error *err)
{
    struct sct_str s = {0};
    SCT_TRY(sct_grow((void **)&l->item, &l->cap, (uint64_t)l->n + 1, sizeof *l->item, err));
    sct_str_add(&s, "%s%s%s", prefix, *prefix ? "." : "", key);
    char *text = sct_str_take(&s);
    if (!text)
        return sct_nomem(err);
    l->item[l->n++] = (struct leaf){text, value};
    return SCT_OK;
}

static int by_key(const void *x, const void *y)
{
    const struct leaf *a = x, *b = y;
    return strcmp(a->key, b->key);
}

static sct_status flatten(struct leaves *out, const json_t *root, sct_error *err)
{
    struct leaves todo = {0};
    sct_status rc = push(&todo, "", "", root, err);
    while (rc == SCT_OK && todo.n) {
        const struct leaf at = todo.item[--todo.n];
        const char *key;
        json_t *value;
        if (json_object_size(at.value) == 0) {
            rc = push(out, at.key, "", at.value, err);
            if (rc == SCT_OK) /* without the dot that push put behind it */
                out->item[out->n - 1].key[strlen(at.key)] = 0;
        } else {
            json_object_foreach((json_t *)(uintptr_t)at.value, key, value)
            {
                if (rc == SCT_OK)
                    rc = push(&todo, at.key, key, value, err);
            }
        }
        sct_free(at.key);
    }
    free_leaves(&todo);
    if (rc == SCT_OK && out->n)
        qsort(out->item, out->n, sizeof *out->item, by_key);
    return rc;
}

/* *text: sct_free; NULL of no value. */
static sct_status dump(const json_t *v, char **text, sct_error *err)
{
    char *t = v ? json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(9)) : NULL;
    *text = t ? sct_strdup(t) : NULL;
    free(t);
    return *text || !v ? SCT_OK : sct_nomem(err);
}

static sct_status add(struct config_diffs *d, const char *key, const json_t *a, const json_t *b,
                      sct_error *err)
{
    SCT_TRY(sct_grow((void **)&d->item, &d->cap, (uint64_t)d->n + 1, sizeof *d->item, err));
    struct config_diff *e = &d->item[d->n++];
    *e = (struct config_diff){sct_strdup(key), NULL, NULL};
    if (!e->key)
        return sct_nomem(err);
    SCT_TRY(dump(a, &e->a, err));
    return dump(b, &e->b, err);
}

sct_status config_diff(struct config_diffs *d, const json_t *a, const json_t *b, sct_error *err)
{
    struct leaves x = {0}, y = {0};
    memset(d, 0, sizeof *d);
    sct_status rc = flatten(&x, a, err);
    if (rc == SCT_OK)
        rc = flatten(&y, b, err);
    for (uint32_t i = 0, k = 0; rc == SCT_OK && (i < x.n || k < y.n);) {
        const int order = i == x.n ? 1 : k == y.n ? -1 : strcmp(x.item[i].key, y.item[k].key);
        const char *key = order <= 0 ? x.item[i].key : y.item[k].key;
        const json_t *va = order <= 0 ? x.item[i++].value : NULL;
        const json_t *vb = order >= 0 ? y.item[k++].value : NULL;
        if (!va || !vb || !json_equal(va, vb))
            rc = add(d, key, va, vb, err);
    }
    free_leaves(&x);
    free_leaves(&y);
    if (rc != SCT_OK)
        config_diff_free(d);
    return rc;
}

void config_diff_free(struct config_diffs *d)
{
    for (uint32_t i = 0; i < d->n; i++) {
        sct_free(d->item[i].key);
        sct_free(d->item[i].a);
        sct_free(d->item[i].b);
    }
    sct_free(d->item);
    memset(d, 0, sizeof *d);
}
