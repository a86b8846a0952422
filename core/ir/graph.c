/* SPDX-License-Identifier: MIT
 * graph.c - storage of the graph: values, nodes, sources, outputs, copies.
 * Invariant: node[value[v].node].out[value[v].out] == v for every value made by a node. */
#include "core/ir/graph.h"

#include <string.h>

#include "core/base/status.h"
#include "core/ir/build.h"

struct sct_graph *sct_graph_create(uint32_t b, uint32_t batch)
{
    struct sct_graph *g = sct_calloc(1, sizeof *g);
    if (!g)
        return NULL;
    g->b = b;
    g->batch = batch;
    g->label = "";
    sct_build_init(g);
    if (sct_grow((void **)&g->value, &g->cap_value, 1, sizeof *g->value, NULL) != SCT_OK) {
        sct_graph_destroy(&g);
        return NULL;
    }
    memset(&g->value[0], 0, sizeof g->value[0]);
    g->value[0].node = SCT_NO_NODE;
    g->value[0].removed = true;
    g->n_value = 1;
    return g;
}

void sct_graph_destroy(struct sct_graph **g)
{
    if (!g || !*g)
        return;
    sct_arena_free(&(*g)->arena);
    sct_free((*g)->value);
    sct_free((*g)->node);
    sct_free(*g);
    *g = NULL;
}

static bool clone_node(struct sct_graph *c, struct sct_gnode *n)
{
    const size_t size = sct_op_info(n->op)->params_size;
    void *params = sct_arena_alloc(&c->arena, size);
    n->label = sct_arena_strdup(&c->arena, n->label);
    if (!params || !n->label)
        return false;
    n->params = memcpy(params, n->params, size);
    return true;
}

struct sct_graph *sct_graph_clone(const struct sct_graph *g)
{
    struct sct_graph *c = sct_graph_create(g->b, g->batch);
    if (!c)
        return NULL;
    if (sct_grow((void **)&c->value, &c->cap_value, g->n_value, sizeof *c->value, NULL) !=
            SCT_OK ||
        sct_grow((void **)&c->node, &c->cap_node, g->n_node + 1u, sizeof *c->node, NULL) !=
            SCT_OK)
        goto fail;
    memcpy(c->value, g->value, g->n_value * sizeof *g->value);
    if (g->n_node)
        memcpy(c->node, g->node, g->n_node * sizeof *g->node);
    c->n_value = g->n_value;
    c->n_node = g->n_node;
    c->err = g->err;
    c->block = g->block;
    c->phase = g->phase;
    for (uint32_t v = 1; v < c->n_value; v++) {
        if (c->value[v].name && c->value[v].source != SCT_SRC_TENSOR &&
            !(c->value[v].name = sct_arena_strdup(&c->arena, c->value[v].name)))
            goto fail;
    }
    for (uint32_t n = 0; n < c->n_node; n++)
        if (!clone_node(c, &c->node[n]))
            goto fail;
    return c;
fail:
    sct_graph_destroy(&c);
    return NULL;
}

sct_status sct_graph_status(const struct sct_graph *g, sct_error *err)
{
    if (g->err.code == SCT_OK)
        return SCT_OK;
    return sct_fail(err, g->err.code, "%s", g->err.msg);
}

uint32_t sct_graph_new_value(struct sct_graph *g)
{
    if (sct_grow((void **)&g->value, &g->cap_value, (uint64_t)g->n_value + 1, sizeof *g->value,
                 &g->err) != SCT_OK)
        return 0;
    struct sct_value *v = &g->value[g->n_value];
    memset(v, 0, sizeof *v);
    v->node = SCT_NO_NODE;
    return g->n_value++;
}

sct_val sct_graph_tensor(struct sct_graph *g, const struct sct_tensor *t)
{
    sct_val v = {0};
    if (!t)
        return v;
    for (uint32_t i = 1; i < g->n_value; i++) {
        if (g->value[i].source == SCT_SRC_TENSOR && g->value[i].tensor == t) {
            g->value[i].removed = false;
            v.id = i;
            return v;
        }
    }
    v.id = sct_graph_new_value(g);
    if (v.id) {
        struct sct_value *x = &g->value[v.id];
        x->desc = t->desc;
        x->source = SCT_SRC_TENSOR;
        x->tensor = t;
        x->name = t->name;
    }
    return v;
}

sct_val sct_graph_input(struct sct_graph *g, const char *name, uint32_t dtype, uint32_t nd,
                        const uint32_t *dim)
{
    sct_val v = {0};
    if (nd == 0 || dim[0] != g->batch) {
        (void)sct_fail(&g->err, SCT_EINVAL, "input %s: first dimension must be the batch, %u",
                       name, g->batch);
        return v;
    }
    const char *copy = sct_arena_strdup(&g->arena, name);
    v.id = copy ? sct_graph_new_value(g) : 0;
    if (!v.id) {
        (void)sct_nomem(&g->err);
        return v;
    }
    struct sct_value *x = &g->value[v.id];
    x->desc = sct_desc_make(dtype, nd, dim);
    x->source = SCT_SRC_BATCH;
    x->name = copy;
    return v;
}

sct_status sct_graph_rebatch(struct sct_graph *g, uint32_t batch, sct_error *err)
{
    if (batch == 0)
        return sct_fail(err, SCT_EINVAL, "a graph for batches of no images");
    g->batch = batch;
    for (uint32_t i = 1; i < g->n_value; i++)
        if (g->value[i].source == SCT_SRC_BATCH)
            g->value[i].desc.dim[0] = batch;
    return sct_graph_infer(g, g->b < batch ? g->b : batch, err);
}

void sct_graph_output(struct sct_graph *g, sct_val v, const char *name)
{
    if (!v.id || v.id >= g->n_value)
        return;
    const char *copy = sct_arena_strdup(&g->arena, name);
    if (!copy) {
        (void)sct_nomem(&g->err);
        return;
    }
    g->value[v.id].output = true;
    if (g->value[v.id].source == SCT_SRC_NONE)
        g->value[v.id].name = copy;
}

sct_val sct_graph_find(const struct sct_graph *g, const char *name)
{
    sct_val v = {0};
    for (uint32_t i = 1; i < g->n_value; i++) {
        const struct sct_value *x = &g->value[i];
        if (!x->removed && x->name && strcmp(x->name, name) == 0) {
            v.id = i;
            return v;
        }
    }
    return v;
}

const struct sct_value *sct_graph_value(const struct sct_graph *g, sct_val v)
{
    return v.id && v.id < g->n_value ? &g->value[v.id] : NULL;
}

void sct_graph_redirect(struct sct_graph *g, uint32_t from, uint32_t to, uint32_t before)
{
    for (uint32_t n = 0; n < before && n < g->n_node; n++)
        for (uint32_t i = 0; i < g->node[n].n_in; i++)
            if (g->node[n].in[i] == from)
                g->node[n].in[i] = to;
}
