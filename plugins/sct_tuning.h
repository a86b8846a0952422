/* SPDX-License-Identifier: MIT
 * sct_tuning.h - what sct.c and ict.c share: a linear layer on chosen channels, where it goes,
 * how the channels are chosen, what is built, what is stored.
 *
 * All functions: one thread a model; SCT_OK, or the status with *err filled through h->fail
 * (EUSAGE for options, EFILE for adapters, ENOMEM). */
#ifndef SCT_PLUGIN_SCT_TUNING_H
#define SCT_PLUGIN_SCT_TUNING_H

#include <sctrun/strategy.h>

/* In the order of the words of the option tables. */
enum { SCT_MODE_ATTN, SCT_MODE_MLP, SCT_MODE_QKV, SCT_MODE_BOTH };

enum {
    SCT_SELECT_CLASS_AWARE,
    SCT_SELECT_CLASS_AGNOSTIC,
    SCT_SELECT_RANDOM,
    SCT_SELECT_LOWEST,
    SCT_SELECT_ALL
};

enum { SCT_FORM_A, SCT_FORM_B, SCT_FORM_FOLD };

enum { SCT_SCORE_PUBLISHED, SCT_SCORE_OWN };

enum { SCT_MODULE_SQUARE, SCT_MODULE_WIDE };

struct sct_choice {
    uint32_t *idx, k; /* ascending; of qkv: channels of the fused output */
};

/* State of both strategies; an option that a strategy does not offer is 0. */
struct sct_tuning {
    uint32_t mode, select, score, scaleonx, form, module, last, seed;
    struct sct_count k;
    float scale;
    const char *sites, *stages;
    uint32_t folded; /* the adapter was read in form B */
    /* decided by choose or load, one per module */
    struct sct_choice *choice;
    size_t n;
};

/* One module: a K x K (or K x width) layer on channels first..first+width-1 of a site. */
struct sct_spot {
    struct sct_site at; /* as it was when it was listed: after an edit ask again by at.path */
    uint32_t scored;    /* id of the site whose values are scored */
    uint32_t first, width, k;
    char stem[64]; /* "sct.blocks.3.q", names of its tensors begin so */
};

/* sct_place.c: the modules that the options ask for, in model order; never none. The caller
 * frees *out with h->free; it is NULL on failure. */
sct_status sct_place(const struct sct_tuning *t, const struct sct_strategy_host *h,
                     const sct_model *m, struct sct_spot **out, size_t *n, sct_error *err);

/* Warns of options that the user said and that have no effect beside the others; in observe. */
void sct_place_idle(const struct sct_tuning *t, const struct sct_strategy_host *h,
                    const sct_model *m);

/* sct_select.c: SCT_OK with out->idx owned by the caller (h->free), also after a failure. */
sct_status sct_select(const struct sct_tuning *t, const struct sct_strategy_host *h,
                      const sct_model *m, const struct sct_readings *r,
                      const struct sct_spot *spot, struct sct_choice *out, sct_error *err);
/* Whether the selection looks at data at all. */
int sct_select_measures(const struct sct_tuning *t);

/* sct_module.c: one module into the graph. */
sct_status sct_module_insert(const struct sct_tuning *t, const struct sct_strategy_host *h,
                             sct_model *m, const struct sct_spot *spot,
                             const struct sct_choice *c, sct_error *err);

/* The calls of struct sct_strategy; st is a struct sct_tuning. sct_hooks.c, sct_fold.c */
sct_status sct_tuning_observe(void *st, const struct sct_strategy_host *, sct_model *,
                              sct_error *);
sct_status sct_tuning_choose(void *st, const struct sct_strategy_host *, const sct_model *,
                             const struct sct_readings *, sct_error *);
sct_status sct_tuning_apply(void *st, const struct sct_strategy_host *, sct_model *,
                            sct_error *);
sct_status sct_tuning_load(void *st, const struct sct_strategy_host *, const sct_model *,
                           const sct_adapter *, sct_error *);
void sct_tuning_fini(void *st, const struct sct_strategy_host *);
/* Form A in memory, form B on disk where `form` says fold: W' = s W, b' = s b; with scaleonx
 * W' = W + (s - 1) I, b' = b. */
sct_status sct_tuning_to_disk(const void *st, const struct sct_strategy_host *,
                              const sct_adapter *from, sct_adapter *to, sct_error *);
sct_status sct_tuning_from_disk(void *st, const struct sct_strategy_host *,
                                const sct_adapter *from, sct_adapter *to, sct_error *);

#endif
