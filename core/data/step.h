/* SPDX-License-Identifier: MIT
 * step.h - steps of preprocessing as data: a kind and numbers, described by one table.
 *
 * The table serves the YAML presets, the adapter folder, messages and checks; a new parameter
 * is a line in it. Sizes of 0 stand for the model's input, S. */
#ifndef SCT_DATA_STEP_H
#define SCT_DATA_STEP_H

#include <stdbool.h>

#include <sctrun/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The first four change the size. MIX is no step of a picture but what becomes of a batch:
 * core/data/mix.h. */
enum sct_step_kind {
    SCT_STEP_RESIZE,
    SCT_STEP_CENTER_CROP,
    SCT_STEP_RANDOM_CROP,
    SCT_STEP_RANDOM_RESIZED_CROP,
    SCT_STEP_HFLIP,
    SCT_STEP_COLOR_JITTER,
    SCT_STEP_RANDAUGMENT,
    SCT_STEP_RANDOM_ERASING,
    SCT_STEP_MIX
};

enum { SCT_STEP_VALUES = 8, SCT_STEPS_MAX = 16 };

struct sct_step {
    enum sct_step_kind kind;
    double v[SCT_STEP_VALUES]; /* by the names below; a word is its place among the words */
};

/* Names of the values, in the order of the table. A pair has two. */
enum { RESIZE_MODE, RESIZE_SIZE, RESIZE_CROP_PCT, RESIZE_FILTER };

enum { RESIZE_SQUASH, RESIZE_SHORT }; /* of RESIZE_MODE */

enum { CROP_SIZE, CROP_PADDING, CROP_FILL };

enum { RRC_SIZE, RRC_SCALE, RRC_RATIO = RRC_SCALE + 2, RRC_FILTER = RRC_RATIO + 2 };

enum { HFLIP_P };

enum { JITTER_BRIGHTNESS, JITTER_CONTRAST, JITTER_SATURATION, JITTER_HUE };

enum { RAND_MAGNITUDE, RAND_STD, RAND_OPS, RAND_P, RAND_FILTER };

enum {
    ERASE_P,
    ERASE_SCALE,
    ERASE_RATIO = ERASE_SCALE + 2,
    ERASE_MODE = ERASE_RATIO + 2,
    ERASE_COUNT
};

enum { ERASE_PIXEL, ERASE_RAND, ERASE_CONST }; /* of ERASE_MODE */

enum { MIX_MIXUP, MIX_CUTMIX, MIX_P, MIX_SWITCH, MIX_PER };

enum { MIX_PER_BATCH, MIX_PER_IMAGE }; /* of MIX_PER */

/* Word 5 of the filters of steps that draw one: bilinear or bicubic, by a coin. */
enum { SCT_FILTER_RANDOM = 5 };

enum sct_step_type { SCT_STEP_REAL, SCT_STEP_WHOLE, SCT_STEP_PAIR, SCT_STEP_WORD };

struct sct_step_param {
    const char *key;
    enum sct_step_type type;
    double def[2], min, max; /* of every number; pairs are in order */
    const char *words;       /* "a|b" of a word; of a number, what 0 may be called, or NULL */
};

struct sct_step_info {
    const char *name;
    bool random; /* draws numbers: not for evaluation */
    uint32_t n;
    const struct sct_step_param *param; /* [n] */
};

struct sct_steps {
    uint32_t n;
    struct sct_step step[SCT_STEPS_MAX];
};

const struct sct_step_info *sct_step_info(enum sct_step_kind kind);
/* First value of a parameter. */
uint32_t sct_step_at(enum sct_step_kind kind, uint32_t param);

/* A step of defaults. SCT_EUSAGE lists the names. */
sct_status sct_step_init(struct sct_step *s, const char *name, sct_error *err);
/* Number `part` (0; of a pair also 1) of a parameter from text. Numbers keep 15 digits, what a
 * JSON file keeps. SCT_EUSAGE says what was expected. */
sct_status sct_step_set(struct sct_step *s, const char *key, uint32_t part, const char *text,
                        sct_error *err);
/* "rand-m9-mstd0.5-inc1", timm's name for a RandAugment: magnitude m, its deviation mstd, n
 * operations, p each. Its increasing operations (inc1) are the only ones here. SCT_EUSAGE. */
sct_status sct_step_policy(struct sct_step *s, const char *policy, sct_error *err);
/* Every number within its range, pairs in order. SCT_EUSAGE. */
sct_status sct_step_check(const struct sct_step *s, sct_error *err);

/* "resize(mode=short, crop_pct=0.875), center-crop": what differs from the defaults. Cut to
 * `size` bytes with the zero. */
void sct_steps_text(const struct sct_steps *list, char *buf, size_t size);

#ifdef __cplusplus
}
#endif
#endif
