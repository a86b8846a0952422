/* SPDX-License-Identifier: MIT
 * adapter.c - an adapter in memory. */
#include "core/peft/adapter.h"

#include <string.h>

#include "core/base/status.h"

struct sct_adapter *sct_adapter_create(const char *origin)
{
    struct sct_adapter *a = sct_calloc(1, sizeof *a);
    if (a && !(a->origin = sct_arena_strdup(&a->arena, origin)))
        sct_adapter_destroy(&a);
    return a;
}

void sct_adapter_destroy(struct sct_adapter **a)
{
    if (!a || !*a)
        return;
    sct_arena_free(&(*a)->arena);
    sct_free((*a)->item);
    sct_free((*a)->key);
    sct_free(*a);
    *a = NULL;
}

struct sct_adapter_tensor *sct_adapter_find(const struct sct_adapter *a, const char *name)
{
    for (uint32_t i = 0; i < a->n; i++)
        if (strcmp(a->item[i].name, name) == 0)
            return &a->item[i];
    return NULL;
}

sct_status sct_adapter_put(struct sct_adapter *a, const char *name, const struct sct_desc *d,
                           const void *data, sct_error *err)
{
    if (sct_adapter_find(a, name))
        return sct_fail(err, SCT_EINVAL, "%s: tensor %s is stored twice", a->origin, name);
    const size_t bytes = (size_t)sct_desc_count(d) * sct_dtype_bytes(d->dtype);
    SCT_TRY(sct_grow((void **)&a->item, &a->cap, (uint64_t)a->n + 1, sizeof *a->item, err));
    struct sct_adapter_tensor t = {.name = sct_arena_strdup(&a->arena, name), .desc = *d};
    t.data = sct_arena_alloc(&a->arena, bytes ? bytes : 1);
    if (!t.name || !t.data)
        return sct_nomem(err);
    memcpy(t.data, data, bytes);
    a->item[a->n++] = t;
    return SCT_OK;
}

sct_status sct_adapter_get(const struct sct_adapter *a, const char *name, struct sct_desc *d,
                           const void **data, sct_error *err)
{
    struct sct_adapter_tensor *t = sct_adapter_find(a, name);
    if (!t)
        return sct_fail(err, SCT_EFILE, "%s: tensor %s is missing", a->origin, name);
    t->used = true;
    *d = t->desc;
    *data = t->data;
    return SCT_OK;
}

sct_status sct_adapter_put_key(struct sct_adapter *a, const char *key, const char *json,
                               sct_error *err)
{
    struct sct_adapter_key k = {sct_arena_strdup(&a->arena, key),
                                sct_arena_strdup(&a->arena, json)};
    if (!k.key || !k.json)
        return sct_nomem(err);
    for (uint32_t i = 0; i < a->n_key; i++) {
        if (strcmp(a->key[i].key, key) == 0) {
            a->key[i] = k;
            return SCT_OK;
        }
    }
    SCT_TRY(
        sct_grow((void **)&a->key, &a->cap_key, (uint64_t)a->n_key + 1, sizeof *a->key, err));
    a->key[a->n_key++] = k;
    return SCT_OK;
}

const char *sct_adapter_get_key(const struct sct_adapter *a, const char *key)
{
    for (uint32_t i = 0; i < a->n_key; i++)
        if (strcmp(a->key[i].key, key) == 0)
            return a->key[i].json;
    return NULL;
}

const char *sct_adapter_name(const struct sct_adapter *a, size_t i)
{
    return i < a->n ? a->item[i].name : NULL;
}

const char *sct_adapter_key_name(const struct sct_adapter *a, size_t i)
{
    return i < a->n_key ? a->key[i].key : NULL;
}

sct_status sct_adapter_fill_param(const struct sct_adapter *a, const char *name,
                                  struct sct_model *m, struct sct_param *p, sct_error *err)
{
    struct sct_desc d;
    const void *data;
    char want[96], have[96];
    if (p->kept && !sct_adapter_find(a, name))
        return SCT_OK; /* it follows from the base */
    SCT_TRY(sct_adapter_get(a, name, &d, &data, err));
    if (!sct_desc_same_dims(&d, &p->t->desc) || d.dtype != p->t->desc.dtype)
        return sct_fail(err, SCT_EFILE, "%s: tensor %s: expected %s, found %s", a->origin, name,
                        sct_desc_text(&p->t->desc, want, sizeof want),
                        sct_desc_text(&d, have, sizeof have));
    const size_t bytes = (size_t)sct_desc_count(&d) * sct_dtype_bytes(d.dtype);
    if (p->is_index) {
        if (memcmp(p->host, data, bytes) != 0)
            return sct_fail(
                err, SCT_EFILE,
                "%s: the strategy was rebuilt with other indices than the stored %s", a->origin,
                name);
        return SCT_OK;
    }
    p->host = sct_arena_alloc(&m->arena, bytes);
    if (!p->host)
        return sct_nomem(err);
    memcpy(p->host, data, bytes);
    return SCT_OK;
}

sct_status sct_adapter_fill(struct sct_adapter *a, struct sct_model *m, sct_error *err)
{
    for (uint32_t i = 0; i < m->n_param; i++)
        if (sct_param_is_stored(m->param[i]))
            SCT_TRY(sct_adapter_fill_param(a, m->param[i]->name, m, m->param[i], err));
    return sct_adapter_leftover(a, err);
}

sct_status sct_adapter_leftover(const struct sct_adapter *a, sct_error *err)
{
    for (uint32_t i = 0; i < a->n; i++)
        if (!a->item[i].used)
            return sct_fail(
                err, SCT_EFILE,
                "%s: tensor %s has no place in this model; is it an adapter of another "
                "strategy or model?",
                a->origin, a->item[i].name);
    return SCT_OK;
}
