/* SPDX-License-Identifier: MIT
 * convert.h - adapters that others trained: folders of Hugging Face PEFT become options and
 * tensors of strategies lora and ssf. Thread rule: one thread. */
#ifndef SCT_ADAPTER_CONVERT_H
#define SCT_ADAPTER_CONVERT_H

#include "core/adapter/io.h"

/* What a folder without key `sctrun` says. */
struct sct_import {
    struct sct_arena arena;
    struct sct_set set[9]; /* options of the strategy */
    uint32_t n_set;
    const char *strategy;    /* "lora", "ssf" */
    struct sct_adapter *own; /* tensors in own names; the head, if the folder has one */
    uint32_t names;          /* enum sct_peft_names */
    uint32_t classes;        /* of its head; 0: it has none */
    /* pairs that got zeros for a rank or alpha like the others' of their layer; pairs of zeros
     * in blocks that had none (convert_even.h) */
    uint32_t n_widened, n_filled;
};

/* Reads the folder for the model cfg. Nothing in it is passed over: EFILE names a key that says
 * something else than lora can, a module of target_modules without tensors, tensors without a
 * place, ranks that do not agree. Pairs that lora cannot have as they are become others that
 * compute the same (convert_even.h). On success the caller ends it with _fini; on failure it is
 * empty. */
sct_status sct_import_peft(struct sct_import *im, const struct sct_adapter_folder *f,
                           const struct sct_model_config *cfg, sct_error *err);
/* The same of an (IA)3 folder, for strategy ssf: only the scales that the folder has are in
 * `own`; all others are 1, and all shifts 0. */
sct_status sct_import_ia3(struct sct_import *im, const struct sct_adapter_folder *f,
                          const struct sct_model_config *cfg, sct_error *err);
void sct_import_fini(struct sct_import *im);

#endif
