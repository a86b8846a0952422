/* SPDX-License-Identifier: MIT
 * plan.c - the order of the passes; memory figures. */
#include "core/plan/plan.h"

#include <string.h>

#include "core/base/status.h"
#include "core/base/str.h"

/* Whether the caller wants to look at the plan after this pass. */
static bool stop_after(struct sct_plan *p, const char *pass)
{
    p->stopped = p->opts.after && strcmp(p->opts.after, pass) == 0;
    return p->stopped;
}

/* After fusing, which makes some accumulators smaller. */
static sct_status count_slots(struct sct_plan *p, sct_error *err)
{
    p->accum_bytes = 0;
    for (uint32_t v = 1; v < p->g->n_value; v++)
        if (!p->g->value[v].removed && p->val[v].root == v && p->val[v].scope == SCT_SLOTS)
            p->accum_bytes += sct_desc_count(&p->g->value[v].desc) * 4;
    p->slots = p->opts.slots ? p->opts.slots : sct_plan_slots(p->accum_bytes, p->g->batch);
    if (p->slots > p->g->batch)
        p->slots = p->g->batch;
    return sct_plan_segment(p, err);
}

/* The graph holds what is needed, in order, with shapes of one image a micro-batch. */
static sct_status tidy(struct sct_plan *p, sct_error *err)
{
    SCT_TRY(sct_graph_prune(p->g, err));
    if (stop_after(p, "prune"))
        return SCT_OK;
    SCT_TRY(sct_graph_sort(p->g, err));
    if (stop_after(p, "sort"))
        return SCT_OK;
    SCT_TRY(sct_graph_infer(p->g, 1, err));
    if (stop_after(p, "infer"))
        return SCT_OK;
    SCT_TRY(sct_graph_verify(p->g, err));
    (void)stop_after(p, "verify");
    return SCT_OK;
}

/* Up to and including the shape, on graphs of one image a micro-batch. */
static sct_status front(struct sct_plan *p, bool recompute, sct_error *err)
{
    p->slots = 1;
    SCT_TRY(sct_plan_segment(p, err));
    if (stop_after(p, "segment"))
        return SCT_OK;
    if (!p->opts.no_fuse)
        SCT_TRY(sct_plan_fuse(p, err));
    SCT_TRY(sct_plan_segment(p, err));
    SCT_TRY(count_slots(p, err));
    if (stop_after(p, "fuse"))
        return SCT_OK;
    if (recompute)
        SCT_TRY(sct_plan_recompute(p, err));
    if (stop_after(p, "recompute"))
        return SCT_OK;
    SCT_TRY(sct_plan_choose(p, false, err));
    SCT_TRY(sct_plan_live(p, err));
    sct_plan_inplace(p);
    SCT_TRY(sct_plan_place(p, err));
    SCT_TRY(sct_plan_shape(p, err));
    SCT_TRY(sct_graph_infer(p->g, p->shape.b, err));
    SCT_TRY(sct_plan_segment(p, err));
    (void)stop_after(p, "shape");
    return SCT_OK;
}

static sct_status back(struct sct_plan *p, sct_error *err)
{
    SCT_TRY(sct_plan_choose(p, true, err));
    if (stop_after(p, "choose"))
        return SCT_OK;
    SCT_TRY(sct_plan_pack(p, err));
    if (stop_after(p, "pack"))
        return SCT_OK;
    SCT_TRY(sct_plan_live(p, err));
    if (stop_after(p, "live"))
        return SCT_OK;
    sct_plan_inplace(p);
    if (stop_after(p, "inplace"))
        return SCT_OK;
    SCT_TRY(sct_plan_place(p, err));
    p->placed = true;
    if (stop_after(p, "place"))
        return SCT_OK;
    SCT_TRY(sct_plan_bind(p, err));
    (void)stop_after(p, "bind");
    return SCT_OK;
}

static sct_status attempt(struct sct_plan **out, const struct sct_graph *g,
                          const struct sct_backend *be, sct_device *dev,
                          const struct sct_device_info *info, const struct sct_plan_opts *opts,
                          bool recompute, sct_error *err)
{
    struct sct_plan *p = sct_calloc(1, sizeof *p);
    if (!p)
        return sct_nomem(err);
    p->be = be;
    p->dev = dev;
    p->opts = *opts;
    p->info = *info;
    p->g = sct_graph_clone(g);
    sct_status rc = p->g ? SCT_OK : sct_nomem(err);
    if (rc == SCT_OK)
        rc = tidy(p, err);
    if (rc == SCT_OK && !p->stopped)
        rc = front(p, recompute, err);
    if (rc == SCT_OK && !p->stopped)
        rc = back(p, err);
    if (rc == SCT_OK && opts->after && !p->stopped)
        rc = sct_fail(err, SCT_EUSAGE,
                      "there is no pass \"%s\"; expected one of " SCT_PLAN_PASSES, opts->after);
    if (rc == SCT_OK)
        *out = p;
    else
        sct_plan_destroy(&p);
    return rc;
}

static uint64_t limit_of(const struct sct_plan *p)
{
    return p->opts.memory_limit ? p->opts.memory_limit : p->info.memory;
}

bool sct_plan_fits(const struct sct_plan *p)
{
    struct sct_plan_memory m;
    sct_plan_memory(p, &m);
    return limit_of(p) == 0 || m.total <= limit_of(p);
}

sct_status sct_plan_create(struct sct_plan **out, const struct sct_graph *g,
                           const struct sct_backend *be, sct_device *dev,
                           const struct sct_device_info *info, const struct sct_plan_opts *opts,
                           sct_error *err)
{
    *out = NULL;
    SCT_TRY(
        attempt(out, g, be, dev, info, opts, opts->checkpoint == SCT_CHECKPOINT_BLOCK, err));
    if ((*out)->stopped)
        return SCT_OK;
    if (opts->checkpoint == SCT_CHECKPOINT_AUTO && !sct_plan_fits(*out)) {
        sct_plan_destroy(out);
        SCT_TRY(attempt(out, g, be, dev, info, opts, true, err));
    }
    if (!opts->any_size && !sct_plan_fits(*out)) {
        char *text = sct_plan_memory_text(*out);
        const sct_status rc = sct_fail(
            err, SCT_ENOMEM,
            "the plan does not fit the device: %.2f MB allowed\n%suse a smaller --micro-batch, "
            "--checkpoint block, or a larger --memory-limit",
            (double)limit_of(*out) / 1048576.0, text ? text : "");
        sct_free(text);
        sct_plan_destroy(out);
        return rc;
    }
    return SCT_OK;
}

void sct_plan_destroy(struct sct_plan **pp)
{
    if (!pp || !*pp)
        return;
    struct sct_plan *p = *pp;
    sct_graph_destroy(&p->g);
    sct_free(p->val);
    sct_free(p->node);
    for (uint32_t s = 0; s < SCT_SEG_COUNT; s++)
        sct_free(p->order[s]);
    sct_free(p->micro);
    sct_free(p->scratch);
    sct_free(p->lane.bytes);
    sct_free(p->step.bytes);
    sct_free(p->batch.bytes);
    sct_free(p->acc.bytes);
    sct_free(p->store_val);
    sct_free(p);
    *pp = NULL;
}

static uint64_t slab_bytes(const struct sct_slabs *s, uint64_t *largest)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < s->n; i++) {
        n += s->bytes[i];
        if (s->bytes[i] > *largest)
            *largest = s->bytes[i];
    }
    return n;
}

void sct_plan_memory(const struct sct_plan *p, struct sct_plan_memory *m)
{
    memset(m, 0, sizeof *m);
    for (uint32_t i = 0; i < p->n_store; i++) {
        const uint32_t v = p->store_val[i];
        const uint64_t n = sct_plan_bytes(p, v);
        const struct sct_value *x = &p->g->value[v];
        if (p->val[v].scope == SCT_PERSIST)
            *(x->tensor && strncmp(x->tensor->name, "optim.", 6) == 0 ? &m->optimizer
                                                                      : &m->trainable) += n;
        else if (x->desc.layout)
            m->packs += n;
        else
            m->weights += n;
        if (n > m->largest)
            m->largest = n;
    }
    m->activations = slab_bytes(&p->lane, &m->largest) * p->shape.lanes;
    m->step = slab_bytes(&p->step, &m->largest);
    m->batch = slab_bytes(&p->batch, &m->largest);
    m->accumulators = slab_bytes(&p->acc, &m->largest);
    m->total = m->weights + m->packs + m->trainable + m->optimizer + m->activations + m->step +
               m->batch + m->accumulators;
}

char *sct_plan_memory_text(const struct sct_plan *p)
{
    struct sct_plan_memory m;
    sct_plan_memory(p, &m);
    struct sct_str s = {0};

    const struct {
        const char *name;
        uint64_t bytes;
    } row[] = {{"frozen weights", m.weights},
               {"packed weights", m.packs},
               {"trainable", m.trainable},
               {"optimiser state", m.optimizer},
               {"activations", m.activations},
               {"accumulators", m.accumulators},
               {"step values", m.step},
               {"batch", m.batch},
               {"total", m.total}};

    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++)
        sct_str_add(&s, "  %-16s %10.2f MB\n", row[i].name, (double)row[i].bytes / 1048576.0);
    sct_str_add(
        &s, "  %u lane(s) x %u image(s), %u slot(s), checkpoint %s, largest buffer %.2f MB\n",
        p->shape.lanes, p->shape.b, p->slots, p->recomputed ? "block" : "none",
        (double)m.largest / 1048576.0);
    return sct_str_take(&s);
}
