/* SPDX-License-Identifier: MIT
 * peft_modules.h - which modules a LoRA configuration of Hugging Face PEFT speaks of, and with
 * which rank and alpha: r, lora_alpha, target_modules, rank_pattern, alpha_pattern.
 *
 * A key of target_modules is a module's name or an end of it behind a dot; one of the patterns
 * is a regular expression for such an end, and the first that fits decides. PEFT sorts the keys
 * when it saves, so what is written here does not depend on their order.
 * Threads: all functions are pure. */
#ifndef SCT_ADAPTER_PEFT_MODULES_H
#define SCT_ADAPTER_PEFT_MODULES_H

#include "core/checkpoint/adapter_folder.h"

/* A module with a pair: "blocks.0.attn.qkv". */
struct sct_peft_module {
    const char *name; /* borrowed */
    uint32_t r;
    double alpha;
};

/* Sets the five keys of `config` to what the n >= 1 modules have; keys that were there are
 * replaced. The values that most modules have (of equally many the first) become r and
 * lora_alpha. Names are made of letters, digits, _ and dots. ENOMEM. */
sct_status sct_peft_modules_write(json_t *config, const struct sct_peft_module *m, size_t n,
                                  sct_error *err);

/* Rank and alpha of the module m->name, as a configuration that was read says. EFILE names a
 * pattern that is beyond what is understood (see peft_regex.h) or has a bad value. */
sct_status sct_peft_modules_read(struct sct_peft_module *m, const struct sct_peft_lora_read *l,
                                 const char *file, sct_error *err);

/* 1 when target_modules names the module, 0 when not; EFILE like above. */
sct_status sct_peft_modules_target(const struct sct_peft_lora_read *l, const char *module,
                                   const char *file, int *yes, sct_error *err);

#endif
