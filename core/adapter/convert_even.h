/* SPDX-License-Identifier: MIT
 * convert_even.h - a LoRA folder of PEFT while it is read, and what makes it regular. */
#ifndef SCT_ADAPTER_CONVERT_EVEN_H
#define SCT_ADAPTER_CONVERT_EVEN_H

#include "core/adapter/convert.h"

enum { SCT_IMPORT_KINDS = 4, SCT_IMPORT_PARTS = 3 };

/* Words of strategy lora for the layers of a block and the parts of qkv; parts are one letter.
 */
extern const char *const sct_import_kinds[SCT_IMPORT_KINDS];
extern const char *const sct_import_parts[SCT_IMPORT_PARTS];

struct sct_import_pairs {
    struct sct_import *im;
    const char *file; /* for messages */
    const struct sct_model_config *cfg;
    struct sct_peft_lora_read lora;
    struct sct_adapter *from;
    struct sct_peft_found *found;  /* pairs; room for three of every layer, and one */
    struct sct_peft_module *value; /* rank and alpha of each */
    size_t n;
};

/* Gives all pairs of a layer one rank and one alpha, and every block the pairs that any block
 * has, as strategy lora does: with rows and columns of zeros, which add nothing and, both
 * factors being zero, get no gradient. B takes up what that changes of alpha / r. Counts both
 * in r->im. EFILE: a pair is missing in all blocks of a stage, or DoRA has one in some blocks
 * only, whose magnitudes are not known here. ENOMEM. */
sct_status sct_import_even(struct sct_import_pairs *r, sct_error *err);

#endif
