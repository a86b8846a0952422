/* SPDX-License-Identifier: MIT
 * checkpoint.h - weights by name, from whatever file people keep them in.
 *
 * The container is recognised by its bytes, never by the file's name. Opening reads headers
 * only (of a pickle, the pickle: it is the header of its storages); files stay mapped, and what
 * lies in them uncompressed is never copied. Nothing in a file is executed, whatever it asks
 * for. docs/formats.md lists what is read and what is refused.
 *
 * Names are the file's own, joined by dots where it nests: a wrapped state dict keeps its
 * wrapper, as in "state_dict.module.blocks.0.norm1.weight". What they mean is decided
 * elsewhere.
 *
 * Threads: one at a time uses an open checkpoint. */
#ifndef SCT_CHECKPOINT_CHECKPOINT_H
#define SCT_CHECKPOINT_CHECKPOINT_H

#include "core/checkpoint/safetensors.h"

enum {
    SCT_CKPT_MAX_TENSORS = SCT_ST_MAX_TENSORS,
    SCT_CKPT_MAX_DIMS = 64,   /* the limit of PyTorch and NumPy */
    SCT_CKPT_MAX_NAME = 4096, /* bytes */
};

/* Everything in it lives as long as the checkpoint is open. nd 0 is a scalar (count 1); a zero
 * among the dims makes count 0 and size 0. */
struct sct_ckpt_tensor {
    const char *name;
    const uint64_t *dim;
    uint64_t count, size; /* elements, bytes of that many elements */
    uint32_t dtype, nd;   /* enum sct_st_dtype */
};

struct sct_ckpt;

/* path is a weight file, the index of a sharded one, or a folder that holds exactly one weight
 * file or one index. On success the caller closes *ck; on failure it is NULL and the status is
 * SCT_EFILE (file, member or byte, expected, found, what to do) or SCT_ENOMEM. */
sct_status sct_ckpt_open(struct sct_ckpt **ck, const char *path, sct_error *err);
/* The same for the bytes of one file, which must outlive *ck; `name` begins the messages. An
 * index is refused here: its shards are files. */
sct_status sct_ckpt_open_memory(struct sct_ckpt **ck, const void *data, size_t n,
                                const char *name, sct_error *err);
/* Accepts NULL, nulls *ck. */
void sct_ckpt_close(struct sct_ckpt **ck);

/* "safetensors", "safetensors index", "npz", "torch zip" or "torch legacy". */
const char *sct_ckpt_kind(const struct sct_ckpt *ck);
/* The file that was opened; inside the folder, if a folder was named. */
const char *sct_ckpt_path(const struct sct_ckpt *ck);

/* Tensors in the order of the file; i < count. Names are UTF-8, not empty and differ. */
size_t sct_ckpt_count(const struct sct_ckpt *ck);
const struct sct_ckpt_tensor *sct_ckpt_at(const struct sct_ckpt *ck, size_t i);
/* By name, or NULL. */
const struct sct_ckpt_tensor *sct_ckpt_find(const struct sct_ckpt *ck, const char *name);

/* What else the file says in plain words, by number: safetensors' metadata, numbers and strings
 * at the top of a pickled dict ("epoch"). NULL past the end. */
const char *sct_ckpt_metadata_at(const struct sct_ckpt *ck, size_t i, const char **value);
/* What was passed over, and where ("args: argparse.Namespace, skipped"). NULL past the end. */
const char *sct_ckpt_note_at(const struct sct_ckpt *ck, size_t i);

/* All elements in C order, whatever the order in the file, as float: F32, F16, BF16 (exact) and
 * F64 (rounded to nearest; a finite value beyond the range of float is refused). t is one of
 * ck's; dst holds t->count elements. SCT_EFILE: another dtype, a bad value, a checksum that
 * does not fit; SCT_ENOMEM. */
sct_status sct_ckpt_read_f32(struct sct_ckpt *ck, const struct sct_ckpt_tensor *t, float *dst,
                             sct_error *err);
/* The same for n elements from number `first` on. Cheap where they lie in C order and
 * uncompressed; otherwise the whole tensor is read. */
sct_status sct_ckpt_read_f32_part(struct sct_ckpt *ck, const struct sct_ckpt_tensor *t,
                                  uint64_t first, uint64_t n, float *dst, sct_error *err);
/* *v = those n elements where they lie, if that is just as sct_ckpt_read_f32_part would write
 * them: F32 in C order, uncompressed, aligned, in this machine's order of bytes. Else, and
 * after a failure, *v is NULL. They stay as long as the checkpoint is open. */
sct_status sct_ckpt_view_f32(struct sct_ckpt *ck, const struct sct_ckpt_tensor *t,
                             uint64_t first, uint64_t n, const float **v, sct_error *err);
/* The same as sct_ckpt_read_f32 for BOOL, U8, I8, I16, I32 and I64 as int32_t; a value outside
 * the range is SCT_EFILE. */
sct_status sct_ckpt_read_i32(struct sct_ckpt *ck, const struct sct_ckpt_tensor *t, int32_t *dst,
                             sct_error *err);
/* Tells the system that the tensor's pages will not be needed soon, so that a model never lies
 * in memory twice while it is packed. Reading it again is correct, only slow. */
void sct_ckpt_drop(const struct sct_ckpt *ck, const struct sct_ckpt_tensor *t);

#endif
