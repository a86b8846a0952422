/* SPDX-License-Identifier: MIT
 * mix.h - mixup (Zhang et al. 2018) and cutmix (Yun et al. 2019) of a batch.
 *
 * Row r is mixed with row valid - 1 - r, as timm's Mixup pairs them; a picture's target is two
 * labels and the share of the first, which the loss takes as it is (XENT). */
#ifndef SCT_DATA_MIX_H
#define SCT_DATA_MIX_H

#include "core/data/draw.h"
#include "core/data/step.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What becomes of a row. Without a box (x0 = x1) and with lam 1 it stays. */
struct sct_mixing {
    double lam;              /* share of the row's own picture and label */
    bool cut;                /* a box of the other picture, else a blend */
    uint32_t x0, y0, x1, y1; /* the box */
};

/* Whether a step of kind mix does anything. */
bool sct_mix_on(const struct sct_step *mix);

/* lam of Beta(a, a); for cutmix a box of 1 - lam of the area about a random centre, cut at the
 * border, and lam set to what is left. */
struct sct_mixing sct_mix_draw(const struct sct_step *mix, uint32_t size,
                               struct sct_draw *draw);

/* Two pictures [size][size][3], each mixed with what the other one was. A blend is the nearest
 * integer, ties to even, of float32 a lam + b (1 - lam): timm's FastCollateMixup. */
void sct_mix_pair(uint8_t *a, uint8_t *b, uint32_t size, const struct sct_mixing *of_a,
                  const struct sct_mixing *of_b);

/* A batch in place: images [valid][size][size][3], labels [valid][2] (both the row's own on
 * entry), share [valid], item [valid]. The numbers are those of (seed, epoch, item of row 0),
 * or of every row's item (per: image). */
void sct_mix_batch(const struct sct_step *mix, uint64_t seed, uint32_t epoch,
                   const uint32_t *item, uint32_t valid, uint32_t size, uint8_t *images,
                   int32_t (*labels)[2], float *share);

#ifdef __cplusplus
}
#endif
#endif
