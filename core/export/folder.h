/* SPDX-License-Identifier: MIT
 * folder.h - a model as the folder that timm.create_model("local-dir:DIR") or transformers'
 * from_pretrained(DIR) opens: model.safetensors, config.json, for transformers also
 * preprocessor_config.json. One weight file and nothing else, because timm takes the last of
 * several. Thread rule: one thread at a time. */
#ifndef SCT_EXPORT_FOLDER_H
#define SCT_EXPORT_FOLDER_H

#include "core/data/preprocess.h"
#include "core/ir/model.h"

/* Everything is borrowed. */
struct sct_export {
    const struct sct_model *model; /* as it was trained */
    const struct sct_model *plain; /* the same without what a strategy added; may be model */
    const struct sct_preprocess *pre;
    const char *const *class_names; /* one a class, or NULL */
    const char *strategy;           /* that trained model, for messages; or NULL */
    bool timm_name;                 /* the configuration's name is one of timm's, and true */
};

/* "timm|hf4|hf5" */
#define SCT_EXPORT_FOLDERS "timm|hf4|hf5"

/* Writes into dir, which exists and is empty. format: a word of SCT_EXPORT_FOLDERS. dtype:
 * SCT_ST_F32, SCT_ST_F16 or SCT_ST_BF16. EUSAGE: what was added cannot be folded into the
 * weights, the library has no such model, or the values do not fit dtype; nothing is written
 * then. EINVAL: format is none; EFILE: a weight cannot be read; EFAIL: the system's reason;
 * ENOMEM. */
sct_status sct_export_folder(const struct sct_export *x, const char *format, uint32_t dtype,
                             const char *dir, sct_error *err);

#endif
