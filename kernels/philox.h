/* SPDX-License-Identifier: MIT
 * philox.h - Philox4x32-10 (Salmon, Moraes, Dror, Shaw 2011) and the numbers the random ops
 * draw. The layout of counter and key is a file format: docs/formats.md, "Random numbers". */
#ifndef SCT_PHILOX_H
#define SCT_PHILOX_H

#include <stdint.h>

/* Ten rounds. Known answer: counter and key 0 give 6627e8d5 e169c58d bc57ac4c 9b00dbd8. */
static inline void philox4x32_10(const uint32_t counter[4], const uint32_t key[2],
                                 uint32_t out[4])
{
    uint32_t x0 = counter[0], x1 = counter[1], x2 = counter[2], x3 = counter[3];
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        const uint64_t a = (uint64_t)0xD2511F53u * x0, b = (uint64_t)0xCD9E8D57u * x2;
        x0 = (uint32_t)(b >> 32) ^ x1 ^ k0;
        x2 = (uint32_t)(a >> 32) ^ x3 ^ k1;
        x1 = (uint32_t)b;
        x3 = (uint32_t)a;
        k0 += 0x9E3779B9u; /* golden ratio */
        k1 += 0xBB67AE85u; /* sqrt(3) - 1 */
    }
    out[0] = x0;
    out[1] = x1;
    out[2] = x2;
    out[3] = x3;
}

/* Words of the elements 4 n .. 4 n + 3 of the batch. */
static inline void philox_block(uint64_t seed, uint64_t op_key, uint64_t step, uint64_t n,
                                uint32_t out[4])
{
    const uint32_t counter[4] = {(uint32_t)n, (uint32_t)step, (uint32_t)op_key,
                                 (uint32_t)(op_key >> 32)};
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    philox4x32_10(counter, key, out);
}

/* A multiple of 2^-24 in [0, 1): exact in f32, so every backend compares the same number. */
static inline float philox_unit(uint32_t word)
{
    return (float)(word >> 8) * 0x1p-24f;
}

#endif
