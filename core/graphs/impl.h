/* SPDX-License-Identifier: MIT
 * impl.h - what the files of this folder share. */
#ifndef SCT_GRAPHS_IMPL_H
#define SCT_GRAPHS_IMPL_H

#include "core/graphs/graphs.h"

struct sct_labels {
    sct_val label, mix, weight;
};

/* The inputs "labels", "mix", "weight". */
struct sct_labels sct_graph_label_inputs(struct sct_graph *g);
/* Sorts and checks g, unless rc is a failure. On success *out owns it, else it is gone. */
sct_status sct_graph_finish(struct sct_graph **out, struct sct_graph *g, sct_status rc,
                            sct_error *err);

/* ---- the optimiser (optim.c) ---- */

/* State for the n trainable parameters of m, in model order; what o had is freed. */
sct_status sct_optim_init(struct sct_optim *o, const struct sct_model *m, uint32_t n,
                          const struct sct_optim_opts *opts, sct_error *err);
/* o->state[at] is "optim.<slot>.<name>" from now on, zero at first. */
sct_status sct_optim_tensor(struct sct_optim *o, uint32_t at, const char *slot,
                            const char *name, const struct sct_desc *d, sct_error *err);
/* The factor that brings the norm of all gradients down to max_norm; none for 0. */
sct_val sct_optim_clip(struct sct_graph *g, const sct_val *grad, uint32_t n, float max_norm);
/* One step of trained parameter p, number i of them, and of its moving average. */
void sct_optim_update(struct sct_graph *g, const struct sct_param *p, const struct sct_optim *o,
                      uint32_t i, sct_val grad, sct_val coef,
                      const struct sct_optim_opts *opts);

#endif
