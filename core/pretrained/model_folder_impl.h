/* SPDX-License-Identifier: MIT
 * model_folder_impl.h - the tables by which config.json is read. */
#ifndef SCT_PRETRAINED_MODEL_FOLDER_IMPL_H
#define SCT_PRETRAINED_MODEL_FOLDER_IMPL_H

#include "core/pretrained/model_folder.h"

/* How a value of the file becomes one of struct sct_model_config. */
enum sct_told {
    SCT_TOLD_SAME,  /* as the key is: a number, a list, a yes or no, a word */
    SCT_TOLD_NOT,   /* the opposite */
    SCT_TOLD_RATIO, /* so many times dim, rounded down */
    SCT_TOLD_SET,   /* whether there is a value that is not null */
    SCT_TOLD_ACT,   /* an activation by name */
    SCT_TOLD_MUST,  /* must be `must`; anything else is not built */
    SCT_TOLD_VOID,  /* says nothing of what the model computes in evaluation */
};

/* in: bits 1 << enum sct_told_by of those whose files have it. */
struct sct_told_row {
    const char *json, *key;
    enum sct_told how;
    uint32_t in;
    int must;
};

enum sct_told_by {
    SCT_BY_VIT,
    SCT_BY_DEIT,
    SCT_BY_SWIN,
    SCT_BY_DINO,
    SCT_BY_DINO_REG,
    SCT_BY_CLIP,
    SCT_BY_TIMM_VIT,
    SCT_BY_TIMM_SWIN,
};

/* A model_type of transformers. defaults: JSON of what its class takes where the file is
 * silent and tensors do not tell. inner: the object that holds the keys, or NULL. */
struct sct_model_type {
    const char *name, *inner, *defaults;
    enum sct_arch arch;
    enum sct_told_by by;
};

extern const struct sct_told_row sct_told_rows[];     /* json NULL ends it */
extern const struct sct_model_type sct_model_types[]; /* name NULL ends it */

/* A function of timm: heads (0: a Swin's, which the tensors tell), activation, eps. */
struct sct_timm_row {
    const char *name;
    uint32_t heads, gelu; /* enum sct_gelu */
    float eps;
};

/* By the function's name, or NULL; presets have no row. */
const struct sct_timm_row *sct_timm_find(const char *name);
/* What a function's model has that is not built here, though its tensors have the names and
 * shapes of one that is; or NULL. */
const char *sct_timm_unlike(const char *architecture);

/* enum sct_gelu by the names of both libraries. */
bool sct_told_gelu(const char *name, uint32_t *gelu);

#endif
