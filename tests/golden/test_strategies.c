/* SPDX-License-Identifier: MIT
 * test_strategies.c - what every strategy, and some of them composed, computes equals PyTorch:
 * logits, the gradient of every trainable tensor, the losses of ten AdamW steps and the values
 * they lead to; and that no frozen tensor changes a bit. A loss may be off by a relative 1e-5
 * or three times what PyTorch's own float32 is off. usage: test_strategies [swin] [backend
 * [option]] */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/golden/tuned.h"

/* As written in cases.json. */
struct settings {
    json_t *root;
    uint32_t steps, sample, mix_valid;
    double mix, smooth;
};

struct limits {
    double logits, grad, loss, final;
};

static const struct limits single = {1e-4, 1e-4, 1e-5, 1e-4};
/* what is left is the rounding of inputs, hyper-parameters and results to float */
static const struct limits twice = {5e-7, 2e-7, 1e-6, 2e-6};

static sct_status read_settings(struct settings *s, sct_error *err)
{
    char path[4096];
    SCT_TRY(
        sct_json_load(golden_path("cases.json", path, sizeof path), SCT_EFILE, &s->root, err));
    const struct sct_json_at at = {s->root, "cases.json", "", SCT_EFILE};
    SCT_TRY(sct_json_get_u32(&at, "steps", SCT_JSON_REQUIRED, 1, 1000, &s->steps, err));
    SCT_TRY(sct_json_get_u32(&at, "sample", SCT_JSON_REQUIRED, 1, 4096, &s->sample, err));
    SCT_TRY(sct_json_get_u32(&at, "mix_valid", SCT_JSON_REQUIRED, 1, GOLDEN_BATCH,
                             &s->mix_valid, err));
    SCT_TRY(sct_json_get_f64(&at, "mix", SCT_JSON_REQUIRED, &s->mix, err));
    return sct_json_get_f64(&at, "smooth", SCT_JSON_REQUIRED, &s->smooth, err);
}

/* ---- logits ---- */

static sct_status check_logits(const struct golden *g, struct tuned *t,
                               const struct golden_plan *plan, const struct limits *limit,
                               sct_error *err)
{
    float have[GOLDEN_BATCH * GOLDEN_CLASSES];
    uint64_t n = 0;
    struct sct_graph *graph = NULL;
    struct sct_exec *x = NULL;
    struct sct_store *store = sct_store_create(g->dev.be, g->dev.dev);
    sct_status rc = sct_graph_eval(&graph, t->m, NULL, 0, err);
    if (rc == SCT_OK)
        rc = golden_exec(&x, g, store, graph, &plan->opts, err);
    if (rc == SCT_OK)
        rc = sct_exec_feed(x, "images", g->images, GOLDEN_BATCH, err);
    if (rc == SCT_OK)
        rc = golden_step(x, 0, 0.0f, GOLDEN_BATCH, err);
    if (rc == SCT_OK)
        rc = sct_exec_fetch(x, "logits", have, err);
    float *want = golden_f32(t->file, "logits", &n);
    if (rc == SCT_OK && want) {
        const double off = golden_max_diff(have, want, n);
        golden_expect(off <= limit->logits, "%s, %s: logits off by %.1e (limit %.0e)", t->name,
                      plan->name, off, limit->logits);
    }
    sct_free(want);
    sct_exec_destroy(&x);
    sct_graph_destroy(&graph);
    sct_store_destroy(&store);
    return rc;
}

/* ---- gradients ---- */

/* Of all trainables: the worst relative error into *worst. */
static sct_status compare_grads(struct tuned_ready *r, const struct tuned *t, const char *key,
                                double *worst, const char **which, sct_error *err)
{
    char name[192];
    *worst = 0;
    *which = "-";
    for (uint32_t i = 0; i < t->m->n_param; i++) {
        const struct sct_param *p = t->m->param[i];
        uint64_t n = 0;
        if (!p->trainable)
            continue;
        (void)snprintf(name, sizeof name, "%s/%s", key, p->name);
        float *want = golden_f32(t->file, name, &n);
        float *have = want ? sct_calloc((size_t)n, sizeof *have) : NULL;
        if (!have || n != sct_desc_count(&p->t->desc)) {
            sct_free(want);
            sct_free(have);
            return sct_fail(err, SCT_EFILE, "%s: expected %llu values", name,
                            (unsigned long long)sct_desc_count(&p->t->desc));
        }
        (void)snprintf(name, sizeof name, "grad.%s", p->name);
        const sct_status rc = sct_exec_fetch(r->x, name, have, err);
        tuned_hide_key_bias(p->name, have, want, n);
        const double off = rc == SCT_OK ? golden_rel_diff(have, want, n) : 0;
        if (!(off <= *worst)) {
            *worst = off;
            *which = p->name;
        }
        sct_free(want);
        sct_free(have);
        SCT_TRY(rc);
        if (isnan(off))
            break;
    }
    return SCT_OK;
}

/* Modules that are one node each after fusing, of the ViT and of the Swin: those of SCT unless
 * scaleonx sets channels or W reads all of them, LoRA's q and v of every block. */
static const struct fused {
    const char *name;
    uint32_t vit, swin;
} fused[] = {
    {"sct", 3, 3},
    {"sct_mlp", 3, 6},
    {"sct_qkv", 6, 12},
    {"sct_both", 0, 8},
    {"sct_form_b", 2, 0},
    {"ict", 3, 6},
    {"lora", 6, 12},
    {"spt_lora", 8, 7},
    {"lora_shared", 3, 0},
    {"lora_patterns", 18, 0},
    {"lora_dora", 6, 18},
    {"lora_dora_all", 12, 0},
    /* a core and V of FacT's q, k and v are such a pair too */
    {"fact_tt", 9, 0},
    {"fact_tk", 9, 0},
    {"compose_lora_sct", 9, 0},
    {"compose_lora_sct_qkv", 12, 0},
    {"compose_sct_qkv_lora", 12, 0},
};

/* Guards against a plan that does not do what its name says. */
static void check_kind(const struct golden *g, const struct tuned *t,
                       const struct golden_plan *plan, const struct sct_plan *p)
{
    if (plan->opts.checkpoint == SCT_CHECKPOINT_BLOCK && strcmp(t->name, "linear") != 0)
        golden_expect(p->recomputed, "%s, %s: blocks are run again", t->name, plan->name);
    if (strcmp(g->backend, "ref") != 0 || plan != &golden_plans[0])
        return;
    uint32_t n = 0, want = 0;
    for (uint32_t i = 0; i < p->g->n_node; i++)
        n += p->g->node[i].op == SCT_OP_SCT_MODULE || p->g->node[i].op == SCT_OP_LORA_MODULE;
    for (size_t i = 0; i < sizeof fused / sizeof fused[0]; i++)
        if (strcmp(t->name, fused[i].name) == 0)
            want = g->base->window ? fused[i].swin : fused[i].vit;
    golden_expect(n == want, "%s, %s: %u fused modules, expected %u", t->name, plan->name, n,
                  want);
}

/* A partial batch comes after a whole one, which must leave nothing behind. */
static sct_status run_once(struct tuned_ready *r, const struct golden *g,
                           const struct tuned_feeds *f, sct_error *err)
{
    struct tuned_feeds before;
    if (f->valid < GOLDEN_BATCH) {
        SCT_TRY(tuned_feeds(&before, g, 1.0, GOLDEN_BATCH, err));
        SCT_TRY(tuned_feed(r->x, g, &before, err));
        SCT_TRY(golden_step(r->x, 0, 0.0f, GOLDEN_BATCH, err));
    }
    SCT_TRY(tuned_feed(r->x, g, f, err));
    return golden_step(r->x, 0, 0.0f, f->valid, err);
}

static sct_status check_grads(const struct golden *g, struct tuned *t,
                              const struct golden_plan *plan, const char *key, float smoothing,
                              const struct tuned_feeds *f, const struct limits *limit,
                              sct_error *err)
{
    struct tuned_ready r;
    double worst = 0;
    const char *which = "";
    float loss = 0;
    sct_status rc = tuned_ready_open(&r, g, t, plan, smoothing, true, err);
    if (rc == SCT_OK) {
        check_kind(g, t, plan, sct_exec_plan(r.x));
        rc = run_once(&r, g, f, err);
    }
    if (rc == SCT_OK)
        rc = compare_grads(&r, t, key, &worst, &which, err);
    if (rc == SCT_OK)
        rc = sct_exec_fetch(r.x, "loss", &loss, err);
    if (rc == SCT_OK)
        golden_expect(worst <= limit->grad,
                      "%s, %s: %s of all trainables, worst %.1e of its norm (limit %.0e): %s",
                      t->name, plan->name, key, worst, limit->grad, which);
    if (rc == SCT_OK && strcmp(key, "grad_mix") == 0) {
        uint64_t n = 0;
        double *want = golden_f64(t->file, "loss_mix", &n);
        const double off = want ? fabs((double)loss - want[0]) / want[0] : 1;
        golden_expect(off <= limit->loss, "%s, %s: mixed loss of a partial batch off by %.1e",
                      t->name, plan->name, off);
        sct_free(want);
    }
    tuned_ready_close(&r);
    return rc;
}

/* ---- ten steps ---- */

static sct_status compare_final(struct tuned_ready *r, const struct tuned *t, uint32_t sample,
                                double *worst, const char **which, sct_error *err)
{
    char name[192];
    *worst = 0;
    *which = "-";
    for (uint32_t i = 0; i < t->m->n_param; i++) {
        const struct sct_param *p = t->m->param[i];
        uint64_t n = 0;
        if (!p->trainable)
            continue;
        const uint64_t all = sct_desc_count(&p->t->desc), stride = (all + sample - 1) / sample;
        (void)snprintf(name, sizeof name, "final/%s", p->name);
        float *want = golden_f32(t->file, name, &n);
        float *have = sct_calloc((size_t)all, sizeof *have);
        sct_status rc = SCT_OK;
        if (!want || !have || n != (all + stride - 1) / stride)
            rc = sct_fail(err, SCT_EFILE, "%s: expected a sample of %llu values", name,
                          (unsigned long long)all);
        if (rc == SCT_OK)
            rc = sct_store_read(r->store, p->t, have, err);
        for (uint64_t k = 0; rc == SCT_OK && k < n; k++)
            have[k] = have[k * stride];
        if (rc == SCT_OK) {
            tuned_hide_key_bias(p->name, have, want, n);
            const double off = golden_rel_diff(have, want, n);
            if (!(off <= *worst)) {
                *worst = off;
                *which = p->name;
            }
        }
        sct_free(want);
        sct_free(have);
        SCT_TRY(rc);
        if (isnan(*worst))
            break;
    }
    return SCT_OK;
}

/* What is not trained keeps its bits: all that the device has of it. */
static sct_status compare_frozen(const struct tuned_ready *r, const struct tuned *t,
                                 const struct golden_plan *plan, sct_error *err)
{
    uint32_t same = 0;
    for (uint32_t i = 0; i < t->m->n_param; i++) {
        const struct sct_tensor *x = t->m->param[i]->t;
        const size_t n = (size_t)sct_desc_count(&x->desc);
        if (t->m->param[i]->trainable || !x->load)
            continue;
        float *have = sct_calloc(n, sizeof *have), *want = sct_calloc(n, sizeof *want);
        sct_error absent = SCT_ERROR_INIT;
        sct_status rc = have && want ? x->load(x, want, err) : SCT_ENOMEM;
        if (rc == SCT_OK && sct_store_read(r->store, x, have, &absent) == SCT_OK) {
            const bool equal = memcmp(have, want, n * sizeof *have) == 0;
            if (!equal)
                golden_expect(0, "%s, %s: frozen %s has changed", t->name, plan->name, x->name);
            same += equal;
        }
        sct_free(have);
        sct_free(want);
        SCT_TRY(rc);
    }
    golden_expect(same > 0 || strcmp(t->name, "full") == 0,
                  "%s, %s: %u frozen tensors have their bits", t->name, plan->name, same);
    return SCT_OK;
}

static void compare_losses(const struct tuned *t, const struct golden_plan *plan,
                           const float *loss, uint32_t steps, const struct limits *limit)
{
    uint64_t n = 0, n32 = 0;
    double *want = golden_f64(t->file, "loss", &n),
           *f32 = golden_f64(t->file, "loss_f32", &n32);
    double most = 0;
    int ok = want && f32 && n == steps && n32 == steps;
    for (uint32_t i = 0; ok && i < steps; i++) {
        const double off = fabs((double)loss[i] - want[i]);
        ok = off <= fmax(limit->loss * want[i], 3 * fabs(f32[i] - want[i]));
        most = fmax(most, off / want[i]);
        if (!ok)
            printf("     step %u: expected %.9g, found %.9g\n", i, want[i], (double)loss[i]);
    }
    golden_expect(ok, "%s, %s: losses of %u AdamW steps off by %.1e (limit %.0e)", t->name,
                  plan->name, steps, most, limit->loss);
    sct_free(want);
    sct_free(f32);
}

static sct_status check_training(const struct golden *g, struct tuned *t,
                                 const struct golden_plan *plan, const struct settings *s,
                                 const struct tuned_feeds *f, const struct limits *limit,
                                 sct_error *err)
{
    struct tuned_ready r;
    double worst = 0;
    const char *which = "";
    float *loss = sct_calloc(s->steps, sizeof *loss);
    sct_status rc =
        loss ? tuned_ready_open(&r, g, t, plan, t->smoothing, false, err) : SCT_ENOMEM;
    if (rc == SCT_OK)
        rc = tuned_train(&r, g, t, f, s->steps, loss, err);
    if (rc == SCT_OK) {
        compare_losses(t, plan, loss, s->steps, limit);
        rc = compare_final(&r, t, s->sample, &worst, &which, err);
    }
    if (rc == SCT_OK)
        rc = compare_frozen(&r, t, plan, err);
    if (rc == SCT_OK)
        golden_expect(worst <= limit->final,
                      "%s, %s: values after the steps, worst %.1e of its norm (limit %.0e): %s",
                      t->name, plan->name, worst, limit->final, which);
    tuned_ready_close(&r);
    sct_free(loss);
    return rc;
}

/* ---- all of it ---- */

static bool has_grads(const struct sct_st *file, const char *prefix)
{
    for (size_t i = 0; i < sct_st_count(file); i++)
        if (strncmp(sct_st_at(file, i)->name, prefix, strlen(prefix)) == 0)
            return true;
    return false;
}

static sct_status check_plan(const struct golden *g, struct tuned *t,
                             const struct golden_plan *plan, const struct settings *s,
                             sct_error *err)
{
    const struct limits *limit = g->f64 ? &twice : &single;
    struct tuned_feeds whole, mixed;
    SCT_TRY(tuned_feeds(&whole, g, 1.0, GOLDEN_BATCH, err));
    SCT_TRY(tuned_feeds(&mixed, g, s->mix, s->mix_valid, err));
    const float smooth = (float)s->smooth;
    SCT_TRY(check_logits(g, t, plan, limit, err));
    if (has_grads(t->file, "grad/"))
        SCT_TRY(check_grads(g, t, plan, "grad", 0.0f, &whole, limit, err));
    SCT_TRY(check_grads(g, t, plan, "grad_smooth", smooth, &whole, limit, err));
    if (sct_st_find(t->file, "loss_mix"))
        SCT_TRY(check_grads(g, t, plan, "grad_mix", smooth, &mixed, limit, err));
    return check_training(g, t, plan, s, &whole, limit, err);
}

static void check_case(const struct golden *g, const json_t *row, const struct settings *s)
{
    struct tuned t;
    sct_error e = SCT_ERROR_INIT;
    if (golden_ok(tuned_open(&t, g, row, &e), &e, "strategy") != SCT_OK)
        return;
    sct_status rc = SCT_OK;
    for (int p = 0; p < GOLDEN_PLANS && rc == SCT_OK; p++)
        rc = check_plan(g, &t, &golden_plans[p], s, &e);
    (void)golden_ok(rc, &e, t.name);
    tuned_close(&t);
}

int main(int argc, char **argv)
{
    struct golden g;
    struct settings s = {0};
    char path[4096];
    sct_error err = SCT_ERROR_INIT;
    const int skip = golden_init(&g, argc, argv);
    if (skip)
        return skip;
    if (golden_ok(read_settings(&s, &err), &err, "cases.json") != SCT_OK)
        return golden_result();
    const json_t *cases = json_object_get(s.root, "cases");
    golden_expect(json_array_size(cases) >= 3, "%zu strategies to check",
                  json_array_size(cases));
    for (size_t i = 0; i < json_array_size(cases); i++)
        check_case(&g, json_array_get(cases, i), &s);
    json_t *composed = NULL;
    if (!g.base->window && /* of the ViT alone */
        golden_ok(sct_json_load(golden_path("compose.json", path, sizeof path), SCT_EFILE,
                                &composed, &err),
                  &err, "compose.json") == SCT_OK) {
        cases = json_object_get(composed, "cases");
        golden_expect(json_array_size(cases) >= 3, "%zu compositions to check",
                      json_array_size(cases));
        for (size_t i = 0; i < json_array_size(cases); i++)
            check_case(&g, json_array_get(cases, i), &s);
    }
    json_decref(composed);
    json_decref(s.root);
    golden_fini(&g);
    return golden_result();
}
