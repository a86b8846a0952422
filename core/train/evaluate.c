/* SPDX-License-Identifier: MIT
 * evaluate.c - evaluation: one prologue (packs of trained weights), then batch after batch. */
#include "core/train/evaluate.h"

#include <math.h>
#include <string.h>
#include <time.h>

#include "core/base/status.h"

double sct_now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

sct_status sct_evaluator_plan(struct sct_plan **plan, struct sct_session *x,
                              const char *const *sites, uint32_t n_sites, sct_error *err)
{
    struct sct_graph *g = NULL;
    struct sct_plan_opts o;
    *plan = NULL;
    SCT_TRY(sct_session_plan_opts(x, &o, err));
    o.checkpoint = SCT_CHECKPOINT_NONE;
    sct_status rc = sct_graph_eval(&g, x->model, sites, n_sites, err);
    if (rc == SCT_OK)
        rc = sct_plan_create(plan, g, x->device.be, x->device.dev, &x->device.info, &o, err);
    sct_graph_destroy(&g);
    return rc;
}

sct_status sct_evaluator_of(struct sct_evaluator *e, struct sct_session *x,
                            struct sct_plan **plan, struct sct_features *features,
                            sct_error *err)
{
    memset(e, 0, sizeof *e);
    e->batch = x->model->g->batch;
    e->classes = x->model->cfg.classes;
    e->features = features && sct_features_on(features) ? features : NULL;
    sct_status rc = sct_exec_create(&e->x, plan, x->device.store, err);
    if (rc == SCT_OK && !(e->logits = sct_calloc((size_t)e->batch * e->classes, sizeof(float))))
        rc = sct_nomem(err);
    if (rc != SCT_OK)
        sct_evaluator_close(e);
    return rc;
}

sct_status sct_evaluator_open(struct sct_evaluator *e, struct sct_session *x,
                              const char *const *sites, uint32_t n_sites, sct_error *err)
{
    struct sct_plan *plan = NULL;
    memset(e, 0, sizeof *e);
    SCT_TRY(sct_evaluator_plan(&plan, x, sites, n_sites, err));
    const sct_status rc = sct_evaluator_of(e, x, &plan, NULL, err);
    sct_plan_destroy(&plan);
    return rc;
}

void sct_evaluator_close(struct sct_evaluator *e)
{
    sct_exec_destroy(&e->x);
    sct_free(e->logits);
    memset(e, 0, sizeof *e);
}

struct sums {
    double loss;
    uint64_t top1, top5, images;
};

/* Rank of the label: how many classes have a larger logit (ties: lower class first). */
static void score(const float *logit, uint32_t classes, uint32_t label, struct sums *s)
{
    uint32_t above = 0;
    double most = (double)logit[0], sum = 0;
    for (uint32_t c = 0; c < classes; c++) {
        above += logit[c] > logit[label] || (logit[c] == logit[label] && c < label);
        if ((double)logit[c] > most)
            most = (double)logit[c];
    }
    for (uint32_t c = 0; c < classes; c++)
        sum += exp((double)logit[c] - most);
    s->loss += log(sum) + most - (double)logit[label];
    s->top1 += above < 1;
    s->top5 += above < 5;
    s->images++;
}

static sct_status run_batch(struct sct_evaluator *e, const struct sct_batch *b, bool first,
                            sct_error *err)
{
    const struct sct_step_state st = {0, 0, 0.0f, b->valid};
    SCT_TRY(e->features ? sct_features_feed(e->features, e->x, b, err)
                        : sct_exec_feed(e->x, "images", b->images, b->valid, err));
    if (first)
        SCT_TRY(sct_exec_begin(e->x, &st, err));
    else
        SCT_TRY(sct_exec_state(e->x, &st, err));
    SCT_TRY(sct_exec_body(e->x, b->valid, err));
    return sct_exec_fetch(e->x, "logits", e->logits, err);
}

sct_status sct_evaluate_images(struct sct_evaluator *e, const uint8_t *images, uint32_t valid,
                               sct_error *err)
{
    const struct sct_batch b = {.images = images, .valid = valid};
    return run_batch(e, &b, true, err);
}

/* The next batch of order[0..n-1], of which `at` items are done. */
static sct_status next_batch(struct sct_evaluator *e, struct sct_loader *l,
                             const uint32_t *order, uint32_t at, uint32_t n,
                             struct sct_batch *b, sct_error *err)
{
    if (!e->features)
        return sct_loader_next(l, b, err);
    *b = sct_features_batch(e->features, order + at, n - at < e->batch ? n - at : e->batch);
    return SCT_OK;
}

sct_status sct_evaluate(struct sct_evaluator *e, struct sct_loader *l,
                        const struct sct_source *src, uint32_t limit, struct sct_eval_result *r,
                        sct_eval_each each, void *ctx, sct_error *err)
{
    const double start = sct_now();
    uint32_t n = sct_source_count(src), at = 0;
    if (limit && limit < n)
        n = limit;
    uint32_t *order = sct_calloc(n, sizeof *order);
    if (!order)
        return sct_nomem(err);
    sct_order_epoch(0, 0, n, 0, order);
    sct_status rc = e->features ? SCT_OK : sct_loader_begin(l, order, n, e->batch, 0, err);
    struct sums s = {0};
    while (rc == SCT_OK && at < n) {
        struct sct_batch b;
        rc = next_batch(e, l, order, at, n, &b, err);
        if (rc != SCT_OK || !b.valid)
            break;
        rc = run_batch(e, &b, at == 0, err);
        for (uint32_t i = 0; i < b.valid && rc == SCT_OK; i++)
            score(e->logits + (size_t)i * e->classes, e->classes, (uint32_t)b.labels[i][0], &s);
        if (rc == SCT_OK && each)
            rc = each(ctx, &b, e->logits, e->classes, err);
        at += b.valid;
    }
    sct_free(order);
    const double images = s.images ? (double)s.images : 1.0;
    *r = (struct sct_eval_result){100.0 * (double)s.top1 / images,
                                  100.0 * (double)s.top5 / images, s.loss / images,
                                  (uint32_t)s.images, sct_now() - start};
    return rc;
}
