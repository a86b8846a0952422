/* SPDX-License-Identifier: MIT
 * checkpoint.c - opens a weight file of any container and answers what is in it. */
#include "core/io/checkpoint.h"

#include "core/base/status.h"
#include "core/io/ckpt_impl.h"

#include <string.h>

sct_status sct_ckpt_add_safetensors(struct sct_ckpt *ck, const unsigned char *base, size_t size,
                                    const char *path, uint32_t file, sct_error *err)
{
    struct sct_st *st = NULL;
    SCT_TRY(sct_st_open_memory(&st, base, size, path, err));
    ck->file[file].st = st;
    const char *key, *value;
    for (size_t i = 0; (key = sct_st_metadata_at(st, i, &value)); i++)
        SCT_TRY(sct_ckpt_metadata(ck, key, value, err));
    for (size_t i = 0; i < sct_st_count(st); i++) {
        const struct sct_st_tensor *t = sct_st_at(st, i);
        const struct sct_ckpt_blob b = {t->data, t->size, SCT_CKPT_NO_ENTRY, true};
        struct sct_ckpt_claim c = {.name = t->name,
                                   .name_size = strlen(t->name),
                                   .dim = t->dim,
                                   .nd = t->nd,
                                   .dtype = t->dtype};
        SCT_TRY(sct_ckpt_add_blob(ck, &b, &c.blob, err));
        SCT_TRY(sct_ckpt_add_tensor(ck, &c, err));
    }
    return SCT_OK;
}

sct_status sct_ckpt_read_safetensors(struct sct_ckpt *ck, sct_error *err)
{
    return sct_ckpt_add_safetensors(ck, ck->base, ck->size, ck->path, 0, err);
}

static struct sct_ckpt *create(const char *path)
{
    struct sct_ckpt *ck = sct_calloc(1, sizeof *ck);
    if (ck && !(ck->path = sct_strdup(path))) {
        sct_free(ck);
        return NULL;
    }
    return ck;
}

/* The header length of safetensors is below 2^32, so bytes 4 to 7 are zero: no other container
 * begins so. */
static bool is_safetensors(const unsigned char *p, size_t n)
{
    return n >= 8 && !p[4] && !p[5] && !p[6] && !p[7];
}

static const struct container {
    const char *kind;
    bool (*recognise)(const unsigned char *p, size_t n);
    sct_status (*read)(struct sct_ckpt *ck, sct_error *err);
} containers[] = {
    {"safetensors", is_safetensors, sct_ckpt_read_safetensors},
};

static sct_status read_container(struct sct_ckpt *ck, sct_error *err)
{
    for (size_t i = 0; i < sizeof containers / sizeof *containers; i++) {
        if (!containers[i].recognise(ck->base, ck->size))
            continue;
        ck->kind = containers[i].kind;
        SCT_TRY(containers[i].read(ck, err));
        return sct_ckpt_finish(ck, err);
    }
    return sct_fail(err, SCT_EFILE,
                    "%s: not a weight file: expected safetensors; is the download complete?",
                    ck->path);
}

sct_status sct_ckpt_open(struct sct_ckpt **out, const char *path, sct_error *err)
{
    *out = NULL;
    struct sct_ckpt *ck = create(path);
    if (!ck)
        return sct_nomem(err);
    uint32_t file;
    sct_status rc = sct_ckpt_add_file(ck, path, &file, err);
    if (rc == SCT_OK) {
        ck->base = ck->file[file].map.base;
        ck->size = ck->file[file].map.size;
        rc = read_container(ck, err);
    }
    if (rc != SCT_OK) {
        sct_ckpt_close(&ck);
        return rc;
    }
    *out = ck;
    return SCT_OK;
}

sct_status sct_ckpt_open_memory(struct sct_ckpt **out, const void *data, size_t n,
                                const char *name, sct_error *err)
{
    *out = NULL;
    struct sct_ckpt *ck = create(name);
    if (!ck)
        return sct_nomem(err);
    ck->base = data;
    ck->size = n;
    uint32_t file;
    sct_status rc = sct_ckpt_add_file(ck, NULL, &file, err);
    if (rc == SCT_OK)
        rc = read_container(ck, err);
    if (rc != SCT_OK) {
        sct_ckpt_close(&ck);
        return rc;
    }
    *out = ck;
    return SCT_OK;
}

void sct_ckpt_close(struct sct_ckpt **out)
{
    struct sct_ckpt *ck = *out;
    if (!ck)
        return;
    for (uint32_t i = 0; i < ck->n_file; i++) {
        sct_st_close(&ck->file[i].st);
        sct_map_close(&ck->file[i].map);
    }
    sct_free(ck->file);
    sct_free(ck->tensor);
    sct_free(ck->place);
    sct_free(ck->blob);
    sct_free(ck->meta);
    sct_free(ck->note);
    sct_free(ck->by_name);
    sct_arena_free(&ck->words);
    sct_free(ck->path);
    sct_free(ck);
    *out = NULL;
}

const char *sct_ckpt_kind(const struct sct_ckpt *ck)
{
    return ck->kind;
}

const char *sct_ckpt_path(const struct sct_ckpt *ck)
{
    return ck->path;
}

size_t sct_ckpt_count(const struct sct_ckpt *ck)
{
    return ck->n;
}

const struct sct_ckpt_tensor *sct_ckpt_at(const struct sct_ckpt *ck, size_t i)
{
    return &ck->tensor[i];
}

const struct sct_ckpt_tensor *sct_ckpt_find(const struct sct_ckpt *ck, const char *name)
{
    size_t lo = 0, hi = ck->n;
    while (lo < hi) {
        const size_t mid = lo + (hi - lo) / 2;
        const struct sct_ckpt_tensor *t = &ck->tensor[ck->by_name[mid]];
        const int order = strcmp(name, t->name);
        if (order == 0)
            return t;
        if (order < 0)
            hi = mid;
        else
            lo = mid + 1;
    }
    return NULL;
}

const char *sct_ckpt_metadata_at(const struct sct_ckpt *ck, size_t i, const char **value)
{
    *value = i < ck->n_meta ? ck->meta[i].value : NULL;
    return i < ck->n_meta ? ck->meta[i].key : NULL;
}

const char *sct_ckpt_note_at(const struct sct_ckpt *ck, size_t i)
{
    return i < ck->n_note ? ck->note[i] : NULL;
}
