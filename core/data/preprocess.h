/* SPDX-License-Identifier: MIT
 * preprocess.h - from a decoded image to the model's square input.
 * Images stay 8-bit until the device: normalisation is a table of 3 x 256 floats. */
#ifndef SCT_DATA_PREPROCESS_H
#define SCT_DATA_PREPROCESS_H

#include "core/data/augment.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Two steps or one by a short name. squash: both sides to the model's, aspect not kept
 * (VTAB-1k). crop: short side to floor(size / crop_pct), then the centre (timm, torchvision).
 */
#define SCT_RESIZE_MODES(X)                                                                    \
    X(SQUASH_BICUBIC, "squash-bicubic")                                                        \
    X(SQUASH_BILINEAR, "squash-bilinear")                                                      \
    X(CROP_BICUBIC, "crop-bicubic")                                                            \
    X(CROP_BILINEAR, "crop-bilinear")

enum sct_resize_mode {

#define SCT_RESIZE_MODE_ENUM(ID, NAME) SCT_RESIZE_##ID,
    SCT_RESIZE_MODES(SCT_RESIZE_MODE_ENUM)
#undef SCT_RESIZE_MODE_ENUM
        SCT_RESIZE_MODE_COUNT
};

struct sct_preprocess {
    uint32_t size;   /* S, pixels of a side */
    double crop_pct; /* [0.25, 1], of resize steps that leave it to the model */
    float mean[3], std[3];
    enum sct_pass_order order;
    struct sct_steps eval;  /* of evaluation, prediction and calibration */
    struct sct_steps train; /* of training; may draw */
    struct sct_step mix;    /* SCT_STEP_MIX, of training batches; mixup and cutmix 0: none */
};

/* squash-bicubic to 224, ImageNet statistics, crop_pct 0.9: what VTAB-1k papers use. */
void sct_preprocess_default(struct sct_preprocess *p);

/* Mean and std by name: "imagenet", "half" (0.5, 0.5), "none" (0, 1). SCT_EUSAGE lists the
 * names; p is then unchanged. */
sct_status sct_preprocess_stats(struct sct_preprocess *p, const char *name, sct_error *err);

/* In both lists the steps of the mode take the place of all that resize and crop. Other steps
 * stay, behind them. */
void sct_preprocess_set_mode(struct sct_preprocess *p, enum sct_resize_mode mode);
/* A crop_pct for the model's, and for that of every resize that is followed by a crop. */
void sct_preprocess_set_crop_pct(struct sct_preprocess *p, double crop_pct);

/* Mode and pass order by name; SCT_EUSAGE lists the names and leaves *out unchanged. */
sct_status sct_resize_mode_parse(enum sct_resize_mode *out, const char *name, sct_error *err);
const char *sct_resize_mode_name(enum sct_resize_mode mode);
/* "horizontal", "pillow-12.2", "pillow-13". */
sct_status sct_pass_order_parse(enum sct_pass_order *out, const char *name, sct_error *err);
const char *sct_pass_order_name(enum sct_pass_order order);

/* SCT_EUSAGE names the field or step that is out of range, a random step in `eval`, or a list
 * whose result is not S x S. */
sct_status sct_preprocess_check(const struct sct_preprocess *p, sct_error *err);

/* The eval steps: img -> out [S][S][3], owned by the caller. SCT_EDATA, SCT_ENOMEM, SCT_EUSAGE.
 * Thread-safe. */
sct_status sct_preprocess_apply(const struct sct_preprocess *p, const struct sct_image *img,
                                uint8_t *out, sct_error *err);
/* The train steps, with the numbers of (seed, epoch, item). */
sct_status sct_preprocess_train(const struct sct_preprocess *p, const struct sct_image *img,
                                uint64_t seed, uint32_t epoch, uint32_t item, uint8_t *out,
                                sct_error *err);

/* Steps at the beginning of a list that draw nothing and end at a known side, *side: what need
 * not be made again in every epoch. 0 steps when there are none. */
uint32_t sct_preprocess_fixed(const struct sct_preprocess *p, const struct sct_steps *list,
                              uint32_t *side);
/* Whether the train steps draw anything, or batches are mixed: the same picture is then another
 * one in the next epoch. */
bool sct_preprocess_draws(const struct sct_preprocess *p);
/* Whether two lists begin with the same n steps. */
bool sct_steps_same(const struct sct_steps *a, const struct sct_steps *b, uint32_t n);
/* What steps of p need to know. Borrows p. */
struct sct_augment sct_preprocess_augment(const struct sct_preprocess *p);

/* table[c][v] = (v / 255 - mean[c]) / std[c], each step rounded to float32: torchvision's
 * ToTensor and Normalize. */
void sct_preprocess_table(const struct sct_preprocess *p, float table[3][256]);

/* Changes when any field that changes pixels of the eval steps changes: part of the keys of
 * caches. */
uint64_t sct_preprocess_hash(const struct sct_preprocess *p);

#ifdef __cplusplus
}
#endif
#endif
