/* SPDX-License-Identifier: MIT
 * peft_folder.h - folders of Hugging Face PEFT: configuration and names. */
#ifndef SCT_ADAPTER_PEFT_FOLDER_H
#define SCT_ADAPTER_PEFT_FOLDER_H

#include "core/io/json.h"
#include "core/ir/model.h"

/* Of a LoRA adapter in the strategy's form on disk: `modules` is the JSON that it put at that
 * key, {"blocks.0.attn.qkv": [r, alpha, pairs]}, pairs that became one. Sets in `config` the
 * keys of PEFT that follow from it, and every other key that PEFT writes and that is missing.
 * hf: the base is a model of transformers, not of timm. EINVAL when modules is something else,
 * ENOMEM. */
sct_status sct_peft_folder_keys(json_t *config, const char *modules, uint32_t arch, bool hf,
                                sct_error *err);

#endif
