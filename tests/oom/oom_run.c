/* SPDX-License-Identifier: MIT
 * oom_run.c - whole runs as scenarios: settings, device, base, data, calibration, training,
 * evaluation, what is saved. The loader has one thread, so that nearly every n is the same
 * allocation each time. */
#include "tests/oom/oom_run.h"

#include <sctrun/sctrun.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/status.h"
#include "core/io/file.h"
#include "core/train/evaluate.h"

enum { MAX_ARGS = 64 };

static const char config[] = "arch: vit\nimage_size: 64\npatch_size: 32\ndim: 8\ndepth: 2\n"
                             "heads: 2\nmlp_ratio: 2\ndrop_path: 0\n";

static char folder[] = "/tmp/sctrun-oom-run-XXXXXX";
static char model[64], first[64], again[64], adapter[96], data_dir[4096];

/* What both commands are told. */
static const char *const common[] = {"--backend",    "ref", "--data",       "task:sprites_red",
                                     "--threads",    "1",   "--batch-size", "4",
                                     "--test-limit", "3"};

static const char *environment(const char *name)
{
    return strcmp(name, "SCTRUN_CACHE_DIR") == 0 ? "off" : NULL;
}

static int append(const char **argv, int n, const char *const *more, size_t n_more)
{
    for (size_t i = 0; i < n_more; i++)
        argv[n++] = more[i];
    return n;
}

static sct_status finetune(const char *output, const char *const *strategy, size_t n_strategy,
                           sct_error *err)
{
    const char *const own[] = {"--model", model,     "--weights",   "random",   "--output",
                               output,    "--shots", "1",           "--epochs", "1",
                               "--ema",   "0.5",     "--clip-grad", "1"};
    const struct sct_finetune_callback cb = {.size = sizeof cb, .data_dir = data_dir};
    const char *argv[MAX_ARGS];
    struct sct_finetune_result r = {.size = sizeof r};
    int n = append(argv, 0, common, sizeof common / sizeof common[0]);
    n = append(argv, n, own, sizeof own / sizeof own[0]);
    n = append(argv, n, strategy, n_strategy);
    const sct_status rc = sct_finetune(n, argv, &cb, &r, err);
    if (rc == SCT_OK && r.steps != 2)
        return sct_fail(err, SCT_EFAIL, "%llu steps, expected 2", (unsigned long long)r.steps);
    return rc;
}

static const char *const sct[] = {"--strategy", "sct", "--set", "k=2"};
static const char *const full[] = {"--strategy", "full", "--feature-bytes", "0"};

sct_status oom_run_init(sct_error *err)
{
    const char *build = getenv("SCTRUN_TEST_BUILD");
    (void)setenv("SCTRUN_CACHE_DIR", "off", 1); /* what sct_finetune reads */
    if (!mkdtemp(folder))
        return sct_fail(err, SCT_EFAIL, "no temporary folder");
    (void)snprintf(data_dir, sizeof data_dir, "%s/tools", build ? build : ".");
    (void)snprintf(model, sizeof model, "%s/tiny.yaml", folder);
    (void)snprintf(first, sizeof first, "%s/first", folder);
    (void)snprintf(again, sizeof again, "%s/again", folder);
    (void)snprintf(adapter, sizeof adapter, "%s/last", first);
    SCT_TRY(sct_file_write(model, config, sizeof config - 1, err));
    return finetune(first, sct, sizeof sct / sizeof sct[0], err);
}

/* Every folder that a run makes, so that whatever a failed one leaves elsewhere is in the way
 * of the next. */
static void discard_run(const char *dir)
{
    static const char *const inside[] = {"/last",     "/best", "/ema/last",
                                         "/ema/best", "/ema",  ""};
    char path[96];
    for (size_t i = 0; i < sizeof inside / sizeof inside[0]; i++) {
        (void)snprintf(path, sizeof path, "%s%s", dir, inside[i]);
        sct_dir_discard(path);
    }
}

void oom_run_fini(void)
{
    discard_run(first);
    discard_run(again);
    sct_dir_discard(folder);
}

sct_status oom_finetune(sct_error *err)
{
    const sct_status rc = finetune(again, sct, sizeof sct / sizeof sct[0], err);
    discard_run(again);
    return rc;
}

sct_status oom_finetune_full(sct_error *err)
{
    const sct_status rc = finetune(again, full, sizeof full / sizeof full[0], err);
    discard_run(again);
    return rc;
}

static sct_status evaluate(struct sct_session *x, sct_error *err)
{
    struct sct_eval_result r;
    struct sct_evaluator e;
    SCT_TRY(sct_session_model(x, x->s->batch_size, false, err));
    SCT_TRY(sct_evaluator_open(&e, x, NULL, 0, err));
    const sct_status rc =
        sct_evaluate(&e, x->test_loader, x->test, x->s->test_limit, &r, NULL, NULL, err);
    sct_evaluator_close(&e);
    return rc;
}

sct_status oom_evaluate(sct_error *err)
{
    const char *const own[] = {"--adapter", adapter};
    const char *argv[MAX_ARGS];
    struct sct_settings_run run;
    struct sct_session x;
    int n = append(argv, 0, common, sizeof common / sizeof common[0]);
    n = append(argv, n, own, sizeof own / sizeof own[0]);
    SCT_TRY(
        sct_settings_init(&run, n, (char *const *)(uintptr_t)argv, environment, false, err));
    sct_status rc = sct_session_open(&x, &run, SCT_NEED_TEST | SCT_NEED_DEVICE, environment,
                                     NULL, NULL, err);
    if (rc == SCT_OK) {
        rc = evaluate(&x, err);
        sct_session_close(&x);
    }
    sct_settings_fini(&run);
    return rc;
}
