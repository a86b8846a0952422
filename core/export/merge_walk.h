/* SPDX-License-Identifier: MIT
 * merge_walk.h - what the rules of merging share: the walk and how they look at a graph.
 * Private to merge*.c. */
#ifndef SCT_EXPORT_MERGE_WALK_H
#define SCT_EXPORT_MERGE_WALK_H

#include "core/export/merge.h"

struct both {
    uint32_t a, b; /* values of the adapted and of the plain graph */
};

struct walk {
    struct sct_merge *m;
    const struct sct_graph *a, *b;
    uint32_t *partner; /* of every value of b, 0: not reached yet */
    struct both *todo;
    uint32_t n, cap;
    sct_error *err;
};

static inline const struct sct_gnode *made_by(const struct sct_graph *g, uint32_t v)
{
    const uint32_t n = g->value[v].node;
    return n == SCT_NO_NODE ? NULL : &g->node[n];
}

static inline const struct sct_gnode *made_by_op(const struct sct_graph *g, uint32_t v,
                                                 uint32_t op)
{
    const struct sct_gnode *n = made_by(g, v);
    return n && n->op == op ? n : NULL;
}

/* v without the random ops behind it. */
static inline uint32_t certain(const struct sct_graph *g, uint32_t v)
{
    for (const struct sct_gnode *n = made_by(g, v);
         n && (n->op == SCT_OP_DROPOUT || n->op == SCT_OP_DROPPATH); n = made_by(g, v))
        v = n->in[0];
    return v;
}

/* The stored tensor that v is, or NULL. */
static inline const struct sct_tensor *stored(const struct sct_graph *g, uint32_t v)
{
    return g->value[v].source == SCT_SRC_TENSOR ? g->value[v].tensor : NULL;
}

/* The stored tensor that v is but for elements that are added to it, or NULL. */
static inline const struct sct_tensor *sparsely_stored(const struct sct_graph *g, uint32_t v)
{
    for (const struct sct_gnode *n; (n = made_by_op(g, v, SCT_OP_SCATTER_ADD_EL));)
        v = n->in[0];
    return stored(g, v);
}

/* The name of a stored tensor that is read through views; NULL: it is computed. */
static inline const char *stored_name(const struct sct_graph *g, uint32_t v)
{
    for (const struct sct_gnode *n = made_by_op(g, v, SCT_OP_RESHAPE); n;
         n = made_by_op(g, v, SCT_OP_RESHAPE))
        v = n->in[0];
    const struct sct_tensor *t = stored(g, v);
    return t ? t->name : NULL;
}

/* A step from a value back to what a fold is behind: values of the adapted graph. */
struct step {
    uint32_t behind;
    uint32_t x, weight; /* input and weight that the layer must have; 0: any */
    uint32_t bias;      /* the layer's, which is added behind the fold; 0: it is not */
};

/* Takes what is added to value *behind to make v, whatever it is, but for the x that it is of;
 * false when v is no sum. */
bool sct_merge_branch_read(const struct sct_graph *g, uint32_t v, struct sct_merge_branch *p,
                           uint32_t *behind);
/* *linear: whether it is a matrix times x. ENOMEM. */
sct_status sct_merge_branch_check(const struct sct_graph *g, const struct sct_merge_branch *p,
                                  bool *linear, sct_error *err);
/* Adds the matrix to w [rows][in]. EFILE, ENOMEM, as loading a tensor. */
sct_status sct_merge_branch_fold(const struct sct_graph *g, const struct sct_merge_branch *p,
                                 float *w, sct_error *err);

/* Takes the magnitudes of value v; false when there are none, or their norms are of anything
 * else than the layer and the pairs that are multiplied. */
bool sct_merge_norm_read(const struct sct_graph *g, uint32_t v, struct sct_merge_norm *n,
                         struct step *s);
/* Applies them to w [rows][in]; plain: the layer's own weight, which may be w. EFILE, ENOMEM,
 * as loading a tensor. */
sct_status sct_merge_norm_fold(const struct sct_merge_norm *n, size_t in, const float *plain,
                               float *w, sct_error *err);

/* Takes the linear layer on channels of value *behind that makes v; false when there is none.
 */
bool sct_merge_rows_read(const struct sct_graph *g, uint32_t v, struct sct_merge_rows *r,
                         uint32_t *behind);
/* Applies it to the values of a weight [rows][in], or of a bias [rows] (in = 1). EFILE, ENOMEM,
 * as loading a tensor. */
sct_status sct_merge_rows_fold(const struct sct_merge_rows *r, uint32_t in, bool bias, float *w,
                               sct_error *err);

#endif
