/* SPDX-License-Identifier: MIT
 * sha256.h - SHA-256 of bytes, and the hash of a base model.
 *
 * The hash of a base is over its canonical tensors (timm's names, f32 values), so the same
 * weights have the same hash whatever container and dialect they came in. Stream,
 * little-endian: for each tensor in ascending byte order of the names: the name, a 0 byte, u32
 * number of dims, u32 each dim, f32 each value in C order. A NaN counts with its bits, -0
 * differs from 0.
 *
 * Threads: one at a time per context. Nothing here allocates. */
#ifndef SCT_IO_SHA256_H
#define SCT_IO_SHA256_H

#include <sctrun/base.h>

#include <nettle/sha2.h>

enum { SCT_SHA256_BYTES = 32, SCT_SHA256_HEX = 65 /* with the terminator */ };

struct sct_sha256 {
    struct sha256_ctx ctx;
};

void sct_sha256_init(struct sct_sha256 *h);
void sct_sha256_add(struct sct_sha256 *h, const void *data, size_t n);
/* Lower-case hexadecimal; h is as after init again. */
void sct_sha256_end(struct sct_sha256 *h, char hex[SCT_SHA256_HEX]);

struct sct_base_hash {
    struct sct_sha256 h;
    const char *last; /* borrowed name of the tensor before, for the order check */
};

void sct_base_hash_init(struct sct_base_hash *b);
/* `values` are the product of the dims; `name` must stay valid until the next call. SCT_EINVAL,
 * and nothing is added, when the name does not come after the one before. */
sct_status sct_base_hash_add(struct sct_base_hash *b, const char *name, const uint32_t *dim,
                             uint32_t nd, const float *values, sct_error *err);
void sct_base_hash_end(struct sct_base_hash *b, char hex[SCT_SHA256_HEX]);

#endif
