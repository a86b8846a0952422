/* SPDX-License-Identifier: MIT
 * sha256.c - SHA-256 of bytes, and the hash of a base model.
 * Names must come sorted: the caller's order of tensors is then no part of the hash. */
#include "core/io/sha256.h"

#include <string.h>

void sct_sha256_init(struct sct_sha256 *h)
{
    sha256_init(&h->ctx);
}

void sct_sha256_add(struct sct_sha256 *h, const void *data, size_t n)
{
    if (n)
        sha256_update(&h->ctx, n, data);
}

void sct_sha256_end(struct sct_sha256 *h, char hex[SCT_SHA256_HEX])
{
    static const char digit[] = "0123456789abcdef";
    uint8_t d[SCT_SHA256_BYTES];
    sha256_digest(&h->ctx, sizeof d, d);
    for (size_t i = 0; i < sizeof d; i++) {
        hex[2 * i] = digit[d[i] >> 4];
        hex[2 * i + 1] = digit[d[i] & 15];
    }
    hex[2 * sizeof d] = 0;
}

void sct_base_hash_init(struct sct_base_hash *b)
{
    sct_sha256_init(&b->h);
    b->last = NULL;
}

static void add_u32(struct sct_sha256 *h, uint32_t v)
{
    const unsigned char b[4] = {(unsigned char)v, (unsigned char)(v >> 8),
                                (unsigned char)(v >> 16), (unsigned char)(v >> 24)};
    sct_sha256_add(h, b, sizeof b);
}

static void add_values(struct sct_sha256 *h, const float *v, uint64_t n)
{
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    sct_sha256_add(h, v, (size_t)n * sizeof *v);
#else
    for (uint64_t i = 0; i < n; i++) {
        uint32_t w;
        memcpy(&w, v + i, sizeof w);
        add_u32(h, w);
    }
#endif
}

sct_status sct_base_hash_add(struct sct_base_hash *b, const char *name, const uint32_t *dim,
                             uint32_t nd, const float *values, sct_error *err)
{
    if (b->last && strcmp(b->last, name) >= 0)
        return sct_fail(err, SCT_EINVAL,
                        "hash of the base: expected a name after '%s', found '%s'", b->last,
                        name);
    b->last = name;
    sct_sha256_add(&b->h, name, strlen(name) + 1);
    add_u32(&b->h, nd);
    uint64_t n = 1;
    for (uint32_t i = 0; i < nd; i++) {
        add_u32(&b->h, dim[i]);
        n *= dim[i];
    }
    add_values(&b->h, values, n);
    return SCT_OK;
}

void sct_base_hash_end(struct sct_base_hash *b, char hex[SCT_SHA256_HEX])
{
    sct_sha256_end(&b->h, hex);
    b->last = NULL;
}
