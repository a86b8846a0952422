/* SPDX-License-Identifier: MIT
 * test_drop_path.c - the rate of stochastic depth of every branch against timm's models
 * (tools/golden/make_drop_path.py). */
#include <math.h>

#include "core/model/build.h"
#include "tests/golden/golden.h"

enum { BLOCKS = 32 };

static struct sct_model_config config(const json_t *depths, float rate)
{
    struct sct_model_config cfg = {.name = "rates",
                                   .head_init = "zeros",
                                   .image = 32,
                                   .patch = 16,
                                   .dim = 8,
                                   .depth =
                                       (uint32_t)json_integer_value(json_array_get(depths, 0)),
                                   .heads = 2,
                                   .mlp = 16,
                                   .classes = 2,
                                   .class_token = 1,
                                   .eps = 1e-6f,
                                   .drop_path = rate};
    if (json_array_size(depths) == 1)
        return cfg;
    cfg = (struct sct_model_config){.name = "rates",
                                    .head_init = "zeros",
                                    .arch = SCT_ARCH_SWIN,
                                    .image = 64,
                                    .patch = 2,
                                    .dim = 4,
                                    .stage_heads = {1, 1, 1, 1},
                                    .window = 4,
                                    .mlp_ratio = 2.0f,
                                    .classes = 2,
                                    .eps = 1e-5f,
                                    .drop_path = rate};
    for (size_t s = 0; s < 4; s++)
        cfg.stage_depth[s] = (uint32_t)json_integer_value(json_array_get(depths, s));
    return cfg;
}

/* The rates of both branches of every block, in the order of the graph; 0 where no op is.
 * false: there are ops that no branch should have. */
static bool find_rates(const struct sct_graph *g, double rate[BLOCKS][2])
{
    uint32_t seen[BLOCKS] = {0};
    for (uint32_t i = 0; i < g->n_node; i++) {
        const struct sct_gnode *n = &g->node[i];
        const struct sct_random_params *p = n->params;
        if (n->op != SCT_OP_DROPPATH)
            continue;
        if (n->block < 1 || n->block > BLOCKS || seen[n->block - 1] == 2)
            return false;
        rate[n->block - 1][seen[n->block - 1]++] = (double)p->rate;
    }
    return true;
}

static void check(const json_t *golden)
{
    const double most = json_number_value(json_object_get(golden, "rate"));
    const json_t *depths = json_object_get(golden, "depths"),
                 *blocks = json_object_get(golden, "blocks");
    const struct sct_model_config cfg = config(depths, (float)most);
    const struct sct_build_opts o = {.batch = 1, .seed = 1};
    double found[BLOCKS][2] = {{0}}, off = 0;
    sct_error err = SCT_ERROR_INIT;
    struct sct_model *m = NULL;
    struct sct_weights *w = sct_weights_create("random", true, 1);
    const sct_status rc = w ? sct_model_build(&m, &cfg, w, &o, &err) : SCT_ENOMEM;
    if (golden_ok(rc, &err, "a model with stochastic depth") == SCT_OK) {
        const size_t n = json_array_size(blocks);
        golden_expect(n <= BLOCKS && find_rates(m->g, found), "two branches in %zu blocks", n);
        for (size_t i = 0; i < BLOCKS; i++)
            for (size_t k = 0; k < 2; k++) {
                const json_t *want = json_array_get(json_array_get(blocks, i), k);
                off = fmax(off, fabs(found[i][k] - json_number_value(want)));
            }
        /* both count in f32 from 0 to at most 0.5: a rounding apart */
        golden_expect(off <= 6e-8, "rate %g, %zu blocks: off by %.1e", most, n, off);
    }
    sct_model_destroy(&m);
    sct_weights_destroy(&w);
}

int main(void)
{
    json_t *root = NULL;
    sct_error err = SCT_ERROR_INIT;
    (void)golden_ok(sct_json_load(GOLDEN_DIR "/drop_path.json", SCT_EFILE, &root, &err), &err,
                    "drop_path.json");
    const json_t *cases = json_object_get(root, "cases");
    golden_expect(json_array_size(cases) >= 7, "%zu cases", json_array_size(cases));
    for (size_t i = 0; i < json_array_size(cases); i++)
        check(json_array_get(cases, i));
    json_decref(root);
    return golden_result();
}
