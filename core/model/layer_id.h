/* SPDX-License-Identifier: MIT
 * layer_id.h - how timm 1.0 groups the parameters of a model for layer-wise learning rates and
 * for weight decay (timm/optim/_param_groups.py, group_matcher and no_weight_decay of
 * vision_transformer.py, deit.py and swin_transformer.py). Pure functions, any thread. */
#ifndef SCT_MODEL_LAYER_ID_H
#define SCT_MODEL_LAYER_ID_H

#include "core/ir/model.h"

/* The last layer's id L, of the head and of all that timm's patterns do not name: blocks + 1.
 */
uint32_t sct_layer_last(const struct sct_model_config *c);
/* Layer of the parameter of that timm name: embeddings 0; block i, counted over the stages of a
 * Swin, i + 1; patch merging with the first block of its stage; the final norm with the last
 * block, and so is, by timm's pattern, CLIP's norm_pre; everything else L. */
uint32_t sct_layer_of_name(const struct sct_model_config *c, const char *name);
/* Layer of p of model m. What a strategy added has the layer of the site whose edit made it, or
 * of the parameter whose elements it changes; without either (shared by several blocks) L. */
uint32_t sct_layer_of(const struct sct_model *m, const struct sct_param *p);
/* Whether timm's weight decay acts on p: it has two or more dimensions and is none of the
 * embeddings and tables of no_weight_decay. */
bool sct_layer_decays(const struct sct_param *p);

#endif
