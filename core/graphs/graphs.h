/* SPDX-License-Identifier: MIT
 * graphs.h - the three graphs made from a model: training, evaluation, calibration.
 *
 * Inputs: "images" u8 [batch][S][S][3]; for training also "labels" i32 [batch][2], "mix" and
 * "weight" f32 [batch] (weights of a step sum to 1; 0 for a missing image). Outputs: training
 * "loss" (scalar); evaluation "logits" [batch][classes]; calibration "watch.<i>". */
#ifndef SCT_GRAPHS_GRAPHS_H
#define SCT_GRAPHS_GRAPHS_H

#include "core/ir/model.h"

enum sct_optimizer { SCT_OPTIM_ADAMW, SCT_OPTIM_SGD };

struct sct_optim_opts {
    uint32_t kind;                                                    /* enum sct_optimizer */
    float weight_decay, beta1, beta2, eps, momentum, clip, smoothing; /* clip 0: none */
    float ema;           /* weight of a step in the moving average, 1 - decay; 0: none */
    uint32_t ema_warmup; /* 1: as timm's ModelEmaV3 (ops.h, sct_ema) */
};

/* Optimiser state of a model's trainable parameters: tensors named "optim.<slot>.<parameter>".
 */
struct sct_optim {
    struct sct_arena arena;
    struct sct_tensor *state;   /* [2 * n]: for parameter i at 2 i and 2 i + 1 */
    struct sct_tensor *average; /* [n], or NULL without a moving average */
    uint32_t n;
};

void sct_optim_fini(struct sct_optim *o);

/* The graph of one step: forward, loss, gradients, optimiser. `grads`: the gradients are
 * outputs "grad.<parameter>" and nothing is updated (tests). o is filled for the model's
 * trainable parameters (in model order) and must live as long as the graph. EUSAGE when nothing
 * is trainable. On failure *out is NULL. */
sct_status sct_graph_train(struct sct_graph **out, const struct sct_model *m,
                           const struct sct_optim_opts *opts, struct sct_optim *o, bool grads,
                           sct_error *err);

/* The graph of an evaluation: random ops off. Sites whose path matches a pattern of sites[]
 * (may be NULL) become outputs under their path. EUSAGE when a pattern matches nothing. */
sct_status sct_graph_eval(struct sct_graph **out, const struct sct_model *m,
                          const char *const *sites, uint32_t n_sites, sct_error *err);

/* In g, a graph of m, trained parameters are read from their moving averages. o must have them
 * and live as long as g. */
void sct_graph_use_average(struct sct_graph *g, const struct sct_model *m,
                           const struct sct_optim *o);

/* The graph that gathers what the watches watch[0..n) of the model ask for; they have one
 * protocol and one kind. Batches are those of the protocol, or the model's. */
sct_status sct_graph_calibrate(struct sct_graph **out, const struct sct_model *m,
                               const uint32_t *watch, uint32_t n, struct sct_optim *o,
                               sct_error *err);

#endif
