/* SPDX-License-Identifier: MIT
 * choose.c - asks the backend for a row for every node and inserts the PACK nodes it wants.
 * A choice is kept under the node's first output (value ids are stable, node numbers are not).
 */
#include <string.h>

#include "core/base/status.h"
#include "core/base/str.h"
#include "core/plan/plan.h"

static sct_status probe(struct sct_plan *p, uint32_t n, struct sct_choice *c, sct_error *err)
{
    struct sct_opdesc d;
    sct_plan_opdesc(p, n, &d);
    memset(c, 0, sizeof *c);
    c->size = sizeof *c;
    return p->be->probe(p->dev, &d, c, err);
}

static sct_status probe_all(struct sct_plan *p, struct sct_choice *by_value, bool strict,
                            sct_error *err)
{
    struct sct_str missing = {0};
    uint32_t n_missing = 0;
    for (uint32_t n = 0; n < p->g->n_node; n++) {
        if (p->node[n].view)
            continue;
        const struct sct_gnode *node = &p->g->node[n];
        struct sct_choice *c = &by_value[node->out[0]];
        if (c->row)
            continue; /* chosen before packs were inserted */
        sct_error why = SCT_ERROR_INIT;
        const sct_status rc = probe(p, n, c, &why);
        if (rc == SCT_EUNSUP) {
            char text[96];
            if (n_missing++ < 20)
                sct_str_add(&missing, "\n  %s at %s -> %s%s%s", sct_op_info(node->op)->name,
                            node->label[0] ? node->label : "(no site)",
                            sct_desc_text(&p->g->value[node->out[0]].desc, text, sizeof text),
                            why.msg[0] ? ": " : "", why.msg);
        } else if (rc != SCT_OK) {
            sct_str_free(&missing);
            return sct_fail(err, rc, "%s", why.msg);
        }
    }
    sct_status rc = SCT_OK;
    if (n_missing && strict)
        rc = sct_fail(err, SCT_EUNSUP,
                      "backend %s has no kernel for %u of the plan's nodes:%s\n"
                      "use another --backend or --device",
                      p->be->name, n_missing, missing.s ? missing.s : "");
    sct_str_free(&missing);
    return rc;
}

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

static sct_status insert_packs(struct sct_plan *p, const struct sct_choice *by_value,
                               bool *inserted, sct_error *err)
{
    const uint32_t n_node = p->g->n_node;
    for (uint32_t n = 0; n < n_node; n++) {
        if (p->node[n].view)
            continue;
        const struct sct_choice *c = &by_value[p->g->node[n].out[0]];
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

static sct_status choose(struct sct_plan *p, bool insert, struct sct_choice **by_value,
                         sct_error *err)
{
    SCT_TRY(probe_all(p, *by_value, insert, err));
    if (insert) {
        bool inserted = false;
        const uint32_t before = p->g->n_value;
        SCT_TRY(insert_packs(p, *by_value, &inserted, err));
        if (inserted) {
            struct sct_choice *more = sct_realloc(*by_value, p->g->n_value, sizeof *more);
            if (!more)
                return sct_nomem(err);
            memset(more + before, 0, (p->g->n_value - before) * sizeof *more);
            *by_value = more;
            SCT_TRY(sct_graph_sort(p->g, err));
            SCT_TRY(sct_plan_segment(p, err));
            SCT_TRY(probe_all(p, *by_value, true, err));
        }
    }
    for (uint32_t n = 0; n < p->g->n_node; n++)
        if (!p->node[n].view)
            p->node[n].choice = (*by_value)[p->g->node[n].out[0]];
    return SCT_OK;
}

sct_status sct_plan_choose(struct sct_plan *p, bool insert, sct_error *err)
{
    struct sct_choice *by_value = sct_calloc(p->g->n_value, sizeof *by_value);
    if (!by_value)
        return sct_nomem(err);
    const sct_status rc = choose(p, insert, &by_value, err);
    sct_free(by_value);
    return rc;
}
