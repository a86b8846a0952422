/* SPDX-License-Identifier: MIT
 * ckpt_impl.h - what the readers of single containers share: a checkpoint under construction.
 *
 * Every container is brought to one form: tensors are strided windows of blobs, a blob is a run
 * of bytes in a mapped file or a compressed member of a zip. So there is one function that
 * reads elements, and a reader only has to say where they are. */
#ifndef SCT_CHECKPOINT_CKPT_IMPL_H
#define SCT_CHECKPOINT_CKPT_IMPL_H

#include "core/base/mem.h"
#include "core/checkpoint/checkpoint.h"
#include "core/checkpoint/names.h"
#include "core/checkpoint/zip.h"
#include "core/io/map.h"

#include <stdbool.h>

struct sct_ckpt_blob {
    const unsigned char *data; /* NULL: compressed, inflated when it is read */
    uint64_t size;             /* bytes, uncompressed */
    uint64_t skip;             /* compressed: bytes of the entry in front of it */
    uint32_t entry;            /* of the zip, SCT_ZIP_NONE without */
    bool checked;              /* its checksum needs no look, or had it */
};

/* Where a tensor's elements are. stride is NULL for C order, else in elements, one a dim. */
struct sct_ckpt_place {
    const uint64_t *stride;
    uint64_t offset; /* bytes from the start of the blob */
    uint32_t blob;
};

/* A file whose pages the tensors lie in. */
struct sct_ckpt_file {
    struct sct_map map;
    struct sct_st *st;
};

struct sct_ckpt_pair {
    const char *key, *value;
};

struct sct_ckpt {
    char *path;
    const char *kind;
    const unsigned char *base; /* the opened file: mapped, or the caller's */
    size_t size;
    struct sct_ckpt_file *file;
    struct sct_zip *zip; /* NULL unless the file is one */
    struct sct_ckpt_tensor *tensor;
    struct sct_ckpt_place *place; /* one a tensor */
    struct sct_ckpt_blob *blob;
    struct sct_ckpt_pair *meta;
    const char **note;
    struct sct_names names;
    struct sct_arena words; /* names, shapes, strides, notes */
    uint32_t n, n_file, n_blob, n_meta, n_note;
    uint32_t cap_tensor, cap_place, cap_file, cap_blob, cap_meta, cap_note;
    uint32_t notes_left_out;
};

/* Maps `path` (nothing, when it is NULL); it is closed with the checkpoint. */
sct_status sct_ckpt_add_file(struct sct_ckpt *ck, const char *path, uint32_t *file,
                             sct_error *err);
sct_status sct_ckpt_add_blob(struct sct_ckpt *ck, const struct sct_ckpt_blob *b, uint32_t *blob,
                             sct_error *err);

/* What a reader says of a tensor. Nothing of it is believed: name, product of the shape, and
 * that every element lies inside the blob are checked here. name needs no end; dim and stride
 * are copied; stride may be NULL. */
struct sct_ckpt_claim {
    const char *name;
    size_t name_size;
    const uint64_t *dim, *stride;
    uint64_t offset; /* elements */
    uint32_t nd, dtype, blob;
};

sct_status sct_ckpt_add_tensor(struct sct_ckpt *ck, const struct sct_ckpt_claim *c,
                               sct_error *err);

/* Both copy. The notes beyond a number are only counted. */
SCT_PRINTF(3, 4)
sct_status sct_ckpt_note(struct sct_ckpt *ck, sct_error *err, const char *fmt, ...);
sct_status sct_ckpt_metadata(struct sct_ckpt *ck, const char *key, const char *value,
                             sct_error *err);

/* Sorts the names; SCT_EFILE if one occurs twice or there is no tensor. */
sct_status sct_ckpt_finish(struct sct_ckpt *ck, sct_error *err);

/* Readers of one container each: ck has path, base and size. */
sct_status sct_ckpt_read_safetensors(struct sct_ckpt *ck, sct_error *err);
sct_status sct_ckpt_read_index(struct sct_ckpt *ck, sct_error *err);
sct_status sct_ckpt_read_npz(struct sct_ckpt *ck, sct_error *err);
sct_status sct_ckpt_read_torch_zip(struct sct_ckpt *ck, sct_error *err);
sct_status sct_ckpt_read_torch_legacy(struct sct_ckpt *ck, sct_error *err);

/* Number of the member that makes a zip PyTorch's, or SCT_ZIP_NONE. */
uint32_t sct_ckpt_torch_pickle(const struct sct_zip *z);

/* The one weight file or index in a folder; *path is the caller's, by sct_free, and NULL on
 * failure. SCT_EFILE: none, or more than one, with their names. */
sct_status sct_ckpt_in_folder(const char *folder, char **path, sct_error *err);

#endif
