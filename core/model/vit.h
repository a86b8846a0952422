/* SPDX-License-Identifier: MIT
 * vit.h - builds a vision transformer (Dosovitskiy et al. 2021, as timm's VisionTransformer).
 */
#ifndef SCT_MODEL_VIT_H
#define SCT_MODEL_VIT_H

#include "core/model/weights.h"

/* What the caller wants beside the backbone. */
struct sct_vit_opts {
    uint32_t batch;
    uint64_t seed;  /* of a fresh head and of what strategies add */
    bool keep_head; /* take the file's head; classes must equal it */
};

/* Takes the tensors from w (which must outlive the model), all frozen but a fresh head. EFILE
 * when the file does not fit, EUSAGE when the configuration is impossible. On failure *out is
 * NULL. The model's inputs: "images" u8 [batch][image][image][3]; its output: "logits". */
sct_status sct_vit_build(struct sct_model **out, const struct sct_model_config *cfg,
                         struct sct_weights *w, const struct sct_vit_opts *opts,
                         sct_error *err);

#endif
