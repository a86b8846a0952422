/* SPDX-License-Identifier: MIT
 * test_spt.c - what strategy spt builds from plans written here: parameters of two published
 * plans and of every module on a ViT-B/16, and the gradients of single entries, which
 * are those of the whole tensor at the same places. The plugin's files are part of the test. */
#include <string.h>

#include "core/graphs/graphs.h"
#include "core/peft/host.h"
#include "plugins/spt_plan.h"
#include "tests/golden/golden.h"

enum { CLASSES = 100, WIDTH = 768, BLOCKS = 12 };

static const struct sct_model_config vit_b = {.name = "real",
                                              .head_init = "zeros",
                                              .image = 224,
                                              .patch = 16,
                                              .dim = WIDTH,
                                              .depth = BLOCKS,
                                              .heads = 12,
                                              .mlp = 4 * WIDTH,
                                              .classes = CLASSES,
                                              .class_token = 1,
                                              .eps = 1e-6f};

/* A model, and a plan of it in which nothing is trained. */
struct made {
    struct sct_weights *w;
    struct sct_model *m;
    struct spt_plan plan;
    const struct sct_strategy_host *h;
};

static sct_status make(struct made *x, const struct sct_model_config *cfg,
                       const struct spt_options *o, sct_error *err)
{
    const struct sct_build_opts build = {.batch = 4, .seed = 1};
    *x = (struct made){.h = sct_strategy_host_table()};
    x->w = sct_weights_create("random", true, 1);
    if (!x->w)
        return SCT_ENOMEM;
    SCT_TRY(sct_model_build(&x->m, cfg, x->w, &build, err));
    return spt_plan_init(&x->plan, o, x->h, x->m, err);
}

static void drop(struct made *x)
{
    spt_plan_fini(&x->plan, x->h);
    sct_model_destroy(&x->m);
    sct_weights_destroy(&x->w);
}

static struct spt_tensor *tensor(struct made *x, const char *name)
{
    for (size_t i = 0; i < x->plan.n; i++)
        if (strcmp(x->plan.t[i].name, name) == 0)
            return &x->plan.t[i];
    golden_expect(0, "%s is no candidate", name);
    return NULL;
}

static void mark(struct made *x, uint32_t fate, const char *name)
{
    struct spt_tensor *t = tensor(x, name);
    if (t)
        t->fate = fate;
}

/* The entries 0, step, 2 step, ... of a tensor, n of them. */
static sct_status sparse(struct made *x, const char *name, size_t n, uint32_t step)
{
    struct spt_tensor *t = tensor(x, name);
    if (!t)
        return SCT_EINVAL;
    t->fate = SPT_SPARSE;
    t->n_idx = n;
    t->idx = x->h->alloc(n * sizeof *t->idx);
    for (size_t i = 0; t->idx && i < n; i++)
        t->idx[i] = (uint32_t)i * step;
    return t->idx ? SCT_OK : SCT_ENOMEM;
}

/* Trainable parameters without the head. */
static uint64_t trainable(const struct made *x)
{
    uint64_t trained = 0, head = 0, all = 0;
    sct_model_count(x->m, &trained, &head, &all);
    return trained - head;
}

/* ---- parameters ---- */

static const struct spt_options lora = {
    .type = SPT_LORA, .rank = 8, .class_token = 1, .dropout = 0.1f, .drop_path = 0.1f};

/* A published plan of LoRA for 0.4 million. Which vectors and entries are in it is not
 * published, so theirs are any of the right sizes. */
static const struct example {
    const char *task, *modules[15]; /* up to NULL */
    uint32_t vectors;               /* of 768, and .. */
    bool wide;                      /* .. one of 3072 */

    struct {
        const char *name;
        uint32_t n, step;
    } entries[6];

    uint64_t structured, dense, sparse, all; /* all: the class token too */
} examples[] = {
    {"CIFAR",
     {"0.attn.v", "0.attn.proj", "1.attn.v", "1.attn.proj", "1.mlp.fc1", "1.mlp.fc2",
      "2.attn.v", "2.attn.proj", "2.mlp.fc1", "3.attn.v", "3.mlp.fc1", "3.mlp.fc2", "4.mlp.fc1",
      "4.mlp.fc2"},
     68,
     true,
     {{"5.mlp.fc1.weight", 3000, 700},
      {"0.attn.q.weight", 1200, 400},
      {"0.attn.k.weight", 89, 6},
      {"6.attn.q.bias", 100, 3},
      {"7.mlp.fc2.weight", 23789 - 4389, 100}},
     301056,
     55296,
     23789,
     380909},
    {"Clevr-distance",
     {"6.mlp.fc2", "8.attn.v", "8.mlp.fc1", "8.mlp.fc2", "9.mlp.fc1", "9.mlp.fc2", "10.mlp.fc1",
      "10.mlp.fc2", "11.attn.q", "11.attn.k", "11.attn.v", "11.attn.proj", "11.mlp.fc1",
      "11.mlp.fc2"},
     73,
     false,
     {{"0.mlp.fc1.weight", 9000, 250},
      {"1.attn.q.weight", 4000, 140},
      {"3.attn.k.weight", 22, 7},
      {"7.mlp.fc2.weight", 30022 - 13022, 130}},
     337920,
     56064,
     30022,
     424774},
};

/* The first n vectors of 768: those of the blocks, then the last norm's. */
static void mark_vectors(struct made *x, uint32_t n)
{
    static const char *const vectors[] = {"norm1.weight",   "norm1.bias",   "attn.v.bias",
                                          "attn.proj.bias", "norm2.weight", "norm2.bias"};
    char name[SPT_NAME];
    for (uint32_t i = 0; i < n && i < 6 * BLOCKS; i++) {
        (void)snprintf(name, sizeof name, "blocks.%u.%s", i / 6, vectors[i % 6]);
        mark(x, SPT_VECTOR, name);
    }
    if (n > 6 * BLOCKS)
        mark(x, SPT_VECTOR, "norm.weight");
}

static sct_status plan_example(struct made *x, const struct example *e)
{
    char name[SPT_NAME];
    for (size_t i = 0; e->modules[i]; i++) {
        (void)snprintf(name, sizeof name, "blocks.%s.weight", e->modules[i]);
        mark(x, SPT_STRUCTURED, name);
    }
    mark_vectors(x, e->vectors);
    if (e->wide)
        mark(x, SPT_VECTOR, "blocks.0.mlp.fc1.bias");
    for (size_t i = 0; e->entries[i].name; i++) {
        (void)snprintf(name, sizeof name, "blocks.%s", e->entries[i].name);
        SCT_TRY(sparse(x, name, e->entries[i].n, e->entries[i].step));
    }
    return SCT_OK;
}

static sct_status check_example(const struct example *e, sct_error *err)
{
    struct made x;
    sct_status rc = make(&x, &vit_b, &lora, err);
    if (rc == SCT_OK)
        rc = plan_example(&x, e);
    if (rc == SCT_OK) {
        spt_plan_count(&x.plan, &lora);
        golden_expect(x.plan.structured == e->structured && x.plan.vectors == e->dense &&
                          x.plan.sparse == e->sparse && x.plan.class_token == WIDTH,
                      "%s: modules, vectors, entries and class token are as published",
                      e->task);
        rc = spt_apply(&lora, &x.plan, x.h, x.m, err);
    }
    if (rc == SCT_OK)
        golden_expect(trainable(&x) == e->all, "%s: %llu are trained, expected %llu", e->task,
                      (unsigned long long)trainable(&x), (unsigned long long)e->all);
    drop(&x);
    return rc;
}

/* Table of section 2.3 of the released code (engine.py:92-98), r = 8; bare: an adapter without
 * biases, as the code builds it without --structured_vector. */
static const struct cost {
    const char *layer;
    uint64_t lora, adapter, bare;
} costs[] = {
    {"attn.q", 12288, 13064, 12288},  {"attn.k", 12288, 13064, 12288},
    {"attn.v", 12288, 13064, 12288},  {"attn.proj", 12288, 13064, 12288},
    {"mlp.fc1", 30720, 52232, 49152}, {"mlp.fc2", 30720, 13064, 12288},
};

static sct_status check_costs(sct_error *err)
{
    for (size_t i = 0; i < sizeof costs / sizeof costs[0]; i++)
        for (uint32_t k = 0; k < 4; k++) {
            const uint32_t type = k / 2 ? SPT_ADAPTER : SPT_LORA, vectors = k % 2;
            const struct spt_options o = {.type = type, .rank = 8, .vectors = vectors};
            const uint64_t want = type == SPT_LORA ? costs[i].lora
                                  : vectors        ? costs[i].adapter
                                                   : costs[i].bare;
            char name[SPT_NAME];
            struct made x;
            sct_status rc = make(&x, &vit_b, &o, err);
            (void)snprintf(name, sizeof name, "blocks.3.%s.weight", costs[i].layer);
            if (rc == SCT_OK) {
                mark(&x, SPT_STRUCTURED, name);
                rc = spt_apply(&o, &x.plan, x.h, x.m, err);
            }
            if (rc == SCT_OK)
                golden_expect(trainable(&x) == want,
                              "%s, type %u, vectors %u: the module trains %llu, expected %llu",
                              name, type, vectors, (unsigned long long)trainable(&x),
                              (unsigned long long)want);
            drop(&x);
            SCT_TRY(rc);
        }
    return SCT_OK;
}

/* ---- gradients of entries ---- */

/* Gradient of trainable `name` of a model for one batch of the golden images. */
static sct_status gradient(const struct golden *g, struct sct_model *m, const char *name,
                           float *out, sct_error *err)
{
    const struct sct_optim_opts opts = {
        .kind = SCT_OPTIM_ADAMW, .beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-8f};
    int32_t labels[GOLDEN_BATCH][2];
    float mix[GOLDEN_BATCH], weight[GOLDEN_BATCH];
    for (int i = 0; i < GOLDEN_BATCH; i++) {
        labels[i][0] = labels[i][1] = i % GOLDEN_CLASSES;
        mix[i] = 1.0f;
        weight[i] = 1.0f / GOLDEN_BATCH;
    }
    struct sct_optim optim = {0};
    struct sct_graph *graph = NULL;
    struct sct_exec *x = NULL;
    struct sct_store *store = sct_store_create(g->dev.be, g->dev.dev);
    char full[SPT_NAME + 16];
    (void)snprintf(full, sizeof full, "grad.%s", name);
    sct_status rc = store ? sct_graph_train(&graph, m, &opts, &optim, true, err) : SCT_ENOMEM;
    if (rc == SCT_OK)
        rc = golden_exec(&x, g, store, graph, &golden_plans[0].opts, err);
    if (rc == SCT_OK)
        rc = sct_exec_feed(x, "images", g->images, GOLDEN_BATCH, err);
    if (rc == SCT_OK)
        rc = sct_exec_feed(x, "labels", labels, GOLDEN_BATCH, err);
    if (rc == SCT_OK)
        rc = sct_exec_feed(x, "mix", mix, GOLDEN_BATCH, err);
    if (rc == SCT_OK)
        rc = sct_exec_feed(x, "weight", weight, GOLDEN_BATCH, err);
    if (rc == SCT_OK)
        rc = golden_step(x, 0, 0.0f, GOLDEN_BATCH, err);
    if (rc == SCT_OK)
        rc = sct_exec_fetch(x, full, out, err);
    sct_exec_destroy(&x);
    sct_graph_destroy(&graph);
    sct_store_destroy(&store);
    sct_optim_fini(&optim);
    return rc;
}

static sct_status tiny(struct made *x, const struct golden *g, const struct spt_options *o,
                       sct_error *err)
{
    *x = (struct made){.h = sct_strategy_host_table()};
    SCT_TRY(golden_weights(&x->w, g, g->base, NULL, err));
    SCT_TRY(golden_model(&x->m, g->base, x->w, GOLDEN_BATCH, true, err));
    return spt_plan_init(&x->plan, o, x->h, x->m, err);
}

enum { MOST = 3 * 24 * 96 };

/* Dense gradient of `param`, and that of entries 0, step, ... of the tensor that is in it. */
static sct_status both(const struct golden *g, const struct spt_options *o, const char *param,
                       const char *name, uint32_t n, uint32_t step, float *dense, float *some,
                       uint32_t *first, sct_error *err)
{
    struct made x, y;
    char delta[SPT_NAME + 16];
    (void)snprintf(delta, sizeof delta, "spt.%s.delta", name);
    sct_status rc = tiny(&x, g, o, err), rc2 = tiny(&y, g, o, err);
    if (rc == SCT_OK && rc2 == SCT_OK) {
        struct sct_param *p = sct_model_find(x.m, param);
        sct_model_train(x.m, p, NULL);
        rc = gradient(g, x.m, param, dense, err);
        rc2 = sparse(&y, name, n, step);
        *first = rc2 == SCT_OK ? tensor(&y, name)->first_row * tensor(&y, name)->cols : 0;
    }
    if (rc == SCT_OK && rc2 == SCT_OK)
        rc = spt_apply(o, &y.plan, y.h, y.m, err);
    if (rc == SCT_OK && rc2 == SCT_OK)
        rc = gradient(g, y.m, delta, some, err);
    drop(&x);
    drop(&y);
    return rc == SCT_OK ? rc2 : rc;
}

static const struct place {
    const char *param, *name;
    uint32_t n, step;
} places[] = {
    {"blocks.0.attn.qkv.weight", "blocks.0.attn.q.weight", 7, 5},
    {"blocks.1.attn.qkv.weight", "blocks.1.attn.v.weight", 30, 19},
    {"blocks.1.attn.qkv.bias", "blocks.1.attn.v.bias", 6, 4},
    {"blocks.2.mlp.fc2.weight", "blocks.2.mlp.fc2.weight", 50, 41},
    {"blocks.2.norm1.weight", "blocks.2.norm1.weight", 3, 8},
};

static sct_status check_entries(const struct golden *g, sct_error *err)
{
    const struct spt_options o = {.type = SPT_LORA, .rank = 2, .norms = SPT_NORMS_TRAINED};
    float *dense = sct_calloc(MOST, sizeof *dense), some[64], want[64];
    sct_status rc = dense ? SCT_OK : SCT_ENOMEM;
    for (size_t i = 0; i < sizeof places / sizeof places[0] && rc == SCT_OK; i++) {
        const struct place *p = &places[i];
        uint32_t first = 0;
        rc = both(g, &o, p->param, p->name, p->n, p->step, dense, some, &first, err);
        for (uint32_t k = 0; rc == SCT_OK && k < p->n; k++)
            want[k] = dense[first + k * p->step];
        if (rc == SCT_OK)
            golden_expect(memcmp(some, want, p->n * sizeof *some) == 0 && want[1] != 0.0f,
                          "%s: the gradients of %u entries are bits of the dense gradient",
                          p->name, p->n);
    }
    sct_free(dense);
    return rc;
}

/* Entries of norms are counted, and trained only on demand; of a fused bias with one whole part
 * that part moves alone; with three of them the bias is trained itself. */
static sct_status check_fates(sct_error *err)
{
    static const struct sct_model_config small = {.name = "small",
                                                  .head_init = "zeros",
                                                  .image = 32,
                                                  .patch = 8,
                                                  .dim = 24,
                                                  .depth = 2,
                                                  .heads = 3,
                                                  .mlp = 96,
                                                  .classes = 5,
                                                  .class_token = 1,
                                                  .eps = 1e-6f};
    for (uint32_t norms = SPT_NORMS_COUNTED; norms <= SPT_NORMS_TRAINED; norms++) {
        const struct spt_options o = {.type = SPT_LORA, .rank = 2, .norms = norms};
        struct made x;
        sct_status rc = make(&x, &small, &o, err);
        if (rc == SCT_OK)
            rc = sparse(&x, "blocks.0.norm1.weight", 2, 3);
        if (rc == SCT_OK) {
            mark(&x, SPT_VECTOR, "blocks.0.attn.v.bias");
            mark(&x, SPT_VECTOR, "blocks.1.attn.q.bias");
            mark(&x, SPT_VECTOR, "blocks.1.attn.k.bias");
            mark(&x, SPT_VECTOR, "blocks.1.attn.v.bias");
            rc = spt_apply(&o, &x.plan, x.h, x.m, err);
        }
        if (rc == SCT_OK) {
            const struct sct_param *part =
                                       sct_model_find(x.m, "spt.blocks.0.attn.v.bias.delta"),
                                   *whole = sct_model_find(x.m, "blocks.1.attn.qkv.bias"),
                                   *norm =
                                       sct_model_find(x.m, "spt.blocks.0.norm1.weight.delta"),
                                   *token = sct_model_find(x.m, "cls_token");
            golden_expect(part && part->t->desc.dim[0] == 24 && part->group.wd_mult == 0.0f,
                          "a part of a fused bias is a delta of its length without decay");
            golden_expect(whole && whole->trainable && whole->group.wd_mult == 0.0f,
                          "three parts are the fused bias itself");
            golden_expect((norm != NULL) == (norms == SPT_NORMS_TRAINED),
                          "entries of norms are trained on demand only");
            golden_expect(token && !token->trainable, "class_token=off leaves it alone");
            golden_expect(trainable(&x) == 24u + 72u + (norms ? 2u : 0u), "nothing else moves");
        }
        drop(&x);
        SCT_TRY(rc);
    }
    return SCT_OK;
}

int main(void)
{
    char name[] = "test", backend[] = "ref";
    char *argv[] = {name, backend, NULL};
    struct golden g;
    sct_error err = SCT_ERROR_INIT;
    const int skip = golden_init(&g, 2, argv);
    if (skip)
        return skip;
    for (size_t i = 0; i < sizeof examples / sizeof examples[0]; i++)
        (void)golden_ok(check_example(&examples[i], &err), &err, examples[i].task);
    (void)golden_ok(check_costs(&err), &err, "costs");
    (void)golden_ok(check_fates(&err), &err, "fates");
    (void)golden_ok(check_entries(&g, &err), &err, "entries");
    golden_fini(&g);
    return golden_result();
}
