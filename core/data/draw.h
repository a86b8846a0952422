/* SPDX-License-Identifier: MIT
 * draw.h - the random numbers of one sample: Philox words, and what is made of them.
 *
 * A stream is a pure function of (seed, epoch, item, tag), so a picture does not depend on the
 * threads that make it, on what was drawn before it, or on where a run was taken up again. The
 * layout is a file format: docs/formats.md, "Random numbers". One thread. */
#ifndef SCT_DATA_DRAW_H
#define SCT_DATA_DRAW_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct sct_draw {
    uint32_t key[2], counter[4], word[4];
    uint32_t used; /* of word */
};

/* Tags of the streams: the fourth word of the counter. */
enum { SCT_DRAW_SAMPLE = 0x4155474d, SCT_DRAW_BATCH = 0x4d495842 };

void sct_draw_init(struct sct_draw *d, uint64_t seed, uint32_t epoch, uint32_t item,
                   uint32_t tag);
uint32_t sct_draw_word(struct sct_draw *d);
/* A multiple of 2^-53 in [0, 1): two words. */
double sct_draw_unit(struct sct_draw *d);
/* In [lo, hi). */
double sct_draw_range(struct sct_draw *d, double lo, double hi);
/* In [0, n), n > 0: one word; off by at most n / 2^32 from even. */
uint32_t sct_draw_below(struct sct_draw *d, uint32_t n);
/* Normal, mean 0, deviation 1: Box and Muller 1958, four words. As portable as libm. */
double sct_draw_normal(struct sct_draw *d);
/* Beta(a, a), a > 0, from two gammas (Marsaglia and Tsang 2000). */
double sct_draw_beta(struct sct_draw *d, double a);

#ifdef __cplusplus
}
#endif
#endif
