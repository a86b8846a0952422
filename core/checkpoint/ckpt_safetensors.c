/* SPDX-License-Identifier: MIT
 * ckpt_safetensors.c - safetensors: one file, or shards and an index that says which file holds
 * which tensor, {"metadata": {...}, "weight_map": {"name":
 * "model-00001-of-00002.safetensors"}}. Shards lie in the folder of the index; a name that
 * leads elsewhere is refused. */
#include "core/checkpoint/ckpt_impl.h"

#include "core/base/status.h"
#include "core/io/file.h"
#include "core/io/json.h"

#include <string.h>

enum { MAX_SHARDS = 4096 };

static sct_status add_tensor(struct sct_ckpt *ck, const struct sct_st_tensor *t, sct_error *err)
{
    const struct sct_ckpt_blob b = {
        .data = t->data, .size = t->size, .entry = SCT_ZIP_NONE, .checked = true};
    struct sct_ckpt_claim c = {.name = t->name,
                               .name_size = strlen(t->name),
                               .dim = t->dim,
                               .nd = t->nd,
                               .dtype = t->dtype};
    SCT_TRY(sct_ckpt_add_blob(ck, &b, &c.blob, err));
    return sct_ckpt_add_tensor(ck, &c, err);
}

sct_status sct_ckpt_read_safetensors(struct sct_ckpt *ck, sct_error *err)
{
    SCT_TRY(sct_st_open_memory(&ck->file[0].st, ck->base, ck->size, ck->path, err));
    const struct sct_st *st = ck->file[0].st;
    const char *key, *value;
    for (size_t i = 0; (key = sct_st_metadata_at(st, i, &value)); i++)
        SCT_TRY(sct_ckpt_metadata(ck, key, value, err));
    for (size_t i = 0; i < sct_st_count(st); i++)
        SCT_TRY(add_tensor(ck, sct_st_at(st, i), err));
    return SCT_OK;
}

/* ---- shards ---- */

struct shards {
    struct sct_ckpt *ck;
    const json_t *map;     /* tensor -> file */
    json_t *file_of_shard; /* file -> number of ck->file, filled one after the other */
    char *folder;          /* of the index */
};

static sct_status check_shard_name(const struct sct_ckpt *ck, const char *name, sct_error *err)
{
    if (name[0] && name[0] != '.' && !strpbrk(name, "/\\"))
        return SCT_OK;
    return sct_fail(err, SCT_EFILE,
                    "%s: weight_map: shard '%.200s': expected the name of a file beside the "
                    "index, without a path",
                    ck->path, name);
}

/* Tensors of one shard that the index gives to it. */
static sct_status add_tensors(struct shards *s, const struct sct_st *st, const char *shard,
                              sct_error *err)
{
    for (size_t i = 0; i < sct_st_count(st); i++) {
        const struct sct_st_tensor *t = sct_st_at(st, i);
        const char *owner = json_string_value(json_object_get(s->map, t->name));
        if (!owner)
            SCT_TRY(sct_ckpt_note(s->ck, err, "%.200s: in %s, but not in the index, skipped",
                                  t->name, shard));
        else if (strcmp(owner, shard) != 0)
            return sct_fail(err, SCT_EFILE,
                            "%s: tensor '%.200s' lies in '%s', but belongs to '%s' by the "
                            "index; the shards are not of one model",
                            s->ck->path, t->name, shard, owner);
        else
            SCT_TRY(add_tensor(s->ck, t, err));
    }
    return SCT_OK;
}

static sct_status open_shard(struct shards *s, const char *shard, sct_error *err)
{
    struct sct_ckpt *ck = s->ck;
    uint32_t file;
    if (!ck->file[0].map.base)
        return sct_fail(err, SCT_EFILE, "%s: an index in memory, whose shards cannot be found",
                        ck->path);
    if (json_object_size(s->file_of_shard) == MAX_SHARDS)
        return sct_fail(err, SCT_EFILE, "%s: more than %d shards", ck->path, MAX_SHARDS);
    char *path = sct_path_join(s->folder, shard);
    if (!path)
        return sct_nomem(err);
    sct_status rc = sct_ckpt_add_file(ck, path, &file, err);
    if (rc == SCT_OK)
        rc = sct_st_open_memory(&ck->file[file].st, ck->file[file].map.base,
                                ck->file[file].map.size, path, err);
    sct_free(path);
    if (rc != SCT_OK) {
        (void)sct_error_prefix(err, "%s: shard '%s'", ck->path, shard);
        return rc;
    }
    json_t *number = json_integer((json_int_t)file);
    if (!number || json_object_set_new(s->file_of_shard, shard, number) != 0)
        return sct_nomem(err);
    return add_tensors(s, ck->file[file].st, shard, err);
}

static sct_status open_shards(struct shards *s, sct_error *err)
{
    const char *tensor;
    json_t *v;
    json_object_foreach((json_t *)(uintptr_t)s->map, tensor, v)
    {
        const char *shard = json_string_value(v);
        if (!shard)
            return sct_fail(err, SCT_EFILE, "%s: weight_map: expected a file name at '%.200s'",
                            s->ck->path, tensor);
        SCT_TRY(check_shard_name(s->ck, shard, err));
        if (!json_object_get(s->file_of_shard, shard))
            SCT_TRY(open_shard(s, shard, err));
        const json_int_t file = json_integer_value(json_object_get(s->file_of_shard, shard));
        if (!sct_st_find(s->ck->file[file].st, tensor))
            return sct_fail(err, SCT_EFILE,
                            "%s: tensor '%.200s' is not in '%s', where the index has it; the "
                            "shards are not of one model",
                            s->ck->path, tensor, shard);
    }
    return SCT_OK;
}

/* Numbers and strings of "metadata". */
static sct_status add_metadata(struct sct_ckpt *ck, const json_t *meta, sct_error *err)
{
    const char *key;
    json_t *v;
    json_object_foreach((json_t *)(uintptr_t)meta, key, v)
    {
        char number[32];
        (void)snprintf(number, sizeof number, "%.17g", json_number_value(v));
        if (json_is_string(v) || json_is_number(v))
            SCT_TRY(sct_ckpt_metadata(ck, key,
                                      json_is_string(v) ? json_string_value(v) : number, err));
    }
    return SCT_OK;
}

static sct_status read_tree(struct sct_ckpt *ck, const json_t *root, sct_error *err)
{
    const struct sct_json_at at = {root, ck->path, "", SCT_EFILE};
    const json_t *meta = NULL;
    struct shards s = {.ck = ck};
    SCT_TRY(sct_json_get_object(&at, "weight_map", SCT_JSON_REQUIRED, &s.map, err));
    SCT_TRY(sct_json_get_object(&at, "metadata", SCT_JSON_OPTIONAL, &meta, err));
    if (meta)
        SCT_TRY(add_metadata(ck, meta, err));
    s.file_of_shard = json_object();
    s.folder = sct_strdup(ck->path);
    sct_status rc = s.file_of_shard && s.folder ? SCT_OK : sct_nomem(err);
    if (rc == SCT_OK) {
        char *slash = strrchr(s.folder, '/');
        s.folder[slash ? slash + 1 - s.folder : 0] = 0;
        rc = open_shards(&s, err);
    }
    sct_free(s.folder);
    json_decref(s.file_of_shard);
    return rc;
}

sct_status sct_ckpt_read_index(struct sct_ckpt *ck, sct_error *err)
{
    json_t *root;
    if (ck->size > SCT_JSON_MAX_BYTES)
        return sct_fail(err, SCT_EFILE, "%s: an index of %zu bytes, at most %d are read",
                        ck->path, ck->size, SCT_JSON_MAX_BYTES);
    SCT_TRY(sct_json_parse((const char *)ck->base, ck->size, ck->path, SCT_EFILE, &root, err));
    const sct_status rc = read_tree(ck, root, err);
    json_decref(root);
    return rc;
}
