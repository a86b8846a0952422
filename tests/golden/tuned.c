/* SPDX-License-Identifier: MIT
 * tuned.c - the tiny model with a strategy applied. */
#include "tests/golden/tuned.h"

#include <string.h>

#include "core/base/status.h"

enum { MAX_SET = 8 };

struct sets {
    struct sct_set set[MAX_SET];
    uint32_t n;
};

/* of: the strategy that the options are for, or NULL. */
static sct_status add_options(struct sets *s, const json_t *options, const char *of,
                              sct_error *err)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)options, key, value)
    {
        if (s->n == MAX_SET)
            return sct_fail(err, SCT_EFILE, "cases.json: more than %d options", MAX_SET);
        s->set[s->n] =
            (struct sct_set){.key = key, .value = json_string_value(value), .of = of};
        (void)snprintf(s->set[s->n++].where, sizeof s->set[0].where, "cases.json");
    }
    return SCT_OK;
}

sct_status tuned_open_strategy(struct sct_tuner *t, const char *name, const json_t *options,
                               sct_error *err)
{
    struct sets s = {.n = 0};
    SCT_TRY(add_options(&s, options, NULL, err));
    return sct_tuner_open(t, name, s.set, s.n, err);
}

/* A row of compose.json: names, and options of each. */
static sct_status open_composed(struct sct_tuner *t, const struct sct_json_at *at,
                                sct_error *err)
{
    struct sets s = {.n = 0};
    const json_t *names = NULL, *options = NULL;
    char list[128] = "";
    size_t n = 0, used = 0;
    SCT_TRY(sct_json_get_strings(at, "strategy", SCT_JSON_REQUIRED, &names, &n, err));
    SCT_TRY(sct_json_get_object(at, "options", SCT_JSON_REQUIRED, &options, err));
    for (size_t i = 0; i < n && used < sizeof list; i++) {
        const char *name = json_string_value(json_array_get(names, i));
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i ? "\n" : "", name);
        SCT_TRY(add_options(&s, json_object_get(options, name), name, err));
    }
    return sct_tuner_open(t, list, s.set, s.n, err);
}

static sct_status open_row(struct sct_tuner *t, const struct sct_json_at *at, sct_error *err)
{
    const char *strategy;
    const json_t *options;
    if (json_is_array(json_object_get(at->obj, "strategy")))
        return open_composed(t, at, err);
    SCT_TRY(sct_json_get_str(at, "strategy", SCT_JSON_REQUIRED, &strategy, err));
    SCT_TRY(sct_json_get_object(at, "options", SCT_JSON_REQUIRED, &options, err));
    return tuned_open_strategy(t, strategy, options, err);
}

/* Everything "start/x" of the file, as x. */
static sct_status starts(struct sct_adapter *a, const struct sct_st *file, sct_error *err)
{
    for (size_t i = 0; i < sct_st_count(file); i++) {
        const struct sct_st_tensor *t = sct_st_at(file, i);
        if (strncmp(t->name, "start/", 6) == 0)
            SCT_TRY(golden_put(a, t->name + 6, file, t, err));
    }
    return SCT_OK;
}

/* A trained parameter of the base starts at its own value unless the file has another. */
static sct_status base_starts(struct sct_adapter *a, const struct golden *g,
                              const struct sct_model *m, sct_error *err)
{
    for (uint32_t i = 0; i < m->n_param; i++) {
        const struct sct_param *p = m->param[i];
        const struct sct_st_tensor *t = sct_st_find(g->model, p->name);
        if (p->trainable && t && !sct_adapter_find(a, p->name))
            SCT_TRY(golden_put(a, p->name, g->model, t, err));
    }
    return SCT_OK;
}

static sct_status build(struct tuned *t, const struct golden *g, struct sct_adapter *a,
                        sct_error *err)
{
    SCT_TRY(starts(a, t->file, err));
    SCT_TRY(golden_weights(&t->w, g, g->base, NULL, err));
    SCT_TRY(golden_model(&t->m, g->base, t->w, GOLDEN_BATCH, false, err));
    for (uint32_t k = 0; k < t->tuner.n; k++)
        SCT_TRY(sct_strategy_load(&t->tuner.part[k].run, t->m, a, err));
    SCT_TRY(sct_tuner_apply(&t->tuner, t->m, err));
    SCT_TRY(base_starts(a, g, t->m, err));
    return sct_adapter_fill(a, t->m, err);
}

sct_status tuned_open(struct tuned *t, const struct golden *g, const json_t *row,
                      sct_error *err)
{
    const struct sct_json_at at = {row, "cases.json", "cases", SCT_EFILE};
    double lr, wd, smoothing;
    char file[96];
    memset(t, 0, sizeof *t);
    SCT_TRY(sct_json_get_str(&at, "name", SCT_JSON_REQUIRED, &t->name, err));
    SCT_TRY(sct_json_get_f64(&at, "lr", SCT_JSON_REQUIRED, &lr, err));
    SCT_TRY(sct_json_get_f64(&at, "weight_decay", SCT_JSON_REQUIRED, &wd, err));
    SCT_TRY(sct_json_get_f64(&at, "smoothing", SCT_JSON_REQUIRED, &smoothing, err));
    t->lr = (float)lr;
    t->weight_decay = (float)wd;
    t->smoothing = (float)smoothing;
    (void)snprintf(file, sizeof file, "%.64s.safetensors", t->name);
    sct_status rc = golden_open(&t->file, file, err);
    if (rc == SCT_OK)
        rc = open_row(&t->tuner, &at, err);
    struct sct_adapter *a = rc == SCT_OK ? sct_adapter_create(file) : NULL;
    if (rc == SCT_OK)
        rc = a ? build(t, g, a, err) : sct_nomem(err);
    sct_adapter_destroy(&a);
    if (rc != SCT_OK)
        tuned_close(t);
    return rc;
}

void tuned_close(struct tuned *t)
{
    sct_model_destroy(&t->m);
    sct_weights_destroy(&t->w);
    sct_tuner_close(&t->tuner);
    sct_st_close(&t->file);
}

/* ---- training ---- */

sct_status tuned_feeds(struct tuned_feeds *f, const struct golden *g, double mix,
                       uint32_t valid, sct_error *err)
{
    int32_t own[GOLDEN_BATCH], other[GOLDEN_BATCH];
    SCT_TRY(sct_st_read_i32(g->forward, sct_st_find(g->forward, "labels"), own, err));
    SCT_TRY(sct_st_read_i32(g->forward, sct_st_find(g->forward, "partners"), other, err));
    f->valid = valid;
    for (uint32_t i = 0; i < GOLDEN_BATCH; i++) {
        f->labels[i][0] = own[i];
        f->labels[i][1] = mix < 1.0 ? other[i] : own[i];
        f->mix[i] = (float)mix;
        f->weight[i] = i < valid ? 1.0f / (float)valid : 0.0f;
    }
    return SCT_OK;
}

sct_status tuned_feed(struct sct_exec *x, const struct golden *g, const struct tuned_feeds *f,
                      sct_error *err)
{
    SCT_TRY(sct_exec_feed(x, "images", g->images, GOLDEN_BATCH, err));
    SCT_TRY(sct_exec_feed(x, "labels", f->labels, GOLDEN_BATCH, err));
    SCT_TRY(sct_exec_feed(x, "mix", f->mix, GOLDEN_BATCH, err));
    return sct_exec_feed(x, "weight", f->weight, GOLDEN_BATCH, err);
}

void tuned_hide_key_bias(const char *name, float *a, float *b, uint64_t n)
{
    if (!strstr(name, "attn.qkv.bias") && !strstr(name, "attn.qkv.ssf_shift"))
        return;
    for (uint64_t i = n / 3; i < 2 * n / 3; i++)
        a[i] = b[i] = 0.0f;
}

void tuned_ready_close(struct tuned_ready *r)
{
    sct_exec_destroy(&r->x);
    sct_store_destroy(&r->store);
    sct_optim_fini(&r->optim);
}

sct_status tuned_ready_open(struct tuned_ready *r, const struct golden *g, struct tuned *t,
                            const struct golden_plan *plan, float smoothing, bool grads,
                            sct_error *err)
{
    const struct sct_optim_opts o = {.kind = SCT_OPTIM_ADAMW,
                                     .weight_decay = t->weight_decay,
                                     .beta1 = 0.9f,
                                     .beta2 = 0.999f,
                                     .eps = 1e-8f,
                                     .smoothing = smoothing};
    struct sct_graph *graph = NULL;
    memset(r, 0, sizeof *r);
    r->store = sct_store_create(g->dev.be, g->dev.dev);
    SCT_TRY(sct_graph_train(&graph, t->m, &o, &r->optim, grads, err));
    const sct_status rc = golden_exec(&r->x, g, r->store, graph, &plan->opts, err);
    sct_graph_destroy(&graph);
    return rc;
}

sct_status tuned_train(struct tuned_ready *r, const struct golden *g, const struct tuned *t,
                       const struct tuned_feeds *f, uint32_t steps, float *loss, sct_error *err)
{
    for (uint32_t i = 0; i < steps; i++) {
        SCT_TRY(tuned_feed(r->x, g, f, err));
        SCT_TRY(golden_step(r->x, i, t->lr, GOLDEN_BATCH, err));
        SCT_TRY(sct_exec_fetch(r->x, "loss", &loss[i], err));
    }
    return SCT_OK;
}
