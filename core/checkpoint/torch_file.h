/* SPDX-License-Identifier: MIT
 * torch_file.h - what the readers of PyTorch's two containers share: a pickle that describes
 * tensors, and storages that hold their elements. Not for other files. */
#ifndef SCT_CHECKPOINT_TORCH_FILE_H
#define SCT_CHECKPOINT_TORCH_FILE_H

#include "core/checkpoint/ckpt_impl.h"
#include "core/checkpoint/pickle.h"

/* Elements that tensors point into; several tensors may share one. */
struct sct_torch_storage {
    struct sct_pickle_text key;
    struct sct_pickle_text type; /* "FloatStorage" */
    uint64_t numel;              /* elements; of an untyped storage, bytes */
    uint32_t dtype;              /* SCT_ST_DTYPE_COUNT: of no type that is known here */
    uint32_t width;              /* bytes of an element, 0 likewise */
    uint32_t blob;               /* of the checkpoint; set by the container's reader */
};

/* Zero-initialised but for ck is empty. */
struct sct_torch_file {
    struct sct_ckpt *ck;
    struct sct_pickle tree;
    struct sct_torch_storage *storage; /* by key, ascending */
    uint32_t n_storage, cap_storage;
};

/* Lists the storages that the tree names, each once; SCT_EFILE when two of one key differ. */
sct_status sct_torch_list_storages(struct sct_torch_file *f, sct_error *err);
/* Or NULL. */
struct sct_torch_storage *sct_torch_find_storage(const struct sct_torch_file *f,
                                                 struct sct_pickle_text key);
/* The storage that a PERSID node names, or NULL for another node. */
const struct sct_torch_storage *sct_torch_storage_of(const struct sct_torch_file *f,
                                                     uint32_t node);
/* Number of elements as bytes; SCT_EFILE on overflow or an unknown element type. */
sct_status sct_torch_storage_size(const struct sct_torch_file *f,
                                  const struct sct_torch_storage *s, uint64_t *size,
                                  sct_error *err);
/* enum sct_st_dtype of "torch.float32", SCT_ST_DTYPE_COUNT when it is none. */
uint32_t sct_torch_dtype(const struct sct_torch_file *f, uint32_t node);

/* Adds every tensor that the tree holds to the checkpoint, under the keys that lead to it, and
 * notes what was passed over. The storages' blobs must be set. */
sct_status sct_torch_add_tensors(struct sct_torch_file *f, sct_error *err);

void sct_torch_file_fini(struct sct_torch_file *f);

#endif
