/* SPDX-License-Identifier: MIT
 * test_optim.c - ten AdamW steps with layer-wise learning rates, factors of groups, no decay of
 * vectors and moving averages equal PyTorch's and timm's. A loss may be off by a relative 1e-5
 * or three times what PyTorch's own float32 is off. usage: test_optim [backend [option]] */
#include <math.h>
#include <string.h>

#include "core/graphs/graphs.h"
#include "core/train/optim_groups.h"
#include "tests/golden/tuned.h"

/* As written in optim.json. */
struct cases {
    json_t *root;
    uint32_t steps, sample;
    double layer_decay, ema, ema_warmup;
    struct sct_arena arena;
    struct sct_settings_run run; /* of the options that are tested */
};

struct limits {
    double loss, value;
};

static const struct limits single = {1e-5, 1e-4};
/* what is left is the rounding of inputs, hyper-parameters and results to float */
static const struct limits twice = {1e-6, 2e-6};

static sct_status read_rules(struct cases *c, sct_error *err)
{
    static struct sct_group_rule rule[8];
    const json_t *rules = json_object_get(c->root, "groups");
    const size_t n = json_array_size(rules);
    golden_expect(n >= 3 && n <= sizeof rule / sizeof rule[0], "%zu rules", n);
    for (size_t i = 0; i < n && i < sizeof rule / sizeof rule[0]; i++)
        SCT_TRY(sct_group_rule_text(&rule[i], &c->arena,
                                    json_string_value(json_array_get(rules, i)), err));
    c->run.group = rule;
    c->run.n_group = (uint32_t)n;
    c->run.s.layer_decay = (float)c->layer_decay;
    c->run.s.weight_decay_on = SCT_DECAY_MATRICES;
    return SCT_OK;
}

static sct_status read_cases(struct cases *c, sct_error *err)
{
    char path[4096];
    SCT_TRY(
        sct_json_load(golden_path("optim.json", path, sizeof path), SCT_EFILE, &c->root, err));
    const struct sct_json_at at = {c->root, "optim.json", "", SCT_EFILE};
    SCT_TRY(sct_json_get_u32(&at, "steps", SCT_JSON_REQUIRED, 1, 1000, &c->steps, err));
    SCT_TRY(sct_json_get_u32(&at, "sample", SCT_JSON_REQUIRED, 1, 4096, &c->sample, err));
    SCT_TRY(sct_json_get_f64(&at, "layer_decay", SCT_JSON_REQUIRED, &c->layer_decay, err));
    SCT_TRY(sct_json_get_f64(&at, "ema", SCT_JSON_REQUIRED, &c->ema, err));
    SCT_TRY(sct_json_get_f64(&at, "ema_warmup", SCT_JSON_REQUIRED, &c->ema_warmup, err));
    return read_rules(c, err);
}

static sct_status feed(struct sct_exec *x, const struct golden *g, sct_error *err)
{
    int32_t own[GOLDEN_BATCH], labels[GOLDEN_BATCH][2];
    float mix[GOLDEN_BATCH], weight[GOLDEN_BATCH];
    SCT_TRY(sct_st_read_i32(g->forward, sct_st_find(g->forward, "labels"), own, err));
    for (uint32_t i = 0; i < GOLDEN_BATCH; i++) {
        labels[i][0] = labels[i][1] = own[i];
        mix[i] = 1.0f;
        weight[i] = 1.0f / GOLDEN_BATCH;
    }
    SCT_TRY(sct_exec_feed(x, "images", g->images, GOLDEN_BATCH, err));
    SCT_TRY(sct_exec_feed(x, "labels", labels, GOLDEN_BATCH, err));
    SCT_TRY(sct_exec_feed(x, "mix", mix, GOLDEN_BATCH, err));
    return sct_exec_feed(x, "weight", weight, GOLDEN_BATCH, err);
}

static void compare_losses(const struct tuned *t, const char *what, const float *loss,
                           uint32_t steps, double limit)
{
    uint64_t n = 0, n32 = 0;
    double *want = golden_f64(t->file, "loss", &n),
           *f32 = golden_f64(t->file, "loss_f32", &n32);
    double most = 0;
    int ok = want && f32 && n == steps && n32 == steps;
    for (uint32_t i = 0; ok && i < steps; i++) {
        const double off = fabs((double)loss[i] - want[i]);
        ok = off <= fmax(limit * want[i], 3 * fabs(f32[i] - want[i]));
        most = fmax(most, off / want[i]);
    }
    golden_expect(ok, "%s: losses of %u steps off by %.1e (limit %.0e)", what, steps, most,
                  limit);
    sct_free(want);
    sct_free(f32);
}

/* The gradient of the keys' bias is zero, what AdamW makes of its noise is not. */
static void hide_key_bias(const char *name, float *a, float *b, uint64_t n)
{
    for (uint64_t i = n / 3; strstr(name, "attn.qkv.bias") && i < 2 * n / 3; i++)
        a[i] = b[i] = 0.0f;
}

/* Stored values of tensor x of parameter p against a sample of the file, relative to its norm.
 */
static sct_status value_off(struct sct_store *store, const struct tuned *t, const char *kind,
                            const struct sct_param *p, const struct sct_tensor *x,
                            uint32_t sample, double *off, sct_error *err)
{
    char name[192];
    uint64_t n = 0;
    const uint64_t all = sct_desc_count(&p->t->desc), stride = (all + sample - 1) / sample;
    (void)snprintf(name, sizeof name, "%s/%s", kind, p->name);
    float *want = golden_f32(t->file, name, &n), *have = sct_calloc((size_t)all, sizeof *have);
    sct_status rc = want && have && n == (all + stride - 1) / stride
                        ? sct_store_read(store, x, have, err)
                        : sct_fail(err, SCT_EFILE, "%s: expected a sample", name);
    for (uint64_t k = 0; rc == SCT_OK && k < n; k++)
        have[k] = have[k * stride];
    if (rc == SCT_OK) {
        hide_key_bias(p->name, have, want, n);
        *off = golden_rel_diff(have, want, n);
    }
    sct_free(want);
    sct_free(have);
    return rc;
}

static sct_status compare_values(struct sct_store *store, const struct tuned *t,
                                 const struct sct_optim *o, const char *kind, const char *what,
                                 uint32_t sample, double limit, sct_error *err)
{
    double worst = 0;
    const char *which = "-";
    uint32_t n = 0;
    for (uint32_t i = 0; i < t->m->n_param; i++) {
        const struct sct_param *p = t->m->param[i];
        double off = 0;
        if (!p->trainable)
            continue;
        const struct sct_tensor *x = strcmp(kind, "final") == 0 ? p->t : &o->average[n];
        n++;
        SCT_TRY(value_off(store, t, kind, p, x, sample, &off, err));
        if (!(off <= worst)) {
            worst = off;
            which = p->name;
        }
        if (isnan(off))
            break;
    }
    golden_expect(worst <= limit,
                  "%s: %s of %u tensors, worst %.1e of its norm (limit %.0e): %s", what, kind,
                  n, worst, limit, which);
    return SCT_OK;
}

static sct_status train(const struct golden *g, const struct cases *c, struct tuned *t,
                        const struct golden_plan *plan, bool warmup, sct_error *err)
{
    const struct limits *limit = g->f64 ? &twice : &single;
    const struct sct_optim_opts opts = {.kind = SCT_OPTIM_ADAMW,
                                        .weight_decay = t->weight_decay,
                                        .beta1 = 0.9f,
                                        .beta2 = 0.999f,
                                        .eps = 1e-8f,
                                        .ema = (float)(1.0 - (warmup ? c->ema_warmup : c->ema)),
                                        .ema_warmup = warmup};
    char what[128];
    float loss[64] = {0};
    struct sct_optim optim = {0};
    struct sct_graph *graph = NULL;
    struct sct_exec *x = NULL;
    struct sct_store *store = sct_store_create(g->dev.be, g->dev.dev);
    (void)snprintf(what, sizeof what, "%s, %s%s", t->name, plan->name,
                   warmup ? ", warm-up" : "");
    sct_status rc = sct_graph_train(&graph, t->m, &opts, &optim, false, err);
    if (rc == SCT_OK)
        rc = golden_exec(&x, g, store, graph, &plan->opts, err);
    for (uint32_t i = 0; i < c->steps && i < 64 && rc == SCT_OK; i++) {
        rc = feed(x, g, err);
        if (rc == SCT_OK)
            rc = golden_step(x, i, t->lr, GOLDEN_BATCH, err);
        if (rc == SCT_OK)
            rc = sct_exec_fetch(x, "loss", &loss[i], err);
    }
    if (rc == SCT_OK) {
        compare_losses(t, what, loss, c->steps, limit->loss);
        rc = compare_values(store, t, &optim, "final", what, c->sample, limit->value, err);
    }
    if (rc == SCT_OK)
        rc = compare_values(store, t, &optim, warmup ? "ema_warmup" : "ema", what, c->sample,
                            limit->value, err);
    sct_exec_destroy(&x);
    sct_graph_destroy(&graph);
    sct_store_destroy(&store);
    sct_optim_fini(&optim);
    return rc;
}

int main(int argc, char **argv)
{
    struct golden g;
    struct cases c = {0};
    sct_error err = SCT_ERROR_INIT;
    const int skip = golden_init(&g, argc, argv);
    if (skip)
        return skip;
    if (golden_ok(read_cases(&c, &err), &err, "optim.json") != SCT_OK)
        return golden_result();
    const json_t *cases = json_object_get(c.root, "cases");
    golden_expect(json_array_size(cases) == 2, "%zu strategies", json_array_size(cases));
    for (size_t i = 0; i < json_array_size(cases); i++) {
        struct tuned t;
        sct_error e = SCT_ERROR_INIT;
        if (golden_ok(tuned_open(&t, &g, json_array_get(cases, i), &e), &e, "strategy") !=
            SCT_OK)
            continue;
        sct_status rc = sct_optim_groups(t.m, &c.run, &e);
        for (int p = 0; p < 2 && rc == SCT_OK; p++) /* test_strategies has all plans */
            rc = train(&g, &c, &t, &golden_plans[p], false, &e);
        if (rc == SCT_OK)
            rc = train(&g, &c, &t, &golden_plans[0], true, &e);
        (void)golden_ok(rc, &e, t.name);
        tuned_close(&t);
    }
    json_decref(c.root);
    sct_arena_free(&c.arena);
    golden_fini(&g);
    return golden_result();
}
