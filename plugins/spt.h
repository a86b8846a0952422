/* SPDX-License-Identifier: MIT
 * spt.h - what the files of strategy spt share: its options, and the plan of what is trained.
 * SPT: He et al., ICCV 2023, arXiv 2303.08566; github.com/ziplab/SPT at e385f67.
 *
 *   spt_score.c   which tensors are candidates, and their sensitivities
 *   spt_select.c  the plan that comes closest to a budget
 *   spt_plan.c    a plan from and to a file, and an adapter
 *   spt_apply.c   a plan built into a model
 *   spt.c         options and the calls of a strategy
 *
 * All functions: one thread a model; SCT_OK, or the status with *err filled through h->fail. */
#ifndef SCT_PLUGIN_SPT_H
#define SCT_PLUGIN_SPT_H

#include <sctrun/strategy.h>

/* In the order of the words of the option table. */
enum { SPT_LORA, SPT_ADAPTER };

enum { SPT_BOTH, SPT_STRUCTURED_ONLY, SPT_UNSTRUCTURED_ONLY };

enum { SPT_NORMS_COUNTED, SPT_NORMS_TRAINED };

enum { SPT_INIT_ZERO, SPT_INIT_TRUNC_NORMAL };

enum { SPT_BATCH_SQ, SPT_SAMPLE_SQ };

enum { SPT_MODE_TRAIN, SPT_MODE_EVAL };

struct spt_options {
    /* what is trained */
    uint32_t type;            /* SPT_LORA, SPT_ADAPTER: the structured module */
    uint32_t rank;            /* r of a module */
    uint32_t class_token;     /* 1: trained, and counted */
    uint32_t norms;           /* SPT_NORMS_*: whether sparse entries of norms are trained */
    uint32_t init;            /* SPT_INIT_*: of the modules */
    float dropout, drop_path; /* of the modules */
    /* selection */
    float budget, step, max; /* millions of parameters; step and max: of tau */
    float alpha, beta;       /* a module wants cost / alpha entries, a vector length / beta */
    uint32_t structured;     /* SPT_BOTH, ... */
    uint32_t vectors;        /* 1: whole vectors may be trained, adapters have biases */
    /* scoring */
    uint32_t score, mode, batch, batches;
    const char *plan, *plan_out; /* files, "" = none */
};

enum spt_kind {
    SPT_MATRIX, /* weight of a linear layer */
    SPT_BIAS,   /* its bias */
    SPT_NORM,   /* weight or bias of a norm */
};

enum spt_fate {
    SPT_FROZEN,     /* nothing of it is trained */
    SPT_STRUCTURED, /* a matrix: a low-rank module takes its place; idx is NULL */
    SPT_VECTOR,     /* a bias or a norm: all of it; idx is NULL */
    SPT_SPARSE,     /* the entries idx, one or more */
};

enum { SPT_WHOLE = 3, SPT_NAME = 128 };

/* A candidate: a parameter of the base, or the rows of a fused qkv that are q, k or v. */
struct spt_tensor {
    char name[SPT_NAME]; /* timm's; parts are "blocks.3.attn.q.weight", also k and v */
    uint32_t param;      /* id; in a fused qkv the same for three tensors */
    uint32_t first_row;  /* of the parameter; 0 but in a fused qkv */
    uint32_t rows, cols; /* of this tensor; cols is 1 for vectors */
    uint32_t kind, fate; /* enum spt_kind, enum spt_fate */
    uint32_t site;       /* LINEAR site of a matrix or bias; of a norm SPT_NO_SITE */
    uint32_t part;       /* of attn.qkv: 0 q, 1 k, 2 v; otherwise SPT_WHOLE */
    uint32_t *idx;       /* ascending flat positions in this tensor, row * cols + col; in the
                          * parameter they are first_row * cols later. Owned by the plan */
    size_t n_idx;
};

#define SPT_NO_SITE 0xffffffffu

/* All candidates in the order of named_parameters() of timm's model with separate q, k, v. */
struct spt_plan {
    struct spt_tensor *t;
    size_t n;
    /* Parameters. sparse: selected entries, with those of norms that are only counted;
     * class_token: its width, or 0. */
    uint64_t structured, vectors, sparse, class_token;
};

/* Whether structured modules have biases: adapters do where vectors may be trained, for the
 * released code passes its --structured_vector on as their bias flag. */
static inline int spt_has_bias(const struct spt_options *o)
{
    return o->type == SPT_ADAPTER && o->vectors;
}

/* Parameters of the structured module of a matrix rows x cols (out x in), as the released
 * selection counts them: lora r (in + out); adapter r out + out r + r + out, whether or not it
 * will have biases (engine.py, get_structured_param_num). */
static inline uint64_t spt_module_cost(const struct spt_options *o, uint32_t rows,
                                       uint32_t cols)
{
    const uint64_t r = o->rank, out = rows, in = cols;
    return o->type == SPT_LORA ? r * (in + out) : 2 * r * out + r + out;
}

/* spt_apply.c: builds the plan into a fresh model. Names of what is added, T the tensor's name
 * and L that without ".weight":
 *   sparse entries     "spt.T" for train_some, so "spt.T.index" and "spt.T.delta"
 *   lora modules       "spt.L.lora_A.weight" [r][in], "spt.L.lora_B.weight" [out][r]
 *   adapter modules    "spt.L.down.weight" [r][width], "spt.L.down.bias",
 *                      "spt.L.up.weight" [out][r], "spt.L.up.bias"; biases
 *                      where spt_has_bias
 * Whole vectors of a fused bias that are trained in part only are sparse entries of all their
 * positions; the class token is cls_token itself. */
sct_status spt_apply(const struct spt_options *o, const struct spt_plan *p,
                     const struct sct_strategy_host *h, sct_model *m, sct_error *err);

#endif
