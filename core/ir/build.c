/* SPDX-License-Identifier: MIT
 * build.c - emit: checks a node's arity and shapes, appends it, remembers the first error. */
#include "core/ir/build.h"

#include <string.h>

#include "core/base/status.h"

struct sct_graph *sct_graph_of(struct sct_builder *b)
{
    return (struct sct_graph *)(void *)((char *)b - offsetof(struct sct_graph, builder));
}

sct_status sct_build_infer(const struct sct_graph *g, const struct sct_gnode *n, uint32_t b,
                           struct sct_desc *out, sct_error *err)
{
    const struct sct_op_info *op = sct_op_info(n->op);
    struct sct_desc in[SCT_MAX_IN];
    memset(in, 0, sizeof in);
    memset(out, 0, SCT_MAX_OUT * sizeof *out);
    for (uint32_t i = 0; i < n->n_in; i++)
        in[i] = g->value[n->in[i]].desc;
    const struct sct_infer a = {in, n->n_in, n->params, out, b, g->batch, err};
    const sct_status rc = op->infer(&a);
    if (rc != SCT_OK)
        (void)sct_error_prefix(err, "%s%s%s", n->label, n->label[0] ? ": " : "", op->name);
    return rc;
}

sct_status sct_graph_append(struct sct_graph *g, const struct sct_gnode *like, sct_error *err)
{
    struct sct_gnode n = *like;
    struct sct_desc out[SCT_MAX_OUT];
    SCT_TRY(sct_build_infer(g, &n, g->b, out, err));
    SCT_TRY(sct_grow((void **)&g->node, &g->cap_node, (uint64_t)g->n_node + 1, sizeof *g->node,
                     err));
    for (uint32_t o = 0; o < n.n_out; o++) {
        if (!n.out[o])
            n.out[o] = sct_graph_new_value(g);
        if (!n.out[o])
            return sct_nomem(err);
        struct sct_value *v = &g->value[n.out[o]];
        v->desc = out[o];
        v->node = g->n_node;
        v->out = (uint8_t)o;
    }
    g->node[g->n_node++] = n;
    return SCT_OK;
}

/* 1 when the call must do nothing: an earlier error, or a required input is none. */
static int skip(struct sct_graph *g, const struct sct_op_info *op, const sct_val *in,
                uint32_t n_in)
{
    if (g->err.code != SCT_OK)
        return 1;
    if (n_in < op->in_min || n_in > op->in_max) {
        (void)sct_fail(&g->err, SCT_EINVAL, "%s: %s takes %u to %u inputs, got %u", g->label,
                       op->name, op->in_min, op->in_max, n_in);
        return 1;
    }
    for (uint32_t i = 0; i < n_in; i++) {
        if (in[i].id == 0 || in[i].id >= g->n_value || g->value[in[i].id].removed) {
            (void)sct_fail(&g->err, SCT_EINVAL, "%s: %s: input %u is not a value of this graph",
                           g->label, op->name, i);
            return 1;
        }
    }
    return 0;
}

static sct_val emit(struct sct_builder *b, uint32_t op, const sct_val *in, uint32_t n_in,
                    sct_val *outs, const void *params, size_t params_size)
{
    struct sct_graph *g = sct_graph_of(b);
    const struct sct_op_info *info = sct_op_info(op);
    const sct_val none = {0};
    for (uint32_t o = 0; outs && o < SCT_MAX_OUT; o++)
        outs[o] = none;
    if (!info) {
        (void)sct_fail(&g->err, SCT_EUNSUP,
                       "op number %u is unknown to this build, which has %d ops; "
                       "the plugin was built against a newer ops.def",
                       op, SCT_OP_COUNT - 1);
        return none;
    }
    /* FILL and SUMSQ have an optional input that may be none */
    while (n_in > info->in_min && in[n_in - 1].id == 0)
        n_in--;
    if (skip(g, info, in, n_in))
        return none;
    struct sct_gnode n = {.op = op, .n_in = (uint8_t)n_in, .n_out = info->n_out};
    n.phase = g->phase;
    n.block = g->block;
    n.label = g->label;
    n.params = sct_arena_alloc(&g->arena, info->params_size);
    if (!n.params) {
        (void)sct_nomem(&g->err);
        return none;
    }
    if (params)
        memcpy(n.params, params,
               params_size < info->params_size ? params_size : info->params_size);
    for (uint32_t i = 0; i < n_in; i++)
        n.in[i] = in[i].id;
    if (sct_graph_append(g, &n, &g->err) != SCT_OK)
        return none;
    const struct sct_gnode *made = &g->node[g->n_node - 1];
    for (uint32_t o = 0; outs && o < made->n_out; o++)
        outs[o].id = made->out[o];
    const sct_val first = {made->out[0]};
    return first;
}

static const struct sct_desc *desc(const struct sct_builder *b, sct_val v)
{
    const struct sct_graph *g =
        (const struct sct_graph *)(const void *)((const char *)b -
                                                 offsetof(struct sct_graph, builder));
    const struct sct_value *x = sct_graph_value(g, v);
    return x ? &x->desc : NULL;
}

void sct_build_init(struct sct_graph *g)
{
    g->builder.size = sizeof g->builder;
    g->builder.emit = emit;
    g->builder.desc = desc;
}

void sct_graph_label(struct sct_graph *g, const char *fmt, ...)
{
    char text[256];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    const char *copy = sct_arena_strdup(&g->arena, text);
    if (copy)
        g->label = copy;
    else
        (void)sct_nomem(&g->err);
}
