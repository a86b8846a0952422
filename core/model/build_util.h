/* SPDX-License-Identifier: MIT
 * build_util.h - what the definitions of all backbones are written with: parameters by timm's
 * names, layers, and the sites that go with them. After the first error every call does nothing
 * and gives no value, so a definition checks once, in sct_build_end. */
#ifndef SCT_MODEL_BUILD_UTIL_H
#define SCT_MODEL_BUILD_UTIL_H

#include "core/model/build.h"

struct sct_build {
    struct sct_model *m;
    struct sct_builder *b;
    struct sct_weights *w;
    /* Where sites are registered. Set by the definition as it goes along. */
    uint32_t stage, block; /* block SCT_NO_BLOCK outside blocks */
    uint32_t tokens;       /* of the stream, with the prefix */
    uint32_t prefix, grid_h, grid_w;
    sct_error *err;
    sct_status rc;
};

/* An empty model. On failure nothing is to be ended. */
sct_status sct_build_begin(struct sct_build *c, const struct sct_model_config *cfg,
                           struct sct_weights *w, const struct sct_build_opts *opts,
                           sct_error *err);
/* The finished model, or its first error; then *out is NULL and the model is destroyed. */
sct_status sct_build_end(struct sct_build *c, struct sct_model **out);

/* The frozen parameter of that name from the weights, with exactly these dims; init is how it
 * is drawn when the weights are random. */
sct_val sct_build_param(struct sct_build *c, const char *name, const char *init, uint32_t nd,
                        const uint32_t *dim);
/* The same of one dimension. */
sct_val sct_build_vec(struct sct_build *c, const char *name, const char *init, uint32_t n);

/* x W' + b with name.weight [out][in] and, where with_bias, name.bias [out]; registers the
 * LINEAR site of the role. */
sct_val sct_build_linear(struct sct_build *c, sct_val x, const char *name, uint32_t out,
                         uint32_t in, bool with_bias, uint32_t role);
/* LayerNorm over the last dimension, n wide: name.weight, name.bias, eps of the configuration.
 */
sct_val sct_build_norm(struct sct_build *c, sct_val x, const char *name, uint32_t n);
/* Stochastic depth of a branch; `branch` ("attn") is part of the key of its random numbers. A
 * rate of 0 is no node. */
sct_val sct_build_drop(struct sct_build *c, sct_val x, float rate, const char *branch);
/* Registers the VALUE site of the role. */
void sct_build_site(struct sct_build *c, sct_val v, uint32_t role);

/* Input "images", normalised: [B][H][W][3] bytes -> [B][3][H][W]; site input. Fills m->table.
 */
sct_val sct_build_images(struct sct_build *c);
/* Patches as tokens times patch_embed.proj: [B][3][H][W] -> [B][N][dim]; site embed.patches. */
sct_val sct_build_patches(struct sct_build *c, sct_val img);
/* The classifier over x [B][in], from the weights (keep) or fresh; logits, its sites. */
void sct_build_head(struct sct_build *c, sct_val x, uint32_t in, bool keep);
/* The mean of "head" over x and "head_dist" over y. There is no HEAD site: two layers make the
 * logits. */
void sct_build_two_heads(struct sct_build *c, sct_val x, sct_val y, uint32_t in, bool keep);

#endif
