/* SPDX-License-Identifier: MIT
 * augment.h - runs steps on a picture.
 *
 * Sources: torchvision's Resize, CenterCrop, RandomCrop, RandomResizedCrop, ColorJitter; timm's
 * RandomErasing and rand_augment_transform. What they do to pixels is theirs, which numbers
 * they draw is ours (draw.h). Thread-safe: no shared state. */
#ifndef SCT_DATA_AUGMENT_H
#define SCT_DATA_AUGMENT_H

#include "core/data/draw.h"
#include "core/data/resize.h"
#include "core/data/step.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What the steps of one run have in common. */
struct sct_augment {
    uint32_t size;   /* S, the model's input */
    double crop_pct; /* of resize steps that leave it to the model */
    enum sct_pass_order order;
    const float *mean, *std; /* [3]: what fills holes, in units of 1 */
};

/* The side of a resize or crop step: its own, or the model's. */
uint32_t sct_augment_side(const struct sct_augment *a, const struct sct_step *s);

/* Runs steps from .. to - 1 of the list on *img, which is replaced. Without `draw` a random
 * step is SCT_EINVAL. SCT_EDATA (a picture smaller than its crop, sizes over the limits),
 * SCT_ENOMEM; *img is then still valid, and something in between. */
sct_status sct_augment_run(const struct sct_augment *a, const struct sct_steps *list,
                           uint32_t from, uint32_t to, struct sct_image *img,
                           struct sct_draw *draw, sct_error *err);

/* ---- what one step does with the numbers it drew, for tests and for the steps ---- */

/* w x h pixels at (x, y), which may lie outside: those are `fill`. */
sct_status sct_image_crop(struct sct_image *img, int64_t x, int64_t y, uint32_t w, uint32_t h,
                          const uint8_t fill[3], sct_error *err);

/* The fifteen operations of RandAugment, in timm's order. */
enum { SCT_RAND_OPS = 15 };

/* Operation `op` (0 to 14) at a magnitude of 0 to 10; negate: the other direction, where there
 * is one. SCT_ENOMEM. */
sct_status sct_randaugment_op(struct sct_image *img, uint32_t op, double magnitude, bool negate,
                              enum sct_filter filter, const uint8_t fill[3], sct_error *err);
/* n operations of the fifteen with replacement, each with probability p, magnitudes normal
 * about the given one and clipped to [0, 10]. */
sct_status sct_randaugment(struct sct_image *img, const struct sct_step *s,
                           const uint8_t fill[3], struct sct_draw *draw, sct_error *err);
/* One of bilinear and bicubic for `random`, drawn. */
enum sct_filter sct_augment_filter(double word, struct sct_draw *draw);

#ifdef __cplusplus
}
#endif
#endif
