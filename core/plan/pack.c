/* SPDX-License-Identifier: MIT
 * pack.c - inserts the PACK nodes that the chosen rows want, and chooses rows for these.
 * A choice is kept under the node's first output meanwhile: value ids are stable, node numbers
 * are not. */
#include <string.h>

#include "core/base/status.h"
#include "core/plan/plan.h"

/* The output of a PACK of value v in `layout`, made if need be; 0 on failure. */
static uint32_t packed(struct sct_plan *p, uint32_t v, uint32_t layout, sct_error *err)
{
    struct sct_graph *g = p->g;
    for (uint32_t n = 0; n < g->n_node; n++)
        if (g->node[n].op == SCT_OP_PACK && g->node[n].in[0] == v &&
            ((const struct sct_pack_params *)g->node[n].params)->layout == layout)
            return g->node[n].out[0];
    struct sct_pack_params *params = sct_arena_alloc(&g->arena, sizeof *params);
    if (!params) {
        (void)sct_nomem(err);
        return 0;
    }
    params->layout = layout;
    struct sct_gnode node = {.op = SCT_OP_PACK, .n_in = 1, .n_out = 1, .params = params};
    node.in[0] = v;
    node.label = g->value[v].name ? sct_arena_strdup(&g->arena, g->value[v].name) : "pack";
    if (!node.label) {
        (void)sct_nomem(err);
        return 0;
    }
    if (sct_graph_append(g, &node, err) != SCT_OK)
        return 0;
    const uint32_t out = g->node[g->n_node - 1].out[0];
    g->value[out].desc.layout = layout;
    return out;
}

static sct_status insert_packs(struct sct_plan *p, bool *inserted, sct_error *err)
{
    const uint32_t n_node = p->g->n_node;
    for (uint32_t n = 0; n < n_node; n++) {
        if (p->node[n].view)
            continue;
        const struct sct_choice *c = &p->node[n].choice;
        for (uint32_t i = 0; i < p->g->node[n].n_in; i++) {
            if (!c->pack_in[i])
                continue;
            const uint32_t v = p->g->node[n].in[i];
            if (p->val[v].cls > SCT_SEG_PROLOGUE)
                return sct_fail(
                    err, SCT_EPLUGIN,
                    "backend %s, row %s: wants input %u packed, but it changes with "
                    "every sample",
                    p->be->name, c->row, i);
            const uint32_t out = packed(p, v, c->pack_in[i], err);
            if (!out)
                return err ? err->code : SCT_EFAIL;
            p->g->node[n].in[i] = out;
            *inserted = true;
        }
    }
    return SCT_OK;
}

sct_status sct_plan_pack(struct sct_plan *p, sct_error *err)
{
    const uint32_t n_node = p->g->n_node;
    bool inserted = false;
    SCT_TRY(insert_packs(p, &inserted, err));
    if (!inserted)
        return SCT_OK;
    struct sct_choice *by_value = sct_calloc(p->g->n_value, sizeof *by_value);
    if (!by_value)
        return sct_nomem(err);
    for (uint32_t n = 0; n < n_node; n++)
        if (!p->node[n].view)
            by_value[p->g->node[n].out[0]] = p->node[n].choice;
    sct_status rc = sct_graph_sort(p->g, err);
    if (rc == SCT_OK)
        rc = sct_plan_segment(p, err);
    if (rc == SCT_OK)
        rc = sct_plan_probe(p, by_value, true, err);
    for (uint32_t n = 0; rc == SCT_OK && n < p->g->n_node; n++)
        if (!p->node[n].view)
            p->node[n].choice = by_value[p->g->node[n].out[0]];
    sct_free(by_value);
    return rc;
}
