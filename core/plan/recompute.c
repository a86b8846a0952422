/* SPDX-License-Identifier: MIT
 * recompute.c - checkpointing as a graph rewrite: the forward nodes of a block that its
 * backward needs are cloned and run again before it, so only the values between blocks stay
 * alive. The clones have the same op, parameters and shapes, hence the same row and the same
 * bits (random ops are keyed by site, step and element). The last block is left as it is: its
 * backward follows at once. */
#include <string.h>

#include "core/base/status.h"
#include "core/plan/plan.h"

struct rewrite {
    struct sct_plan *p;
    uint32_t *clone; /* per old value: its clone, 0 = none */
    uint8_t *keep;   /* per old value: stays stored (read outside its block by forward nodes) */
    uint32_t n_value, n_node, last_block;
};

static bool forward_lane(const struct rewrite *r, uint32_t v, uint32_t *block)
{
    const uint32_t n = r->p->g->value[v].node;
    if (n == SCT_NO_NODE || n >= r->n_node)
        return false;
    const struct sct_gnode *node = &r->p->g->node[n];
    if (node->phase != SCT_PHASE_FORWARD || r->p->node[n].seg != SCT_SEG_BODY || !node->block ||
        node->block == r->last_block ||
        (sct_op_info(node->op)->flags & (SCT_OPF_ACCUM | SCT_OPF_EMIT | SCT_OPF_FEED)))
        return false;
    *block = node->block;
    return true;
}

/* Clones the producer of v and, first, what it needs of the same block. Explicit stack: depth
 * is bounded by the nodes of a block. Returns the clone's id or 0. */
static uint32_t clone_value(struct rewrite *r, uint32_t v, uint32_t *stack, sct_error *err)
{
    struct sct_graph *g = r->p->g;
    uint32_t depth = 0, block, other;
    stack[depth++] = v;
    while (depth) {
        const uint32_t w = stack[depth - 1];
        if (r->clone[w]) {
            depth--;
            continue;
        }
        (void)forward_lane(r, w, &block);
        struct sct_gnode node = g->node[g->value[w].node];
        bool ready = true;
        for (uint32_t i = 0; ready && i < node.n_in; i++) {
            const uint32_t u = node.in[i];
            if (!r->keep[u] && forward_lane(r, u, &other) && other == block) {
                if (r->clone[u])
                    node.in[i] = r->clone[u];
                else {
                    stack[depth++] = u;
                    ready = false;
                }
            }
        }
        if (!ready)
            continue;
        uint32_t out[SCT_MAX_OUT];
        memcpy(out, node.out, sizeof out);
        memset(node.out, 0, sizeof node.out);
        node.phase = SCT_PHASE_BACKWARD;
        if (sct_graph_append(g, &node, err) != SCT_OK)
            return 0;
        for (uint32_t o = 0; o < node.n_out; o++)
            r->clone[out[o]] = g->node[g->n_node - 1].out[o];
        depth--;
    }
    return r->clone[v];
}

static sct_status rewrite(struct rewrite *r, uint32_t *stack, sct_error *err)
{
    struct sct_graph *g = r->p->g;
    uint32_t block;
    for (uint32_t n = 0; n < r->n_node; n++) /* values that leave their block going forward */
        for (uint32_t i = 0; i < g->node[n].n_in; i++)
            if (g->node[n].phase == SCT_PHASE_FORWARD &&
                forward_lane(r, g->node[n].in[i], &block) && g->node[n].block != block)
                r->keep[g->node[n].in[i]] = 1;
    for (uint32_t n = 0; n < r->n_node; n++) {
        if (g->node[n].phase != SCT_PHASE_BACKWARD)
            continue;
        for (uint32_t i = 0; i < g->node[n].n_in; i++) {
            const uint32_t v = g->node[n].in[i];
            if (v >= r->n_value || r->keep[v] || g->value[v].output ||
                !forward_lane(r, v, &block))
                continue;
            const uint32_t c = clone_value(r, v, stack, err);
            if (!c)
                return err && err->code ? err->code : SCT_ENOMEM;
            g->node[n].in[i] = c;
        }
    }
    return SCT_OK;
}

sct_status sct_plan_recompute(struct sct_plan *p, sct_error *err)
{
    struct rewrite r = {.p = p, .n_value = p->g->n_value, .n_node = p->g->n_node};
    for (uint32_t n = 0; n < p->g->n_node; n++)
        if (p->g->node[n].phase == SCT_PHASE_FORWARD && p->g->node[n].block > r.last_block)
            r.last_block = p->g->node[n].block;
    r.clone = sct_calloc(r.n_value, sizeof *r.clone);
    r.keep = sct_calloc(r.n_value, 1);
    uint32_t *stack = sct_calloc((size_t)r.n_value + 1, sizeof *stack);
    sct_status rc = r.clone && r.keep && stack ? rewrite(&r, stack, err) : sct_nomem(err);
    if (rc == SCT_OK)
        rc = sct_graph_sort(p->g, err);
    if (rc == SCT_OK)
        rc = sct_graph_prune(p->g, err);
    if (rc == SCT_OK)
        rc = sct_plan_segment(p, err);
    p->recomputed = rc == SCT_OK;
    sct_free(r.clone);
    sct_free(r.keep);
    sct_free(stack);
    return rc;
}
