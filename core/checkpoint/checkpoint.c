/* SPDX-License-Identifier: MIT
 * checkpoint.c - opens a weight file of any container and answers what is in it. */
#include "core/checkpoint/checkpoint.h"

#include "core/base/status.h"
#include "core/checkpoint/ckpt_impl.h"
#include "core/io/file.h"

#include <string.h>

static struct sct_ckpt *create(const char *path)
{
    struct sct_ckpt *ck = sct_calloc(1, sizeof *ck);
    if (ck && !(ck->path = sct_strdup(path))) {
        sct_free(ck);
        return NULL;
    }
    return ck;
}

/* A header length below 2^32 in eight bytes, then JSON. The length may look like the beginning
 * of any other container. */
static bool is_safetensors(const unsigned char *p, size_t n)
{
    return n >= 8 && !p[4] && !p[5] && !p[6] && !p[7] &&
           (n == 8 || (p[8] && strchr("{ \t\r\n", p[8])));
}

static bool is_zip(const unsigned char *p, size_t n)
{
    return n >= 4 && (memcmp(p, "PK\3\4", 4) == 0 || memcmp(p, "PK\5\6", 4) == 0);
}

static bool is_pickle(const unsigned char *p, size_t n)
{
    return n >= 2 && p[0] == 0x80 && p[1] >= 2 && p[1] <= 5;
}

static bool is_json(const unsigned char *p, size_t n)
{
    size_t i = 0;
    while (i < n && (p[i] == ' ' || p[i] == '\n' || p[i] == '\r' || p[i] == '\t'))
        i++;
    return i < n && p[i] == '{';
}

static sct_status read_zip(struct sct_ckpt *ck, sct_error *err)
{
    SCT_TRY(sct_zip_open(&ck->zip, ck->base, ck->size, ck->path, err));
    const bool torch = sct_ckpt_torch_pickle(ck->zip) != SCT_ZIP_NONE;
    ck->kind = torch ? "torch zip" : "npz";
    return torch ? sct_ckpt_read_torch_zip(ck, err) : sct_ckpt_read_npz(ck, err);
}

/* The first that recognises its bytes reads the file. */
static const struct {
    const char *kind;
    bool (*recognise)(const unsigned char *p, size_t n);
    sct_status (*read)(struct sct_ckpt *ck, sct_error *err);
} containers[] = {
    {"safetensors", is_safetensors, sct_ckpt_read_safetensors},
    {"zip", is_zip, read_zip},
    {"torch legacy", is_pickle, sct_ckpt_read_torch_legacy},
    {"safetensors index", is_json, sct_ckpt_read_index},
};

/* What people give instead of weights, and what helps. */
static const struct {
    size_t at, n;
    const char *bytes, *what;
} others[] = {
    {257, 5, "ustar",
     "a tar archive; unpack it or, if PyTorch wrote it, save it "
     "again with a newer one"},
    {0, 6, "\x93NUMPY", "a single NumPy array, which has no name; put arrays in an .npz"},
    {0, 4, "\x89HDF", "an HDF5 file; convert it to safetensors"},
    {0, 4, "GGUF", "a GGUF file; convert it to safetensors"},
    {0, 2, "\x1f\x8b", "compressed by gzip; unpack it"},
    {0, 23, "version https://git-lfs", "a Git LFS pointer, not the file; run git lfs pull"},
    {0, 9, "<!DOCTYPE", "a web page; the download went wrong"},
    {0, 5, "<html", "a web page; the download went wrong"},
};

static sct_status unknown(const struct sct_ckpt *ck, sct_error *err)
{
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (ck->size >= others[i].at + others[i].n &&
            memcmp(ck->base + others[i].at, others[i].bytes, others[i].n) == 0)
            return sct_fail(err, SCT_EFILE, "%s: %s", ck->path, others[i].what);
    char begin[3 * 8 + 1] = "";
    for (size_t i = 0; i < 8 && i < ck->size; i++)
        (void)snprintf(begin + 3 * i, sizeof begin - 3 * i, " %02x", ck->base[i]);
    return sct_fail(err, SCT_EFILE,
                    "%s: not a weight file: expected safetensors, its index, .npz or PyTorch's "
                    ".pth, found %zu bytes that begin with%s; is the download complete?",
                    ck->path, ck->size, begin[0] ? begin : " nothing");
}

static sct_status read_container(struct sct_ckpt *ck, sct_error *err)
{
    for (size_t i = 0; i < sizeof containers / sizeof *containers; i++) {
        if (!containers[i].recognise(ck->base, ck->size))
            continue;
        ck->kind = containers[i].kind;
        SCT_TRY(containers[i].read(ck, err));
        return sct_ckpt_finish(ck, err);
    }
    return unknown(ck, err);
}

static sct_status open_file(struct sct_ckpt **out, const char *path, sct_error *err)
{
    struct sct_ckpt *ck = create(path);
    if (!ck)
        return sct_nomem(err);
    uint32_t file;
    sct_status rc = sct_ckpt_add_file(ck, ck->path, &file, err);
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

sct_status sct_ckpt_open(struct sct_ckpt **out, const char *path, sct_error *err)
{
    *out = NULL;
    if (!sct_dir_exists(path))
        return open_file(out, path, err);
    char *file;
    SCT_TRY(sct_ckpt_in_folder(path, &file, err));
    const sct_status rc = open_file(out, file, err);
    sct_free(file);
    return rc;
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
    sct_zip_close(&ck->zip);
    sct_free(ck->file);
    sct_free(ck->tensor);
    sct_free(ck->place);
    sct_free(ck->blob);
    sct_free(ck->meta);
    sct_free(ck->note);
    sct_names_free(&ck->names);
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
    const uint32_t i = sct_names_find(&ck->names, name, strlen(name));
    return i == SCT_NAMES_NONE ? NULL : &ck->tensor[i];
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
