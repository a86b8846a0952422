/* SPDX-License-Identifier: MIT
 * cmd_merge.c - sctrun merge: an adapter merged into the weights. What was written is read back
 * and compared with the adapted model on a probe; a merge that is not exact is not kept. */
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "core/base/status.h"
#include "core/io/file.h"
#include "core/model/build.h"
#include "tools/cli.h"

enum { PROBE = 16, TIMM = 1 }; /* pictures; number of the word of --format */

/* Largest difference of a logit, over the largest logit. f32 sums of two orders over some
 * thousand terms and a few dozen layers stay below 1e-5 (tests/e2e/merge.py measures it). */
static const double limit = 1e-4;

struct probe {
    const struct sct_source *source;
    struct sct_source *own; /* generated; NULL with --data */
    uint32_t n;
    float *kept, *merged; /* logits [n][classes] */
};

static sct_status open_probe(struct probe *p, struct sct_session *x, sct_error *err)
{
    const uint32_t most = x->s->test_limit ? x->s->test_limit : PROBE;
    struct sct_task task;
    p->source = x->test;
    if (!x->test) {
        sct_task_init(&task);
        SCT_TRY(sct_task_finish(&task, err));
        SCT_TRY(sct_source_create_task(&p->own, &task, SCT_SPLIT_TEST, err));
        p->source = p->own;
    }
    p->n = sct_source_count(p->source) < most ? sct_source_count(p->source) : most;
    p->kept = sct_calloc((size_t)p->n * x->cfg.classes, sizeof *p->kept);
    p->merged = sct_calloc((size_t)p->n * x->cfg.classes, sizeof *p->merged);
    return p->kept && p->merged ? SCT_OK : sct_nomem(err);
}

static void close_probe(struct probe *p)
{
    sct_source_destroy(&p->own);
    sct_free(p->kept);
    sct_free(p->merged);
}

/* out[n][classes] = the logits of x->model, one picture at a time. */
static sct_status logits(struct sct_session *x, const struct probe *p, float *out,
                         sct_error *err)
{
    struct sct_evaluator e = {0};
    uint8_t *data = sct_calloc((size_t)x->pre.size * x->pre.size, 3);
    sct_status rc = data ? sct_evaluator_open(&e, x, NULL, 0, err) : sct_nomem(err);
    for (uint32_t i = 0; rc == SCT_OK && i < p->n; i++) {
        struct sct_image img = {0};
        rc = sct_source_fetch(p->source, i, &img, err);
        if (rc == SCT_OK)
            rc = sct_preprocess_apply(&x->pre, &img, data, err);
        sct_image_fini(&img);
        if (rc == SCT_OK)
            rc = sct_evaluate_images(&e, data, 1, err);
        if (rc == SCT_OK)
            memcpy(out + (size_t)i * e.classes, e.logits, e.classes * sizeof *out);
    }
    sct_evaluator_close(&e);
    sct_free(data);
    return rc;
}

/* The logits of the weights in dir, in the place of the adapted model. *base must stay until
 * the session is closed: the device knows its tensors. */
static sct_status logits_of(struct sct_session *x, const char *dir, const struct probe *p,
                            struct sct_base *base, sct_error *err)
{
    struct sct_model *merged = NULL, *adapted = x->model;
    const struct sct_build_opts o = {1, 0, true};
    SCT_TRY(sct_base_open(base, dir, 0, err));
    sct_status rc = sct_model_build(&merged, &x->cfg, base->w, &o, err);
    if (rc == SCT_OK) {
        sct_preprocess_table(&x->pre, (float(*)[256])(void *)merged->table);
        x->model = merged;
        rc = logits(x, p, p->merged, err);
        x->model = adapted;
    }
    sct_model_destroy(&merged);
    return rc;
}

static sct_status report(const struct sct_session *x, const struct probe *p, const char *dir,
                         uint32_t format, double worst, double scale, sct_error *err)
{
    static const char *const formats[] = {"onnx", "timm", "hf4", "hf5"};
    const double relative = worst > 0 ? worst / scale : 0;
    if (x->s->json)
        return cli_print_json(json_pack("{s:s, s:s, s:s, s:i, s:f, s:f, s:f, s:f}", "output",
                                        dir, "format", formats[format], "strategy",
                                        x->tuner.name, "images", (int)p->n, "difference", worst,
                                        "scale", scale, "relative", relative, "limit", limit),
                              err);
    printf("%s\nlargest difference of a logit: %.3g, %.3g of the largest (%u %s pictures)\n",
           dir, worst, relative, p->n, p->own ? "generated" : "test");
    return SCT_OK;
}

static sct_status check(const struct sct_session *x, const struct probe *p, double *worst,
                        double *scale, sct_error *err)
{
    *worst = *scale = 0;
    for (size_t i = 0; i < (size_t)p->n * x->cfg.classes; i++) {
        const double d = fabs((double)p->merged[i] - (double)p->kept[i]);
        *scale = fmax(*scale, fabs((double)p->kept[i]));
        if (!(d <= *worst))
            *worst = d; /* also what is not finite, which stays */
    }
    if (*worst <= limit * *scale)
        return SCT_OK;
    return sct_fail(err, SCT_EFAIL,
                    "strategy %s: merging would change a logit by %.3g, %.3g of the largest; "
                    "expected at most %g: the sums cancel beyond what f32 holds. Nothing was "
                    "written; export --format onnx keeps the adapter's own nodes",
                    x->tuner.name, *worst, *worst / *scale, limit);
}

static sct_status write_merged(struct sct_session *x, struct probe *p, struct sct_base *base,
                               const char *tmp, const char *dir, uint32_t format,
                               sct_error *err)
{
    double worst, scale;
    SCT_TRY(cli_export_folder(x, format, 0, tmp, err));
    SCT_TRY(logits(x, p, p->kept, err));
    SCT_TRY(logits_of(x, tmp, p, base, err));
    SCT_TRY(check(x, p, &worst, &scale, err));
    SCT_TRY(sct_dir_replace(tmp, dir, err));
    return report(x, p, dir, format, worst, scale, err);
}

static sct_status merge(struct sct_session *x, struct sct_base *base, sct_error *err)
{
    const char *dir = x->s->output;
    const int existed = sct_dir_exists(dir);
    const uint32_t format =
        sct_opts_source(x->run->opts, "format") == SCT_OPT_DEFAULT ? TIMM : x->s->format;
    struct probe p = {0};
    char tmp[4096];
    if (format == 0 || x->s->dtype != 0)
        return sct_fail(err, SCT_EUSAGE,
                        "%s: merge writes f32 weights for timm, hf4 or hf5; export can do more",
                        format ? "--dtype" : "--format onnx");
    SCT_TRY(sct_session_model(x, 1, false, err));
    SCT_TRY(sct_dir_make_new(dir, err));
    size_t n = strlen(dir);
    while (n > 1 && dir[n - 1] == '/')
        n--;
    (void)snprintf(tmp, sizeof tmp, "%.*s.tmp-%ld", (int)n, dir, (long)getpid());
    sct_status rc = open_probe(&p, x, err);
    if (rc == SCT_OK)
        rc = sct_dir_make_new(tmp, err);
    if (rc == SCT_OK) {
        rc = write_merged(x, &p, base, tmp, dir, format, err);
        if (rc != SCT_OK)
            sct_dir_discard(tmp);
    }
    if (rc != SCT_OK && !existed)
        (void)rmdir(dir);
    close_probe(&p);
    return rc;
}

sct_status cmd_merge(struct cli *c, sct_error *err)
{
    struct sct_settings_run run;
    struct sct_session x;
    struct sct_base base = {0};
    SCT_TRY(sct_settings_init(&run, c->argc, c->argv, cli_env, false, err));
    c->quiet |= run.s.quiet != 0;
    sct_status rc = cli_words(&run, 1, "merge", err);
    if (rc == SCT_OK && run.n_word && !run.s.adapter)
        run.s.adapter = run.word[0];
    else if (rc == SCT_OK && run.n_word)
        rc = sct_fail(err, SCT_EUSAGE, "merge: one adapter: %s or --adapter %s", run.word[0],
                      run.s.adapter);
    if (rc == SCT_OK && !run.s.adapter)
        rc = sct_fail(err, SCT_EUSAGE,
                      "merge: say which adapter: sctrun merge DIR --output NEW");
    if (rc == SCT_OK && !run.s.output)
        rc = sct_fail(err, SCT_EUSAGE, "merge: say where to: --output DIR");
    if (rc == SCT_OK)
        rc = sct_session_open(&x, &run, SCT_NEED_DEVICE | (run.s.data ? SCT_NEED_TEST : 0),
                              cli_env, cli_log, c, err);
    if (rc == SCT_OK) {
        rc = merge(&x, &base, err);
        sct_session_close(&x);
        sct_base_close(&base);
    }
    sct_settings_fini(&run);
    return rc;
}
