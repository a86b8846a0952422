/* SPDX-License-Identifier: MIT
 * interp.h - position embeddings and bias tables for another number of positions.
 *
 * Each way is one library's, so that a resized model equals the one that library would build:
 *
 *              position embedding                         relative position bias table
 *   timm       bicubic a = -0.5, antialiased;             bilinear on nodes in geometric
 *              from Flax files bilinear, no antialias     progression
 *   timm-0.6   bicubic a = -0.75, no antialias            that version does not resize it
 *   hf         bicubic a = -0.75, no antialias            transformers does not resize it
 *   ms         bicubic a = -0.75, no antialias            the same
 *
 * Sources: timm 1.0 layers/pos_embed.py and pos_embed_rel.py, timm 0.6 vision_transformer.py,
 * transformers' interpolate_pos_encoding, Microsoft's Swin utils.py; the two cubics are those
 * of torch.nn.functional.interpolate (align_corners false) with and without antialias. Grids
 * are square. Pure functions, any thread. */
#ifndef SCT_MODEL_INTERP_H
#define SCT_MODEL_INTERP_H

#include <stdbool.h>

#include <sctrun/base.h>

enum sct_interp {
    SCT_INTERP_NONE,
    SCT_INTERP_TIMM,
    SCT_INTERP_TIMM_06,
    SCT_INTERP_HF,
    SCT_INTERP_MS,
    SCT_INTERP_COUNT
};

/* The words of --interp, with bars between, in the order of the enum. */
#define SCT_INTERP_WORDS "none|timm|timm-0.6|hf|ms"

enum { SCT_INTERP_MAX_SIDE = 2048 };

/* "timm" */
const char *sct_interp_name(enum sct_interp how);
/* Its number, or SCT_INTERP_COUNT. */
enum sct_interp sct_interp_find(const char *name);

/* Whether it resizes bias tables (table), or position embeddings. */
bool sct_interp_does(enum sct_interp how, bool table);

/* src [prefix + from^2][channels] to dst [prefix + to^2][channels]: the first `prefix` rows are
 * kept. flax: the values come from a Flax file. EINVAL: how is NONE, or a side is 0 or above
 * SCT_INTERP_MAX_SIDE; ENOMEM. dst does not overlap src. */
sct_status sct_interp_positions(enum sct_interp how, bool flax, const float *src, uint32_t from,
                                float *dst, uint32_t to, uint32_t prefix, uint32_t channels,
                                sct_error *err);
/* src [from^2][heads] to dst [to^2][heads]; sides are 2 window - 1. EUSAGE where the library
 * has no way; else as above. */
sct_status sct_interp_table(enum sct_interp how, const float *src, uint32_t from, float *dst,
                            uint32_t to, uint32_t heads, sct_error *err);

#endif
