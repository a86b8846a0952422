/* SPDX-License-Identifier: MIT
 * safetensors.h - reads and writes .safetensors files.
 *
 * Layout: u64le N, N bytes of JSON, data to the end of the file. The reader maps the file and
 * believes nothing: every length is checked against the file before use, tensors must fill the
 * data without holes or overlap, the last one must end with the file, names must be unique.
 * Memory used while opening is bounded by SCT_ST_MAX_TENSORS, whatever the header says.
 *
 * The data is little-endian, C order, and may be unaligned: use the readers below, never a cast
 * of `data`. Nothing here writes to the mapping; a file that another program shortens in place
 * while it is open ends the process with SIGBUS, as with any mapped file (this project's writer
 * replaces files instead).
 *
 * Threads: an open file may be read by many threads at once. */
#ifndef SCT_CHECKPOINT_SAFETENSORS_H
#define SCT_CHECKPOINT_SAFETENSORS_H

#include <sctrun/base.h>

enum {
    SCT_ST_MAX_HEADER = 100000000, /* bytes; the limit of the format */
    SCT_ST_MAX_TENSORS = 65536,    /* ours: far above any vision model */
};

/* Name, bits of an element. The order is the format's: writers sort tensors by it, descending.
 */
#define SCT_ST_DTYPE_MAP(X)                                                                    \
    X(BOOL, 8)                                                                                 \
    X(F4, 4)                                                                                   \
    X(F6_E2M3, 6)                                                                              \
    X(F6_E3M2, 6)                                                                              \
    X(U8, 8)                                                                                   \
    X(I8, 8)                                                                                   \
    X(F8_E5M2, 8)                                                                              \
    X(F8_E4M3, 8)                                                                              \
    X(F8_E8M0, 8)                                                                              \
    X(F8_E4M3FNUZ, 8)                                                                          \
    X(F8_E5M2FNUZ, 8)                                                                          \
    X(I16, 16)                                                                                 \
    X(U16, 16)                                                                                 \
    X(F16, 16)                                                                                 \
    X(BF16, 16)                                                                                \
    X(I32, 32)                                                                                 \
    X(U32, 32)                                                                                 \
    X(F32, 32)                                                                                 \
    X(C64, 64)                                                                                 \
    X(F64, 64)                                                                                 \
    X(I64, 64)                                                                                 \
    X(U64, 64)

enum sct_st_dtype {

#define SCT_ST_DTYPE_ENUM(ID, BITS) SCT_ST_##ID,
    SCT_ST_DTYPE_MAP(SCT_ST_DTYPE_ENUM)
#undef SCT_ST_DTYPE_ENUM
        SCT_ST_DTYPE_COUNT
};

/* "F32"; "?" for a number outside the enum. */
const char *sct_st_dtype_name(uint32_t dtype);
/* Bits of one element, 0 for a number outside the enum. */
uint32_t sct_st_dtype_bits(uint32_t dtype);

/* A tensor of an open file. Everything in it lives as long as the file is open. nd 0 is a
 * scalar (count 1); a zero among the dims makes count 0 and size 0. */
struct sct_st_tensor {
    const char *name;
    const uint64_t *dim;
    const unsigned char *data; /* in the mapping, any alignment */
    uint64_t count, size;      /* elements, bytes */
    uint32_t dtype, nd;
};

struct sct_st;

/* Opens and checks a file. On success the caller closes *st; on failure it is NULL and the
 * status is SCT_EFILE (with file, tensor, byte, expected, found) or SCT_ENOMEM. */
sct_status sct_st_open(struct sct_st **st, const char *path, sct_error *err);
/* Accepts NULL, nulls *st. */
void sct_st_close(struct sct_st **st);
/* The same checks for bytes in memory, which must outlive *st; `name` begins the messages. */
sct_status sct_st_open_memory(struct sct_st **st, const void *data, size_t n, const char *name,
                              sct_error *err);

const char *sct_st_path(const struct sct_st *st);
/* Tensors in the order of the data; i < count. */
size_t sct_st_count(const struct sct_st *st);
const struct sct_st_tensor *sct_st_at(const struct sct_st *st, size_t i);
/* By name, or NULL. */
const struct sct_st_tensor *sct_st_find(const struct sct_st *st, const char *name);
/* Value of a key of "__metadata__", or NULL; and by number, for listings: NULL past the end. */
const char *sct_st_metadata(const struct sct_st *st, const char *key);
const char *sct_st_metadata_at(const struct sct_st *st, size_t i, const char **value);

/* SCT_OK if the tensor has exactly this shape, else SCT_EFILE with file, name, both shapes. */
sct_status sct_st_expect(const struct sct_st *st, const struct sct_st_tensor *t,
                         const uint32_t *dim, uint32_t nd, sct_error *err);

/* Converts all elements to float: F32 and F64 (rounded to nearest; a finite value beyond the
 * range of float is refused), F16 and BF16 (exact). dst holds t->count elements. Other dtypes:
 * SCT_EFILE with the list of what can be read. */
sct_status sct_st_read_f32(const struct sct_st *st, const struct sct_st_tensor *t, float *dst,
                           sct_error *err);
/* Reads I32, I64, I16, I8, U8, BOOL as int32_t; an I64 outside the range is SCT_EFILE with its
 * element number. */
sct_status sct_st_read_i32(const struct sct_st *st, const struct sct_st_tensor *t, int32_t *dst,
                           sct_error *err);

/* Tells the system that the tensor's pages will not be needed soon, so that a model never lies
 * in memory twice while it is packed. Reading it again is correct, only slow. */
void sct_st_drop(const struct sct_st *st, const struct sct_st_tensor *t);

/* A tensor to write. Exactly one of data and f32 is set (neither, when a dim is 0): data is in
 * dtype already, little-endian; f32 is converted to dtype, which is F32, F16 or BF16 then
 * (round to nearest even). */
struct sct_st_item {
    const char *name;
    const uint32_t *dim;
    const void *data;
    const float *f32;
    uint32_t dtype, nd;
};

struct sct_st_meta {
    const char *key, *value;
};

/* Writes a file atomically (temp file, fsync, rename). The bytes are those of the reference
 * implementation: __metadata__ first, then tensors by descending dtype and ascending name,
 * header padded with spaces to 8. {"format": "pt"} is put in front of the metadata unless meta
 * has a key "format". Everything is borrowed for the call. SCT_EINVAL: a bad item (no name, a
 * name twice, not UTF-8, bad dtype, data missing); SCT_EFAIL: the system's reason, for example
 * a full disk, and then neither path nor a temp file was left behind. */
sct_status sct_st_write(const char *path, const struct sct_st_item *items, size_t n,
                        const struct sct_st_meta *meta, size_t n_meta, sct_error *err);
/* The same with values made on the way, so that one tensor at a time is in memory: make(ctx, i,
 * dst) fills dst with the floats of items[i] when its turn comes. data and f32 of all items are
 * NULL. Also what a make returns; neither path nor a temp file is left behind then either. */
sct_status sct_st_write_made(const char *path, const struct sct_st_item *items, size_t n,
                             sct_status (*make)(void *ctx, size_t i, float *dst,
                                                sct_error *err),
                             void *ctx, sct_error *err);

#endif
