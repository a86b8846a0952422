/* SPDX-License-Identifier: MIT
 * parts.h - the strategies of an adapter folder, and which tensors are whose.
 *
 * Of one strategy (format 1) all tensors are in its form on disk: LoRA's folder is one of peft,
 * in the names of timm or of transformers.
 * Of several (format 2) "strategies" lists them in the order in which they are applied, each
 * with its options and the names of its tensors; what no list has is the head, or a parameter
 * of the base. A name that two of them use is stored as "<strategy's name there>/<name>". A
 * part is stored in its strategy's form on disk (to_disk) unless that form is a whole folder of
 * another library, as LoRA's; those tensors are stored as they were trained. */
#ifndef SCT_ADAPTER_PARTS_H
#define SCT_ADAPTER_PARTS_H

#include "core/adapter/peft_hf.h"
#include "core/checkpoint/adapter_folder.h"
#include "core/exec/device.h"
#include "core/tune/tuner.h"

struct sct_optim;

struct sct_adapter_part {
    const char *strategy, *label;
    struct sct_set *set; /* its options */
    uint32_t n_set;
    bool to_disk;            /* own is in the form on disk until sct_adapter_parts_tune */
    struct sct_adapter *own; /* its tensors, as the strategy calls them, and its keys */
};

struct sct_adapter_parts {
    struct sct_arena arena;
    struct sct_adapter_part *part;
    uint32_t n;
    uint32_t names;           /* enum sct_peft_names: of a strategy alone */
    struct sct_adapter *rest; /* NULL: of a strategy alone, in part[0].own */
};

/* Reads what the folder says and holds. EFILE with file and key, ENOMEM; *p is empty then. */
sct_status sct_adapter_parts_read(struct sct_adapter_parts *p,
                                  const struct sct_adapter_folder *f, const char *dir,
                                  sct_error *err);
/* Opens the strategies behind those of *t and brings their tensors, for model cfg, into their
 * own form. */
sct_status sct_adapter_parts_tune(struct sct_adapter_parts *p,
                                  const struct sct_model_config *cfg, struct sct_tuner *t,
                                  sct_error *err);
void sct_adapter_parts_fini(struct sct_adapter_parts *p);

/* Head and trained parameters of the base. */
static inline struct sct_adapter *sct_adapter_parts_rest(const struct sct_adapter_parts *p)
{
    return p->rest ? p->rest : p->part[0].own;
}

/* The current values of what was trained, or their moving averages, as a folder holds them. d
 * NULL: the values it was loaded with. names: of a LoRA that is alone. own: the object "sctrun"
 * of adapter_config.json, which receives what there is to say; root: the whole of it, which
 * receives the keys of a strategy alone. On success the caller owns *disk. */
sct_status sct_adapter_parts_save(struct sct_adapter **disk, json_t *root, json_t *own,
                                  const char *dir, uint32_t names, const struct sct_model *m,
                                  const struct sct_optim *average, struct sct_open_device *d,
                                  const struct sct_tuner *t, sct_error *err);

/* Appends all tensors of a file under their names there. EFILE, ENOMEM. */
sct_status sct_adapter_parts_stored(struct sct_adapter *a, const struct sct_st *st,
                                    sct_error *err);

#endif
