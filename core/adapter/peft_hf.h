/* SPDX-License-Identifier: MIT
 * peft_hf.h - LoRA adapters in the names of transformers: there q, k and v are layers of their
 * own, and versions 4 and 5 call all layers differently.
 *
 * A folder has every pair under the names of both, so that both versions load it; where it is
 * read, what is there twice must be equal. Own names: "blocks.3.attn.qkv.q.lora_A.weight" is a
 * pair of q, "blocks.3.attn.qkv.lora_A.weight" one of the fused layer, which transformers has
 * as three with equal A. Threads: one thread an adapter. */
#ifndef SCT_ADAPTER_PEFT_HF_H
#define SCT_ADAPTER_PEFT_HF_H

#include "core/adapter/peft_modules.h"
#include "core/model/name_pattern.h"
#include "core/peft/adapter.h"

/* Whose names a folder of PEFT has; room for a module's name. */
enum { SCT_ADAPTER_MODULE = 160 };

enum sct_peft_names { SCT_PEFT_TIMM, SCT_PEFT_HF };

/* Words for both, in that order; NULL ends the list. */
extern const char *const sct_peft_names_words[];

/* Puts `own` into the empty `to` in the names of transformers. disk: the same in timm's form,
 * whose keys are taken over, `modules` (peft_folder.h) in the other names. EUSAGE when the
 * architecture is none that transformers' ViT or Swin computes; EINVAL, ENOMEM. */
sct_status sct_peft_to_hf(const struct sct_adapter *own, const struct sct_adapter *disk,
                          const struct sct_model_config *cfg, struct sct_adapter *to,
                          sct_error *err);

/* One pair that a folder has. */
struct sct_peft_found {
    char layer[64];                  /* timm's name */
    int part;                        /* of qkv: 0, 1, 2; -1: the whole layer */
    uint32_t r;                      /* rows of its A */
    char module[SCT_ADAPTER_MODULE]; /* the folder's name for it */
};

/* The tensors of a folder in transformers' names, in own names into the empty `own`. fused: the
 * pairs of q, k and v become one of the fused layer; their A must be equal. found: room for
 * sct_peft_layers(cfg) * 3, or NULL; *n of them are filled. EFILE names what is twice and
 * differs, missing, or has no place in this model. */
sct_status sct_peft_from_hf(const struct sct_adapter *from, const struct sct_model_config *cfg,
                            bool fused, struct sct_adapter *own, struct sct_peft_found *found,
                            size_t *n, sct_error *err);

/* What version 4 (0) or 5 (1) of transformers calls a layer, or part 0, 1, 2 of qkv (else -1):
 * "vit.encoder.layer.3.attention.attention.query". False: it has no name. */
bool sct_peft_module(const struct sct_model_config *cfg, int version, const char *layer,
                     int part, char buf[SCT_NAME_MAX]);
/* The head of a folder in transformers' names, if it has one, marked used. */
sct_status sct_peft_hf_head(const struct sct_adapter *from, const struct sct_model_config *cfg,
                            struct sct_adapter *own, sct_error *err);
bool sct_peft_is_qkv(const char *layer);

/* Layers of the model that can have pairs: four a block. Name of layer i, timm's. */
size_t sct_peft_layers(const struct sct_model_config *cfg);
void sct_peft_layer(const struct sct_model_config *cfg, size_t i, char buf[64]);

#endif
