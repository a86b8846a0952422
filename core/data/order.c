/* SPDX-License-Identifier: MIT
 * order.c - the order of samples in an epoch.
 * A file format in disguise: docs/formats.md, "Order of samples". */
#include "core/data/loader.h"
#include "kernels/philox.h"

#define STREAM_TAG 0x4f524452u

void sct_order_epoch(uint64_t seed, uint32_t epoch, uint32_t n, int shuffle, uint32_t *out)
{
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    uint32_t word[4] = {0};
    for (uint32_t i = 0; i < n; i++)
        out[i] = i;
    if (!shuffle)
        return;
    for (uint32_t t = 0; t + 1 < n; t++) {
        if (t % 4 == 0) {
            const uint32_t counter[4] = {t / 4, epoch, 0, STREAM_TAG};
            philox4x32_10(counter, key, word);
        }
        const uint32_t i = n - 1 - t;
        const uint32_t j = (uint32_t)((uint64_t)word[t % 4] * (i + (uint64_t)1) >> 32);
        const uint32_t keep = out[i];
        out[i] = out[j];
        out[j] = keep;
    }
}
