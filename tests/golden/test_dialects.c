/* SPDX-License-Identifier: MIT
 * test_dialects.c - one model in every dialect (tools/golden/make_dialects.py): the canonical
 * tensors and the base's hash are bit for bit those of timm's file, and so are the logits,
 * which are timm's. The architecture is what the file tells. usage: test_dialects [backend
 * [option]] */
#include <stdlib.h>
#include <string.h>

#include "core/data/preprocess.h"
#include "core/graphs/graphs.h"
#include "core/model/build.h"
#include "core/pretrained/base.h"
#include "tests/golden/golden.h"

enum { IMAGES = 2, CLASSES = 3 };

/* heads: what only Flax files tell. */
struct sample {
    const char *folder, *file, *flavour, *wrapper;
    bool heads;
};

static const struct sample samples[] = {
    {"vit", "timm.safetensors", "timm", "", false},
    {"vit", "split.safetensors", "split", "", false},
    {"vit", "hf4.safetensors", "hf4", "", false},
    {"vit", "hf4_bare.safetensors", "hf4", "", false},
    {"vit", "hf5.safetensors", "hf5", "", false},
    {"vit", "ema.pth", "timm", "state_dict_ema.module.", false},
    {"vit", "flax.npz", "flax", "", true},
    {"vit", "flax_wrapped.npz", "flax", "opt/target/", true},
    {"vit", "big_vision.npz", "big_vision", "params/", true},
    {"vit", "big_vision_scan.npz", "big_vision-scan", "params/", true},
    {"swin", "timm.safetensors", "timm", "", true},
    {"swin", "ms.pth", "ms", "model.", true},
    {"swin", "hf4.safetensors", "hf4", "", true},
    {"swin", "hf5.safetensors", "hf5", "", true},
};

static void path_of(const char *folder, const char *file, char *path, size_t size)
{
    (void)snprintf(path, size, "%s/dialects/%s/%s", GOLDEN_DIR, folder, file);
}

static float *values(const struct sct_tensor *t)
{
    float *v = sct_calloc((size_t)sct_desc_count(&t->desc), sizeof *v);
    sct_error err = SCT_ERROR_INIT;
    if (v && golden_ok(t->load(t, v, &err), &err, t->name) == SCT_OK)
        return v;
    sct_free(v);
    return NULL;
}

static void same_tensors(const struct sct_base *have, const struct sct_base *want,
                         const char *what)
{
    uint32_t same = 0;
    for (uint32_t i = 0; i < want->w->n; i++) {
        const struct sct_tensor *a = &want->w->item[i]->t;
        const struct sct_tensor *b = sct_weights_peek(have->w, a->name);
        if (!b || !sct_desc_same_dims(&a->desc, &b->desc)) {
            golden_expect(0, "%s: %s is missing or has another shape", what, a->name);
            continue;
        }
        float *x = values(a), *y = values(b);
        if (x && y)
            same += memcmp(x, y, (size_t)sct_desc_count(&a->desc) * sizeof *x) == 0;
        sct_free(x);
        sct_free(y);
    }
    golden_expect(same == want->w->n && have->w->n == want->w->n,
                  "%s: %u of %u tensors are the same bits", what, same, want->w->n);
    char a[SCT_SHA256_HEX], b[SCT_SHA256_HEX];
    sct_error err = SCT_ERROR_INIT;
    if (golden_ok(sct_base_hash_of(want->w, a, &err), &err, what) == SCT_OK &&
        golden_ok(sct_base_hash_of(have->w, b, &err), &err, what) == SCT_OK)
        golden_expect(strcmp(a, b) == 0, "%s: hash %.16s, expected %.16s", what, b, a);
}

static sct_status run(const struct golden *g, struct sct_base *b, struct sct_model_config *cfg,
                      const uint8_t *images, float *logits, sct_error *err)
{
    const struct sct_build_opts o = {IMAGES, 0, true};
    const struct sct_plan_opts plan = {0};
    struct sct_preprocess pre;
    struct sct_model *m = NULL;
    struct sct_graph *graph = NULL;
    struct sct_exec *x = NULL;
    struct sct_store *store = sct_store_create(g->dev.be, g->dev.dev);
    sct_status rc = store ? sct_model_build(&m, cfg, b->w, &o, err) : SCT_ENOMEM;
    if (rc == SCT_OK) {
        sct_preprocess_default(&pre);
        for (int i = 0; i < 3; i++)
            pre.mean[i] = pre.std[i] = 0.5f;
        sct_preprocess_table(&pre, (float(*)[256])(void *)m->table);
        rc = sct_graph_eval(&graph, m, NULL, 0, err);
    }
    if (rc == SCT_OK)
        rc = golden_exec(&x, g, store, graph, &plan, err);
    if (rc == SCT_OK)
        rc = sct_exec_feed(x, "images", images, IMAGES, err);
    if (rc == SCT_OK)
        rc = golden_step(x, 0, 0.0f, IMAGES, err);
    if (rc == SCT_OK)
        rc = sct_exec_fetch(x, "logits", logits, err);
    sct_exec_destroy(&x);
    sct_graph_destroy(&graph);
    sct_store_destroy(&store);
    sct_model_destroy(&m);
    return rc;
}

/* What the shapes tell of the two models of make_dialects.py. */
static void told(const struct sct_base *b, const struct sample *s)
{
    const struct sct_model_config *c = &b->file.guess->cfg;
    const struct sct_guess_fact *heads = sct_guess_fact(b->file.guess, "heads");
    const bool vit = strcmp(s->folder, "vit") == 0;
    static const uint32_t depth[] = {1, 1, 2, 1}, head[] = {1, 1, 2, 2};
    golden_expect(heads && heads->known == s->heads, "%s/%s: heads are %sknown", s->folder,
                  s->file, s->heads ? "" : "not ");
    if (vit)
        golden_expect(c->arch == SCT_ARCH_VIT && c->image == 8 && c->patch == 4 &&
                          c->dim == 8 && c->depth == 2 && c->mlp == 32 && c->class_token &&
                          !c->fc_norm && c->pool == SCT_POOL_TOKEN && c->classes == CLASSES &&
                          (!s->heads || c->heads == 2),
                      "vit/%s: the model is told by its shapes", s->file);
    else
        golden_expect(c->arch == SCT_ARCH_SWIN && c->image == 32 && c->patch == 2 &&
                          c->dim == 2 && c->window == 2 && c->mlp_ratio == 4.0f &&
                          memcmp(c->stage_depth, depth, sizeof depth) == 0 &&
                          memcmp(c->stage_heads, head, sizeof head) == 0 &&
                          c->classes == CLASSES,
                      "swin/%s: the model is told by its shapes", s->file);
}

/* first: the logits of timm's file of the same folder, bit for bit. */
static void logits(const struct golden *g, struct sct_base *b, const struct sample *s,
                   float *first)
{
    char path[4096];
    float have[IMAGES * CLASSES];
    struct sct_st *st = NULL;
    sct_error err = SCT_ERROR_INIT;
    struct sct_model_config cfg = b->file.guess->cfg;
    if (cfg.arch == SCT_ARCH_VIT)
        cfg.heads = 2;
    cfg.eps = cfg.arch == SCT_ARCH_VIT ? 1e-6f : 1e-5f; /* make_dialects.py */
    path_of(s->folder, "forward.safetensors", path, sizeof path);
    if (golden_ok(sct_st_open(&st, path, &err), &err, path) != SCT_OK)
        return;
    const struct sct_st_tensor *images = sct_st_find(st, "images");
    uint64_t n = 0;
    float *want = golden_f32(st, "logits", &n);
    if (images && want && n == IMAGES * CLASSES &&
        golden_ok(run(g, b, &cfg, images->data, have, &err), &err, s->file) == SCT_OK) {
        /* f32 against f64 over a handful of layers of order 1 */
        const double off = golden_max_diff(have, want, n);
        golden_expect(off <= 1e-5, "%s/%s: logits off by %.1e", s->folder, s->file, off);
        if (strcmp(s->file, "timm.safetensors") == 0)
            memcpy(first, have, sizeof have);
        golden_expect(memcmp(first, have, sizeof have) == 0,
                      "%s/%s: logits are the same bits as from timm's file", s->folder,
                      s->file);
    }
    sct_free(want);
    sct_st_close(&st);
}

static void check(const struct golden *g, const struct sample *s, float *first)
{
    char path[4096], timm[4096];
    struct sct_base have, want;
    sct_error err = SCT_ERROR_INIT;
    path_of(s->folder, s->file, path, sizeof path);
    path_of(s->folder, "timm.safetensors", timm, sizeof timm);
    if (golden_ok(sct_base_open(&have, path, 0, &err), &err, s->file) != SCT_OK)
        return;
    if (golden_ok(sct_base_open(&want, timm, 0, &err), &err, "timm") == SCT_OK) {
        const struct sct_dialect_map *m = have.file.map;
        golden_expect(strcmp(m->dialect->flavour, s->flavour) == 0 &&
                          strcmp(m->wrapper, s->wrapper) == 0,
                      "%s/%s is of dialect %s behind \"%s\"", s->folder, s->file,
                      m->dialect->flavour, m->wrapper);
        same_tensors(&have, &want, s->file);
        told(&have, s);
        if (sct_arch_at(have.file.guess->cfg.arch)->build)
            logits(g, &have, s, first);
        sct_base_close(&want);
    }
    sct_base_close(&have);
}

/* ---- folders of transformers (tools/golden/make_hub.py) ---- */

static const struct {
    const char *name, *four, *five;
} hub[] = {
    {"deit", "hf4-deit", "hf5-deit"},
    {"deit_class", "hf4-deit-class", "hf5-deit-class"},
    {"dinov2", "hf4-dinov2", "hf5-dinov2"},
    {"dinov2_reg", "hf4-dinov2-reg", "hf5-dinov2-reg"},
    {"dinov2_class", "hf4-dinov2", "hf5-dinov2"},
    {"clip", "hf-clip", "hf-clip"},
    {"clip_quick", "hf-clip", "hf-clip"},
};

static sct_status load_head(const struct sct_tensor *t, void *dst, sct_error *err)
{
    uint64_t n = 0;
    float *v = golden_f32(t->ctx, t->name, &n);
    const bool good = v && n == sct_desc_count(&t->desc);
    if (good)
        memcpy(dst, v, (size_t)n * sizeof *v);
    sct_free(v);
    return good ? SCT_OK : sct_fail(err, SCT_EFILE, "%s is not in the golden file", t->name);
}

/* The head of make_hub.py for a model whose own is not built here. */
static void add_head(struct sct_base *b, struct sct_st *st, uint32_t dim)
{
    const uint32_t shape[] = {CLASSES, dim};
    sct_error err = SCT_ERROR_INIT;
    struct sct_tensor t = {.name = "head.weight",
                           .desc = sct_desc_make(SCT_F32, 2, shape),
                           .load = load_head,
                           .ctx = st};
    if (!sct_st_find(st, t.name))
        return;
    (void)golden_ok(sct_weights_add(b->w, &t, &err), &err, t.name);
    t.name = "head.bias";
    t.desc = sct_desc_make(SCT_F32, 1, shape);
    (void)golden_ok(sct_weights_add(b->w, &t, &err), &err, t.name);
}

static void hub_logits(const struct golden *g, const char *path, const char *flavour,
                       struct sct_st *st, struct sct_model_config *cfg)
{
    struct sct_base b;
    sct_error err = SCT_ERROR_INIT;
    float have[IMAGES * CLASSES];
    uint64_t n = 0;
    if (golden_ok(sct_base_open(&b, path, 0, &err), &err, path) != SCT_OK)
        return;
    golden_expect(strcmp(b.file.map->dialect->flavour, flavour) == 0, "%s is of dialect %s",
                  path, b.file.map->dialect->flavour);
    if (b.file.folder.what)
        *cfg = b.file.guess->cfg; /* all of it is told by the folder; the plain file follows */
    cfg->classes = CLASSES;
    golden_expect(cfg->heads == 4 && cfg->mlp == 24 && cfg->image == 8, "%s: model %s", path,
                  cfg->name);
    float *want = golden_f32(st, "logits", &n);
    const struct sct_st_tensor *images = sct_st_find(st, "images");
    add_head(&b, st, cfg->dim);
    if (want && images && n == IMAGES * CLASSES &&
        golden_ok(run(g, &b, cfg, images->data, have, &err), &err, path) == SCT_OK) {
        /* f32 against f64 over a handful of layers of order 1 */
        const double off = golden_max_diff(have, want, n);
        golden_expect(off <= 1e-5, "%s: logits off by %.1e", path, off);
    }
    sct_free(want);
    sct_base_close(&b);
}

static void check_hub(const struct golden *g, size_t i)
{
    char path[4096];
    struct sct_model_config cfg = {.dim = 0};
    struct sct_st *st = NULL;
    sct_error err = SCT_ERROR_INIT;
    (void)snprintf(path, sizeof path, "%s/hub/%s/golden/forward.safetensors", GOLDEN_DIR,
                   hub[i].name);
    if (golden_ok(sct_st_open(&st, path, &err), &err, path) != SCT_OK)
        return;
    (void)snprintf(path, sizeof path, "%s/hub/%s", GOLDEN_DIR, hub[i].name);
    hub_logits(g, path, hub[i].four, st, &cfg);
    (void)snprintf(path, sizeof path, "%s/hub/%s/golden/hf5.safetensors", GOLDEN_DIR,
                   hub[i].name);
    hub_logits(g, path, hub[i].five, st, &cfg);
    sct_st_close(&st);
}

int main(int argc, char **argv)
{
    struct golden g;
    float first[IMAGES * CLASSES] = {0};
    const int skip = golden_init(&g, argc, argv);
    if (skip)
        return skip;
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++)
        check(&g, &samples[i], first);
    for (size_t i = 0; i < sizeof hub / sizeof hub[0]; i++)
        check_hub(&g, i);
    golden_fini(&g);
    return golden_result();
}
