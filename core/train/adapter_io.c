/* SPDX-License-Identifier: MIT
 * adapter_io.c - writing an adapter folder from a trained model, and reading one. */
#include "core/train/adapter_io.h"

#include <string.h>

#include "core/base/status.h"
#include "core/model/build.h"
#include "core/train/model_io.h"
#include "core/train/peft_folder.h"
#include "core/train/preprocess_io.h"

enum { FORMAT_VERSION = 1 };

/* ---- saving ---- */

static sct_status gather(struct sct_adapter *a, const struct sct_model *m,
                         struct sct_open_device *d, sct_error *err)
{
    for (uint32_t i = 0; i < m->n_param; i++) {
        const struct sct_param *p = m->param[i];
        const bool head = sct_name_is_head(p->name);
        if (!sct_param_is_stored(p) && !head)
            continue;
        const uint64_t n = sct_desc_count(&p->t->desc);
        void *v = sct_calloc((size_t)n, 4);
        if (!v)
            return sct_nomem(err);
        sct_status rc = d && p->trainable && sct_store_has(d->store, p->t)
                            ? sct_store_read(d->store, p->t, v, err)
                            : p->t->load(p->t, v, err);
        if (rc == SCT_OK)
            rc = sct_adapter_put(a, p->name, &p->t->desc, v, err);
        sct_free(v);
        SCT_TRY(rc);
    }
    return SCT_OK;
}

static json_t *config_json(const struct sct_tuner *t, const struct sct_adapter_info *i,
                           const struct sct_adapter *disk)
{
    char type[64];
    json_t *root = json_object(), *base = json_object(), *options = json_object();
    (void)snprintf(type, sizeof type, "%s", i->strategy);
    for (char *p = type; *p; p++)
        if (*p >= 'a' && *p <= 'z')
            *p = (char)(*p - 32);
    json_object_set_new(root, "peft_type", json_string(type));
    for (uint32_t k = 0; k < disk->n_key; k++)
        if (strcmp(disk->key[k].key, "modules") != 0)
            json_object_set_new(root, disk->key[k].key,
                                json_loads(disk->key[k].json, JSON_DECODE_ANY, NULL));
    json_t *own = json_object();
    json_object_set_new(own, "format_version", json_integer(FORMAT_VERSION));
    json_object_set_new(own, "strategy", json_string(i->strategy));
    if (i->names != SCT_PEFT_TIMM)
        json_object_set_new(own, "names", json_string(sct_peft_names_words[i->names]));
    for (uint32_t k = 0; k < i->n_set; k++)
        json_object_set_new(options, i->set[k].key, json_string(i->set[k].value));
    json_object_set_new(own, "options", options);
    json_object_set_new(base, "architecture", json_string(i->model.name));
    json_object_set_new(base, "config", sct_model_json(&i->model));
    json_object_set_new(base, "sha256", json_string(i->base_hash));
    json_object_set_new(base, "weights", json_string(i->weights));
    if (i->dialect[0])
        json_object_set_new(base, "dialect", json_string(i->dialect));
    if (i->interp != SCT_INTERP_NONE)
        json_object_set_new(base, "interp",
                            json_string(sct_interp_name((enum sct_interp)i->interp)));
    if (strcmp(i->weights, "random") == 0)
        json_object_set_new(base, "seed", json_integer(i->base_seed));
    json_object_set_new(own, "base", base);
    json_object_set_new(own, "preprocess", sct_preprocess_to_json(&i->pre));
    json_t *names = i->class_names ? json_array() : json_null();
    for (uint32_t k = 0; i->class_names && k < i->model.classes; k++)
        json_array_append_new(names, json_string(i->class_names[k]));
    json_object_set_new(own, "class_names", names);
    json_t *map = i->map.count ? json_object() : NULL;
    for (uint32_t k = 0; k < i->map.count; k++)
        json_object_set_new(map, i->map.pair[k].name, json_integer(i->map.pair[k].index));
    if (map)
        json_object_set_new(own, "class_map", map);
    if (i->layout[0])
        json_object_set_new(own, "data",
                            json_pack("{s:s, s:s, s:s}", "layout", i->layout, "folder_order",
                                      i->folder_order, "vtab_task", i->task));
    json_object_set_new(root, "sctrun", own);
    (void)t;
    return root;
}

static sct_status write_folder(const char *dir, const struct sct_tuner *t,
                               const struct sct_adapter_info *info, const struct sct_adapter *a,
                               sct_error *err)
{
    struct sct_st_item *item = sct_calloc(a->n ? a->n : 1, sizeof *item);
    json_t *root = config_json(t, info, a);
    sct_status rc = item && root ? SCT_OK : sct_nomem(err);
    const char *type = json_string_value(json_object_get(root, "peft_type"));
    if (rc == SCT_OK && type && strcmp(type, "LORA") == 0)
        rc = sct_peft_folder_keys(root, sct_adapter_get_key(a, "modules"), info->model.arch,
                                  info->names == SCT_PEFT_HF, err);
    for (uint32_t i = 0; rc == SCT_OK && i < a->n; i++) {
        const struct sct_adapter_tensor *x = &a->item[i];
        const bool f32 = x->desc.dtype == SCT_F32;
        item[i] = (struct sct_st_item){.name = x->name,
                                       .dim = x->desc.dim,
                                       .data = f32 ? NULL : x->data,
                                       .f32 = f32 ? x->data : NULL,
                                       .dtype = f32 ? SCT_ST_F32 : SCT_ST_I32,
                                       .nd = x->desc.nd};
    }
    if (rc == SCT_OK)
        rc = sct_adapter_folder_write(dir, root, item, a->n, NULL, 0, err);
    json_decref(root);
    sct_free(item);
    return rc;
}

sct_status sct_adapter_save(const char *dir, const struct sct_model *m,
                            struct sct_open_device *d, const struct sct_tuner *t,
                            const struct sct_adapter_info *info, sct_error *err)
{
    struct sct_adapter *a = sct_adapter_create(dir), *disk = NULL, *hf = NULL;
    sct_status rc = a ? gather(a, m, d, err) : sct_nomem(err);
    if (rc == SCT_OK)
        rc = sct_strategy_save(&t->run, a, err);
    if (rc == SCT_OK && t->run.s->to_disk) {
        disk = sct_adapter_create(dir);
        rc = disk ? t->run.s->to_disk(t->run.state, sct_strategy_host_table(), a, disk, err)
                  : sct_nomem(err);
    }
    if (rc == SCT_OK && disk && info->names == SCT_PEFT_HF) {
        hf = sct_adapter_create(dir);
        rc = hf ? sct_peft_to_hf(a, disk, &info->model, hf, err) : sct_nomem(err);
    }
    if (rc == SCT_OK)
        rc = write_folder(dir, t, info, hf ? hf : disk ? disk : a, err);
    sct_adapter_destroy(&a);
    sct_adapter_destroy(&disk);
    sct_adapter_destroy(&hf);
    return rc;
}

/* ---- loading ---- */

static sct_status get_options(struct sct_adapter_info *info, const json_t *options,
                              const char *file, sct_error *err)
{
    const char *key;
    json_t *value;
    info->set =
        sct_arena_alloc(&info->arena, (json_object_size(options) + 1) * sizeof *info->set);
    if (!info->set)
        return sct_nomem(err);
    json_object_foreach((json_t *)(uintptr_t)options, key, value)
    {
        if (!json_is_string(value))
            return sct_fail(err, SCT_EFILE, "%s: expected a string at sctrun.options.%s", file,
                            key);
        struct sct_set *s = &info->set[info->n_set++];
        s->key = sct_arena_strdup(&info->arena, key);
        s->value = sct_arena_strdup(&info->arena, json_string_value(value));
        (void)snprintf(s->where, sizeof s->where, "%.150s", file);
        if (!s->key || !s->value)
            return sct_nomem(err);
    }
    return SCT_OK;
}

static sct_status get_class_names(struct sct_adapter_info *info, const struct sct_json_at *own,
                                  sct_error *err)
{
    const json_t *names = NULL;
    size_t n = 0;
    SCT_TRY(sct_json_get_strings(own, "class_names", SCT_JSON_OPTIONAL, &names, &n, err));
    if (!names)
        return SCT_OK;
    if (n != info->model.classes)
        return sct_fail(err, SCT_EFILE, "%s: %zu class names for %u classes", own->file, n,
                        info->model.classes);
    const char **list = sct_arena_alloc(&info->arena, n * sizeof *list);
    for (size_t i = 0; list && i < n; i++)
        if (!(list[i] =
                  sct_arena_strdup(&info->arena, json_string_value(json_array_get(names, i)))))
            list = NULL;
    info->class_names = list;
    return list ? SCT_OK : sct_nomem(err);
}

/* What training knew of its data: the numbers of --class-map and the layout. */
static sct_status get_data(struct sct_adapter_info *info, const struct sct_json_at *own,
                           sct_error *err)
{
    const json_t *map = NULL, *data = NULL;
    const char *key, *layout = "", *order = "", *task = "";
    json_t *value;
    SCT_TRY(sct_json_get_object(own, "class_map", SCT_JSON_OPTIONAL, &map, err));
    info->map.pairs = true;
    json_object_foreach((json_t *)(uintptr_t)map, key, value)
    {
        if (!json_is_integer(value) || json_integer_value(value) < 0 ||
            json_integer_value(value) >= (json_int_t)info->model.classes)
            return sct_fail(err, SCT_EFILE,
                            "%s: expected a number below %u at sctrun.class_map.%.200s",
                            own->file, info->model.classes, key);
        SCT_TRY(sct_class_map_add(&info->map, key, strlen(key),
                                  (uint32_t)json_integer_value(value), err));
    }
    SCT_TRY(sct_json_get_object(own, "data", SCT_JSON_OPTIONAL, &data, err));
    if (!data)
        return SCT_OK;
    const struct sct_json_at at = {data, own->file, "sctrun.data", SCT_EFILE};
    SCT_TRY(sct_json_get_str(&at, "layout", SCT_JSON_OPTIONAL, &layout, err));
    SCT_TRY(sct_json_get_str(&at, "folder_order", SCT_JSON_OPTIONAL, &order, err));
    SCT_TRY(sct_json_get_str(&at, "vtab_task", SCT_JSON_OPTIONAL, &task, err));
    (void)snprintf(info->layout, sizeof info->layout, "%s", layout);
    (void)snprintf(info->folder_order, sizeof info->folder_order, "%s", order);
    (void)snprintf(info->task, sizeof info->task, "%s", task);
    return SCT_OK;
}

sct_status sct_adapter_classes(const struct sct_adapter_info *info, struct sct_class_map *m,
                               sct_error *err)
{
    sct_status rc = SCT_OK;
    uint32_t known;
    if (!info->map.count && info->class_names)
        return sct_class_map_names(m, info->class_names, info->model.classes, "the adapter",
                                   err);
    memset(m, 0, sizeof *m);
    if (!info->map.count || !info->class_names)
        return SCT_OK;
    m->pairs = true;
    for (uint32_t i = 0; rc == SCT_OK && i < info->map.count; i++)
        rc = sct_class_map_add(m, info->map.pair[i].name, strlen(info->map.pair[i].name),
                               info->map.pair[i].index, err);
    /* what stands for a class without a name may be the name of another one */
    for (uint32_t i = 0; rc == SCT_OK && i < info->model.classes; i++)
        if (!sct_class_map_find(&info->map, info->class_names[i], &known) || known == i)
            rc = sct_class_map_add(m, info->class_names[i], strlen(info->class_names[i]), i,
                                   err);
    if (rc == SCT_OK)
        rc = sct_class_map_finish(m, "the adapter", err);
    if (rc != SCT_OK)
        sct_class_map_fini(m);
    return rc;
}

static sct_status get_info(struct sct_adapter_info *info, const struct sct_adapter_folder *f,
                           sct_error *err)
{
    const struct sct_json_at root = {f->config, f->config_path, "", SCT_EFILE};
    const json_t *own_obj = NULL, *base_obj = NULL, *config = NULL, *options = NULL;
    const char *strategy, *arch, *hash, *weights = "", *dialect = "", *interp = "none",
                                        *names = sct_peft_names_words[SCT_PEFT_TIMM];
    uint32_t version;
    if (!json_object_get(f->config, "sctrun"))
        return sct_fail(err, SCT_EFILE,
                        "%s: key sctrun is missing: the adapter was not written by sctrun; "
                        "sctrun convert reads folders of peft",
                        f->config_path);
    SCT_TRY(sct_json_get_object(&root, "sctrun", SCT_JSON_REQUIRED, &own_obj, err));
    const struct sct_json_at own = {own_obj, f->config_path, "sctrun", SCT_EFILE};
    SCT_TRY(sct_json_get_u32(&own, "format_version", SCT_JSON_REQUIRED, 1, FORMAT_VERSION,
                             &version, err));
    SCT_TRY(sct_json_get_str(&own, "strategy", SCT_JSON_REQUIRED, &strategy, err));
    SCT_TRY(sct_json_get_str(&own, "names", SCT_JSON_OPTIONAL, &names, err));
    while (sct_peft_names_words[info->names] &&
           strcmp(names, sct_peft_names_words[info->names]) != 0)
        info->names++;
    if (!sct_peft_names_words[info->names])
        return sct_fail(err, SCT_EFILE,
                        "%s: expected timm or hf at sctrun.names, found \"%.40s\"",
                        f->config_path, names);
    SCT_TRY(sct_json_get_object(&own, "base", SCT_JSON_REQUIRED, &base_obj, err));
    const struct sct_json_at base = {base_obj, f->config_path, "sctrun.base", SCT_EFILE};
    SCT_TRY(sct_json_get_str(&base, "architecture", SCT_JSON_REQUIRED, &arch, err));
    SCT_TRY(sct_json_get_str(&base, "sha256", SCT_JSON_REQUIRED, &hash, err));
    SCT_TRY(sct_json_get_str(&base, "weights", SCT_JSON_OPTIONAL, &weights, err));
    SCT_TRY(sct_json_get_u32(&base, "seed", SCT_JSON_OPTIONAL, 0, UINT32_MAX, &info->base_seed,
                             err));
    SCT_TRY(sct_json_get_str(&base, "dialect", SCT_JSON_OPTIONAL, &dialect, err));
    SCT_TRY(sct_json_get_str(&base, "interp", SCT_JSON_OPTIONAL, &interp, err));
    if ((info->interp = sct_interp_find(interp)) == SCT_INTERP_COUNT)
        return sct_fail(err, SCT_EFILE,
                        "%s: expected one of %s at sctrun.base.interp, found \"%.80s\"",
                        f->config_path, SCT_INTERP_WORDS, interp);
    SCT_TRY(sct_json_get_object(&base, "config", SCT_JSON_REQUIRED, &config, err));
    const struct sct_json_at mc = {config, f->config_path, "sctrun.base.config", SCT_EFILE};
    SCT_TRY(sct_model_json_read(&info->model, &mc, err));
    SCT_TRY(sct_preprocess_from_json(&info->pre, &own, err));
    (void)snprintf(info->model.name, sizeof info->model.name, "%s", arch);
    (void)snprintf(info->strategy, sizeof info->strategy, "%s", strategy);
    (void)snprintf(info->base_hash, sizeof info->base_hash, "%s", hash);
    (void)snprintf(info->weights, sizeof info->weights, "%s", weights);
    (void)snprintf(info->dialect, sizeof info->dialect, "%s", dialect);
    memcpy(info->model.mean, info->pre.mean, sizeof info->model.mean);
    memcpy(info->model.std, info->pre.std, sizeof info->model.std);
    SCT_TRY(sct_json_get_object(&own, "options", SCT_JSON_REQUIRED, &options, err));
    SCT_TRY(get_options(info, options, f->config_path, err));
    SCT_TRY(get_class_names(info, &own, err));
    SCT_TRY(get_data(info, &own, err));
    return info->map.count ? sct_class_map_finish(&info->map, f->config_path, err) : SCT_OK;
}

sct_status sct_adapter_tensors(struct sct_adapter *a, const struct sct_st *st, sct_error *err)
{
    for (size_t i = 0; i < sct_st_count(st); i++) {
        const struct sct_st_tensor *x = sct_st_at(st, i);
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
        sct_status rc = d.dtype == SCT_I32 ? sct_st_read_i32(st, x, v, err)
                                           : sct_st_read_f32(st, x, v, err);
        if (rc == SCT_OK)
            rc = sct_adapter_put(a, x->name, &d, v, err);
        sct_free(v);
        SCT_TRY(rc);
    }
    return SCT_OK;
}

static sct_status get_keys(struct sct_adapter *a, json_t *root, sct_error *err)
{
    const char *key;
    json_t *value;
    json_object_foreach(root, key, value)
    {
        char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
        const sct_status rc = text ? sct_adapter_put_key(a, key, text, err) : sct_nomem(err);
        free(text);
        SCT_TRY(rc);
    }
    return SCT_OK;
}

sct_status sct_adapter_open(struct sct_adapter_info *info, struct sct_adapter **a,
                            const char *dir, sct_error *err)
{
    struct sct_adapter_folder f;
    memset(info, 0, sizeof *info);
    *a = NULL;
    SCT_TRY(sct_adapter_folder_open(&f, dir, err));
    sct_status rc = get_info(info, &f, err);
    if (rc == SCT_OK)
        rc = (*a = sct_adapter_create(dir)) ? SCT_OK : sct_nomem(err);
    if (rc == SCT_OK)
        rc = sct_adapter_tensors(*a, f.tensors, err);
    if (rc == SCT_OK)
        rc = get_keys(*a, f.config, err);
    sct_adapter_folder_close(&f);
    if (rc != SCT_OK) {
        sct_adapter_destroy(a);
        sct_adapter_info_fini(info);
    }
    return rc;
}

/* Is there one pair for the fused qkv among the targets? */
static bool fused_qkv(const struct sct_adapter_info *info)
{
    const char *targets = "";
    for (uint32_t i = 0; i < info->n_set; i++)
        if (strcmp(info->set[i].key, "targets") == 0)
            targets = info->set[i].value;
    return strstr(targets, "qkv") != NULL;
}

sct_status sct_adapter_own_form(struct sct_adapter **a, const struct sct_adapter_info *info,
                                struct sct_tuner *t, sct_error *err)
{
    size_t n;
    if (!t->run.s->from_disk)
        return SCT_OK;
    struct sct_adapter *own = sct_adapter_create((*a)->origin);
    sct_status rc = own ? SCT_OK : sct_nomem(err);
    if (rc == SCT_OK && info->names == SCT_PEFT_HF)
        rc = sct_peft_from_hf(*a, &info->model, fused_qkv(info), own, NULL, &n, err);
    else if (rc == SCT_OK)
        rc = t->run.s->from_disk(t->run.state, sct_strategy_host_table(), *a, own, err);
    if (rc != SCT_OK) {
        sct_adapter_destroy(&own);
        return rc;
    }
    sct_adapter_destroy(a);
    *a = own;
    return SCT_OK;
}

void sct_adapter_info_fini(struct sct_adapter_info *info)
{
    sct_class_map_fini(&info->map);
    sct_arena_free(&info->arena);
    memset(info, 0, sizeof *info);
}
