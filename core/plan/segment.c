/* SPDX-License-Identifier: MIT
 * segment.c - when a value changes, and so where its node runs and whose storage it has.
 * A node takes the largest segment of its inputs; what an ACCUM or EMIT makes is read after the
 * body. */
#include <string.h>

#include "core/base/status.h"
#include "core/plan/plan.h"

static sct_status resize(struct sct_plan *p, sct_error *err)
{
    const struct sct_graph *g = p->g;
    SCT_TRY(sct_grow((void **)&p->val, &p->cap_val, g->n_value, sizeof *p->val, err));
    SCT_TRY(sct_grow((void **)&p->node, &p->cap_node, (uint64_t)g->n_node + 1, sizeof *p->node,
                     err));
    memset(p->val, 0, g->n_value * sizeof *p->val);
    memset(p->node, 0, g->n_node * sizeof *p->node);
    for (uint32_t s = 0; s < SCT_SEG_COUNT; s++) {
        sct_free(p->order[s]);
        p->n_order[s] = 0;
        p->order[s] = sct_calloc(g->n_node + 1u, sizeof **p->order);
        if (!p->order[s])
            return sct_nomem(err);
    }
    return SCT_OK;
}

static void sources(struct sct_plan *p)
{
    for (uint32_t v = 1; v < p->g->n_value; v++) {
        const struct sct_value *x = &p->g->value[v];
        p->val[v].root = v;
        p->val[v].slots = 1;
        p->val[v].first = 1;
        p->val[v].last = 0;
        if (x->source == SCT_SRC_TENSOR) {
            p->val[v].cls = x->tensor->mutable ? SCT_SEG_PROLOGUE : SCT_SEG_SETUP;
            p->val[v].scope = x->tensor->mutable ? SCT_PERSIST : SCT_CONST;
        } else if (x->source == SCT_SRC_BATCH) {
            p->val[v].cls = SCT_SEG_PROLOGUE;
            p->val[v].scope = SCT_BATCH;
        }
    }
}

/* Scope of an output of a node in segment seg. */
static uint8_t scope_of(uint32_t flags, uint32_t seg)
{
    if (flags & SCT_OPF_EMIT)
        return SCT_BATCH;
    return seg == SCT_SEG_SETUP ? SCT_CONST : seg == SCT_SEG_BODY ? SCT_LANE : SCT_STEP;
}

/* An accumulator that goes on being added to does not decide when: its other inputs do. */
static bool continues(const struct sct_plan *p, const struct sct_gnode *node, uint32_t i)
{
    const uint32_t by = p->g->value[node->in[i]].node;
    return i == 0 && (sct_op_info(node->op)->flags & SCT_OPF_ACCUM) && by != SCT_NO_NODE &&
           (sct_op_info(p->g->node[by].op)->flags & SCT_OPF_ACCUM);
}

/* Values of a sample are gone when the epilogue runs, and an accumulator is added to in the
 * order of its chain. */
static sct_status check_class(const struct sct_plan *p, const struct sct_gnode *node,
                              uint8_t seg, sct_error *err)
{
    for (uint32_t i = 0; i < node->n_in; i++) {
        const uint32_t by = p->g->value[node->in[i]].node;
        if (continues(p, node, i)) {
            if (p->node[by].seg > seg)
                return sct_fail(
                    err, SCT_EINVAL,
                    "%s: %s adds, once a sample, to a sum that is added to after the "
                    "last sample; use an accumulator of its own",
                    node->label, sct_op_info(node->op)->name);
        } else if (seg == SCT_SEG_EPILOGUE && p->val[node->in[i]].cls == SCT_SEG_BODY) {
            return sct_fail(
                err, SCT_EINVAL,
                "%s: %s reads a value of one sample (input %u) and one that is known "
                "after the last sample; emit the former first",
                node->label, sct_op_info(node->op)->name, i);
        }
    }
    return SCT_OK;
}

static sct_status node_class(struct sct_plan *p, uint32_t n, sct_error *err)
{
    const struct sct_gnode *node = &p->g->node[n];
    const uint32_t flags = sct_op_info(node->op)->flags;
    uint8_t seg = SCT_SEG_SETUP;
    for (uint32_t i = 0; i < node->n_in; i++)
        if (p->val[node->in[i]].cls > seg && !continues(p, node, i))
            seg = p->val[node->in[i]].cls;
    if (flags & SCT_OPF_FEED)
        seg = SCT_SEG_BODY;
    if (node->op == SCT_OP_ZERO)
        seg = SCT_SEG_PROLOGUE;
    if ((flags & SCT_OPF_UPDATE) && seg < SCT_SEG_EPILOGUE)
        seg = SCT_SEG_EPILOGUE;
    SCT_TRY(check_class(p, node, seg, err));
    struct sct_pnode *pn = &p->node[n];
    pn->seg = seg;
    pn->view = (flags & SCT_OPF_VIEW) != 0;
    for (uint32_t o = 0; o < node->n_out; o++) {
        struct sct_pvalue *out = &p->val[node->out[o]];
        const bool ends = (flags & (SCT_OPF_ACCUM | SCT_OPF_EMIT)) != 0;
        out->cls = ends ? SCT_SEG_EPILOGUE : seg;
        out->scope = scope_of(flags, seg);
        const bool shares =
            (flags & SCT_OPF_UPDATE) || (o == 0 && (flags & (SCT_OPF_ACCUM | SCT_OPF_VIEW)));
        if (shares) {
            const struct sct_pvalue *in = &p->val[node->in[o]];
            out->root = in->root;
            out->scope = in->scope;
            pn->alias = true;
        }
    }
    return SCT_OK;
}

/* The storage at the root of an ACCUM chain of the body has one copy per slot. */
static void accumulators(struct sct_plan *p)
{
    for (uint32_t n = 0; n < p->g->n_node; n++) {
        const struct sct_gnode *node = &p->g->node[n];
        if (!(sct_op_info(node->op)->flags & SCT_OPF_ACCUM))
            continue;
        struct sct_pvalue *root = &p->val[p->val[node->in[0]].root];
        if (root->scope == SCT_PERSIST)
            continue;
        root->scope = SCT_SLOTS;
        if (p->node[n].seg == SCT_SEG_BODY)
            root->slots = p->slots;
    }
    for (uint32_t v = 1; v < p->g->n_value; v++) {
        const struct sct_pvalue *root = &p->val[p->val[v].root];
        p->val[v].scope = root->scope;
        p->val[v].slots = root->slots;
    }
}

sct_status sct_plan_segment(struct sct_plan *p, sct_error *err)
{
    SCT_TRY(resize(p, err));
    sources(p);
    for (uint32_t n = 0; n < p->g->n_node; n++)
        SCT_TRY(node_class(p, n, err));
    accumulators(p);
    for (uint32_t n = 0; n < p->g->n_node; n++) {
        const uint32_t s = p->node[n].seg;
        p->order[s][p->n_order[s]++] = n;
    }
    return SCT_OK;
}

uint64_t sct_plan_desc_bytes(const struct sct_plan *p, const struct sct_desc *d)
{
    return p->be->bytes(p->dev, d);
}

uint64_t sct_plan_bytes(const struct sct_plan *p, uint32_t v)
{
    return sct_plan_desc_bytes(p, &p->g->value[v].desc);
}

/* [..] becomes [slots][..]. */
static void with_slots(struct sct_desc *d, uint32_t slots)
{
    memmove(d->dim + 1, d->dim, (SCT_MAX_DIMS - 1) * sizeof d->dim[0]);
    d->dim[0] = slots;
    d->nd++;
}

void sct_plan_opdesc(const struct sct_plan *p, uint32_t n, struct sct_opdesc *d)
{
    const struct sct_gnode *node = &p->g->node[n];
    memset(d, 0, sizeof *d);
    d->size = sizeof *d;
    d->op = node->op;
    d->n_in = node->n_in;
    d->n_out = node->n_out;
    d->params = node->params;
    d->segment = p->node[n].seg;
    d->alias_in0 = p->node[n].alias;
    d->team = p->shape.team ? p->shape.team : 1;
    for (uint32_t i = 0; i < node->n_in; i++) {
        d->in[i] = p->g->value[node->in[i]].desc;
        d->cls[i] = p->val[node->in[i]].cls;
    }
    for (uint32_t o = 0; o < node->n_out; o++)
        d->out[o] = p->g->value[node->out[o]].desc;
    if (node->op == SCT_OP_ZERO && d->out[0].nd < SCT_MAX_DIMS)
        with_slots(&d->out[0], p->val[node->out[0]].slots);
    if (node->op == SCT_OP_SLOT_SUM && d->in[0].nd < SCT_MAX_DIMS)
        with_slots(&d->in[0], p->val[node->in[0]].slots);
}
