/* SPDX-License-Identifier: MIT
 * place.c - offsets from live ranges.
 * Invariant: two items that are live at the same time never overlap. Largest first into the
 * smallest gap meets the liveness bound on transformer graphs (test_plan checks 1.05 of it). */
#include <stdlib.h>
#include <string.h>

#include "core/base/status.h"
#include "core/plan/plan.h"

static uint64_t align_up(uint64_t n)
{
    return (n + SCT_ALIGN - 1) & ~(uint64_t)(SCT_ALIGN - 1);
}

static int by_size(const void *a, const void *b)
{
    const struct sct_arena_item *x = a, *y = b;
    if (x->size != y->size)
        return x->size > y->size ? -1 : 1;
    if (x->first != y->first)
        return x->first < y->first ? -1 : 1;
    return x->id < y->id ? -1 : 1;
}

static int by_offset(const void *a, const void *b)
{
    const struct sct_arena_item *x = *(const struct sct_arena_item *const *)a,
                                *y = *(const struct sct_arena_item *const *)b;
    return x->off < y->off ? -1 : x->off > y->off;
}

/* Best offset for it in slab: the smallest gap that fits among the items alive with it. */
static bool fit(const struct sct_arena_item *all, uint32_t placed, uint32_t slab, uint64_t max,
                const struct sct_arena_item **busy, struct sct_arena_item *it)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < placed; i++)
        if (all[i].slab == slab && all[i].first <= it->last && it->first <= all[i].last)
            busy[n++] = &all[i];
    qsort(busy, n, sizeof *busy, by_offset);
    uint64_t end = 0, best = UINT64_MAX, best_gap = UINT64_MAX;
    for (uint32_t i = 0; i < n; i++) {
        if (busy[i]->off > end) {
            const uint64_t gap = busy[i]->off - end;
            if (gap >= it->size && gap < best_gap) {
                best = end;
                best_gap = gap;
            }
        }
        const uint64_t stop = busy[i]->off + align_up(busy[i]->size);
        end = stop > end ? stop : end;
    }
    if (best == UINT64_MAX && end + it->size <= max)
        best = end;
    if (best == UINT64_MAX)
        return false;
    it->off = best;
    it->slab = slab;
    return true;
}

sct_status sct_arena_pack(struct sct_arena_item *item, uint32_t n, uint64_t max,
                          struct sct_slabs *slabs, sct_error *err)
{
    sct_free(slabs->bytes);
    slabs->bytes = NULL;
    slabs->n = 0;
    if (n == 0)
        return SCT_OK;
    qsort(item, n, sizeof *item, by_size);
    const struct sct_arena_item **busy = sct_calloc(n, sizeof *busy);
    uint32_t cap = 0;
    sct_status rc = busy ? SCT_OK : sct_nomem(err);
    for (uint32_t i = 0; rc == SCT_OK && i < n; i++) {
        if (item[i].size > max) {
            rc = sct_fail(err, SCT_ENOMEM,
                          "one value needs %llu bytes, the device allows %llu in one buffer; "
                          "use a smaller --micro-batch",
                          (unsigned long long)item[i].size, (unsigned long long)max);
            break;
        }
        uint32_t s = 0;
        while (s < slabs->n && !fit(item, i, s, max, busy, &item[i]))
            s++;
        if (s == slabs->n) {
            rc = sct_grow((void **)&slabs->bytes, &cap, (uint64_t)s + 1, sizeof *slabs->bytes,
                          err);
            if (rc != SCT_OK)
                break;
            slabs->bytes[slabs->n++] = 0;
            item[i].off = 0;
            item[i].slab = s;
        }
        const uint64_t stop = item[i].off + align_up(item[i].size);
        if (stop > slabs->bytes[s])
            slabs->bytes[s] = stop;
    }
    sct_free(busy);
    return rc;
}

/* Places all roots of one scope. */
static sct_status scope_arena(struct sct_plan *p, uint32_t scope, struct sct_slabs *slabs,
                              sct_error *err)
{
    struct sct_arena_item *item =
        sct_calloc((size_t)p->g->n_value + p->g->n_node, sizeof *item);
    if (!item)
        return sct_nomem(err);
    uint32_t n = 0;
    for (uint32_t v = 1; v < p->g->n_value; v++) {
        const struct sct_pvalue *x = &p->val[v];
        if (p->g->value[v].removed || x->root != v || x->scope != scope)
            continue;
        const bool fixed = scope == SCT_BATCH || scope == SCT_SLOTS;
        if (!fixed && x->first > x->last)
            continue;
        item[n].size = sct_plan_bytes(p, v) * x->slots;
        item[n].first = fixed ? 0 : x->first;
        item[n].last = fixed ? UINT32_MAX : x->last;
        item[n++].id = v;
    }
    /* scratch lives while its node runs: in the lane for the body, in the step's memory else */
    for (uint32_t s = SCT_SEG_PROLOGUE; s < SCT_SEG_COUNT; s++) {
        const uint32_t home = s == SCT_SEG_BODY ? SCT_LANE : SCT_STEP;
        for (uint32_t pos = 0; home == scope && pos < p->n_order[s]; pos++) {
            const uint32_t k = p->order[s][pos];
            if (!p->node[k].choice.scratch)
                continue;
            item[n].size = p->node[k].choice.scratch;
            item[n].first = item[n].last =
                s == SCT_SEG_EPILOGUE ? p->n_order[SCT_SEG_PROLOGUE] + 1 + pos : pos;
            item[n++].id = p->g->n_value + k;
        }
    }
    const uint64_t max = p->info.max_alloc ? p->info.max_alloc : UINT64_MAX / 4;
    const sct_status rc = sct_arena_pack(item, n, max, slabs, err);
    for (uint32_t i = 0; rc == SCT_OK && i < n; i++) {
        const uint32_t id = item[i].id;
        struct sct_place pl = {scope, item[i].slab, item[i].off, item[i].size, 0};
        if (id >= p->g->n_value) {
            p->scratch[id - p->g->n_value] = pl;
            continue;
        }
        if (scope == SCT_SLOTS)
            pl.len = pl.stride = item[i].size / p->val[id].slots;
        p->val[id].place = pl;
    }
    sct_free(item);
    return rc;
}

/* Most bytes alive at once in the lane: what no packing can beat. */
static uint64_t lane_bound(const struct sct_plan *p)
{
    uint64_t most = 0;
    for (uint32_t pos = 0; pos < p->n_order[SCT_SEG_BODY]; pos++) {
        uint64_t now = p->node[p->order[SCT_SEG_BODY][pos]].choice.scratch;
        for (uint32_t v = 1; v < p->g->n_value; v++) {
            const struct sct_pvalue *x = &p->val[v];
            if (x->root == v && x->scope == SCT_LANE && x->first <= pos && pos <= x->last &&
                !p->g->value[v].removed)
                now += sct_plan_bytes(p, v);
        }
        most = now > most ? now : most;
    }
    return most;
}

sct_status sct_plan_place(struct sct_plan *p, sct_error *err)
{
    sct_free(p->scratch);
    p->scratch = sct_calloc(p->g->n_node + 1u, sizeof *p->scratch);
    if (!p->scratch)
        return sct_nomem(err);
    SCT_TRY(scope_arena(p, SCT_LANE, &p->lane, err));
    SCT_TRY(scope_arena(p, SCT_STEP, &p->step, err));
    SCT_TRY(scope_arena(p, SCT_BATCH, &p->batch, err));
    SCT_TRY(scope_arena(p, SCT_SLOTS, &p->acc, err));
    p->lane_need = lane_bound(p);
    return SCT_OK;
}
