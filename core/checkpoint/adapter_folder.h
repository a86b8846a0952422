/* SPDX-License-Identifier: MIT
 * adapter_folder.h - a folder that holds an adapter: adapter_config.json and
 * adapter_model.safetensors, in the shape of Hugging Face PEFT.
 *
 * What the configuration says is the caller's matter, except for LoRA, whose keys are PEFT's
 * and are written and read here, so that `peft` loads the folder unchanged.
 *
 * Threads: independent folders at the same time; an open folder may be read by many threads. */
#ifndef SCT_CHECKPOINT_ADAPTER_FOLDER_H
#define SCT_CHECKPOINT_ADAPTER_FOLDER_H

#include <sctrun/base.h>

#include "core/checkpoint/safetensors.h"
#include "core/io/json.h"

#define SCT_ADAPTER_CONFIG  "adapter_config.json"
#define SCT_ADAPTER_WEIGHTS "adapter_model.safetensors"

/* Both files as one step: they are written into "<dir>.tmp-<pid>-<k>" and the finished folder
 * takes the place of dir. A folder that was there is replaced; other files in it (a README) are
 * kept. All arguments are borrowed. Metadata as in sct_st_write. On failure dir is as it was,
 * and the status is SCT_EFAIL (the system's reason), SCT_EINVAL (a bad item) or SCT_ENOMEM. */
sct_status sct_adapter_folder_write(const char *dir, const json_t *config,
                                    const struct sct_st_item *items, size_t n,
                                    const struct sct_st_meta *meta, size_t n_meta,
                                    sct_error *err);

struct sct_adapter_folder {
    char *config_path;
    json_t *config; /* an object */
    struct sct_st *tensors;
};

/* Opens and checks both files. On success the caller closes *f; on failure it is zero and the
 * status SCT_EFILE or SCT_ENOMEM. */
sct_status sct_adapter_folder_open(struct sct_adapter_folder *f, const char *dir,
                                   sct_error *err);
/* *f is zero afterwards; a zero *f is fine. */
void sct_adapter_folder_close(struct sct_adapter_folder *f);

/* The strategies that a folder names, as a LIST that the caller frees; *list is NULL when it is
 * no adapter of ours. ENOMEM. */
sct_status sct_adapter_folder_strategies(char **list, const char *dir, sct_error *err);

/* A LoRA configuration. Written: every key that peft 0.21.2 writes, with its default where the
 * struct has no say. */
struct sct_peft_lora {
    uint32_t r;
    float alpha, dropout;
    int rslora;                 /* scale alpha / sqrt(r) instead of alpha / r */
    const char *const *targets; /* module names, as PEFT matches them */
    const char *const *saved;   /* modules_to_save: the head; may be NULL */
    size_t n_targets, n_saved;
    const char *base_class, *library; /* auto_mapping; both or neither */
    const char *base_name;            /* base_model_name_or_path, or NULL */
};

/* On success the caller owns *out (json_decref). SCT_EINVAL: r 0, no target, alpha not finite.
 */
sct_status sct_peft_lora_config(json_t **out, const struct sct_peft_lora *lora, sct_error *err);

/* What a foreign LoRA folder says. Everything but the numbers is borrowed from its tree. */
struct sct_peft_lora_read {
    uint32_t r;   /* 8 when absent, as in PEFT */
    double alpha; /* 8 when absent */
    double dropout;
    int rslora, dora;
    const json_t *targets; /* array of strings, or a string: a regular expression */
    const json_t *rank_pattern, *alpha_pattern; /* objects or NULL when empty */
    const json_t *saved;                        /* array of strings or NULL */
};

/* SCT_EFILE with file, key and what is supported: not LORA, bias other than none, a way to
 * start that changes the base (PiSSA), layers_to_transform, fan_in_fan_out and others, a wrong
 * type. Keys that PEFT would drop are ignored. */
sct_status sct_peft_lora_parse(struct sct_peft_lora_read *out,
                               const struct sct_adapter_folder *f, sct_error *err);

#endif
