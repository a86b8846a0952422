/* SPDX-License-Identifier: MIT
 * run.c - a cell: session, training, tests on further lists. */
#include "core/ablate/run.h"

#include <string.h>

#include "core/adapter/io.h"
#include "core/base/status.h"
#include "core/io/file.h"
#include "core/train/memory.h"

struct watcher {
    struct sct_cell_result *r;
    const struct sct_session *x;
    double sum[SCT_CELL_CURVE];
    uint32_t n[SCT_CELL_CURVE];
    bool short_of_memory;
};

static void watch(void *ctx, const struct sct_progress *p)
{
    struct watcher *w = ctx;
    struct sct_cell_result *r = w->r;
    if (p->device_bytes > r->device_bytes)
        r->device_bytes = p->device_bytes;
    if (p->is_eval) {
        if (sct_grow((void **)&r->eval, &r->cap_eval, (uint64_t)r->n_eval + 1, sizeof *r->eval,
                     NULL) != SCT_OK) {
            w->short_of_memory = true;
            return;
        }
        r->eval[r->n_eval++] = (struct sct_cell_eval){p->epoch, p->eval.top1};
        return;
    }
    const uint64_t parts = p->steps < SCT_CELL_CURVE ? p->steps : SCT_CELL_CURVE;
    const uint64_t at = (p->step - 1) * parts / p->steps;
    w->sum[at] += p->loss;
    w->n[at]++;
}

/* Parts of the steps without a logged step (log_interval) are left out. */
static void take_curve(struct watcher *w)
{
    for (uint32_t i = 0; i < SCT_CELL_CURVE; i++)
        if (w->n[i])
            w->r->curve[w->r->n_curve++] = w->sum[i] / w->n[i];
}

/* ---- further test lists ---- */

static sct_status open_target(struct sct_session *x, const struct sct_settings_run *run,
                              const struct sct_class_map *known, struct sct_source **source,
                              struct sct_loader **loader, sct_error *err)
{
    struct sct_source *none = NULL;
    struct sct_data_about about;
    const struct sct_data_ask ask = {.s = &run->s,
                                     .test = true,
                                     .known = known->count ? known : NULL,
                                     .folder_order = x->about.folder_order,
                                     .say = x->log,
                                     .say_ctx = x->log_ctx};
    *source = NULL;
    *loader = NULL;
    SCT_TRY(sct_data_open(&ask, &none, source, &about, err));
    sct_data_about_fini(&about);
    sct_status rc = SCT_OK;
    struct sct_loader_opts o = {x->pre, x->model->g->batch, 2, 2, 0, 0};
    if (sct_source_classes(*source) > x->cfg.classes)
        rc = sct_fail(err, SCT_EDATA,
                      "%s has %u classes, the head %u; map them with class_map, or leave "
                      "others out with unknown_classes: skip",
                      sct_source_origin(*source), sct_source_classes(*source), x->cfg.classes);
    if (rc == SCT_OK)
        rc = sct_parse_bytes(run->s.cache_bytes, "cache_bytes", &o.cache_bytes, err);
    o.pre.train = o.pre.eval; /* of which all can be kept */
    if (rc == SCT_OK)
        rc = sct_loader_create(loader, *source, &o, err);
    if (rc != SCT_OK)
        sct_source_destroy(source);
    return rc;
}

static sct_status test_target(const struct sct_cell_run *how, struct sct_session *x,
                              struct sct_evaluator *e, const struct sct_class_map *known,
                              uint32_t target, struct sct_cell_target *out, sct_error *err)
{
    struct sct_settings_run run;
    struct sct_source *source = NULL;
    struct sct_loader *loader = NULL;
    struct sct_eval_result r;
    const char *name = how->g->target[target].name;
    SCT_TRY(sct_grid_target_settings(how->g, target, x->run, &run, err));
    bool shared = sct_share_get_target(x, name, &source, &loader);
    sct_status rc = shared ? SCT_OK : open_target(x, &run, known, &source, &loader, err);
    if (rc == SCT_OK)
        rc = sct_evaluate(e, loader, source, run.s.test_limit, &r, NULL, NULL, err);
    if (rc == SCT_OK)
        *out = (struct sct_cell_target){r.top1, r.images};
    else
        (void)sct_error_prefix(err, "target set %s", name);
    if (rc == SCT_OK && !shared && (x->borrowed & SCT_SHARED_DATA))
        shared = sct_share_put_target(x, name, source, loader, NULL) == SCT_OK;
    if (!shared) {
        sct_loader_destroy(&loader);
        sct_source_destroy(&source);
    }
    sct_settings_fini(&run);
    return rc;
}

/* The model that was just trained, on every target set, with classes found by name. */
static sct_status test_targets(const struct sct_cell_run *how, struct sct_session *x,
                               struct sct_cell_result *r, sct_error *err)
{
    struct sct_evaluator e;
    struct sct_class_map known = {0};
    struct sct_adapter_info info = {.class_names = x->class_names, .model = x->cfg};
    r->target = sct_calloc(how->g->n_target, sizeof *r->target);
    if (!r->target)
        return sct_nomem(err);
    r->n_target = how->g->n_target;
    SCT_TRY(sct_adapter_classes(&info, &known, err));
    sct_status rc = sct_evaluator_open(&e, x, NULL, 0, err);
    for (uint32_t i = 0; i < r->n_target && rc == SCT_OK; i++)
        rc = test_target(how, x, &e, &known, i, &r->target[i], err);
    if (rc == SCT_OK || e.x)
        sct_evaluator_close(&e);
    sct_class_map_fini(&known);
    return rc;
}

/* ---- the cell ---- */

static void take_result(struct sct_cell_result *r, const struct sct_train_result *t,
                        const struct sct_session *x)
{
    r->top1 = t->plain.last.top1;
    r->top5 = t->plain.last.top5;
    r->loss = t->plain.last.loss;
    r->images = t->plain.last.images;
    r->trainable = t->trainable;
    r->head = t->head;
    r->all = t->all;
    r->steps = t->steps;
    r->train_seconds = t->train_seconds;
    r->peak_bytes = sct_peak_process_bytes();
    (void)snprintf(r->backend, sizeof r->backend, "%s", x->device.be->name);
    (void)snprintf(r->device, sizeof r->device, "%s", x->device.info.name);
}

/* The folder that a cell which was ended left behind. */
static void discard_run(const char *dir)
{
    static const char *const part[] = {"best", "last"};
    for (size_t i = 0; i < 2; i++) {
        char *path = sct_path_join(dir, part[i]);
        if (path && sct_dir_exists(path))
            sct_dir_discard(path);
        sct_free(path);
    }
    if (sct_dir_exists(dir))
        sct_dir_discard(dir);
}

static sct_status train(const struct sct_cell_run *how, const struct sct_grid_cell *c,
                        struct sct_session *x, double started, struct sct_cell_result *r,
                        bool *stopped, sct_error *err)
{
    struct watcher w = {.r = r, .x = x};
    struct sct_train_result t;
    SCT_TRY(sct_session_model(x, x->s->batch_size, true, err));
    if (how->dir) {
        discard_run(how->dir);
        SCT_TRY(sct_dir_make_new(how->dir, err));
    }
    SCT_TRY(sct_train(x, how->dir, started, watch, &w, how->stop, &t, err));
    *stopped = how->stop && *how->stop;
    if (*stopped)
        return SCT_OK;
    if (w.short_of_memory)
        return sct_nomem(err);
    take_curve(&w);
    take_result(r, &t, x);
    return how->g->n_target && !c->search ? test_targets(how, x, r, err) : SCT_OK;
}

sct_status sct_cell_train(const struct sct_cell_run *how, const struct sct_grid_cell *c,
                          struct sct_settings_run *run, struct sct_cell_result *r,
                          bool *stopped, sct_error *err)
{
    struct sct_session x;
    struct sct_share own = {0};
    struct sct_share *share = how->share ? how->share : &own;
    struct sct_share_counts before, after;
    const double started = sct_now();
    memset(r, 0, sizeof *r);
    *stopped = false;
    sct_share_counts(share, &before);
    sct_status rc = how->g->row[c->row].combos ? sct_grid_check_lists(&run->s, err) : SCT_OK;
    if (rc == SCT_OK)
        rc = sct_session_open_shared(&x, share, run,
                                     SCT_NEED_TRAIN | SCT_NEED_TEST | SCT_NEED_DEVICE,
                                     how->g->env, how->log, how->log_ctx, err);
    if (rc == SCT_OK) {
        rc = train(how, c, &x, started, r, stopped, err);
        sct_session_close(&x);
    }
    sct_share_counts(share, &after);
    r->decoded = after.decoded - before.decoded;
    r->uploads = after.uploads - before.uploads;
    r->computed = after.computed - before.computed;
    r->featured = after.featured - before.featured;
    r->measured = after.measured - before.measured;
    r->seconds = sct_now() - started;
    r->status = rc == SCT_OK ? SCT_CELL_OK : SCT_CELL_FAILED;
    if (rc != SCT_OK) {
        r->code = sct_status_exit(rc);
        (void)snprintf(r->message, sizeof r->message, "%s",
                       err->msg[0] ? err->msg : sct_status_text(rc));
    }
    sct_share_fini(&own);
    return rc;
}
