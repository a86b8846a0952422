/* SPDX-License-Identifier: MIT
 * test_model.c - logits and inner values of the tiny ViT or Swin equal those of timm in
 * float64, for every variant and every way to plan. usage: test_model [swin] [backend [option]]
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/status.h"
#include "core/graphs/graphs.h"
#include "tests/golden/golden.h"

/* The first of each is the one whose inner values are known. */
static const struct golden_variant vits[] = {
    {"token", "@", SCT_POOL_TOKEN, 1, 0, 32, 0},
    {"avg_fc_norm", "norm.", SCT_POOL_AVG, 1, 1, 32, 0},
    {"avg_norm", "@", SCT_POOL_AVG, 1, 0, 32, 0},
    {"gap", "cls_token", SCT_POOL_AVG, 0, 0, 32, 0},
};
/* see tools/golden/tiny_swin.py */
static const struct golden_variant swins[] = {
    {"base", "@", 0, 0, 0, 32, 5},
    {"even", "@", 0, 0, 0, 32, 4},
    {"large", "@", 0, 0, 0, 32, 12},
    {"odd", "@", 0, 0, 0, 30, 4},
};

enum { VARIANTS = 4 };

static const char *const vit_sites[] = {
    "embed.out",
    "stage[0].block[0].attn.qkv",
    "stage[0].block[1].attn.out",
    "stage[0].block[1].attn.res",
    "stage[0].block[1].mlp.fc1",
    "stage[0].block[2].out",
    "pooled",
    NULL,
};
static const char *const swin_sites[] = {
    "embed.out",
    "stage[0].block[0].out",
    "stage[0].block[1].attn.res",
    "stage[0].block[1].out",
    "stage[1].down",
    "stage[1].block[0].out",
    "stage[1].block[1].out",
    "stage[2].down",
    "stage[2].block[0].out",
    "stage[3].down",
    "stage[3].block[0].out",
    "norm.out",
    NULL,
};

static void compare_site(const struct golden *g, struct sct_exec *x, const char *path,
                         const char *plan)
{
    char name[160];
    uint64_t n = 0;
    sct_error err = SCT_ERROR_INIT;
    (void)snprintf(name, sizeof name, "site/%s", path);
    float *want = golden_f32(g->forward, name, &n);
    const struct sct_desc *d = sct_exec_desc(x, path);
    float *have = d ? sct_calloc((size_t)sct_desc_count(d), sizeof *have) : NULL;
    if (!want || !have || sct_desc_count(d) * 2 != n * GOLDEN_BATCH)
        golden_expect(0, "%s: expected an output for %llu elements of two images", path,
                      (unsigned long long)n);
    else if (golden_ok(sct_exec_fetch(x, path, have, &err), &err, path) == SCT_OK) {
        const double off = golden_rel_diff(have, want, n), limit = g->f64 ? 1e-7 : 1e-5;
        golden_expect(off <= limit, "%s, %s: off by %.1e of its norm (limit %.0e)", path, plan,
                      off, limit);
    }
    sct_free(want);
    sct_free(have);
}

/* A variant of another size has images of its own. */
static sct_status feed(const struct golden *g, struct sct_exec *x,
                       const struct golden_variant *v, sct_error *err)
{
    char name[64];
    (void)snprintf(name, sizeof name, "images/%s", v->name);
    const struct sct_st_tensor *own = sct_st_find(g->forward, name);
    if (v->image != 32 && !own)
        return sct_fail(err, SCT_EFILE, "%s is missing; run tools/golden again", name);
    return sct_exec_feed(x, "images", own ? own->data : g->images, GOLDEN_BATCH, err);
}

static sct_status run(const struct golden *g, const struct sct_model *m,
                      const struct golden_variant *v, const struct golden_plan *plan,
                      sct_error *err)
{
    const char *const *sites = v->window ? swin_sites : vit_sites;
    uint32_t n_sites = 0;
    while (strcmp(v->name, g->base->name) == 0 && sites[n_sites])
        n_sites++;
    char name[64];
    float have[GOLDEN_BATCH * GOLDEN_CLASSES];
    uint64_t n = 0;
    struct sct_graph *graph = NULL;
    struct sct_exec *x = NULL;
    struct sct_store *store = sct_store_create(g->dev.be, g->dev.dev);
    sct_status rc = store ? sct_graph_eval(&graph, m, sites, n_sites, err) : SCT_ENOMEM;
    if (rc == SCT_OK)
        rc = golden_exec(&x, g, store, graph, &plan->opts, err);
    if (rc == SCT_OK)
        rc = feed(g, x, v, err);
    if (rc == SCT_OK)
        rc = golden_step(x, 0, 0.0f, GOLDEN_BATCH, err);
    if (rc == SCT_OK)
        rc = sct_exec_fetch(x, "logits", have, err);
    (void)snprintf(name, sizeof name, "logits/%s", v->name);
    float *want = golden_f32(g->forward, name, &n);
    if (rc == SCT_OK && want && n == GOLDEN_BATCH * GOLDEN_CLASSES) {
        const double off = golden_max_diff(have, want, n), limit = g->f64 ? 5e-7 : 1e-4;
        golden_expect(off <= limit, "logits of %s, %s: off by %.1e (limit %.0e)", v->name,
                      plan->name, off, limit);
        for (uint32_t i = 0; i < n_sites; i++)
            compare_site(g, x, sites[i], plan->name);
    }
    sct_free(want);
    sct_exec_destroy(&x);
    sct_graph_destroy(&graph);
    sct_store_destroy(&store);
    return rc;
}

int main(int argc, char **argv)
{
    struct golden g;
    const int skip = golden_init(&g, argc, argv);
    if (skip)
        return skip;
    const struct golden_variant *variants = g.base->window ? swins : vits;
    for (size_t i = 0; i < VARIANTS; i++) {
        sct_error err = SCT_ERROR_INIT;
        struct sct_weights *w = NULL;
        struct sct_model *m = NULL;
        sct_status rc = golden_weights(&w, &g, &variants[i], NULL, &err);
        if (rc == SCT_OK)
            rc = golden_model(&m, &variants[i], w, GOLDEN_BATCH, true, &err);
        for (int p = 0; p < GOLDEN_PLANS && rc == SCT_OK; p++)
            rc = run(&g, m, &variants[i], &golden_plans[p], &err);
        (void)golden_ok(rc, &err, variants[i].name);
        sct_model_destroy(&m);
        sct_weights_destroy(&w);
    }
    golden_fini(&g);
    return golden_result();
}
