/* SPDX-License-Identifier: MIT
 * generator.h - procedural image classification tasks: sprites on a noisy background.
 * In the manner of dSprites and CLEVR: one attribute is the label, all others vary. Integer
 * arithmetic only, so an image has the same bits on every machine. */
#ifndef SCT_DATA_GENERATOR_H
#define SCT_DATA_GENERATOR_H

#include "core/data/image.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a class is. SHAPE_COLOR: every pair, shape the slower index. LOCATION: cells of a square
 * grid, row by row. ORIENTATION: equal sectors of the full turn. SIZE: equal steps of the
 * radius. COUNT_COLOR: how many objects have the first of `colors`, from 0; the others have the
 * rest of them. */
#define SCT_TASK_LABELS(X)                                                                     \
    X(SHAPE, "shape")                                                                          \
    X(COLOR, "color")                                                                          \
    X(SHAPE_COLOR, "shape-color")                                                              \
    X(COUNT, "count")                                                                          \
    X(ORIENTATION, "orientation")                                                              \
    X(LOCATION, "location")                                                                    \
    X(SIZE, "size")                                                                            \
    X(COUNT_COLOR, "count-color")

enum sct_task_label {

#define SCT_TASK_LABEL_ENUM(ID, NAME) SCT_TASK_##ID,
    SCT_TASK_LABELS(SCT_TASK_LABEL_ENUM)
#undef SCT_TASK_LABEL_ENUM
        SCT_TASK_LABEL_COUNT
};

#define SCT_SPRITE_SHAPES(X)                                                                   \
    X(disc) X(square) X(triangle) X(star) X(cross) X(ring) X(arrow) X(ell) X(bar) X(halfdisc)
#define SCT_SPRITE_COLORS(X)                                                                   \
    X(red, 220, 40, 40)                                                                        \
    X(green, 50, 200, 60)                                                                      \
    X(blue, 50, 80, 230)                                                                       \
    X(yellow, 225, 215, 50)                                                                    \
    X(magenta, 215, 60, 205)                                                                   \
    X(cyan, 50, 205, 215)                                                                      \
    X(orange, 240, 140, 30)                                                                    \
    X(white, 235, 235, 235)

enum { SCT_SPRITE_MAX_KINDS = 16, SCT_SPRITE_MAX_OBJECTS = 16 };

/* Like VTAB-1k's four lists: TRAINVAL is TRAIN followed by VAL. */
enum sct_split { SCT_SPLIT_TRAIN, SCT_SPLIT_VAL, SCT_SPLIT_TRAINVAL, SCT_SPLIT_TEST };

/* A task is plain data: copy it, compare it, keep it on the stack. Read-only while images are
 * drawn, by any number of threads. */
struct sct_task {
    char name[64];
    enum sct_task_label label;
    uint32_t image_size; /* pixels of a side, 16 to 256 */
    uint32_t classes;    /* 0 until sct_task_finish: as many as the label kind has */
    uint32_t train, val, test;
    uint64_t seed;
    uint32_t shape_count, color_count;
    uint8_t shapes[SCT_SPRITE_MAX_KINDS], colors[SCT_SPRITE_MAX_KINDS];
    uint32_t objects_min, objects_max; /* ignored by COUNT, whose label is objects - 1 */
    uint32_t radius_min, radius_max;   /* thousandths of the side */
    uint32_t rotation;     /* degrees, 0 to 360: angles are drawn from [0, rotation) */
    uint32_t distractors;  /* at most so many small grey marks */
    uint32_t color_jitter; /* levels, +- */
    uint32_t gradient;     /* largest level of the background, 0 to 255 */
    uint32_t noise;        /* levels, +- , 0 to 127 */
};

/* Defaults: label shape, 64 pixels, all shapes and colours, one object, 800 + 200 training and
 * 1000 test images. */
void sct_task_init(struct sct_task *t);

/* Sets one field by its name as it stands in a YAML file under configs/tasks; lists ("shapes",
 * "colors") are names separated by blanks or commas. SCT_EUSAGE says what is expected; t is
 * then unchanged. */
sct_status sct_task_set(struct sct_task *t, const char *key, const char *value, sct_error *err);

/* Reads every pair from `next`, which stores the next key and value and returns true, or
 * returns false at the end; then finishes. The strings need live only until the following call.
 */
typedef int (*sct_task_next_fn)(void *ctx, const char **key, const char **value);
sct_status sct_task_load(struct sct_task *t, sct_task_next_fn next, void *ctx, sct_error *err);

/* Works out `classes` and checks everything; to be called once after the last sct_task_set. */
sct_status sct_task_finish(struct sct_task *t, sct_error *err);

uint32_t sct_task_count(const struct sct_task *t, enum sct_split split);
/* "train", "val", "trainval", "test", and VTAB's list names with or without .txt. */
sct_status sct_split_parse(enum sct_split *out, const char *name, sct_error *err);

/* Image `index` < count is a pure function of (task, split, index). Labels go round: index
 * modulo classes. */
uint32_t sct_task_label_of(const struct sct_task *t, enum sct_split split, uint32_t index);
/* "star", "3 objects", "red disc", "row 1 column 2", "45 degrees", ... */
void sct_task_class_name(const struct sct_task *t, uint32_t label, char *buf, size_t size);

/* Draws into a fresh image that the caller ends with sct_image_fini. SCT_EINVAL for an index
 * that is too large, SCT_ENOMEM; *img is then empty. Thread-safe. */
sct_status sct_task_draw(const struct sct_task *t, enum sct_split split, uint32_t index,
                         struct sct_image *img, uint32_t *label, sct_error *err);

#ifdef __cplusplus
}
#endif
#endif
