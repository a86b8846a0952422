/* SPDX-License-Identifier: MIT
 * strategies.c - the strategy of a run: options, calibration.
 * One calibration run per protocol and kind: watches that agree share the passes over the data.
 */
#include "core/train/strategies.h"

#include <string.h>

#include "core/base/status.h"
#include "core/exec/exec.h"
#include "core/plug/module.h"
#include "core/train/graphs.h"

sct_status sct_tuner_open(struct sct_tuner *t, const char *name, const struct sct_set *set,
                          uint32_t n_set, sct_error *err)
{
    memset(t, 0, sizeof *t);
    const struct sct_strategy *s = NULL;
    char what[96];
    static const struct sct_option none[] = {{NULL, NULL, 0, 0, 0, 0, 0, NULL}};
    sct_status rc = sct_plug_strategy(name, &s, err);
    if (rc == SCT_OK)
        rc = sct_strategy_open(&t->run, s, err);
    if (rc == SCT_OK) {
        (void)snprintf(what, sizeof what, "strategy %.60s", s->name);
        rc = sct_opts_create(&t->opts, s->options ? s->options : none, t->run.state,
                             s->state_size, what, err);
    }
    for (uint32_t i = 0; i < n_set && rc == SCT_OK; i++) {
        const bool flag = strcmp(set[i].where, "--set") == 0;
        char where[sizeof set[i].where];
        (void)snprintf(where, sizeof where, flag ? "--set %.80s" : "%s",
                       flag ? set[i].key : set[i].where);
        if (!sct_opts_find(t->opts, set[i].key))
            rc = sct_opts_unknown(t->opts, set[i].key, set[i].where, err);
        else
            rc = sct_opts_set(t->opts, set[i].key, set[i].value,
                              flag ? SCT_OPT_FLAG : SCT_OPT_CONFIG, where, err);
    }
    if (rc != SCT_OK)
        sct_tuner_close(t);
    return rc;
}

void sct_tuner_close(struct sct_tuner *t)
{
    if (t->run.s)
        sct_strategy_close(&t->run);
    sct_opts_destroy(&t->opts);
    memset(t, 0, sizeof *t);
}

struct calibration {
    struct sct_model *m;
    struct sct_open_device *d;
    struct sct_loader *loader;
    const struct sct_source *source;
    const struct sct_plan_opts *plan;
    uint64_t seed;
    uint64_t *dry_bytes; /* NULL: run */
    struct sct_readings *out;
};

/* Sums over values gather in one run of the plan, squares of gradients in one a batch. */
static bool share_run(const struct sct_watch_item *x, const struct sct_watch_item *y)
{
    const struct sct_protocol *a = &x->protocol, *b = &y->protocol;
    return x->what == y->what && a->train_mode == b->train_mode && a->batch == b->batch &&
           a->max_batches == b->max_batches && a->shuffle == b->shuffle && a->list == b->list;
}

static uint32_t batch_of(const struct sct_model *m, const struct sct_protocol *p)
{
    return p->batch ? p->batch : m->g->batch;
}

struct sct_calibration_size sct_calibration_size(const struct sct_model *plain, uint32_t count)
{
    struct sct_calibration_size s = {0, 0};
    for (uint32_t i = 0; i < plain->n_watch; i++) {
        const struct sct_protocol *p = &plain->watch[i].protocol;
        const uint32_t batch = batch_of(plain, p);
        const uint64_t most = p->max_batches ? (uint64_t)p->max_batches * batch : count;
        const uint32_t images = most < count ? (uint32_t)most : count;
        s.batch = batch > s.batch ? batch : s.batch;
        s.images = images > s.images ? images : s.images;
    }
    return s;
}

static sct_status feed(struct sct_exec *x, const struct sct_batch *b, const float *weight,
                       uint32_t rows, sct_error *err)
{
    SCT_TRY(sct_exec_feed(x, "images", b->images, rows, err));
    if (!sct_exec_desc(x, "labels"))
        return SCT_OK;
    SCT_TRY(sct_exec_feed(x, "labels", b->labels, rows, err));
    if (sct_exec_desc(x, "mix"))
        SCT_TRY(sct_exec_feed(x, "mix", b->mix, rows, err));
    return sct_exec_feed(x, "weight", weight, rows, err);
}

/* All batches through one plan. Sums over values live for the whole run: one prologue, one
 * epilogue, every image counts 1. For squares of gradients every batch is a step, whose loss is
 * the mean over its images. */
static sct_status run_batches(struct calibration *c, struct sct_exec *x,
                              const struct sct_watch_item *w, float *ones, uint32_t *seen,
                              sct_error *err)
{
    const struct sct_protocol *p = &w->protocol;
    const uint32_t batch = batch_of(c->m, p), rows = batch;
    const bool steps = w->what == SCT_WATCH_GRAD_SUMSQ;
    struct sct_step_state st = {c->seed, 0, 0.0f, batch};
    for (uint32_t k = 0; !p->max_batches || k < p->max_batches; k++) {
        struct sct_batch b;
        SCT_TRY(sct_loader_next(c->loader, &b, err));
        if (!b.valid)
            break;
        for (uint32_t i = 0; i < batch; i++)
            ones[i] = i < b.valid ? 1.0f : 0.0f;
        for (uint32_t i = 0; i < b.valid; i++)
            seen[b.labels[i][0]]++;
        SCT_TRY(feed(x, &b, steps ? b.weight : ones, rows, err));
        st.valid = b.valid;
        st.step = k;
        if (k == 0 || steps)
            SCT_TRY(sct_exec_begin(x, &st, err));
        else
            SCT_TRY(sct_exec_state(x, &st, err));
        SCT_TRY(sct_exec_body(x, b.valid, err));
        if (steps)
            SCT_TRY(sct_exec_end(x, err));
    }
    return steps ? SCT_OK : sct_exec_end(x, err);
}

/* x: NULL in a dry run, where every reading is 1. */
static sct_status collect(struct calibration *c, const struct sct_plan *p, struct sct_exec *x,
                          const uint32_t *watch, uint32_t n, const uint32_t *seen,
                          sct_error *err)
{
    for (uint32_t i = 0; i < n; i++) {
        const struct sct_watch_item *w = &c->m->watch[watch[i]];
        const bool value = w->what == SCT_WATCH_SUMSQ_LABEL;
        char name[64];
        (void)snprintf(name, sizeof name, "watch.%u", i);
        const struct sct_value *v = sct_graph_value(p->g, sct_graph_find(p->g, name));
        if (!v)
            return sct_fail(err, SCT_EINVAL, "calibration has no output %s", name);
        const struct sct_desc *d = &v->desc;
        const uint32_t cols = value ? sct_desc_last(d) : (uint32_t)sct_desc_count(d);
        const uint32_t rows = value ? d->dim[0] : 1;
        struct sct_reading *r = sct_readings_add(c->out, w->what, w->id, rows, cols, value);
        if (!r)
            return sct_nomem(err);
        for (uint32_t k = 0; value && k < c->m->cfg.classes; k++)
            r->row_weight[w->protocol.any_class ? 0 : k] += x ? (float)seen[k] : 1.0f;
        for (size_t k = 0; !x && k < (size_t)rows * cols; k++)
            r->value[k] = 1.0f;
        if (x)
            SCT_TRY(sct_exec_fetch(x, name, r->value, err));
    }
    return SCT_OK;
}

static sct_status run_plan(struct calibration *c, struct sct_plan **plan, const uint32_t *watch,
                           uint32_t n, float *ones, uint32_t *seen, sct_error *err)
{
    const struct sct_plan *p = *plan;
    struct sct_exec *x = NULL;
    sct_status rc = sct_exec_create(&x, plan, c->d->store, err);
    if (rc == SCT_OK)
        rc = run_batches(c, x, &c->m->watch[watch[0]], ones, seen, err);
    if (rc == SCT_OK)
        rc = collect(c, p, x, watch, n, seen, err);
    sct_exec_destroy(&x);
    return rc;
}

static sct_status run_protocol(struct calibration *c, const uint32_t *watch, uint32_t n,
                               sct_error *err)
{
    const struct sct_protocol *p = &c->m->watch[watch[0]].protocol;
    const uint32_t count = sct_source_count(c->source), batch = batch_of(c->m, p);
    struct sct_optim state = {0};
    struct sct_graph *g = NULL;
    struct sct_plan *plan = NULL;
    float *ones = sct_calloc(batch, sizeof *ones);
    uint32_t *seen = sct_calloc(c->m->cfg.classes, sizeof *seen),
             *order = sct_calloc(count, sizeof *order);
    sct_status rc = ones && seen && order ? SCT_OK : sct_nomem(err);
    if (rc == SCT_OK) {
        sct_order_epoch(c->seed, 0, count, p->shuffle != 0, order);
        rc = sct_loader_begin(c->loader, order, count, batch, 0, err);
    }
    if (rc == SCT_OK)
        rc = sct_graph_calibrate(&g, c->m, watch, n, &state, err);
    if (rc == SCT_OK)
        rc = sct_plan_create(&plan, g, c->d->be, c->d->dev, &c->d->info, c->plan, err);
    if (rc == SCT_OK && c->dry_bytes) {
        struct sct_plan_memory m;
        sct_plan_memory(plan, &m);
        *c->dry_bytes = m.total > *c->dry_bytes ? m.total : *c->dry_bytes;
        rc = collect(c, plan, NULL, watch, n, seen, err);
    } else if (rc == SCT_OK) {
        rc = run_plan(c, &plan, watch, n, ones, seen, err);
    }
    sct_plan_destroy(&plan);
    sct_graph_destroy(&g);
    sct_store_forget(c->d->store, state.state, state.n);
    sct_optim_fini(&state);
    sct_free(ones);
    sct_free(seen);
    sct_free(order);
    return rc;
}

/* Groups of watches that share a run. */
static sct_status all_protocols(struct calibration *c, sct_error *err)
{
    const uint32_t n = c->m->n_watch;
    uint32_t *group = sct_calloc(n, sizeof *group);
    uint8_t *done = sct_calloc(n, 1);
    sct_status rc = group && done ? SCT_OK : sct_nomem(err);
    for (uint32_t i = 0; i < n && rc == SCT_OK; i++) {
        uint32_t k = 0;
        for (uint32_t j = i; j < n; j++) {
            if (done[j] || !share_run(&c->m->watch[i], &c->m->watch[j]))
                continue;
            done[j] = 1;
            group[k++] = j;
        }
        if (k)
            rc = run_protocol(c, group, k, err);
    }
    sct_free(group);
    sct_free(done);
    return rc;
}

sct_status sct_calibrate(struct sct_tuner *t, struct sct_model *plain,
                         struct sct_open_device *d, struct sct_loader *loader,
                         const struct sct_source *source, uint64_t seed,
                         const struct sct_plan_opts *plan, uint64_t *dry_bytes, sct_error *err)
{
    struct calibration c = {plain, d,    loader,    source,
                            plan,  seed, dry_bytes, sct_readings_create()};
    if (!c.out)
        return sct_nomem(err);
    sct_status rc = plain->n_watch ? all_protocols(&c, err) : SCT_OK;
    if (rc == SCT_OK)
        rc = sct_strategy_choose(&t->run, plain, c.out, err);
    sct_readings_destroy(&c.out);
    return rc;
}
