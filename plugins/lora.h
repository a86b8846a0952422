/* SPDX-License-Identifier: MIT
 * lora.h - what the parts of strategy lora share: its options, what they say of a layer, names.
 *
 * All functions: one thread a model; SCT_OK, or the status with *err filled through h->fail
 * (EUSAGE for options, EFILE for adapters, ENOMEM). */
#ifndef SCT_PLUGIN_LORA_H
#define SCT_PLUGIN_LORA_H

#include <sctrun/strategy.h>

enum { LORA_TARGETS = 7, LORA_WHOLE_QKV = 6, LORA_PARTS = 3 };

/* In the order of the words of option `init`. */
enum { LORA_KAIMING, LORA_GAUSSIAN, LORA_TRUNC_NORMAL };

struct lora {
    uint32_t r, rslora, dora, init;
    float alpha, dropout;
    const char *targets, *rank_pattern, *alpha_pattern;
};

struct lora_target {
    const char *name, *site, *module; /* q: "**.attn.qkv", "attn.qkv" */
    int part;                         /* of qkv: 0, 1, 2; -1: whole layer */
};

extern const struct lora_target lora_targets[LORA_TARGETS];

/* Which of lora_targets[] the option names; never none. */
sct_status lora_want(const struct lora *l, const struct sct_strategy_host *h,
                     int want[LORA_TARGETS], sct_error *err);

/* The base's name of a layer: "blocks.3.attn.qkv", "layers.2.blocks.3.attn.qkv". */
struct lora_layer {
    char text[128];
};

/* Of a parameter's name, what stands in front of `end`; empty: does not, or is too long. */
struct lora_layer lora_layer_of(const char *name, const char *end);

/* "blocks.3.attn.qkv.q.lora_A.weight": own name of a tensor of a pair. */
enum { LORA_NAME = 192 };

void lora_name(char buf[LORA_NAME], const struct lora_layer *layer, const struct lora_target *t,
               const char *tensor);

/* Rank and alpha of a layer (of each of its pairs), and scale: alpha / r, or with rslora
 * alpha / sqrt(r) (Kalajdzievski 2023, arXiv 2312.03732). */
struct lora_values {
    uint32_t r;
    float alpha;
    double scale;
};

/* lora_rank.c. The first entry of a pattern that fits decides, as in peft. */
sct_status lora_values_of(const struct lora *l, const struct sct_strategy_host *h,
                          const char *layer, struct lora_values *out, sct_error *err);
/* Every entry of both patterns fits one of the n layers. */
sct_status lora_check_patterns(const struct lora *l, const struct sct_strategy_host *h,
                               const struct lora_layer *layer, size_t n, sct_error *err);

/* lora_disk.c: the calls of struct sct_strategy; st is a struct lora. */
sct_status lora_to_disk(const void *st, const struct sct_strategy_host *,
                        const sct_adapter *from, sct_adapter *to, sct_error *);
sct_status lora_from_disk(void *st, const struct sct_strategy_host *, const sct_adapter *from,
                          sct_adapter *to, sct_error *);

#endif
