/* SPDX-License-Identifier: MIT
 * test_vit.c - logits and inner values of the tiny ViT equal those of timm in float64, for
 * every kind of pooling and every way to plan. usage: test_vit [backend [option]] */
#include <stdlib.h>
#include <string.h>

#include "core/train/graphs.h"
#include "tests/golden/golden.h"

static const struct golden_variant variants[] = {
    {"token", "@", SCT_POOL_TOKEN, 1, 0},
    {"avg_fc_norm", "norm.", SCT_POOL_AVG, 1, 1},
    {"avg_norm", "@", SCT_POOL_AVG, 1, 0},
    {"gap", "cls_token", SCT_POOL_AVG, 0, 0},
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

/* golden values of sites exist for the class-token model */
static sct_status run(const struct golden *g, const struct sct_model *m,
                      const struct golden_variant *v, const struct golden_plan *plan,
                      sct_error *err)
{
    static const char *const sites[] = {
        "embed.out",
        "stage[0].block[0].attn.qkv",
        "stage[0].block[1].attn.out",
        "stage[0].block[1].attn.res",
        "stage[0].block[1].mlp.fc1",
        "stage[0].block[2].out",
        "pooled",
    };
    const uint32_t n_sites = v == &variants[0] ? sizeof sites / sizeof sites[0] : 0;
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
        rc = sct_exec_feed(x, "images", g->images, GOLDEN_BATCH, err);
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
    for (size_t i = 0; i < sizeof variants / sizeof variants[0]; i++) {
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
