/* SPDX-License-Identifier: MIT
 * io.c - writing an adapter folder from a trained model, and reading one. */
#include "core/adapter/io.h"

#include <string.h>

#include "core/adapter/peft_folder.h"
#include "core/base/status.h"
#include "core/data/preprocess_io.h"
#include "core/graphs/graphs.h"
#include "core/model/build.h"
#include "core/pretrained/model_io.h"

/* ---- saving ---- */

/* What a folder says beside its strategies. */
static void describe(json_t *own, const struct sct_adapter_info *i)
{
    json_t *base = json_object();
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
}

/* The keys of peft for a LoRA, which follow from key `modules`; that one is no key of peft. */
static sct_status peft_keys(json_t *root, const struct sct_adapter_info *info,
                            const struct sct_adapter *a, sct_error *err)
{
    (void)json_object_del(root, "modules");
    return sct_peft_folder_keys(root, sct_adapter_get_key(a, "modules"), info->model.arch,
                                info->names == SCT_PEFT_HF, err);
}

static sct_status write_folder(const char *dir, json_t *root,
                               const struct sct_adapter_info *info, const struct sct_adapter *a,
                               sct_error *err)
{
    struct sct_st_item *item = sct_calloc(a->n ? a->n : 1, sizeof *item);
    sct_status rc = item ? SCT_OK : sct_nomem(err);
    const char *type = json_string_value(json_object_get(root, "peft_type"));
    if (rc == SCT_OK && type && strcmp(type, "LORA") == 0)
        rc = peft_keys(root, info, a, err);
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
    sct_free(item);
    return rc;
}

sct_status sct_adapter_save(const char *dir, const struct sct_model *m,
                            const struct sct_optim *average, struct sct_open_device *d,
                            const struct sct_tuner *t, const struct sct_adapter_info *info,
                            sct_error *err)
{
    struct sct_adapter *disk = NULL;
    json_t *root = json_object(), *own = json_object();
    sct_status rc = root && own ? SCT_OK : sct_nomem(err);
    if (rc == SCT_OK)
        rc = sct_adapter_parts_save(&disk, root, own, dir, info->names, m, average, d, t, err);
    if (rc == SCT_OK) {
        describe(own, info);
        json_object_set(root, "sctrun", own);
        rc = write_folder(dir, root, info, disk, err);
    }
    json_decref(root);
    json_decref(own);
    sct_adapter_destroy(&disk);
    return rc;
}

/* ---- loading ---- */

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
    const json_t *own_obj = NULL, *base_obj = NULL, *config = NULL;
    const char *arch, *hash, *weights = "", *dialect = "", *interp = "none";
    if (!json_object_get(f->config, "sctrun"))
        return sct_fail(err, SCT_EFILE,
                        "%s: key sctrun is missing: the adapter was not written by sctrun; "
                        "sctrun convert reads folders of peft",
                        f->config_path);
    SCT_TRY(sct_json_get_object(&root, "sctrun", SCT_JSON_REQUIRED, &own_obj, err));
    const struct sct_json_at own = {own_obj, f->config_path, "sctrun", SCT_EFILE};
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
    (void)snprintf(info->base_hash, sizeof info->base_hash, "%s", hash);
    (void)snprintf(info->weights, sizeof info->weights, "%s", weights);
    (void)snprintf(info->dialect, sizeof info->dialect, "%s", dialect);
    memcpy(info->model.mean, info->pre.mean, sizeof info->model.mean);
    memcpy(info->model.std, info->pre.std, sizeof info->model.std);
    SCT_TRY(get_class_names(info, &own, err));
    SCT_TRY(get_data(info, &own, err));
    return info->map.count ? sct_class_map_finish(&info->map, f->config_path, err) : SCT_OK;
}

sct_status sct_adapter_open(struct sct_adapter_info *info, struct sct_adapter_parts *parts,
                            const char *dir, sct_error *err)
{
    struct sct_adapter_folder f;
    memset(info, 0, sizeof *info);
    memset(parts, 0, sizeof *parts);
    SCT_TRY(sct_adapter_folder_open(&f, dir, err));
    sct_status rc = get_info(info, &f, err);
    if (rc == SCT_OK)
        rc = sct_adapter_parts_read(parts, &f, dir, err);
    info->names = parts->names;
    sct_adapter_folder_close(&f);
    if (rc != SCT_OK)
        sct_adapter_info_fini(info);
    return rc;
}

sct_status sct_adapter_open_stored(struct sct_adapter **a, json_t **config, const char *dir,
                                   sct_error *err)
{
    struct sct_adapter_folder f;
    *a = NULL;
    *config = NULL;
    SCT_TRY(sct_adapter_folder_open(&f, dir, err));
    sct_status rc = (*a = sct_adapter_create(dir)) ? SCT_OK : sct_nomem(err);
    if (rc == SCT_OK)
        rc = sct_adapter_parts_stored(*a, f.tensors, err);
    if (rc == SCT_OK)
        *config = json_incref(f.config);
    else
        sct_adapter_destroy(a);
    sct_adapter_folder_close(&f);
    return rc;
}

void sct_adapter_info_fini(struct sct_adapter_info *info)
{
    sct_class_map_fini(&info->map);
    sct_arena_free(&info->arena);
    memset(info, 0, sizeof *info);
}
