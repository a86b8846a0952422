/* SPDX-License-Identifier: MIT
 * bind.c - the program description that the backend gets: segments of nodes with their places,
 * and which store entries the program needs. */
#include <string.h>

#include "core/base/status.h"
#include "core/plan/plan.h"

/* Entry of the plan's list of stored values for root v. */
static sct_status store_entry(struct sct_plan *p, uint32_t v, uint32_t *entry, sct_error *err)
{
    for (uint32_t i = 0; i < p->n_store; i++) {
        if (p->store_val[i] == v) {
            *entry = i;
            return SCT_OK;
        }
    }
    SCT_TRY(sct_grow((void **)&p->store_val, &p->cap_store, (uint64_t)p->n_store + 1,
                     sizeof *p->store_val, err));
    p->store_val[p->n_store] = v;
    *entry = p->n_store++;
    return SCT_OK;
}

static sct_status place_value(struct sct_plan *p, uint32_t v, struct sct_place *out,
                              sct_error *err)
{
    const uint32_t root = p->val[v].root;
    const struct sct_pvalue *r = &p->val[root];
    *out = r->place;
    out->scope = r->scope;
    if (r->scope == SCT_CONST || r->scope == SCT_PERSIST) {
        SCT_TRY(store_entry(p, root, &out->buf, err));
        out->off = 0;
        out->len = out->stride = sct_plan_bytes(p, root);
    }
    if (r->scope != SCT_LANE)
        out->buf += p->buf_base[r->scope];
    return SCT_OK;
}

static sct_status fill_node(struct sct_plan *p, uint32_t n, struct sct_node *node,
                            sct_error *err)
{
    const struct sct_gnode *g = &p->g->node[n];
    sct_plan_opdesc(p, n, &node->d);
    node->c = p->node[n].choice;
    node->label = g->label;
    for (uint32_t i = 0; i < g->n_in; i++)
        SCT_TRY(place_value(p, g->in[i], &node->in[i], err));
    for (uint32_t o = 0; o < g->n_out; o++)
        SCT_TRY(place_value(p, g->out[o], &node->out[o], err));
    node->scratch = p->scratch[n];
    if (node->scratch.len && node->scratch.scope != SCT_LANE)
        node->scratch.buf += p->buf_base[node->scratch.scope];
    return SCT_OK;
}

static sct_status fill_segment(struct sct_plan *p, uint32_t s, struct sct_segment *seg,
                               sct_error *err)
{
    struct sct_node *node = sct_arena_alloc(&p->g->arena, (p->n_order[s] + 1u) * sizeof *node);
    if (!node)
        return sct_nomem(err);
    seg->kind = s;
    seg->n = 0;
    seg->node = node;
    for (uint32_t i = 0; i < p->n_order[s]; i++) {
        const uint32_t n = p->order[s][i];
        if (!p->node[n].view)
            SCT_TRY(fill_node(p, n, &node[seg->n++], err));
    }
    return SCT_OK;
}

sct_status sct_plan_bind(struct sct_plan *p, sct_error *err)
{
    /* lane slabs first, then step, batch, slots; the store's entries follow */
    uint32_t at = p->lane.n * p->shape.lanes;
    p->buf_base[SCT_LANE] = 0;
    p->buf_base[SCT_STEP] = at;
    at += p->step.n;
    p->buf_base[SCT_BATCH] = at;
    at += p->batch.n;
    p->buf_base[SCT_SLOTS] = at;
    at += p->acc.n;
    p->buf_base[SCT_CONST] = p->buf_base[SCT_PERSIST] = at;
    p->n_store = 0;
    struct sct_segment *seg = sct_arena_alloc(&p->g->arena, 3 * sizeof *seg);
    if (!seg)
        return sct_nomem(err);
    for (uint32_t s = SCT_SEG_PROLOGUE; s < SCT_SEG_COUNT; s++)
        SCT_TRY(fill_segment(p, s, &seg[s - SCT_SEG_PROLOGUE], err));
    /* stored values that the host reads though no node of this program does */
    for (uint32_t v = 1; v < p->g->n_value; v++) {
        uint32_t entry;
        const struct sct_pvalue *r = &p->val[p->val[v].root];
        if (!p->g->value[v].removed && p->g->value[v].output &&
            (r->scope == SCT_CONST || r->scope == SCT_PERSIST))
            SCT_TRY(store_entry(p, p->val[v].root, &entry, err));
    }
    p->n_buf = at + p->n_store;
    p->prog = (struct sct_progdesc){.size = sizeof p->prog,
                                    .n_seg = 3,
                                    .seg = seg,
                                    .shape = p->shape,
                                    .batch = p->g->batch,
                                    .slots = p->slots,
                                    .n_micro = p->n_micro,
                                    .lane_slabs = p->lane.n,
                                    .micro = p->micro};
    return SCT_OK;
}
