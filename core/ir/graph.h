/* SPDX-License-Identifier: MIT
 * graph.h - the graph: values, nodes, sources; building, editing, ordering, checking, printing.
 *
 * A value's id never changes (sites and plans hold ids); nodes are kept in execution order and
 * may be reordered. Value ids start at 1. Everything belongs to the graph and is freed with it;
 * tensors belong to the model. Thread rule: one thread at a time. */
#ifndef SCT_IR_GRAPH_H
#define SCT_IR_GRAPH_H

#include <stdbool.h>

#include "core/base/mem.h"
#include "core/ir/op.h"
#include "core/ir/tensor.h"

struct sct_graph;

/* What a value without a producing node is. */
enum sct_value_source {
    SCT_SRC_NONE,   /* made by a node */
    SCT_SRC_TENSOR, /* parameter, index list, table, optimiser state: tensor != NULL */
    SCT_SRC_BATCH,  /* written by the host before a step, [batch][..] */
};

enum sct_phase { SCT_PHASE_FORWARD, SCT_PHASE_BACKWARD, SCT_PHASE_UPDATE };

struct sct_value {
    struct sct_desc desc;
    uint32_t node; /* producing node, SCT_NO_NODE for sources */
    uint8_t out, source;
    bool removed;                    /* no longer part of the graph */
    bool output;                     /* the host reads it: never eliminated */
    const struct sct_tensor *tensor; /* SRC_TENSOR */
    const char *name;                /* sources and outputs; may be NULL */
};

#define SCT_NO_NODE 0xffffffffu

struct sct_gnode {
    uint32_t op;
    uint8_t n_in, n_out, phase;
    uint32_t block;          /* 1 + block of the model, 0 outside (recompute works on blocks) */
    uint32_t in[SCT_MAX_IN]; /* value ids */
    uint32_t out[SCT_MAX_OUT]; /* value ids */
    void *params;              /* never NULL */
    const char *label;         /* never NULL */
};

struct sct_graph {
    struct sct_arena arena;
    struct sct_value *value; /* [0] is "none" */
    struct sct_gnode *node;
    uint32_t n_value, cap_value, n_node, cap_node;
    uint32_t b, batch; /* images of a micro-batch, of the batch */
    struct sct_builder builder;
    sct_error err; /* first error: sticky */
    /* stamped on new nodes */
    const char *label;
    uint32_t block;
    uint8_t phase;
};

/* An empty graph for batches of `batch` images, micro-batches of b. NULL when memory is short.
 */
struct sct_graph *sct_graph_create(uint32_t b, uint32_t batch);
/* A deep copy (tensors are shared) or NULL; keeps ids. */
struct sct_graph *sct_graph_clone(const struct sct_graph *g);
void sct_graph_destroy(struct sct_graph **g);

/* The builder of this graph, for the constructors of ops.h. */
static inline struct sct_builder *sct_graph_builder(struct sct_graph *g)
{
    return &g->builder;
}
struct sct_graph *sct_graph_of(struct sct_builder *b);

/* First error of the builder, or OK; copies it to err. */
sct_status sct_graph_status(const struct sct_graph *g, sct_error *err);

/* A source for t; the same id for the same tensor. name may be NULL (the tensor's). */
sct_val sct_graph_tensor(struct sct_graph *g, const struct sct_tensor *t);
/* A host-written batch value: dims[0] must be the batch. */
sct_val sct_graph_input(struct sct_graph *g, const char *name, uint32_t dtype, uint32_t nd,
                        const uint32_t *dim);
/* Marks v as read by the host under `name`. */
void sct_graph_output(struct sct_graph *g, sct_val v, const char *name);
/* Id of the input or output of that name, or none. */
sct_val sct_graph_find(const struct sct_graph *g, const char *name);
/* Label for the nodes emitted next (copied into the graph's arena). */
SCT_PRINTF(2, 3)
void sct_graph_label(struct sct_graph *g, const char *fmt, ...);

const struct sct_value *sct_graph_value(const struct sct_graph *g, sct_val v);

/* Every use of `from` as an input of nodes [0, before) becomes `to`. */
void sct_graph_redirect(struct sct_graph *g, uint32_t from, uint32_t to, uint32_t before);
/* Removes nodes whose results nobody needs. Roots: outputs, UPDATE ops. */
sct_status sct_graph_prune(struct sct_graph *g, sct_error *err);
/* Stable order: every node after its inputs, otherwise as they were. EINVAL on a cycle. */
sct_status sct_graph_sort(struct sct_graph *g, sct_error *err);
/* The graph is for batches of `batch` images from here on: inputs and shapes follow. The graph
 * must be sorted. */
sct_status sct_graph_rebatch(struct sct_graph *g, uint32_t batch, sct_error *err);
/* Shapes again, for b images a micro-batch (graph must be sorted). Batch stays. */
sct_status sct_graph_infer(struct sct_graph *g, uint32_t b, sct_error *err);
/* Arity, ranges, order, shapes as inferred, every source with a tensor. */
sct_status sct_graph_verify(const struct sct_graph *g, sct_error *err);

/* Removes nodes marked in dead[] (one byte a node), renumbers producers. */
void sct_graph_drop(struct sct_graph *g, const uint8_t *dead);
/* Appends a node with outputs that already exist or are 0 (then made, shapes inferred). */
sct_status sct_graph_append(struct sct_graph *g, const struct sct_gnode *like, sct_error *err);
/* A fresh value without producer or description, for append. 0 when memory is short. */
uint32_t sct_graph_new_value(struct sct_graph *g);

/* Text for people and golden tests: one line a node; or graphviz. A string from sct_alloc, NULL
 * when memory is short. */
char *sct_graph_dump(const struct sct_graph *g);
char *sct_graph_dot(const struct sct_graph *g);

#endif
