/* SPDX-License-Identifier: MIT
 * random_base.c - DROPOUT and DROPPATH: Philox of (seed, key, step, element of the batch).
 * docs/formats.md, "Random numbers". A block of four words is made once for its four elements.
 * The division is in double, so that 1 - rate is not rounded before it. */
#include "kernels/cpu/cpu_base.h"
#include "kernels/cpu/cpu_layout.h"
#include "kernels/philox.h"

#include <string.h>

enum { BLOCKS = 16, GROUP = 4 * BLOCKS };

/* Words of elements 64 group .. 64 group + 63: philox4x32_10 on 16 counters side by side, which
 * compilers turn into vectors. */
static void philox_group(const struct sct_kargs *k, uint64_t op_key, uint64_t group,
                         uint32_t *restrict word)
{
    uint32_t x0[BLOCKS], x1[BLOCKS], x2[BLOCKS], x3[BLOCKS];
    uint32_t k0 = (uint32_t)k->step->seed, k1 = (uint32_t)(k->step->seed >> 32);
    for (uint32_t i = 0; i < BLOCKS; i++) {
        x0[i] = (uint32_t)(group * BLOCKS) + i;
        x1[i] = (uint32_t)k->step->step;
        x2[i] = (uint32_t)op_key;
        x3[i] = (uint32_t)(op_key >> 32);
    }
    for (int round = 0; round < 10; round++, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u)
        for (uint32_t i = 0; i < BLOCKS; i++) {
            const uint64_t a = (uint64_t)0xD2511F53u * x0[i], b = (uint64_t)0xCD9E8D57u * x2[i];
            x0[i] = (uint32_t)(b >> 32) ^ x1[i] ^ k0;
            x2[i] = (uint32_t)(a >> 32) ^ x3[i] ^ k1;
            x1[i] = (uint32_t)b;
            x3[i] = (uint32_t)a;
        }
    for (uint32_t i = 0; i < BLOCKS; i++) {
        word[4 * i] = x0[i];
        word[4 * i + 1] = x1[i];
        word[4 * i + 2] = x2[i];
        word[4 * i + 3] = x3[i];
    }
}

void dropout_base(const struct sct_kargs *k)
{
    const struct sct_random_params *p = k->d->params;
    const size_t n = sct_desc_count(&k->d->out[0]), per_image = n / k->d->out[0].dim[0];
    const struct cpu_range r = cpu_split(k, n, 1024);
    const float *x = k->in[0], rate = p->rate;
    float *y = k->out[0];
    if (p->off) {
        if (r.first < r.end)
            memcpy(y + r.first, x + r.first, (r.end - r.first) * sizeof *y);
        return;
    }
    const uint64_t e0 = (uint64_t)k->micro->first * per_image;
    const double keep = 1.0 - (double)rate;
    for (size_t i = r.first; i < r.end;) {
        uint32_t word[GROUP];
        const size_t skip = (size_t)((e0 + i) % GROUP),
                     left = r.end - i < GROUP - skip ? r.end - i : GROUP - skip;
        philox_group(k, p->key, (e0 + i) / GROUP, word);
        for (size_t j = 0; j < left; j++) {
            const float kept =
                (float)((double)x[i + j] / keep); /* no branch: half would miss */
            y[i + j] = philox_unit(word[skip + j]) >= rate ? kept : 0.0f;
        }
        i += left;
    }
}

void droppath_base(const struct sct_kargs *k)
{
    const struct sct_random_params *p = k->d->params;
    const size_t images = k->d->out[0].dim[0], n = sct_desc_count(&k->d->out[0]) / images;
    const struct cpu_range r = cpu_split(k, n, 1024);
    const double keep = 1.0 - (double)p->rate;
    for (size_t image = 0; image < images; image++) {
        const float *x = (const float *)k->in[0] + image * n;
        float *y = (float *)k->out[0] + image * n;
        const uint64_t e = (uint64_t)k->micro->first + image;
        uint32_t word[4];
        philox_block(k->step->seed, p->key, k->step->step, e / 4, word);
        const int kept = philox_unit(word[e % 4]) >= p->rate;
        for (size_t i = r.first; i < r.end; i++)
            y[i] = p->off ? x[i] : kept ? (float)((double)x[i] / keep) : 0.0f;
    }
}
