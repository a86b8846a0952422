/* SPDX-License-Identifier: MIT
 * io.h - an adapter between a trained model and a folder.
 *
 * The folder is self-describing: adapter_config.json holds the strategies and their options,
 * the base (architecture, hash), preprocessing, class names; adapter_model.safetensors holds
 * every trained tensor, the index lists and always the head. A LoRA folder is one of Hugging
 * Face PEFT. */
#ifndef SCT_ADAPTER_IO_H
#define SCT_ADAPTER_IO_H

#include "core/adapter/parts.h"
#include "core/data/class_map.h"
#include "core/data/preprocess.h"
#include "core/io/sha256.h"
#include "core/model/interp.h"

/* What the folder says beside the strategies (core/adapter/parts.h). */
struct sct_adapter_info {
    struct sct_model_config model;
    uint32_t base_seed; /* of the weights, when they are "random" */
    uint32_t interp;    /* enum sct_interp: how the base was resized */
    char dialect[32];   /* of the base's file: "timm vit"; "" when random */
    uint32_t names;     /* enum sct_peft_names: of a LoRA folder */
    char base_hash[SCT_SHA256_HEX], weights[1024];
    struct sct_preprocess pre;
    const char *const *class_names;              /* [model.classes] or NULL; borrowed */
    struct sct_class_map map;                    /* of --class-map, if it gave numbers; owned */
    char layout[16], folder_order[16], task[32]; /* of the training data, or "" */
    struct sct_arena arena;                      /* of a loaded one */
};

/* Current values of everything trained, read from the device, into `dir` (replaced). d NULL:
 * the values it was loaded with. average: the run whose moving averages are written instead, or
 * NULL. A LoRA that is alone has the names that info->names says. */
sct_status sct_adapter_save(const char *dir, const struct sct_model *m,
                            const struct sct_optim *average, struct sct_open_device *d,
                            const struct sct_tuner *t, const struct sct_adapter_info *info,
                            sct_error *err);

/* Reads a folder: what it says into *info, its strategies and tensors into *parts. EFILE with
 * file and key. Both are empty on failure. */
sct_status sct_adapter_open(struct sct_adapter_info *info, struct sct_adapter_parts *parts,
                            const char *dir, sct_error *err);
/* Reads a folder that anybody may have written: its tensors under their names in the file, its
 * configuration (json_decref). EFILE, ENOMEM; both are NULL on failure. */
sct_status sct_adapter_open_stored(struct sct_adapter **a, json_t **config, const char *dir,
                                   sct_error *err);
/* The classes as a map, for data whose classes have names: class_names and info->map. Empty
 * when the adapter has no names. SCT_ENOMEM; *m is then empty. */
sct_status sct_adapter_classes(const struct sct_adapter_info *info, struct sct_class_map *m,
                               sct_error *err);
void sct_adapter_info_fini(struct sct_adapter_info *info);

#endif
