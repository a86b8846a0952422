/* SPDX-License-Identifier: MIT
 * check_gradient.c - the gradient of every trained tensor against differences of the loss, on
 * the reference backend in f64. */
#include <math.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/base/status.h"
#include "core/exec/exec.h"
#include "core/graphs/graphs.h"
#include "core/plug/module.h"
#include "tools/sdk/check.h"

/* Everything is computed in f64 but the parameters, which are stored as f32: 1e-4 of the longer
 * step. Where a unit of a ReLU changes sides on the way, the shorter one decides; gradients
 * that are wrong are wrong in the first digit. */
static const double STEP[] = {1e-3, 1e-4}, TOLERANCE = 2e-3, SLOPE = 1e-3;

struct probe {
    const struct sct_backend *be;
    sct_device *dev;
    struct sct_store *store;
    struct sct_exec *exec;
    const struct sct_model *m;
};

static void no_log(void *ctx, int level, const char *line)
{
    (void)ctx, (void)level, (void)line;
}

static const char *f64_option(void *ctx, const char *key)
{
    (void)ctx;
    return strcmp(key, "f64") == 0 ? "on" : NULL;
}

static float draw(uint64_t *s)
{
    *s = *s * 6364136223846793005u + 1442695040888963407u;
    return (float)(*s >> 40) / 8388608.0f - 1.0f; /* [-1, 1) */
}

static sct_status feed(struct probe *p, sct_error *err)
{
    const uint32_t batch = p->m->g->batch, side = p->m->cfg.image;
    const size_t image = (size_t)side * side * 3;
    uint8_t *bytes = sct_calloc(batch, image);
    int32_t(*labels)[2] = sct_calloc(batch, sizeof *labels);
    float *ones = sct_calloc(batch, sizeof *ones);
    sct_status rc = bytes && labels && ones ? SCT_OK : sct_nomem(err);
    uint64_t s = 3;
    for (size_t i = 0; rc == SCT_OK && i < batch * image; i++)
        bytes[i] = (uint8_t)(128.0f + 127.0f * draw(&s));
    for (uint32_t i = 0; rc == SCT_OK && i < batch; i++) {
        labels[i][0] = labels[i][1] = (int32_t)(i % p->m->cfg.classes);
        ones[i] = 1.0f;
    }
    if (rc == SCT_OK)
        rc = sct_exec_feed(p->exec, "images", bytes, batch, err);
    if (rc == SCT_OK)
        rc = sct_exec_feed(p->exec, "labels", labels, batch, err);
    if (rc == SCT_OK)
        rc = sct_exec_feed(p->exec, "mix", ones, batch, err);
    for (uint32_t i = 0; rc == SCT_OK && i < batch; i++)
        ones[i] = 1.0f / (float)batch;
    if (rc == SCT_OK)
        rc = sct_exec_feed(p->exec, "weight", ones, batch, err);
    sct_free(bytes);
    sct_free(labels);
    sct_free(ones);
    return rc;
}

static sct_status loss_now(struct probe *p, double *loss, sct_error *err)
{
    const struct sct_step_state st = {7, 0, 0.0f, p->m->g->batch};
    SCT_TRY(sct_exec_begin(p->exec, &st, err));
    SCT_TRY(sct_exec_body(p->exec, p->m->g->batch, err));
    SCT_TRY(sct_exec_end(p->exec, err));
    return sct_exec_fetch_f64(p->exec, "loss", loss, err);
}

static sct_status open_probe(struct probe *p, const struct sct_session *x, struct sct_optim *o,
                             sct_error *err)
{
    static const struct sct_host host = {1, sizeof host, NULL, no_log, f64_option};
    struct sct_device_info info = {.size = sizeof info};
    const struct sct_optim_opts oo = {.kind = SCT_OPTIM_SGD};
    const struct sct_plan_opts po = {.slots = 0};
    struct sct_graph *g = NULL;
    struct sct_plan *plan = NULL;
    p->m = x->model;
    SCT_TRY(sct_plug_backend("ref", &p->be, err));
    SCT_TRY(p->be->info(&host, 0, &info, err));
    SCT_TRY(p->be->open(&host, 0, &p->dev, err));
    p->store = sct_store_create(p->be, p->dev);
    sct_status rc = p->store ? sct_graph_train(&g, p->m, &oo, o, true, err) : sct_nomem(err);
    if (rc == SCT_OK)
        rc = sct_plan_create(&plan, g, p->be, p->dev, &info, &po, err);
    if (rc == SCT_OK)
        rc = sct_exec_create(&p->exec, &plan, p->store, err);
    sct_plan_destroy(&plan);
    sct_graph_destroy(&g);
    return rc == SCT_OK ? feed(p, err) : rc;
}

static void close_probe(struct probe *p)
{
    sct_exec_destroy(&p->exec);
    sct_store_destroy(&p->store);
    if (p->dev)
        p->be->close(p->dev);
}

/* Where a start value is zero (LoRA's B) another gradient would be, too: everything that is
 * trained moves away a little. */
static sct_status shake(struct probe *p, float **value, sct_error *err)
{
    uint64_t s = 11;
    for (uint32_t i = 0; i < p->m->n_param; i++) {
        const struct sct_param *q = p->m->param[i];
        if (!q->trainable)
            continue;
        const size_t n = (size_t)sct_desc_count(&q->t->desc);
        value[i] = sct_calloc(n, sizeof **value);
        if (!value[i])
            return sct_nomem(err);
        SCT_TRY(q->t->load(q->t, value[i], err));
        for (size_t k = 0; k < n; k++)
            value[i][k] += 0.05f * draw(&s);
        SCT_TRY(sct_store_write(p->store, q->t, value[i], err));
    }
    return SCT_OK;
}

/* Slope of the loss along `direction`, by differences. */
static sct_status slope(struct probe *p, const struct sct_param *q, const float *at,
                        const float *direction, double step, float *room, double *out,
                        sct_error *err)
{
    static const double mul[4] = {1, -1, 2, -2};
    const size_t n = (size_t)sct_desc_count(&q->t->desc);
    double loss[4];
    for (int k = 0; k < 4; k++) {
        for (size_t i = 0; i < n; i++)
            room[i] = (float)((double)at[i] + mul[k] * step * (double)direction[i]);
        SCT_TRY(sct_store_write(p->store, q->t, room, err));
        SCT_TRY(loss_now(p, &loss[k], err));
    }
    *out = (8 * (loss[0] - loss[1]) - (loss[2] - loss[3])) / (12 * step);
    return sct_store_write(p->store, q->t, at, err);
}

/* Along the gradient, and along every other element of it, drawn. */
static sct_status check_one(struct probe *p, const struct sct_param *q, const float *at,
                            double *worst, sct_error *err)
{
    const size_t n = (size_t)sct_desc_count(&q->t->desc);
    float *grad = sct_calloc(n, sizeof *grad), *direction = sct_calloc(n, sizeof *direction),
          *room = sct_calloc(n, sizeof *room);
    sct_status rc = grad && direction && room ? SCT_OK : sct_nomem(err);
    char name[256];
    double loss;
    (void)snprintf(name, sizeof name, "grad.%s", q->name);
    if (rc == SCT_OK)
        rc = loss_now(p, &loss, err);
    if (rc == SCT_OK)
        rc = sct_exec_fetch(p->exec, name, grad, err);
    uint64_t s = 5;
    for (int pass = 0; pass < 2 && rc == SCT_OK; pass++) {
        double norm = 0, found = 0;
        for (size_t i = 0; i < n; i++) {
            direction[i] = pass && draw(&s) < 0 ? 0.0f : grad[i];
            norm += (double)direction[i] * (double)direction[i];
        }
        const double want = sqrt(norm);
        if (want <= 0)
            continue;
        for (size_t i = 0; i < n; i++)
            direction[i] = (float)((double)direction[i] / want);
        double error = 1;
        for (int k = 0; k < 2 && rc == SCT_OK && !(error <= TOLERANCE); k++) {
            rc = slope(p, q, at, direction, STEP[k], room, &found, err);
            error = fabs(found - want) / (want + SLOPE);
        }
        *worst = error > *worst ? error : *worst;
        if (rc == SCT_OK && !(error <= TOLERANCE))
            rc = sct_fail(err, SCT_EPLUGIN,
                          "%s: the gradient says a slope of %.6g, differences of the loss %.6g",
                          q->name, want, found);
    }
    sct_free(grad);
    sct_free(direction);
    sct_free(room);
    return rc;
}

static sct_status check_params(struct probe *p, uint32_t *n, double *worst, sct_error *err)
{
    float **value = sct_calloc(p->m->n_param, sizeof *value);
    double loss;
    sct_status rc =
        value ? loss_now(p, &loss, err) : sct_nomem(err); /* stores the start values */
    if (rc == SCT_OK)
        rc = shake(p, value, err);
    for (uint32_t i = 0; i < p->m->n_param && rc == SCT_OK; i++) {
        if (!p->m->param[i]->trainable)
            continue;
        rc = check_one(p, p->m->param[i], value[i], worst, err);
        ++*n;
    }
    for (uint32_t i = 0; value && i < p->m->n_param; i++)
        sct_free(value[i]);
    sct_free(value);
    return rc;
}

enum check_verdict check_gradient(const struct check *c, const char *arch, char *why,
                                  size_t size)
{
    struct sct_settings_run run;
    struct sct_session x;
    struct sct_optim o = {0};
    struct probe p = {0};
    sct_error e = SCT_ERROR_INIT;
    uint32_t n = 0;
    double worst = 0;
    const struct check_run r = {.arch = arch, .backend = "ref"};
    sct_status rc = check_session(c, &r, &run, &x, &e);
    if (rc == SCT_OK) {
        rc = open_probe(&p, &x, &o, &e);
        if (rc == SCT_OK)
            rc = check_params(&p, &n, &worst, &e);
        close_probe(&p);
        sct_optim_fini(&o);
        sct_session_close(&x);
        sct_settings_fini(&run);
    }
    if (rc == SCT_OK)
        (void)snprintf(why, size, "%u tensors, worst %.1e", n, worst);
    else
        (void)snprintf(why, size, "%s", e.msg);
    return rc == SCT_OK ? CHECK_PASS : CHECK_FAIL;
}
