/* SPDX-License-Identifier: MIT
 * build.h - builds the model of a configuration: THE table of architectures. */
#ifndef SCT_MODEL_BUILD_H
#define SCT_MODEL_BUILD_H

#include "core/model/config.h"
#include "core/model/weights.h"

/* What the caller wants beside the backbone. */
struct sct_build_opts {
    uint32_t batch;
    uint64_t seed;  /* of a fresh head and of what strategies add */
    bool keep_head; /* take the file's head; classes must equal it */
};

/* Takes the tensors from w (which must outlive the model), all frozen but a fresh head. EFILE
 * when the file does not fit, EUSAGE when the configuration is impossible. On failure *out is
 * NULL. The model's inputs: "images" u8 [batch][image][image][3]; its output: "logits". */
typedef sct_status sct_build_fn(struct sct_model **out, const struct sct_model_config *cfg,
                                struct sct_weights *w, const struct sct_build_opts *opts,
                                sct_error *err);

struct sct_arch_row {
    const char *head; /* timm's name of the classifier */
    const char *timm_class, *timm_module;
    void (*defaults)(struct sct_model_config *c); /* what differs from a ViT; may be NULL */
    sct_build_fn *build;
};

/* The row of an enum sct_arch; one beyond the last: NULL. */
const struct sct_arch_row *sct_arch_at(uint32_t arch);
/* What the key arch may say: NULL-terminated, in the order of enum sct_arch. */
const char *const *sct_arch_names(void);

/* How weight and bias of a fresh head are drawn. */
struct sct_head_init {
    char weight[48], bias[48];
};

/* Fills *h from the configuration's head_init, of a head over `in` > 0 channels. An initialiser
 * (see sct_strategy_host.new_param) is the weight's, and the bias is 0; "torch_linear" is both,
 * as torch.nn.Linear has them: uniform(-1 / sqrt(in), 1 / sqrt(in)). */
void sct_head_init(struct sct_head_init *h, const char *head_init, uint32_t in);

/* Builds by cfg->arch. */
sct_build_fn sct_model_build;

#endif
