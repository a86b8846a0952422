/* SPDX-License-Identifier: MIT
 * strategies.c - calibration.
 * One run per protocol and kind: watches that agree share the passes over the data, of
 * whichever strategy they are. */
#include "core/tune/strategies.h"

#include <string.h>

#include "core/base/status.h"
#include "core/exec/exec.h"
#include "core/graphs/graphs.h"

struct calibration {
    const struct sct_tuner *t;
    struct sct_model *m;
    struct sct_open_device *d;
    struct sct_loader *loader;
    const struct sct_source *source;
    const struct sct_plan_opts *plan;
    uint64_t seed;
    uint64_t *dry_bytes; /* NULL: run */
    struct sct_readings_cache *cache;
    struct sct_readings *out;
    uint32_t *slot; /* reading of every watch: its place in out */
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

uint32_t sct_calibration_batch(const struct sct_model *plain)
{
    uint32_t most = 0;
    for (uint32_t i = 0; i < plain->n_watch; i++) {
        const uint32_t batch = batch_of(plain, &plain->watch[i].protocol);
        most = batch > most ? batch : most;
    }
    return most;
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
        c->slot[watch[i]] = c->out->n - 1;
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

/* Whether two watches are the same measurement. */
static bool same_watch(const struct sct_watch_item *a, const struct sct_watch_item *b)
{
    return a->what == b->what && a->id == b->id &&
           memcmp(&a->protocol, &b->protocol, sizeof a->protocol) == 0;
}

/* The first watch that is the same measurement as watch i: i itself, or one before it. */
static uint32_t first_of(const struct sct_model *m, uint32_t i)
{
    uint32_t j = 0;
    while (j < i && !same_watch(&m->watch[j], &m->watch[i]))
        j++;
    return j;
}

/* Writes the watches to be computed that share a run with watch i, in order; 0: another one
 * before i does. group may be NULL. */
static uint32_t group_of(const struct sct_model *m, uint32_t i, uint32_t *group)
{
    uint32_t k = 0;
    for (uint32_t j = 0; j < m->n_watch; j++) {
        if (!share_run(&m->watch[i], &m->watch[j]))
            continue;
        if (j < i)
            return 0;
        if (first_of(m, j) != j)
            continue;
        if (group)
            group[k] = j;
        k++;
    }
    return k;
}

uint32_t sct_calibration_runs(const struct sct_model *plain)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < plain->n_watch; i++)
        n += group_of(plain, i, NULL) > 0;
    return n;
}

/* "sct, ict": who asked for one of these watches. */
static void who_asked(const struct calibration *c, const uint32_t *watch, uint32_t n, char *buf,
                      size_t size)
{
    size_t at = 0;
    buf[0] = 0;
    for (uint32_t k = 0; k < c->t->n && at < size; k++) {
        const struct sct_part *p = &c->t->part[k];
        bool asked = false;
        for (uint32_t i = 0; i < p->n_watch; i++)
            for (uint32_t j = 0; j < n; j++)
                asked |= first_of(c->m, p->first_watch + i) == watch[j];
        if (asked)
            at += (size_t)snprintf(buf + at, size - at, "%s%s", at ? ", " : "", p->label);
    }
}

static void say_run(const struct calibration *c, const uint32_t *watch, uint32_t n)
{
    char line[320], who[200];
    const struct sct_protocol *p = &c->m->watch[watch[0]].protocol;
    const uint32_t count = sct_source_count(c->source);
    const uint64_t most = (uint64_t)p->max_batches * batch_of(c->m, p);
    if (!c->cache->say)
        return;
    who_asked(c, watch, n, who, sizeof who);
    (void)snprintf(line, sizeof line, "calibrating %s on %u images", who,
                   most && most < count ? (uint32_t)most : count);
    c->cache->say(c->cache->say_ctx, SCT_LOG_INFO, line);
}

/* One run over the data for watches that share a protocol, but for those that are in the cache.
 * whole: room for n. */
static sct_status measure(struct calibration *c, uint32_t *watch, uint32_t n, uint32_t *whole,
                          sct_error *err)
{
    uint32_t left = n, at = c->out->n;
    if (c->dry_bytes)
        return run_protocol(c, watch, n, err);
    memcpy(whole, watch, n * sizeof *whole);
    SCT_TRY(sct_readings_cache_take(c->cache, watch, &left, c->out, err));
    for (uint32_t i = 0, k = 0; i < n; i++) {
        if (k < left && watch[k] == whole[i])
            k++; /* to be measured */
        else
            c->slot[whole[i]] = at++;
    }
    if (!left)
        return SCT_OK;
    say_run(c, watch, left);
    SCT_TRY(run_protocol(c, watch, left, err));
    sct_readings_cache_keep(c->cache, c->out->item + at, left);
    return SCT_OK;
}

/* Groups of watches that share a run. */
static sct_status all_protocols(struct calibration *c, sct_error *err)
{
    const uint32_t n = c->m->n_watch;
    uint32_t *group = sct_calloc(n, sizeof *group), *whole = sct_calloc(n, sizeof *whole);
    sct_status rc = group && whole ? SCT_OK : sct_nomem(err);
    for (uint32_t i = 0; i < n && rc == SCT_OK; i++) {
        const uint32_t k = group_of(c->m, i, group);
        if (k)
            rc = measure(c, group, k, whole, err);
    }
    sct_free(group);
    sct_free(whole);
    return rc;
}

/* What a part asked for, borrowed from c->out; NULL: out of memory. */
static struct sct_readings *own_readings(const struct calibration *c, const struct sct_part *p)
{
    struct sct_readings *r = sct_readings_create();
    for (uint32_t i = 0; r && i < p->n_watch; i++) {
        const uint32_t w = first_of(c->m, p->first_watch + i);
        if (sct_grow((void **)&r->item, &r->cap, (uint64_t)r->n + 1, sizeof *r->item, NULL) ==
            SCT_OK)
            r->item[r->n++] = c->out->item[c->slot[w]];
        else
            sct_readings_destroy(&r);
    }
    return r;
}

static sct_status choose(const struct calibration *c, struct sct_tuner *t, sct_error *err)
{
    struct sct_readings **own = sct_calloc(t->n, sizeof(*own));
    sct_status rc = own ? SCT_OK : sct_nomem(err);
    for (uint32_t k = 0; k < t->n && rc == SCT_OK; k++)
        if (!(own[k] = own_readings(c, &t->part[k])))
            rc = sct_nomem(err);
    if (rc == SCT_OK)
        rc = sct_tuner_choose(t, c->m, own, err);
    for (uint32_t k = 0; own && k < t->n; k++)
        sct_readings_destroy(&own[k]);
    sct_free(own);
    return rc;
}

sct_status sct_calibrate(struct sct_tuner *t, struct sct_model *plain,
                         struct sct_open_device *d, struct sct_loader *loader,
                         const struct sct_source *source, uint64_t seed,
                         const struct sct_plan_opts *plan, uint64_t *dry_bytes,
                         struct sct_readings_cache *cache, struct sct_readings **readings,
                         sct_error *err)
{
    struct calibration c = {.t = t,
                            .m = plain,
                            .d = d,
                            .loader = loader,
                            .source = source,
                            .plan = plan,
                            .seed = seed,
                            .dry_bytes = dry_bytes,
                            .cache = cache,
                            .out = sct_readings_create(),
                            .slot = sct_calloc((size_t)plain->n_watch + 1, sizeof *c.slot)};
    sct_status rc = c.out && c.slot ? SCT_OK : sct_nomem(err);
    if (rc == SCT_OK && plain->n_watch)
        rc = all_protocols(&c, err);
    if (rc == SCT_OK)
        rc = choose(&c, t, err);
    /* The plain model goes, and the next one's tensors may lie where its own lay. */
    sct_store_forget_models(d->store);
    if (rc == SCT_OK && readings) {
        *readings = c.out;
        c.out = NULL;
    }
    sct_readings_destroy(&c.out);
    sct_free(c.slot);
    return rc;
}
