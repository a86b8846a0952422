/* SPDX-License-Identifier: MIT
 * check_run.c - runs of a tiny model with the strategy, through the same doors as the program's
 * own commands. */
#include <string.h>

#include "core/base/status.h"
#include "core/io/file.h"
#include "core/io/sha256.h"
#include "tools/sdk/check.h"

enum { MAX_ARGS = 128, TEXT = 1200, MAX_ADAPTER = 64 << 20 };

struct args {
    char *v[MAX_ARGS];
    char text[8][TEXT];
    int n;
};

static void add(struct args *a, const char *key, const char *value)
{
    if (a->n + 2 > MAX_ARGS)
        return;
    a->v[a->n++] = (char *)(uintptr_t)key;
    a->v[a->n++] = (char *)(uintptr_t)value;
}

/* "--more VALUE" of a run, "--set" of the user. */
static void arguments(struct args *a, const struct check *c, const struct check_run *r)
{
    memset(a, 0, sizeof *a);
    (void)snprintf(a->text[0], TEXT, "%s/%s.yaml", c->dir, r->arch);
    (void)snprintf(a->text[1], TEXT, "task:%s/task.yaml", c->dir);
    add(a, "--model", a->text[0]);
    add(a, "--data", a->text[1]);
    add(a, "--weights", "random");
    add(a, "--backend", r->backend);
    add(a, "--device", "auto");
    add(a, "--batch-size", "4");
    add(a, "--epochs", "1");
    add(a, "--seed", "1");
    add(a, "--lr", "0.01");
    add(a, "--lr-schedule", "constant");
    add(a, "--cache-bytes", "1M");
    for (uint32_t i = 0; i + 1 < 8 && r->more[i]; i += 2)
        add(a, r->more[i], r->more[i + 1]);
}

static void strategy_arguments(struct args *a, const struct check *c)
{
    add(a, "--strategy", c->file);
    for (uint32_t i = 0; i < c->n_set; i++)
        add(a, "--set", c->set[i]);
}

static sct_status open_run(struct args *a, uint32_t need, bool train,
                           struct sct_settings_run *run, struct sct_session *x, sct_error *err)
{
    SCT_TRY(sct_settings_init(run, a->n, a->v, cli_env, false, err));
    sct_status rc = sct_session_open(x, run, need, cli_env, NULL, NULL, err);
    if (rc == SCT_OK) {
        rc = sct_session_model(x, x->s->batch_size, train, err);
        if (rc != SCT_OK)
            sct_session_close(x);
    }
    if (rc != SCT_OK)
        sct_settings_fini(run);
    return rc;
}

sct_status check_session(const struct check *c, const struct check_run *r,
                         struct sct_settings_run *run, struct sct_session *x, sct_error *err)
{
    struct args a;
    arguments(&a, c, r);
    strategy_arguments(&a, c);
    return open_run(&a, SCT_NEED_TRAIN | SCT_NEED_TEST | SCT_NEED_DEVICE, true, run, x, err);
}

static void note_loss(void *ctx, const struct sct_progress *p)
{
    struct check_result *r = ctx;
    if (!p->is_eval && r->n_loss < sizeof r->loss / sizeof r->loss[0])
        r->loss[r->n_loss++] = (float)p->loss;
}

static void run_folder(const struct check *c, const struct check_run *r, char *buf, size_t size)
{
    (void)snprintf(buf, size, "%s/%s-%s", c->dir, r->arch, r->name);
}

static sct_status hash_adapter(const char *dir, char hex[SCT_SHA256_HEX], sct_error *err)
{
    char path[TEXT + 64], *data = NULL;
    size_t n = 0;
    struct sct_sha256 h;
    (void)snprintf(path, sizeof path, "%s/last/adapter_model.safetensors", dir);
    SCT_TRY(sct_file_read(path, MAX_ADAPTER, SCT_EFILE, &data, &n, err));
    sct_sha256_init(&h);
    sct_sha256_add(&h, data, n);
    sct_sha256_end(&h, hex);
    sct_free(data);
    return SCT_OK;
}

sct_status check_train(const struct check *c, const struct check_run *r,
                       struct check_result *out, sct_error *err)
{
    struct sct_settings_run run;
    struct sct_session x;
    struct sct_train_result t;
    char dir[TEXT];
    memset(out, 0, sizeof *out);
    SCT_TRY(check_session(c, r, &run, &x, err));
    run_folder(c, r, dir, sizeof dir);
    sct_status rc = sct_dir_make_new(dir, err);
    if (rc == SCT_OK)
        rc = sct_train(&x, dir, sct_now(), note_loss, out, NULL, &t, err);
    if (rc == SCT_OK)
        rc = hash_adapter(dir, out->adapter, err);
    out->eval_loss = t.plain.last.loss;
    out->trainable = t.trainable;
    out->head = t.head;
    sct_session_close(&x);
    sct_settings_fini(&run);
    return rc;
}

sct_status check_eval(const struct check *c, const struct check_run *of, double *loss,
                      sct_error *err)
{
    struct sct_settings_run run;
    struct sct_session x;
    struct sct_evaluator e;
    struct sct_eval_result r;
    struct args a;
    char dir[TEXT], adapter[TEXT + 16];
    run_folder(c, of, dir, sizeof dir);
    (void)snprintf(adapter, sizeof adapter, "%s/last", dir);
    arguments(&a, c, of);
    add(&a, "--adapter", adapter);
    add(&a, "--strategy", c->file);
    SCT_TRY(open_run(&a, SCT_NEED_TEST | SCT_NEED_DEVICE, false, &run, &x, err));
    sct_status rc = sct_evaluator_open(&e, &x, NULL, 0, err);
    if (rc == SCT_OK) {
        rc = sct_evaluate(&e, x.test_loader, x.test, 0, &r, NULL, NULL, err);
        sct_evaluator_close(&e);
    }
    *loss = rc == SCT_OK ? r.loss : 0;
    sct_session_close(&x);
    sct_settings_fini(&run);
    return rc;
}
