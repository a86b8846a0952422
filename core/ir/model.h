/* SPDX-License-Identifier: MIT
 * model.h - a model: one forward graph, its parameters, its sites, what is watched in it.
 * Built by core/model, changed by core/peft on behalf of strategies.
 * Thread rule: one thread at a time. */
#ifndef SCT_IR_MODEL_H
#define SCT_IR_MODEL_H

#include <string.h>

#include <sctrun/sites.h>
#include <sctrun/strategy.h>

#include "core/ir/graph.h"

enum sct_arch { SCT_ARCH_VIT, SCT_ARCH_SWIN, SCT_ARCH_COUNT };

/* TOKEN_AVG: the class token and, behind it, the mean of the patches: 2 dim channels */
enum sct_pool { SCT_POOL_TOKEN, SCT_POOL_AVG, SCT_POOL_TOKEN_AVG };

enum { SCT_STAGES = 4 }; /* of a Swin */

/* Architecture of a backbone. core/model/config.c has the table of its keys: how a field is
 * called in configs/models and in adapters, what it may hold, and which architecture has it. */
struct sct_model_config {
    char name[96];      /* timm's name */
    char head_init[48]; /* how a fresh head starts: see sct_head_init of core/model/build.h */
    uint32_t arch;      /* enum sct_arch */
    uint32_t image, patch, dim, classes; /* dim: of the first stage */
    float mlp_ratio, eps, drop_path;
    uint32_t gelu; /* enum sct_gelu */
    float mean[3], std[3], crop_pct;
    /* ViT */
    uint32_t depth, heads;
    uint32_t mlp;            /* hidden width; 0: dim times mlp_ratio */
    uint32_t pool;           /* enum sct_pool */
    uint32_t class_token;    /* 0 or 1 */
    uint32_t fc_norm;        /* 1: the norm comes after the pooling and is called fc_norm */
    uint32_t distilled;      /* 1: a second token and head, dist_token and head_dist (DeiT) */
    uint32_t reg_tokens;     /* register tokens behind the class token (DINOv2) */
    uint32_t no_embed_class; /* 1: pos_embed covers the patches only */
    uint32_t pre_norm;       /* 1: a norm before the first block, norm_pre (CLIP) */
    uint32_t layer_scale;    /* 1: branches are multiplied by ls1.gamma, ls2.gamma */
    uint32_t qk_norm;        /* 1: queries and keys of every head are normalised */
    uint32_t no_qkv_bias, no_patch_bias; /* 1: the layer has none */
    /* Swin */
    uint32_t window; /* side in tokens */
    uint32_t stage_depth[SCT_STAGES], stage_heads[SCT_STAGES];
};

/* Who adds parameters at present: one of the strategies that are composed. */
struct sct_part_of {
    uint32_t number;   /* from 1 in their order; 0: the model itself, or a strategy alone */
    const char *label; /* its name among them: "lora", "lora2" */
    bool again;        /* a strategy of that kind came before */
    bool stacked;      /* names that are taken are given again behind the label */
};

/* A parameter or index list of the model. */
struct sct_param {
    const char *name;           /* timm's, or the strategy's; unique */
    const char *given;          /* as the strategy calls it: name, or without "<label>/" */
    struct sct_part_of part;    /* who added it */
    const struct sct_tensor *t; /* what the graph holds: the base's tensor, or own */
    struct sct_tensor own;      /* once it is trainable or added */
    const char *init;           /* added: how it starts */
    /* added: it starts at the norms of this one's rows norms_first.., or NULL */
    const struct sct_tensor *norms_of;
    uint32_t norms_first;
    struct sct_group group;
    uint32_t value; /* of the graph */
    bool trainable;
    bool added; /* by a strategy (or a fresh head) */
    bool is_index;
    bool kept;                  /* added, not trained: saved and loaded as if it were */
    uint32_t site;              /* added: id + 1 of the site whose edit was open, 0: none was */
    const struct sct_param *of; /* added: whose elements it changes (train_some), or NULL */
    void *host; /* values that replace init or the base's (loaded adapter); arena */
    uint64_t seed;
};

struct sct_watch_item {
    uint32_t what, id;
    struct sct_protocol protocol;
};

struct sct_model {
    struct sct_arena arena;
    struct sct_graph *g;
    struct sct_model_config cfg;
    struct sct_param **param;
    struct sct_site *site;
    struct sct_watch_item *watch;
    uint32_t n_param, cap_param, n_site, cap_site, n_watch, cap_watch;
    sct_val logits;
    float *table;  /* [3][256] normalisation; a constant of the graph */
    uint64_t seed; /* of initialisers */
    struct sct_part_of part;
    bool dry_run; /* nothing will be measured */
    /* whether the user said an option of the strategy at work; NULL: none is */
    bool (*given)(const void *ctx, const char *key);
    const void *given_ctx;
    /* values from this one on are newer than the first edit; 0: there was none */
    uint32_t first_edit;
    /* the edit that is open: site id + 1, nodes that existed, value replaced */
    uint32_t edit_site, edit_mark;
};

/* An empty model for batches of `batch`. NULL when memory is short. */
struct sct_model *sct_model_create(const struct sct_model_config *cfg, uint32_t batch,
                                   uint64_t seed);
void sct_model_destroy(struct sct_model **m);

/* Adds parameter `name` that holds base tensor t (owned by others). NULL: error in m->g. */
struct sct_param *sct_model_param(struct sct_model *m, const struct sct_tensor *t);
/* Adds a parameter of our own: trainable, or an index list. desc f32 or i32. A name that
 * another part has becomes "<label>/<name>" where parts are stacked; else it is an error. */
struct sct_param *sct_model_add(struct sct_model *m, const char *name, const struct sct_desc *d,
                                const char *init, const struct sct_group *group, bool is_index);
/* Adds a parameter [n] that starts at the L2 norms of rows first.. of `of`, which has them.
 * trained: or else it is kept as it is. */
struct sct_param *sct_model_row_norms(struct sct_model *m, const char *name,
                                      const struct sct_param *of, uint32_t first, uint32_t n,
                                      bool trained);

/* An added parameter keeps the value it starts with. */
void sct_model_keep(struct sct_param *p);

/* Whether an adapter holds the parameter's values: trainable, kept, or an index list. */
static inline bool sct_param_is_stored(const struct sct_param *p)
{
    return p->trainable || p->kept || p->is_index;
}

/* The parameter becomes trainable. */
void sct_model_train(struct sct_model *m, struct sct_param *p, const struct sct_group *group);

/* Whether a parameter or tensor of that name belongs to the classifier head (head.weight of a
 * ViT, head.fc.weight of a Swin). */
static inline bool sct_name_is_head(const char *name)
{
    return strncmp(name, "head.", 5) == 0 || strncmp(name, "head_dist.", 10) == 0;
}

struct sct_param *sct_model_find(const struct sct_model *m, const char *name);
/* Its value in the graph. */
sct_val sct_model_value(const struct sct_param *p);

/* Appends a site and returns it for filling in; NULL: error in m->g. path is printed. */
SCT_PRINTF(3, 4)
struct sct_site *sct_model_site(struct sct_model *m, uint32_t role, const char *fmt, ...);

/* Numbers of trainable parameters, of them in the head, of all. */
void sct_model_count(const struct sct_model *m, uint64_t *trainable, uint64_t *head,
                     uint64_t *all);

/* Writes the starting values of an initialiser ("normal(0, 0.02)") for a tensor of that name;
 * Philox keyed by seed and name. SCT_EINVAL lists what is known. */
sct_status sct_init_fill(const char *init, uint64_t seed, const char *name,
                         const struct sct_desc *d, float *dst, sct_error *err);

#endif
