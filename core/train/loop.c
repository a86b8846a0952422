/* SPDX-License-Identifier: MIT
 * loop.c - the training loop. */
#include "core/train/loop.h"

#include <math.h>
#include <string.h>

#include "core/base/status.h"
#include "core/base/str.h"
#include "core/io/file.h"
#include "core/io/text.h"
#include "core/train/memory.h"
#include "core/train/schedule.h"

struct loop {
    struct sct_session *x;
    const struct sct_settings *s;
    const char *dir;
    struct sct_exec *exec;
    struct sct_train_plans plans;
    struct sct_evaluator eval, average; /* average: where plans.optim.average is */
    struct sct_run_log log;
    struct sct_lr lr;
    uint32_t *order, at; /* of an epoch; items of it that are done, of features */
    struct sct_train_extent extent;
    uint64_t step;
    double started, train_seconds;
    uint64_t images, window_images, epoch_batches;
    double window_start, epoch_loss;
    struct sct_train_result *r;
    void (*each)(void *ctx, const struct sct_progress *p);
    void *ctx;
    volatile int *stop;
};

/* 1234567 -> "1,234,567" */
static void thousands(uint64_t v, char *buf, size_t size)
{
    char digits[32];
    const int n = snprintf(digits, sizeof digits, "%llu", (unsigned long long)v);
    size_t at = 0;
    for (int i = 0; i < n && at + 2 < size; i++) {
        if (i && (n - i) % 3 == 0)
            buf[at++] = ',';
        buf[at++] = digits[i];
    }
    buf[at] = 0;
}

void sct_params_line(const struct sct_model *m, char *buf, size_t size)
{
    char a[48], b[48];
    uint64_t trainable, head, all;
    sct_model_count(m, &trainable, &head, &all);
    thousands(trainable, a, sizeof a);
    thousands(all, b, sizeof b);
    (void)snprintf(buf, size, "trainable params: %s || all params: %s || trainable%%: %.4f", a,
                   b, all ? 100.0 * (double)trainable / (double)all : 0.0);
}

/* 1 - decay with the decay as it was typed: 1 - 0.9998f is off by 1e-4 of itself. */
static float ema_weight(float decay)
{
    char text[32];
    double typed = 0.0;
    sct_format_f32(text, decay);
    return decay > 0.0f && sct_scan_f64(text, &typed) ? (float)(1.0 - typed) : 0.0f;
}

struct sct_optim_opts sct_train_optim_opts(const struct sct_settings *s)
{
    return (struct sct_optim_opts){.kind = s->optimizer,
                                   .ema = ema_weight(s->ema),
                                   .ema_warmup = s->ema_warmup,
                                   .weight_decay = s->weight_decay,
                                   .beta1 = 0.9f,
                                   .beta2 = 0.999f,
                                   .eps = 1e-8f,
                                   .momentum = s->momentum,
                                   .clip = s->clip_grad,
                                   .smoothing = s->smoothing};
}

sct_status sct_train_extent(const struct sct_session *x, struct sct_train_extent *t,
                            sct_error *err)
{
    const struct sct_settings *s = x->s;
    const uint32_t batch = x->model->g->batch, count = sct_source_count(x->train);
    const uint32_t per = s->drop_last ? count / batch : (count + batch - 1) / batch;
    if (per == 0)
        return sct_fail(err, SCT_EUSAGE,
                        "--drop-last: %u training images do not fill one batch of %u", count,
                        batch);
    uint64_t steps = (uint64_t)per * s->epochs;
    if (s->max_steps && s->max_steps < steps)
        steps = s->max_steps;
    const uint64_t epochs = (steps + per - 1) / per, every = s->eval_interval;
    *t = (struct sct_train_extent){count, per,
                                   every ? (uint32_t)((epochs + every - 1) / every) : 1, steps};
    return SCT_OK;
}

/* ---- files ---- */

/* The weights, or their moving averages, as the adapter <dir>/<name> or <dir>/ema/<name>. */
static sct_status save(struct loop *l, bool average, const char *name, sct_error *err)
{
    if (!l->dir)
        return SCT_OK;
    SCT_TRY(sct_session_describe(l->x, err));
    char *parent = average ? sct_path_join(l->dir, "ema") : sct_strdup(l->dir);
    char *path = parent ? sct_path_join(parent, name) : NULL;
    sct_status rc = path ? sct_dir_make(parent, err) : sct_nomem(err);
    if (rc == SCT_OK)
        rc = sct_adapter_save(path, l->x->model, average ? &l->plans.optim : NULL,
                              &l->x->device, &l->x->tuner, &l->x->info, err);
    sct_free(path);
    sct_free(parent);
    return rc;
}

static sct_status save_last(struct loop *l, sct_error *err)
{
    SCT_TRY(save(l, false, "last", err));
    return l->plans.optim.average ? save(l, true, "last", err) : SCT_OK;
}

static sct_status write_args(struct loop *l, sct_error *err)
{
    struct sct_str s = {0};
    sct_str_add(&s, "# everything in force in this run; read again with -c\n");
    sct_opts_dump(l->x->run->opts, 0, &s);
    sct_str_add(&s, l->x->run->n_group ? "groups:\n" : "");
    for (uint32_t i = 0; i < l->x->run->n_group; i++)
        sct_group_rule_dump(&l->x->run->group[i], &s);
    sct_str_add(&s, "options:\n");
    sct_tuner_dump(&l->x->tuner, 2, &s);
    char *path = sct_path_join(l->dir, "args.yaml"), *text = sct_str_take(&s);
    const sct_status rc =
        path && text ? sct_file_write(path, text, strlen(text), err) : sct_nomem(err);
    sct_free(path);
    sct_free(text);
    return rc;
}

/* Every image that --skip-bad left out, and why. */
static sct_status write_skipped(struct loop *l, sct_error *err)
{
    if (!l->x->skipped)
        return SCT_OK;
    char *path = sct_path_join(l->dir, "skipped.txt");
    const sct_status rc =
        path ? sct_file_write(path, l->x->skipped, strlen(l->x->skipped), err) : sct_nomem(err);
    sct_free(path);
    return rc;
}

/* ---- steps ---- */

static uint64_t device_bytes(const struct loop *l, uint64_t *peak)
{
    uint64_t now = 0, most = 0;
    if (SCT_HAS(struct sct_backend, l->x->device.be, usage))
        l->x->device.be->usage(l->x->device.dev, &now, &most);
    if (peak)
        *peak = most;
    return now;
}

static void tell(struct loop *l, uint32_t epoch, double loss, double lr, double speed,
                 const struct sct_eval_result *e, bool average)
{
    if (!l->each)
        return;
    struct sct_progress p = {.step = l->step,
                             .steps = l->extent.steps,
                             .epoch = epoch,
                             .epochs = l->s->epochs,
                             .loss = loss,
                             .lr = lr,
                             .images_per_s = speed};
    p.device_bytes = device_bytes(l, NULL);
    if (l->step)
        p.eta_seconds =
            l->train_seconds / (double)l->step * (double)(l->extent.steps - l->step);
    if (e) {
        p.is_eval = 1;
        p.is_average = average;
        p.eval = *e;
    }
    l->each(l->ctx, &p);
}

/* NULL: training starts from pictures. */
static struct sct_features *features_of(struct loop *l)
{
    return sct_features_on(&l->plans.train_f) ? &l->plans.train_f : NULL;
}

static sct_status one_step(struct loop *l, const struct sct_batch *b, double lr, float *loss,
                           sct_error *err)
{
    const struct sct_step_state st = {l->x->seed, l->step, (float)lr, b->valid};
    const uint32_t rows = l->x->model->g->batch;
    struct sct_features *kept = features_of(l);
    SCT_TRY(kept ? sct_features_feed(kept, l->exec, b, err)
                 : sct_exec_feed(l->exec, "images", b->images, b->valid, err));
    SCT_TRY(sct_exec_feed(l->exec, "labels", b->labels, rows, err));
    SCT_TRY(sct_exec_feed(l->exec, "mix", b->mix, rows, err));
    SCT_TRY(sct_exec_feed(l->exec, "weight", b->weight, rows, err));
    SCT_TRY(sct_exec_begin(l->exec, &st, err));
    SCT_TRY(sct_exec_body(l->exec, b->valid, err));
    SCT_TRY(sct_exec_end(l->exec, err));
    return sct_exec_fetch(l->exec, "loss", loss, err);
}

static sct_status log_step(struct loop *l, uint32_t epoch, double loss, double lr,
                           sct_error *err)
{
    if (l->step % l->s->log_interval != 0)
        return SCT_OK;
    const double now = sct_now(), span = now - l->window_start;
    const double speed = span > 0 ? (double)l->window_images / span : 0;
    l->window_start = now;
    l->window_images = 0;
    const struct sct_log_step s = {l->step, epoch, loss, lr, speed};
    SCT_TRY(sct_run_log_step(&l->log, &s, err));
    tell(l, epoch, loss, lr, speed, NULL, false);
    return SCT_OK;
}

/* Of the weights or of their moving averages; each has a best of its own. */
static sct_status measure(struct loop *l, bool average, uint32_t epoch, double train_loss,
                          double lr, sct_error *err)
{
    struct sct_train_evals *r = average ? &l->r->average : &l->r->plain;
    struct sct_eval_result e;
    SCT_TRY(sct_evaluate(average ? &l->average : &l->eval, l->x->test_loader, l->x->test,
                         l->s->test_limit, &e, NULL, NULL, err));
    r->last = e;
    if (e.top1 > r->best.top1 || r->best.images == 0) {
        r->best = e;
        r->best_epoch = epoch;
        SCT_TRY(save(l, average, "best", err));
    }
    tell(l, epoch, train_loss, lr, e.seconds > 0 ? e.images / e.seconds : 0, &e, average);
    return SCT_OK;
}

static sct_status evaluate(struct loop *l, uint32_t epoch, double lr, sct_error *err)
{
    const double train_loss = l->epoch_batches ? l->epoch_loss / (double)l->epoch_batches : 0;
    SCT_TRY(measure(l, false, epoch, train_loss, lr, err));
    if (l->plans.optim.average)
        SCT_TRY(measure(l, true, epoch, train_loss, lr, err));
    const struct sct_eval_result *e = &l->r->plain.last, *ema = &l->r->average.last;
    const struct sct_log_eval row = {l->step,   epoch,     train_loss, e->loss,
                                     e->top1,   e->top5,   lr,         e->images,
                                     ema->loss, ema->top1, ema->top5};
    return sct_run_log_eval(&l->log, &row, err);
}

static bool finished(const struct loop *l)
{
    return l->step >= l->extent.steps || (l->stop && *l->stop);
}

static sct_status begin_epoch(struct loop *l, uint32_t epoch, sct_error *err)
{
    sct_order_epoch(l->x->seed, epoch, l->extent.count, l->s->shuffle != 0, l->order);
    l->at = 0;
    if (features_of(l))
        return SCT_OK;
    sct_loader_epoch(l->x->train_loader, epoch);
    return sct_loader_begin(l->x->train_loader, l->order, l->extent.count,
                            l->x->model->g->batch, l->s->drop_last != 0, err);
}

/* Of features a loader's batches: the same order, the same last one. */
static sct_status next_batch(struct loop *l, struct sct_batch *b, sct_error *err)
{
    if (!features_of(l))
        return sct_loader_next(l->x->train_loader, b, err);
    const uint32_t batch = l->x->model->g->batch, left = l->extent.count - l->at;
    const uint32_t valid = left >= batch ? batch : l->s->drop_last ? 0 : left;
    *b = sct_features_batch(features_of(l), l->order + l->at, valid);
    l->at += valid;
    return SCT_OK;
}

static sct_status one_epoch(struct loop *l, uint32_t epoch, sct_error *err)
{
    SCT_TRY(begin_epoch(l, epoch, err));
    l->epoch_loss = 0;
    l->epoch_batches = 0;
    l->window_start = sct_now();
    l->window_images = 0;
    double lr = 0;
    while (!finished(l)) {
        struct sct_batch b;
        float loss = 0;
        const double start = sct_now();
        SCT_TRY(next_batch(l, &b, err));
        if (!b.valid)
            break;
        lr = sct_lr_at(&l->lr, l->step);
        SCT_TRY(one_step(l, &b, lr, &loss, err));
        if (l->step == 0)
            l->r->first_step_seconds = sct_now() - l->started;
        l->step++;
        l->train_seconds += sct_now() - start;
        l->images += b.valid;
        l->window_images += b.valid;
        l->epoch_loss += (double)loss;
        l->epoch_batches++;
        if (!isfinite(loss)) {
            const struct sct_log_step s = {l->step, epoch + 1, (double)loss, lr, 0};
            (void)sct_run_log_step(&l->log, &s, NULL);
            return sct_fail(
                err, SCT_ENONFINITE,
                "the loss of step %llu (epoch %u) is not finite; try a smaller --lr or "
                "--clip-grad 1",
                (unsigned long long)l->step, epoch + 1);
        }
        SCT_TRY(log_step(l, epoch + 1, (double)loss, lr, err));
    }
    const bool last = epoch + 1 == l->s->epochs || finished(l);
    const bool now = last || (l->s->eval_interval && (epoch + 1) % l->s->eval_interval == 0);
    return now ? evaluate(l, epoch + 1, lr, err) : SCT_OK;
}

static sct_status prepare(struct loop *l, sct_error *err)
{
    SCT_TRY(sct_train_extent(l->x, &l->extent, err));
    l->lr = (struct sct_lr){l->s->lr_schedule,           (double)l->s->lr,
                            (double)l->s->warmup_epochs, (double)l->s->epochs,
                            (double)l->s->warmup_lr,     (double)l->s->min_lr,
                            l->extent.steps_per_epoch};
    l->order = sct_calloc(l->extent.count, sizeof *l->order);
    if (!l->order)
        return sct_nomem(err);
    sct_model_count(l->x->model, &l->r->trainable, &l->r->head, &l->r->all);
    SCT_TRY(
        sct_train_plans_make(&l->plans, l->x, l->extent.steps, l->extent.evals, false, err));
    sct_plan_memory(l->plans.train, &l->r->memory);
    SCT_TRY(sct_exec_create(&l->exec, &l->plans.train, l->x->device.store, err));
    SCT_TRY(sct_evaluator_of(&l->eval, l->x, &l->plans.eval, &l->plans.eval_f, err));
    l->r->has_average = l->plans.optim.average != NULL;
    if (l->r->has_average)
        SCT_TRY(sct_evaluator_of(&l->average, l->x, &l->plans.average, &l->plans.eval_f, err));
    if (l->dir) {
        SCT_TRY(write_args(l, err));
        SCT_TRY(write_skipped(l, err));
        SCT_TRY(sct_run_log_open(&l->log, l->dir, l->plans.optim.average != NULL, err));
    }
    return SCT_OK;
}

static void print_profile(struct loop *l)
{
    char *text = sct_exec_profile(l->exec);
    for (char *at = text; at && *at;) {
        char *end = at + strcspn(at, "\n");
        const int more = *end != 0;
        *end = 0;
        sct_session_say(l->x, SCT_LOG_INFO, "%s", at);
        at = end + more;
    }
    if (!text)
        sct_session_say(l->x, SCT_LOG_WARN, "backend %s does not measure its nodes",
                        l->x->device.be->name);
    sct_free(text);
}

sct_status sct_train(struct sct_session *x, const char *dir, double started,
                     void (*each)(void *ctx, const struct sct_progress *p), void *ctx,
                     volatile int *stop, struct sct_train_result *r, sct_error *err)
{
    struct loop l = {.x = x,
                     .s = x->s,
                     .dir = dir,
                     .started = started,
                     .r = r,
                     .each = each,
                     .ctx = ctx,
                     .stop = stop};
    memset(r, 0, sizeof *r);
    sct_status rc = prepare(&l, err);
    for (uint32_t e = 0; rc == SCT_OK && e < x->s->epochs && !finished(&l); e++)
        rc = one_epoch(&l, e, err);
    if (rc == SCT_OK)
        rc = save_last(&l, err);
    else if (rc == SCT_EDATA && l.step)
        (void)save_last(&l, NULL); /* a picture that cannot be read costs no training */
    if (rc == SCT_OK)
        rc = sct_run_log_close(&l.log, err);
    else
        (void)sct_run_log_close(&l.log, NULL);
    r->steps = l.step;
    r->seconds = sct_now() - started;
    r->train_seconds = l.train_seconds;
    r->images_per_s = l.train_seconds > 0 ? (double)l.images / l.train_seconds : 0;
    (void)device_bytes(&l, &r->peak_device_bytes);
    r->peak_process_bytes = sct_peak_process_bytes();
    if (l.exec && l.s->profile)
        print_profile(&l);
    sct_evaluator_close(&l.eval);
    sct_evaluator_close(&l.average);
    sct_exec_destroy(&l.exec);
    sct_train_plans_fini(&l.plans, x);
    sct_free(l.order);
    return rc;
}
