/* SPDX-License-Identifier: MIT
 * api.c - the functions of include/sctrun/sctrun.h. */
#include <sctrun/sctrun.h>

#include <stdlib.h>
#include <string.h>

#include "core/base/status.h"
#include "core/io/file.h"
#include "core/plug/module.h"
#include "core/train/loop.h"

struct api {
    const struct sct_finetune_callback *cb;
    volatile int stop;
};

const char *sct_version(void)
{
    return SCT_VERSION;
}

const char *sct_status_string(sct_status s)
{
    return sct_status_text(s);
}

static void on_log(void *ctx, int level, const char *line)
{
    struct api *a = ctx;
    if (level > SCT_LOG_INFO || !a->cb || !a->cb->event)
        return;
    const struct sct_finetune_event e = {
        .size = sizeof e, .event = "log", .text = line, .stop = &a->stop};
    a->cb->event(a->cb->ctx, &e);
}

static void on_progress(void *ctx, const struct sct_progress *p)
{
    struct api *a = ctx;
    if (!a->cb || !a->cb->event)
        return;
    const struct sct_finetune_event e = {.size = sizeof e,
                                         .epoch = p->epoch,
                                         .epochs = p->epochs,
                                         .event = p->is_average ? "eval_ema"
                                                  : p->is_eval  ? "eval"
                                                                : "step",
                                         .text = "",
                                         .step = p->step,
                                         .steps = p->steps,
                                         .loss = p->loss,
                                         .lr = p->lr,
                                         .images_per_s = p->images_per_s,
                                         .top1 = p->is_eval ? p->eval.top1 : 0.0,
                                         .stop = &a->stop};
    a->cb->event(a->cb->ctx, &e);
}

static const char *environment(const char *name)
{
    return getenv(name);
}

static void report(const struct sct_train_result *r, struct sct_finetune_result *out)
{
    const struct sct_finetune_result x = {.size = out->size,
                                          .best_epoch = r->plain.best_epoch,
                                          .best_top1 = r->plain.best.top1,
                                          .last_top1 = r->plain.last.top1,
                                          .seconds = r->seconds,
                                          .images_per_s = r->images_per_s,
                                          .trainable = r->trainable,
                                          .all = r->all,
                                          .steps = r->steps,
                                          .peak_device_bytes = r->peak_device_bytes,
                                          .ema_best_top1 = r->average.best.top1,
                                          .ema_last_top1 = r->average.last.top1,
                                          .ema_best_epoch = r->average.best_epoch};
    memcpy(out, &x, out->size < sizeof x ? out->size : sizeof x);
}

sct_status sct_finetune(int argc, const char *const *argv,
                        const struct sct_finetune_callback *callback,
                        struct sct_finetune_result *result, sct_error *err)
{
    struct api a = {.cb = callback};
    struct sct_settings_run run;
    struct sct_session x;
    struct sct_train_result r;
    const double started = sct_now();
    SCT_TRY(sct_plug_init(callback ? callback->data_dir : NULL,
                          environment("SCTRUN_PLUGIN_PATH"), err));
    SCT_TRY(
        sct_settings_init(&run, argc, (char *const *)(uintptr_t)argv, environment, true, err));
    sct_status rc = SCT_OK;
    if (run.n_word || !run.s.output || run.s.dry_run)
        rc = sct_fail(err, SCT_EUSAGE,
                      "sct_finetune: expected options with --output DIR and without --dry-run");
    if (rc == SCT_OK)
        rc = sct_session_open(&x, &run, SCT_NEED_TRAIN | SCT_NEED_TEST | SCT_NEED_DEVICE,
                              environment, on_log, &a, err);
    if (rc == SCT_OK) {
        rc = sct_session_model(&x, x.s->batch_size, true, err);
        if (rc == SCT_OK)
            rc = sct_dir_make_new(run.s.output, err);
        if (rc == SCT_OK)
            rc = sct_train(&x, run.s.output, started, on_progress, &a, &a.stop, &r, err);
        if (rc == SCT_OK && result)
            report(&r, result);
        sct_session_close(&x);
    }
    sct_settings_fini(&run);
    return rc;
}
