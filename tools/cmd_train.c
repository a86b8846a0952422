/* SPDX-License-Identifier: MIT
 * cmd_train.c - sctrun train. */
#include <stdlib.h>
#include <string.h>

#include "core/base/status.h"
#include "core/io/file.h"
#include "core/train/memory.h"
#include "core/train/optim_groups.h"
#include "tools/cli.h"

sct_status cli_print_json(json_t *tree, sct_error *err)
{
    char *text = NULL;
    size_t n = 0;
    const sct_status rc = tree ? sct_json_text(tree, 0, &text, &n, err) : sct_nomem(err);
    if (rc == SCT_OK)
        fputs(text, stdout);
    sct_free(text);
    json_decref(tree);
    return rc;
}

static void duration(double s, char *buf, size_t size)
{
    if (s < 60)
        (void)snprintf(buf, size, "%.0fs", s);
    else
        (void)snprintf(buf, size, "%dm%02ds", (int)(s / 60), (int)s % 60);
}

static void progress(void *ctx, const struct sct_progress *p)
{
    struct cli *c = ctx;
    char eta[32], line[256];
    if (c->quiet)
        return;
    duration(p->eta_seconds, eta, sizeof eta);
    if (p->is_eval) {
        (void)snprintf(
            line, sizeof line,
            "epoch %u/%u  %stop1 %.2f  top5 %.2f  eval loss %.4f  (%u images, %.1fs)", p->epoch,
            p->epochs, p->is_average ? "ema " : "", p->eval.top1, p->eval.top5, p->eval.loss,
            p->eval.images, p->eval.seconds);
        cli_log(c, SCT_LOG_INFO, line);
        return;
    }
    (void)snprintf(
        line, sizeof line,
        "epoch %u/%u  step %llu/%llu  loss %.4f  lr %.2e  %.1f images/s  %.0f MB  eta %s",
        p->epoch, p->epochs, (unsigned long long)p->step, (unsigned long long)p->steps, p->loss,
        p->lr, p->images_per_s, (double)p->device_bytes / 1048576.0, eta);
    if (!c->tty) {
        cli_log(c, SCT_LOG_INFO, line);
        return;
    }
    fprintf(stderr, "\r%s\033[K", line);
    c->in_line = 1;
}

static json_t *eval_json(const struct sct_eval_result *e)
{
    return json_pack("{s:f, s:f, s:f, s:i}", "top1", e->top1, "top5", e->top5, "loss", e->loss,
                     "images", (int)e->images);
}

static json_t *memory_json(const struct sct_plan_memory *m)
{
    return json_pack(
        "{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "weights", (json_int_t)m->weights,
        "packs", (json_int_t)m->packs, "trainable", (json_int_t)m->trainable, "optimizer",
        (json_int_t)m->optimizer, "activations", (json_int_t)m->activations, "accumulators",
        (json_int_t)m->accumulators, "step", (json_int_t)m->step, "batch", (json_int_t)m->batch,
        "total", (json_int_t)m->total, "largest", (json_int_t)m->largest);
}

static json_t *best_json(const struct sct_train_evals *e)
{
    json_t *best = eval_json(&e->best);
    json_object_set_new(best, "epoch", json_integer(e->best_epoch));
    return best;
}

static void print_evals(const struct sct_train_evals *e, const char *of)
{
    /* the best of many looks at the same images is no estimate for others */
    printf("%sbest top1 = %.2f (epoch %u, chosen by these images)\n%slast top1 = %.2f\n", of,
           e->best.top1, e->best_epoch, of, e->last.top1);
}

static sct_status print_result(struct sct_session *x, const struct sct_train_result *r,
                               const char *dir, sct_error *err)
{
    if (!x->s->json) {
        print_evals(&r->plain, "");
        if (r->has_average)
            print_evals(&r->average, "ema ");
        if (dir)
            printf("saved in %s\n", dir);
        return SCT_OK;
    }
    json_t *all = json_pack(
        "{s:s, s:s, s:s, s:o, s:o, s:I, s:I, s:I, s:I, s:f, s:f, s:f, s:I, s:I, s:o, s:I}",
        "strategy", x->tuner.name, "backend", x->device.be->name, "device", x->device.info.name,
        "best", best_json(&r->plain), "last", eval_json(&r->plain.last), "trainable",
        (json_int_t)r->trainable, "head", (json_int_t)r->head, "all", (json_int_t)r->all,
        "steps", (json_int_t)r->steps, "seconds", r->seconds, "first_step_seconds",
        r->first_step_seconds, "images_per_s", r->images_per_s, "peak_bytes",
        (json_int_t)r->peak_process_bytes, "peak_device_bytes",
        (json_int_t)r->peak_device_bytes, "memory", memory_json(&r->memory), "skipped",
        (json_int_t)x->n_skipped);
    if (r->has_average)
        json_object_set_new(all, "ema",
                            json_pack("{s:o, s:o}", "best", best_json(&r->average), "last",
                                      eval_json(&r->average.last)));
    return cli_print_json(all, err);
}

/* Learning rate and weight decay as they reach the trained parameters: a row for each pair. */
static sct_status groups_json(const struct sct_session *x, json_t **out, sct_error *err)
{
    const struct sct_model *m = x->model;
    struct sct_optim_row *row = NULL;
    uint32_t n = 0;
    *out = json_array();
    SCT_TRY(sct_optim_rows(m, &row, &n, err));
    for (uint32_t i = 0; i < n; i++) {
        json_t *names = json_array();
        for (uint32_t k = 0; k < m->n_param; k++)
            if (sct_optim_row_has(&row[i], m->param[k]))
                json_array_append_new(names, json_string(m->param[k]->name));
        json_array_append_new(
            *out, json_pack("{s:f, s:f, s:f, s:f, s:I, s:o}", "lr_mult", (double)row[i].lr_mult,
                            "wd_mult", (double)row[i].wd_mult, "lr",
                            (double)x->s->lr * (double)row[i].lr_mult, "weight_decay",
                            (double)x->s->weight_decay * (double)row[i].wd_mult, "parameters",
                            (json_int_t)row[i].parameters, "params", names));
    }
    sct_free(row);
    return SCT_OK;
}

/* One group says nothing that the settings do not say. */
static sct_status print_groups(const struct sct_session *x, sct_error *err)
{
    struct sct_optim_row *row = NULL;
    uint32_t n = 0;
    SCT_TRY(sct_optim_rows(x->model, &row, &n, err));
    if (n > 1)
        printf("optimiser groups\n  %-10s %-12s %8s %12s  first\n", "lr", "weight decay",
               "tensors", "parameters");
    for (uint32_t i = 0; n > 1 && i < n; i++)
        printf("  %-10.4g %-12.4g %8u %12llu  %s\n", (double)x->s->lr * (double)row[i].lr_mult,
               (double)x->s->weight_decay * (double)row[i].wd_mult, row[i].tensors,
               (unsigned long long)row[i].parameters, row[i].first);
    sct_free(row);
    return SCT_OK;
}

static sct_status dry_run(struct sct_session *x, sct_error *err)
{
    struct sct_train_result r;
    struct sct_memory_estimate m;
    char *text = NULL;
    SCT_TRY(sct_train_dry_run(x, &r, &m, &text, err));
    sct_status rc = SCT_OK;
    if (x->s->json) {
        json_t *memory = memory_json(&m.plan);
        json_object_set_new(memory, "evaluation", json_integer((json_int_t)m.evaluation));
        json_object_set_new(memory, "calibration", json_integer((json_int_t)m.calibration));
        json_object_set_new(memory, "features", json_integer((json_int_t)m.features));
        json_object_set_new(memory, "device", json_integer((json_int_t)m.device));
        json_object_set_new(memory, "process", json_integer((json_int_t)m.process));
        json_t *groups = NULL;
        rc = groups_json(x, &groups, err);
        json_t *all =
            json_pack("{s:s, s:I, s:I, s:I, s:o, s:o}", "strategy", x->tuner.name, "trainable",
                      (json_int_t)r.trainable, "head", (json_int_t)r.head, "all",
                      (json_int_t)r.all, "memory", memory, "groups", groups);
        if (rc == SCT_OK)
            rc = cli_print_json(all, err);
        else
            json_decref(all);
    } else {
        rc = print_groups(x, err);
        if (rc == SCT_OK)
            printf("memory plan on %s\n%s", x->device.info.name, text);
    }
    sct_free(text);
    return rc;
}

/* runs/<strategy>-<n> with the first free n, or --output. */
static sct_status run_folder(const struct sct_session *x, char *dir, size_t size,
                             sct_error *err)
{
    if (x->s->output) {
        (void)snprintf(dir, size, "%s", x->s->output);
        return sct_dir_make_new(dir, err);
    }
    for (uint32_t n = 1; n < 100000; n++) {
        (void)snprintf(dir, size, "runs/%.60s-%u", x->tuner.name, n);
        if (!sct_dir_exists(dir))
            return sct_dir_make_new(dir, err);
    }
    return sct_fail(err, SCT_EUSAGE, "runs/ is full; say --output DIR");
}

static sct_status train(struct cli *c, struct sct_session *x, sct_error *err)
{
    char line[256], dir[4096];
    struct sct_train_result r;
    SCT_TRY(sct_session_model(x, x->s->batch_size, true, err));
    sct_params_line(x->model, line, sizeof line);
    cli_log(c, SCT_LOG_INFO, line);
    if (x->s->dry_run)
        return dry_run(x, err);
    SCT_TRY(run_folder(x, dir, sizeof dir, err));
    const sct_status rc = sct_train(x, dir, c->started, progress, c, &cli_stop, &r, err);
    if (rc != SCT_OK) {
        if (r.steps == 0)
            sct_dir_discard(dir); /* nothing was trained: leave no partial output */
        return rc;
    }
    return print_result(x, &r, dir, err);
}

sct_status cmd_train(struct cli *c, sct_error *err)
{
    struct sct_settings_run run;
    struct sct_session x;
    SCT_TRY(sct_settings_init(&run, c->argc, c->argv, cli_env, true, err));
    c->quiet |= run.s.quiet != 0;
    sct_status rc = cli_words(&run, 0, "train", err);
    if (rc == SCT_OK && run.s.output && sct_dir_exists(run.s.output))
        rc = sct_fail(err, SCT_EUSAGE, "--output %s exists; choose a new folder", run.s.output);
    if (rc == SCT_OK)
        rc = sct_session_open(&x, &run, SCT_NEED_TRAIN | SCT_NEED_TEST | SCT_NEED_DEVICE,
                              cli_env, cli_log, c, err);
    if (rc == SCT_OK) {
        char line[512];
        const struct sct_device_info *i = &x.device.info;
        (void)snprintf(line, sizeof line, "%s: %s (%s), %u %s, %s", x.device.be->name, i->name,
                       i->platform, i->threads, i->threads == 1 ? "unit" : "units", i->status);
        cli_log(c, SCT_LOG_INFO, line);
        rc = train(c, &x, err);
        sct_session_close(&x);
    }
    sct_settings_fini(&run);
    return rc;
}
