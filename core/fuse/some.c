/* SPDX-License-Identifier: MIT
 * some.c - gradients of single elements of a weight:
 *   gather_el(slot_sum(linear_dw(0, dy, x)), idx) -> slot_sum(LINEAR_DW_EL(0, dy, x, idx))
 * for every list idx that the weight has. So the product of the whole weight is not computed,
 * nor kept in an accumulator of its size, of which every slot has a copy. */
#include "core/base/status.h"
#include "core/fuse/match.h"

struct some {
    struct sct_graph *g;
    sct_fuse_has has;
    void *ctx;
    uint8_t *other; /* per value: read by something else than a GATHER_EL, or by the host */
    bool changed;
};

static const struct sct_gnode *made_by(const struct sct_graph *g, uint32_t v, uint32_t op)
{
    const uint32_t n = g->value[v].node;
    return n != SCT_NO_NODE && g->node[n].op == op ? &g->node[n] : NULL;
}

/* What a gradient is made of; false: it is no sum of one product, or all of it is wanted. */
static bool find(const struct some *s, uint32_t v, struct sct_gnode *sum, struct sct_gnode *dw)
{
    const struct sct_gnode *n = s->other[v] ? NULL : made_by(s->g, v, SCT_OP_SLOT_SUM);
    if (!n)
        return false;
    *sum = *n;
    if (!(n = made_by(s->g, sum->in[0], SCT_OP_LINEAR_DW)))
        return false;
    *dw = *n;
    return made_by(s->g, dw->in[0], SCT_OP_ZERO) != NULL;
}

static void *params_of(struct sct_graph *g, uint32_t op)
{
    return sct_arena_alloc(&g->arena, sct_op_info(op)->params_size);
}

/* Appends a node like `at` in phase, block and label; *out: its value. */
static sct_status append(struct sct_graph *g, const struct sct_gnode *at, struct sct_gnode *n,
                         uint32_t *out, sct_error *err)
{
    n->phase = at->phase;
    n->block = at->block;
    n->label = at->label;
    SCT_TRY(sct_graph_append(g, n, err));
    *out = g->node[g->n_node - 1].out[0];
    return SCT_OK;
}

/* Node n, a GATHER_EL, becomes the SLOT_SUM of what is appended; sorting brings that to it. */
static sct_status rewrite(struct some *s, uint32_t n, sct_error *err)
{
    struct sct_graph *g = s->g;
    struct sct_gnode sum, dw;
    const struct sct_gnode gather = g->node[n];
    if (gather.op != SCT_OP_GATHER_EL || !find(s, gather.in[0], &sum, &dw))
        return SCT_OK;
    struct sct_zero_params *zero = params_of(g, SCT_OP_ZERO);
    struct sct_gnode z = {.op = SCT_OP_ZERO, .n_out = 1, .params = zero},
                     el = {.op = SCT_OP_LINEAR_DW_EL,
                           .n_in = 4,
                           .n_out = 1,
                           .params = params_of(g, SCT_OP_LINEAR_DW_EL)};
    if (!z.params || !el.params)
        return sct_nomem(err);
    zero->nd = 1;
    zero->dim[0] = g->value[gather.in[1]].desc.dim[0];
    SCT_TRY(append(g, &dw, &z, &el.in[0], err));
    el.in[1] = dw.in[1];
    el.in[2] = dw.in[2];
    el.in[3] = gather.in[1];
    if (!s->has(s->ctx, &el))
        return SCT_OK; /* pruning takes what was appended */
    SCT_TRY(append(g, &dw, &el, &sum.in[0], err));
    sum.out[0] = gather.out[0];
    g->node[n] = sum;
    s->changed = true;
    return SCT_OK;
}

static void mark_others(struct some *s)
{
    const struct sct_graph *g = s->g;
    for (uint32_t v = 1; v < g->n_value; v++)
        s->other[v] = g->value[v].output;
    for (uint32_t n = 0; n < g->n_node; n++)
        for (uint32_t i = 0; i < g->node[n].n_in; i++)
            s->other[g->node[n].in[i]] |= g->node[n].op != SCT_OP_GATHER_EL;
}

sct_status fuse_gradients_of_some(struct sct_graph *g, sct_fuse_has has, void *ctx,
                                  sct_error *err)
{
    struct some s = {.g = g, .has = has, .ctx = ctx};
    const uint32_t n_node = g->n_node;
    s.other = sct_calloc(g->n_value, 1);
    if (!s.other)
        return sct_nomem(err);
    mark_others(&s);
    sct_status rc = SCT_OK;
    for (uint32_t n = 0; n < n_node && rc == SCT_OK; n++)
        rc = rewrite(&s, n, err);
    sct_free(s.other);
    if (rc == SCT_OK && g->n_node > n_node)
        rc = sct_graph_sort(g, err);
    if (rc == SCT_OK && g->n_node > n_node)
        rc = sct_graph_prune(g, err);
    if (rc == SCT_OK && s.changed)
        rc = sct_graph_infer(g, g->b, err);
    return rc;
}
