/* SPDX-License-Identifier: MIT
 * hash.h - 64-bit FNV-1a: keys of random ops and of the device store. Not for security. */
#ifndef SCT_BASE_HASH_H
#define SCT_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define SCT_HASH_INIT 0xcbf29ce484222325u

static inline uint64_t sct_hash(uint64_t h, const void *data, size_t n)
{
    const unsigned char *p = data;
    for (size_t i = 0; i < n; i++)
        h = (h ^ p[i]) * 0x100000001b3u;
    return h;
}

static inline uint64_t sct_hash_u64(uint64_t h, uint64_t v)
{
    return sct_hash(h, &v, sizeof v);
}

static inline uint64_t sct_hash_str(uint64_t h, const char *s)
{
    return sct_hash(h, s, strlen(s) + 1);
}

#endif
