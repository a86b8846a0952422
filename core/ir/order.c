/* SPDX-License-Identifier: MIT
 * order.c - pruning, stable topological order, inference over a whole graph, verification. */
#include <string.h>

#include "core/base/status.h"
#include "core/ir/build.h"
#include "core/ir/graph.h"

void sct_graph_drop(struct sct_graph *g, const uint8_t *dead)
{
    uint32_t kept = 0;
    for (uint32_t n = 0; n < g->n_node; n++) {
        const struct sct_gnode node = g->node[n];
        for (uint32_t o = 0; o < node.n_out; o++) {
            struct sct_value *v = &g->value[node.out[o]];
            if (v->node != n)
                continue; /* taken over by another node */
            if (dead[n])
                v->removed = true;
            v->node = dead[n] ? SCT_NO_NODE : kept;
        }
        if (!dead[n])
            g->node[kept++] = node;
    }
    g->n_node = kept;
}

sct_status sct_graph_prune(struct sct_graph *g, sct_error *err)
{
    uint8_t *need = sct_calloc(g->n_value, 1);
    uint8_t *dead = sct_calloc(g->n_node + 1u, 1);
    if (!need || !dead) {
        sct_free(need);
        sct_free(dead);
        return sct_nomem(err);
    }
    for (uint32_t n = g->n_node; n-- > 0;) {
        const struct sct_gnode *node = &g->node[n];
        bool live = (sct_op_info(node->op)->flags & SCT_OPF_UPDATE) != 0;
        for (uint32_t o = 0; o < node->n_out; o++)
            live = live || need[node->out[o]] || g->value[node->out[o]].output;
        dead[n] = !live;
        for (uint32_t i = 0; live && i < node->n_in; i++)
            need[node->in[i]] = 1;
    }
    sct_graph_drop(g, dead);
    for (uint32_t v = 1; v < g->n_value; v++)
        if (g->value[v].source != SCT_SRC_NONE && !need[v] && !g->value[v].output)
            g->value[v].removed = true;
    sct_free(need);
    sct_free(dead);
    return SCT_OK;
}

/* Depth-first emission in node order, with an explicit stack. state: 0 new, 1 open, 2 placed.
 */
static sct_status sort_into(const struct sct_graph *g, uint32_t *order, uint8_t *state,
                            uint32_t *stack, sct_error *err)
{
    uint32_t placed = 0;
    for (uint32_t root = 0; root < g->n_node; root++) {
        uint32_t depth = 0;
        if (state[root] == 0)
            stack[depth++] = root;
        while (depth) {
            const uint32_t n = stack[depth - 1];
            const struct sct_gnode *node = &g->node[n];
            if (state[n] == 2) {
                depth--;
                continue;
            }
            state[n] = 1;
            bool ready = true;
            for (uint32_t i = 0; ready && i < node->n_in; i++) {
                const uint32_t p = g->value[node->in[i]].node;
                if (p == SCT_NO_NODE || state[p] == 2)
                    continue;
                if (state[p] == 1)
                    return sct_fail(err, SCT_EINVAL, "%s: %s: the graph has a cycle",
                                    node->label, sct_op_info(node->op)->name);
                stack[depth++] = p;
                ready = false;
            }
            if (ready) {
                state[n] = 2;
                order[placed++] = n;
                depth--;
            }
        }
    }
    return SCT_OK;
}

sct_status sct_graph_sort(struct sct_graph *g, sct_error *err)
{
    const size_t n = g->n_node;
    if (n == 0)
        return SCT_OK;
    uint32_t *order = sct_calloc(n, sizeof *order), *stack = sct_calloc(n + 1, sizeof *stack);
    uint8_t *state = sct_calloc(n, 1);
    struct sct_gnode *node = sct_calloc(n, sizeof *node);
    sct_status rc = order && stack && state && node ? SCT_OK : sct_nomem(err);
    if (rc == SCT_OK)
        rc = sort_into(g, order, state, stack, err);
    if (rc == SCT_OK) {
        for (uint32_t i = 0; i < n; i++) {
            node[i] = g->node[order[i]];
            for (uint32_t o = 0; o < node[i].n_out; o++)
                g->value[node[i].out[o]].node = i;
        }
        memcpy(g->node, node, n * sizeof *node);
    }
    sct_free(order);
    sct_free(stack);
    sct_free(state);
    sct_free(node);
    return rc;
}

sct_status sct_graph_infer(struct sct_graph *g, uint32_t b, sct_error *err)
{
    for (uint32_t n = 0; n < g->n_node; n++) {
        struct sct_desc out[SCT_MAX_OUT];
        SCT_TRY(sct_build_infer(g, &g->node[n], b, out, err));
        for (uint32_t o = 0; o < g->node[n].n_out; o++) {
            struct sct_value *v = &g->value[g->node[n].out[o]];
            const uint32_t layout = v->desc.layout;
            v->desc = out[o];
            v->desc.layout = layout;
        }
    }
    g->b = b;
    return SCT_OK;
}

static sct_status verify_node(const struct sct_graph *g, uint32_t n, sct_error *err)
{
    const struct sct_gnode *node = &g->node[n];
    const struct sct_op_info *op = sct_op_info(node->op);
    if (!op)
        return sct_fail(err, SCT_EINVAL, "node %u has unknown op %u", n, node->op);
    if (node->n_in < op->in_min || node->n_in > op->in_max || node->n_out != op->n_out)
        return sct_fail(err, SCT_EINVAL, "%s: %s has %u inputs and %u outputs", node->label,
                        op->name, node->n_in, node->n_out);
    for (uint32_t i = 0; i < node->n_in; i++) {
        const uint32_t v = node->in[i];
        if (v == 0 || v >= g->n_value || g->value[v].removed)
            return sct_fail(err, SCT_EINVAL, "%s: %s: input %u is missing", node->label,
                            op->name, i);
        if (g->value[v].node != SCT_NO_NODE && g->value[v].node >= n)
            return sct_fail(err, SCT_EINVAL, "%s: %s: input %u is made later", node->label,
                            op->name, i);
    }
    struct sct_desc out[SCT_MAX_OUT];
    SCT_TRY(sct_build_infer(g, node, g->b, out, err));
    for (uint32_t o = 0; o < node->n_out; o++) {
        const struct sct_value *v = &g->value[node->out[o]];
        if (v->node != n || v->out != o || !sct_desc_same_dims(&v->desc, &out[o]) ||
            v->desc.dtype != out[o].dtype)
            return sct_fail(err, SCT_EINVAL, "%s: %s: output %u does not fit its value",
                            node->label, op->name, o);
    }
    return SCT_OK;
}

sct_status sct_graph_verify(const struct sct_graph *g, sct_error *err)
{
    SCT_TRY(sct_graph_status(g, err));
    for (uint32_t n = 0; n < g->n_node; n++)
        SCT_TRY(verify_node(g, n, err));
    for (uint32_t v = 1; v < g->n_value; v++)
        if (g->value[v].source == SCT_SRC_TENSOR && !g->value[v].tensor)
            return sct_fail(err, SCT_EINVAL, "value %u has no tensor", v);
    return SCT_OK;
}
