/* SPDX-License-Identifier: MIT
 * parts.c - tensors and options of an adapter folder, strategy by strategy.
 * Whoever is alone in a folder has all of it; nothing of such a folder depends on there being
 * compositions. */
#include "core/adapter/parts.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/status.h"
#include "core/graphs/graphs.h"
#include "core/io/file.h"

enum { ALONE = 1, COMPOSED = 2 }; /* format_version */

/* ---- saving ---- */

/* Where the values come from. */
struct saved {
    const struct sct_model *m;
    const struct sct_optim *average; /* NULL: the parameters themselves */
    struct sct_open_device *d;       /* NULL: what they were loaded with */
};

/* Everything that is saved of a model (all), or what part `number` added of it; 0: the rest. */
static sct_status gather(struct sct_adapter *a, const struct saved *s, bool all,
                         uint32_t number, sct_error *err)
{
    uint32_t trained = 0;
    for (uint32_t i = 0; i < s->m->n_param; i++) {
        const struct sct_param *p = s->m->param[i];
        const struct sct_tensor *t =
            s->average && p->trainable ? &s->average->average[trained] : p->t;
        trained += p->trainable;
        const bool head = sct_name_is_head(p->name);
        if ((!sct_param_is_stored(p) && !head) || (!all && p->part.number != number))
            continue;
        const uint64_t n = sct_desc_count(&p->t->desc);
        void *v = sct_calloc((size_t)n, 4);
        if (!v)
            return sct_nomem(err);
        sct_status rc = s->d && p->trainable && sct_store_has(s->d->store, t)
                            ? sct_store_read(s->d->store, t, v, err)
                            : t->load(t, v, err);
        if (rc == SCT_OK)
            rc = sct_adapter_put(a, p->given, &p->t->desc, v, err);
        sct_free(v);
        SCT_TRY(rc);
    }
    return SCT_OK;
}

static json_t *options_json(const struct sct_part *p)
{
    json_t *options = json_object();
    for (uint32_t k = 0; k < p->n_set; k++)
        json_object_set_new(options, p->set[k].key, json_string(p->set[k].value));
    return options;
}

static void put_keys(json_t *to, const struct sct_adapter *a)
{
    for (uint32_t k = 0; k < a->n_key; k++)
        json_object_set_new(to, a->key[k].key,
                            json_loads(a->key[k].json, JSON_DECODE_ANY, NULL));
}

/* *a with what the strategy has to add, in its form on disk if it has one. */
static sct_status to_disk(struct sct_adapter **a, const struct sct_part *p, sct_error *err)
{
    SCT_TRY(sct_strategy_save(&p->run, *a, err));
    return sct_strategy_to_disk(&p->run, a, err);
}

/* The same in the names of transformers, which are given to its form on disk. */
static sct_status to_hf(struct sct_adapter **a, const struct sct_part *p,
                        const struct sct_model_config *cfg, sct_error *err)
{
    struct sct_adapter *disk = sct_adapter_create((*a)->origin),
                       *hf = sct_adapter_create((*a)->origin);
    sct_status rc = disk && hf ? sct_strategy_save(&p->run, *a, err) : sct_nomem(err);
    if (rc == SCT_OK)
        rc = p->run.s->to_disk(p->run.state, sct_strategy_host_table(), *a, disk, err);
    if (rc == SCT_OK)
        rc = sct_peft_to_hf(*a, disk, cfg, hf, err);
    sct_adapter_destroy(&disk);
    sct_adapter_destroy(rc == SCT_OK ? a : &hf);
    *a = rc == SCT_OK ? hf : *a;
    return rc;
}

static sct_status save_alone(struct sct_adapter *all, json_t *root, json_t *own,
                             struct sct_adapter **disk, const struct sct_part *p,
                             const struct sct_model_config *cfg, uint32_t names, sct_error *err)
{
    const bool hf = names == SCT_PEFT_HF && p->run.s->to_disk;
    *disk = all;
    SCT_TRY(hf ? to_hf(disk, p, cfg, err) : to_disk(disk, p, err));
    put_keys(root, *disk);
    json_object_set_new(own, "format_version", json_integer(ALONE));
    json_object_set_new(own, "strategy", json_string(p->run.s->name));
    if (hf)
        json_object_set_new(own, "names", json_string(sct_peft_names_words[names]));
    json_object_set_new(own, "options", options_json(p));
    return SCT_OK;
}

/* Moves a part's tensors among the others. names: receives what they are called there. */
static sct_status store_part(struct sct_adapter *all, const struct sct_adapter *a,
                             const char *label, json_t *names, sct_error *err)
{
    for (uint32_t i = 0; i < a->n; i++) {
        const struct sct_adapter_tensor *x = &a->item[i];
        const char *name = x->name;
        if (sct_adapter_find(all, name) &&
            !(name = sct_arena_printf(&all->arena, "%s/%s", label, name)))
            return sct_nomem(err);
        SCT_TRY(sct_adapter_put(all, name, &x->desc, x->data, err));
        if (json_array_append_new(names, json_string(name)) != 0)
            return sct_nomem(err);
    }
    return SCT_OK;
}

static sct_status save_part(struct sct_adapter *all, json_t *list, const struct saved *s,
                            const struct sct_part *p, uint32_t number, sct_error *err)
{
    struct sct_adapter *a = sct_adapter_create(all->origin);
    sct_status rc = a ? gather(a, s, false, number, err) : sct_nomem(err);
    if (rc == SCT_OK)
        rc = to_disk(&a, p, err);
    /* a form that has a peft_type is a folder of its own: this is none */
    const bool foreign = rc == SCT_OK && sct_adapter_get_key(a, "peft_type");
    if (foreign) {
        sct_adapter_destroy(&a);
        a = sct_adapter_create(all->origin);
        rc = a ? gather(a, s, false, number, err) : sct_nomem(err);
        if (rc == SCT_OK)
            rc = sct_strategy_save(&p->run, a, err);
    }
    json_t *o = json_object(), *keys = json_object(), *names = json_array();
    json_object_set_new(o, "name", json_string(p->label));
    json_object_set_new(o, "strategy", json_string(p->run.s->name));
    json_object_set_new(o, "options", options_json(p));
    if (p->run.s->to_disk)
        json_object_set_new(o, "to_disk", json_boolean(!foreign));
    if (rc == SCT_OK && a->n_key) {
        put_keys(keys, a);
        json_object_set(o, "keys", keys);
    }
    if (rc == SCT_OK)
        rc = store_part(all, a, p->label, names, err);
    json_object_set(o, "tensors", names);
    json_decref(keys);
    json_decref(names);
    json_array_append_new(list, o);
    sct_adapter_destroy(&a);
    return rc;
}

sct_status sct_adapter_parts_save(struct sct_adapter **disk, json_t *root, json_t *own,
                                  const char *dir, uint32_t names, const struct sct_model *m,
                                  const struct sct_optim *average, struct sct_open_device *d,
                                  const struct sct_tuner *t, sct_error *err)
{
    const struct saved s = {m, average, d};
    struct sct_adapter *all = sct_adapter_create(dir);
    char type[sizeof t->name];
    (void)snprintf(type, sizeof type, "%s", t->n == 1 ? t->part[0].run.s->name : t->name);
    for (char *c = type; *c; c++)
        if (*c >= 'a' && *c <= 'z')
            *c = (char)(*c - 32);
    json_object_set_new(root, "peft_type", json_string(type));
    *disk = all;
    sct_status rc = all ? gather(all, &s, t->n == 1, 0, err) : sct_nomem(err);
    if (rc == SCT_OK && t->n == 1) {
        rc = save_alone(all, root, own, disk, &t->part[0], &m->cfg, names, err);
    } else if (rc == SCT_OK) {
        json_t *list = json_array();
        json_object_set_new(own, "format_version", json_integer(COMPOSED));
        json_object_set_new(own, "strategies", list);
        for (uint32_t k = 0; rc == SCT_OK && k < t->n; k++)
            rc = save_part(all, list, &s, &t->part[k], k + 1, err);
    }
    if (rc != SCT_OK)
        sct_adapter_destroy(disk);
    return rc;
}

/* ---- reading ---- */

static sct_status get_options(struct sct_adapter_parts *p, struct sct_adapter_part *part,
                              const json_t *options, const struct sct_json_at *at,
                              sct_error *err)
{
    const char *key;
    json_t *value;
    part->set = sct_arena_alloc(&p->arena, (json_object_size(options) + 1) * sizeof *part->set);
    if (!part->set)
        return sct_nomem(err);
    json_object_foreach((json_t *)(uintptr_t)options, key, value)
    {
        if (!json_is_string(value))
            return sct_fail(err, SCT_EFILE, "%s: expected a string at %s.options.%s", at->file,
                            at->path, key);
        struct sct_set *s = &part->set[part->n_set++];
        s->key = sct_arena_strdup(&p->arena, key);
        s->value = sct_arena_strdup(&p->arena, json_string_value(value));
        (void)snprintf(s->where, sizeof s->where, "%.150s", at->file);
        if (!s->key || !s->value)
            return sct_nomem(err);
    }
    return SCT_OK;
}

static sct_status get_tensor(struct sct_adapter *a, const char *name, const struct sct_st *st,
                             const struct sct_st_tensor *x, sct_error *err)
{
    struct sct_desc d = {SCT_F32, x->nd, {0}, 0};
    if (x->dtype == SCT_ST_I32 || x->dtype == SCT_ST_I64)
        d.dtype = SCT_I32;
    if (x->nd > SCT_MAX_DIMS || x->count == 0 || x->count > UINT32_MAX)
        return sct_fail(err, SCT_EFILE, "%s: tensor %s has an impossible shape",
                        sct_st_path(st), x->name);
    for (uint32_t k = 0; k < x->nd; k++)
        d.dim[k] = (uint32_t)x->dim[k];
    void *v = sct_calloc((size_t)x->count, 4);
    if (!v)
        return sct_nomem(err);
    sct_status rc =
        d.dtype == SCT_I32 ? sct_st_read_i32(st, x, v, err) : sct_st_read_f32(st, x, v, err);
    if (rc == SCT_OK)
        rc = sct_adapter_put(a, name, &d, v, err);
    sct_free(v);
    return rc;
}

sct_status sct_adapter_parts_stored(struct sct_adapter *a, const struct sct_st *st,
                                    sct_error *err)
{
    for (size_t i = 0; i < sct_st_count(st); i++) {
        const struct sct_st_tensor *x = sct_st_at(st, i);
        SCT_TRY(get_tensor(a, x->name, st, x, err));
    }
    return SCT_OK;
}

static sct_status get_keys(struct sct_adapter *a, const json_t *from, sct_error *err)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)from, key, value)
    {
        char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
        const sct_status rc = text ? sct_adapter_put_key(a, key, text, err) : sct_nomem(err);
        free(text);
        SCT_TRY(rc);
    }
    return SCT_OK;
}

/* The tensors that a part's list names. taken: [tensors of the file]. */
static sct_status get_own(struct sct_adapter_part *part, const json_t *names,
                          const struct sct_json_at *at, const struct sct_st *st, bool *taken,
                          sct_error *err)
{
    const size_t prefix = strlen(part->label);
    for (size_t i = 0; i < json_array_size(names); i++) {
        const char *name = json_string_value(json_array_get(names, i)), *local = name;
        const struct sct_st_tensor *x = sct_st_find(st, name);
        if (!x)
            return sct_fail(err, SCT_EFILE, "%s: tensor %.200s is missing; %s.tensors names it",
                            sct_st_path(st), name, at->path);
        const size_t k = (size_t)(x - sct_st_at(st, 0));
        if (taken[k])
            return sct_fail(err, SCT_EFILE, "%s: %s.tensors: %.200s is named twice", at->file,
                            at->path, name);
        taken[k] = true;
        if (strncmp(name, part->label, prefix) == 0 && name[prefix] == '/')
            local = name + prefix + 1;
        SCT_TRY(get_tensor(part->own, local, st, x, err));
    }
    return SCT_OK;
}

static sct_status get_part(struct sct_adapter_parts *p, struct sct_adapter_part *part,
                           const struct sct_json_at *at, const struct sct_adapter_folder *f,
                           const char *dir, bool *taken, sct_error *err)
{
    const json_t *options = NULL, *names = NULL, *keys = NULL;
    const char *label = NULL, *strategy = NULL;
    size_t n = 0;
    int form = 0;
    SCT_TRY(sct_json_get_str(at, "name", SCT_JSON_REQUIRED, &label, err));
    SCT_TRY(sct_json_get_str(at, "strategy", SCT_JSON_REQUIRED, &strategy, err));
    SCT_TRY(sct_json_get_object(at, "options", SCT_JSON_REQUIRED, &options, err));
    SCT_TRY(sct_json_get_bool(at, "to_disk", SCT_JSON_OPTIONAL, &form, err));
    SCT_TRY(sct_json_get_object(at, "keys", SCT_JSON_OPTIONAL, &keys, err));
    SCT_TRY(sct_json_get_strings(at, "tensors", SCT_JSON_REQUIRED, &names, &n, err));
    part->label = sct_arena_strdup(&p->arena, label);
    part->strategy = sct_arena_strdup(&p->arena, strategy);
    part->own = sct_adapter_create(dir);
    part->to_disk = form != 0;
    if (!part->label || !part->strategy || !part->own)
        return sct_nomem(err);
    SCT_TRY(get_options(p, part, options, at, err));
    SCT_TRY(get_keys(part->own, keys, err));
    return get_own(part, names, at, f->tensors, taken, err);
}

static sct_status get_parts(struct sct_adapter_parts *p, const struct sct_json_at *own,
                            const struct sct_adapter_folder *f, const char *dir, bool *taken,
                            sct_error *err)
{
    const json_t *list = NULL;
    SCT_TRY(sct_json_get_array(own, "strategies", SCT_JSON_REQUIRED, &list, err));
    const size_t n = json_array_size(list);
    p->part = n ? sct_arena_alloc(&p->arena, n * sizeof *p->part) : NULL;
    if (!p->part)
        return n ? sct_nomem(err)
                 : sct_fail(err, SCT_EFILE, "%s: sctrun.strategies names none", own->file);
    for (size_t i = 0; i < n; i++) {
        char path[64];
        (void)snprintf(path, sizeof path, "sctrun.strategies[%zu]", i);
        const struct sct_json_at at = {json_array_get(list, i), own->file, path, SCT_EFILE};
        if (!json_is_object(at.obj))
            return sct_fail(err, SCT_EFILE, "%s: expected an object at %s", own->file, path);
        p->n++;
        SCT_TRY(get_part(p, &p->part[i], &at, f, dir, taken, err));
    }
    if (!(p->rest = sct_adapter_create(dir)))
        return sct_nomem(err);
    for (size_t i = 0; i < sct_st_count(f->tensors); i++) {
        const struct sct_st_tensor *x = sct_st_at(f->tensors, i);
        if (!taken[i])
            SCT_TRY(get_tensor(p->rest, x->name, f->tensors, x, err));
    }
    return SCT_OK;
}

static sct_status get_names(struct sct_adapter_parts *p, const struct sct_json_at *own,
                            sct_error *err)
{
    const char *names = sct_peft_names_words[SCT_PEFT_TIMM];
    SCT_TRY(sct_json_get_str(own, "names", SCT_JSON_OPTIONAL, &names, err));
    while (sct_peft_names_words[p->names] && strcmp(names, sct_peft_names_words[p->names]) != 0)
        p->names++;
    return sct_peft_names_words[p->names]
               ? SCT_OK
               : sct_fail(err, SCT_EFILE,
                          "%s: expected timm or hf at sctrun.names, found \"%.40s\"", own->file,
                          names);
}

static sct_status get_alone(struct sct_adapter_parts *p, const struct sct_json_at *own,
                            const struct sct_adapter_folder *f, const char *dir, sct_error *err)
{
    const json_t *options = NULL;
    const char *strategy;
    SCT_TRY(sct_json_get_str(own, "strategy", SCT_JSON_REQUIRED, &strategy, err));
    SCT_TRY(get_names(p, own, err));
    SCT_TRY(sct_json_get_object(own, "options", SCT_JSON_REQUIRED, &options, err));
    p->part = sct_arena_alloc(&p->arena, sizeof *p->part);
    if (!p->part)
        return sct_nomem(err);
    p->n = 1;
    struct sct_adapter_part *part = &p->part[0];
    part->label = part->strategy = sct_arena_strdup(&p->arena, strategy);
    part->own = sct_adapter_create(dir);
    part->to_disk = true;
    if (!part->label || !part->own)
        return sct_nomem(err);
    SCT_TRY(get_options(p, part, options, own, err));
    SCT_TRY(sct_adapter_parts_stored(part->own, f->tensors, err));
    return get_keys(part->own, f->config, err);
}

sct_status sct_adapter_parts_read(struct sct_adapter_parts *p,
                                  const struct sct_adapter_folder *f, const char *dir,
                                  sct_error *err)
{
    const struct sct_json_at own = {json_object_get(f->config, "sctrun"), f->config_path,
                                    "sctrun", SCT_EFILE};
    uint32_t version;
    memset(p, 0, sizeof *p);
    SCT_TRY(sct_json_get_u32(&own, "format_version", SCT_JSON_REQUIRED, ALONE, COMPOSED,
                             &version, err));
    sct_status rc;
    if (version == COMPOSED) {
        bool *taken = sct_calloc(sct_st_count(f->tensors) + 1, sizeof *taken);
        rc = taken ? get_parts(p, &own, f, dir, taken, err) : sct_nomem(err);
        sct_free(taken);
    } else {
        rc = get_alone(p, &own, f, dir, err);
    }
    if (rc != SCT_OK)
        sct_adapter_parts_fini(p);
    return rc;
}

/* Is there one pair for the fused qkv among the targets? */
static bool fused_qkv(const struct sct_adapter_part *part)
{
    const char *targets = "";
    for (uint32_t i = 0; i < part->n_set; i++)
        if (strcmp(part->set[i].key, "targets") == 0)
            targets = part->set[i].value;
    return strstr(targets, "qkv") != NULL;
}

static sct_status from_hf(struct sct_adapter_part *part, const struct sct_model_config *cfg,
                          sct_error *err)
{
    size_t n;
    struct sct_adapter *own = sct_adapter_create(part->own->origin);
    const sct_status rc =
        own ? sct_peft_from_hf(part->own, cfg, fused_qkv(part), own, NULL, &n, err)
            : sct_nomem(err);
    sct_adapter_destroy(rc == SCT_OK ? &part->own : &own);
    part->own = rc == SCT_OK ? own : part->own;
    return rc;
}

sct_status sct_adapter_parts_tune(struct sct_adapter_parts *p,
                                  const struct sct_model_config *cfg, struct sct_tuner *t,
                                  sct_error *err)
{
    for (uint32_t k = 0; k < p->n; k++) {
        struct sct_adapter_part *part = &p->part[k];
        SCT_TRY(sct_tuner_add(t, part->strategy, part->set, part->n_set, err));
        struct sct_strategy_run *run = &t->part[t->n - 1].run;
        if (part->to_disk && p->names == SCT_PEFT_HF && run->s->from_disk)
            SCT_TRY(from_hf(part, cfg, err));
        else if (part->to_disk)
            SCT_TRY(sct_strategy_from_disk(run, &part->own, err));
        part->to_disk = false;
    }
    return SCT_OK;
}

void sct_adapter_parts_fini(struct sct_adapter_parts *p)
{
    for (uint32_t k = 0; k < p->n; k++)
        sct_adapter_destroy(&p->part[k].own);
    sct_adapter_destroy(&p->rest);
    sct_arena_free(&p->arena);
    memset(p, 0, sizeof *p);
}
