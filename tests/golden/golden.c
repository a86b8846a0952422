/* SPDX-License-Identifier: MIT
 * golden.c - what the golden tests share. */
#include "tests/golden/golden.h"

#include <math.h>
#include <string.h>

#include "core/base/status.h"
#include "core/data/preprocess.h"

static const struct golden_variant token = {"token", "@", SCT_POOL_TOKEN, 1, 0, 32, 0};
static const struct golden_variant padded = {"base", "@", SCT_POOL_AVG, 0, 0, 32, 5};

const struct golden_plan golden_plans[GOLDEN_PLANS] = {
    {"default", {0}},
    {"one image at a time", {.micro_batch = 1, .lanes = 1, .slots = 2}},
    {"four images, the last two padded", {.micro_batch = 4, .slots = 1, .no_fuse = true}},
    {"recomputed", {.checkpoint = SCT_CHECKPOINT_BLOCK}},
};

static int failures;
static const char *folder = "vit";

/* ---- files ---- */

const char *golden_path(const char *name, char *buf, size_t size)
{
    (void)snprintf(buf, size, "%s/%s/%s", GOLDEN_DIR, folder, name);
    return buf;
}

sct_status golden_open(struct sct_st **st, const char *name, sct_error *err)
{
    char path[4096];
    return sct_st_open(st, golden_path(name, path, sizeof path), err);
}

static const struct sct_st_tensor *find(const struct sct_st *st, const char *name)
{
    const struct sct_st_tensor *t = sct_st_find(st, name);
    if (!t)
        golden_expect(0, "%s: tensor %s is missing; run tools/golden again", sct_st_path(st),
                      name);
    return t;
}

float *golden_f32(const struct sct_st *st, const char *name, uint64_t *n)
{
    sct_error err = SCT_ERROR_INIT;
    const struct sct_st_tensor *t = find(st, name);
    float *v = t ? sct_calloc((size_t)t->count, sizeof *v) : NULL;
    if (!v || golden_ok(sct_st_read_f32(st, t, v, &err), &err, name) != SCT_OK) {
        sct_free(v);
        return NULL;
    }
    *n = t->count;
    return v;
}

double *golden_f64(const struct sct_st *st, const char *name, uint64_t *n)
{
    const struct sct_st_tensor *t = find(st, name);
    double *v = t && t->dtype == SCT_ST_F64 ? sct_calloc((size_t)t->count, sizeof *v) : NULL;
    if (!v) {
        golden_expect(0, "%s: expected f64", name);
        return NULL;
    }
    for (uint64_t i = 0; i < t->count; i++) {
        uint64_t bits = 0;
        for (unsigned k = 0; k < 8; k++)
            bits |= (uint64_t)t->data[8 * i + k] << (8 * k);
        memcpy(&v[i], &bits, sizeof bits);
    }
    *n = t->count;
    return v;
}

static struct sct_desc desc_of(const struct sct_st_tensor *t)
{
    struct sct_desc d = {t->dtype == SCT_ST_I32 ? SCT_I32 : SCT_F32, t->nd, {0}, 0};
    for (uint32_t k = 0; k < t->nd && k < SCT_MAX_DIMS; k++)
        d.dim[k] = (uint32_t)t->dim[k];
    return d;
}

sct_status golden_put(struct sct_adapter *a, const char *name, const struct sct_st *st,
                      const struct sct_st_tensor *t, sct_error *err)
{
    const struct sct_desc d = desc_of(t);
    void *v = sct_calloc((size_t)t->count, 4);
    if (!v)
        return sct_nomem(err);
    sct_status rc =
        d.dtype == SCT_I32 ? sct_st_read_i32(st, t, v, err) : sct_st_read_f32(st, t, v, err);
    if (rc == SCT_OK)
        rc = sct_adapter_put(a, name, &d, v, err);
    sct_free(v);
    return rc;
}

/* ---- the model ---- */

static sct_status load(const struct sct_tensor *t, void *dst, sct_error *err)
{
    return sct_st_read_f32(t->ctx, t->data, dst, err);
}

static sct_status add(struct sct_weights *w, const char *name, const struct sct_st *st,
                      const struct sct_st_tensor *t, sct_error *err)
{
    const struct sct_tensor x = {.name = name,
                                 .desc = desc_of(t),
                                 .load = load,
                                 .data = t,
                                 .ctx = (void *)(uintptr_t)st};
    return sct_weights_add(w, &x, err);
}

sct_status golden_weights(struct sct_weights **w, const struct golden *g,
                          const struct golden_variant *v, const struct sct_st *over,
                          sct_error *err)
{
    char prefix[64], full[192];
    (void)snprintf(prefix, sizeof prefix, "@%s/", v->name);
    if (!(*w = sct_weights_create(sct_st_path(g->model), false, 0)))
        return sct_nomem(err);
    for (size_t i = 0; i < sct_st_count(g->model); i++) {
        const struct sct_st_tensor *t = sct_st_at(g->model, i);
        const char *name = t->name;
        (void)snprintf(full, sizeof full, "%s%s", prefix, name);
        const struct sct_st_tensor *of = over ? sct_st_find(over, name) : NULL;
        if (strncmp(name, prefix, strlen(prefix)) == 0)
            name += strlen(prefix);
        else if (name[0] == '@' || strncmp(name, v->without, strlen(v->without)) == 0 ||
                 sct_st_find(g->model, full))
            continue;
        const sct_status rc =
            of ? add(*w, name, over, of, err) : add(*w, name, g->model, t, err);
        if (rc != SCT_OK) {
            sct_weights_destroy(w);
            return rc;
        }
    }
    return SCT_OK;
}

static struct sct_model_config config_of(const struct golden_variant *v)
{
    if (v->window)
        return (struct sct_model_config){.name = "tiny",
                                         .head_init = "zeros",
                                         .arch = SCT_ARCH_SWIN,
                                         .image = v->image,
                                         .patch = 2,
                                         .dim = 6,
                                         .stage_depth = {2, 2, 1, 1},
                                         .stage_heads = {1, 2, 3, 4},
                                         .window = v->window,
                                         .mlp_ratio = 2.0f,
                                         .classes = GOLDEN_CLASSES,
                                         .gelu = SCT_GELU_ERF,
                                         .eps = 1e-5f};
    return (struct sct_model_config){.name = "tiny",
                                     .head_init = "zeros",
                                     .image = 32,
                                     .patch = 8,
                                     .dim = 24,
                                     .depth = 3,
                                     .heads = 3,
                                     .mlp = 96,
                                     .classes = GOLDEN_CLASSES,
                                     .pool = v->pool,
                                     .class_token = v->class_token,
                                     .fc_norm = v->fc_norm,
                                     .gelu = SCT_GELU_ERF,
                                     .eps = 1e-6f};
}

sct_status golden_model(struct sct_model **m, const struct golden_variant *v,
                        struct sct_weights *w, uint32_t batch, bool keep_head, sct_error *err)
{
    return golden_model_drop(m, v, w, batch, keep_head, 0.0f, err);
}

sct_status golden_model_drop(struct sct_model **m, const struct golden_variant *v,
                             struct sct_weights *w, uint32_t batch, bool keep_head,
                             float drop_path, sct_error *err)
{
    struct sct_model_config cfg = config_of(v);
    cfg.drop_path = drop_path;
    const struct sct_build_opts o = {.batch = batch, .seed = 1, .keep_head = keep_head};
    const struct sct_preprocess pre = {.mean = {0.5f, 0.5f, 0.5f}, .std = {0.5f, 0.5f, 0.5f}};
    SCT_TRY(sct_model_build(m, &cfg, w, &o, err));
    sct_preprocess_table(&pre, (float(*)[256])(void *)(*m)->table);
    return SCT_OK;
}

/* ---- the device ---- */

static int open_device(struct golden *g, const char *option)
{
    sct_error err = SCT_ERROR_INIT;
    test_dev_init();
    if (test_dev_open(&g->dev, g->backend, "threads=2", option, &err) == 0)
        return 0;
    const bool missing = err.code == SCT_EDEVICE && strcmp(g->backend, "ref") != 0;
    printf("%s: %s\n", missing ? "skip" : "FAIL", err.msg);
    return missing ? 77 : 1;
}

int golden_init(struct golden *g, int argc, char **argv)
{
    sct_error err = SCT_ERROR_INIT;
    memset(g, 0, sizeof *g);
    g->base = &token;
    if (argc > 1 && strcmp(argv[1], "swin") == 0) {
        folder = "swin";
        g->base = &padded;
        argc--;
        argv++;
    }
    g->backend = argc > 1 ? argv[1] : "ref";
    const char *option = argc > 2 ? argv[2] : NULL;
    g->f64 = option && strcmp(option, "f64=on") == 0;
    const int rc = open_device(g, option);
    if (rc)
        return rc;
    if (golden_ok(golden_open(&g->model, "model.safetensors", &err), &err, "weights") !=
            SCT_OK ||
        golden_ok(golden_open(&g->forward, "forward.safetensors", &err), &err, "images") !=
            SCT_OK)
        return 1;
    const struct sct_st_tensor *t = find(g->forward, "images");
    if (!t || t->dtype != SCT_ST_U8 || t->count != GOLDEN_ALL * GOLDEN_IMAGE_BYTES)
        return 1;
    g->images = sct_alloc((size_t)t->count);
    if (!g->images)
        return 1;
    memcpy(g->images, t->data, (size_t)t->count);
    return 0;
}

void golden_fini(struct golden *g)
{
    test_dev_close(&g->dev);
    sct_st_close(&g->model);
    sct_st_close(&g->forward);
    sct_free(g->images);
}

sct_status golden_exec(struct sct_exec **x, const struct golden *g, struct sct_store *store,
                       const struct sct_graph *graph, const struct sct_plan_opts *opts,
                       sct_error *err)
{
    struct sct_plan *plan = NULL;
    *x = NULL;
    SCT_TRY(sct_plan_create(&plan, graph, g->dev.be, g->dev.dev, &g->dev.info, opts, err));
    const sct_status rc = sct_exec_create(x, &plan, store, err);
    sct_plan_destroy(&plan);
    return rc;
}

sct_status golden_step(struct sct_exec *x, uint64_t step, float lr, uint32_t valid,
                       sct_error *err)
{
    const struct sct_step_state st = {7, step, lr, valid};
    SCT_TRY(sct_exec_begin(x, &st, err));
    SCT_TRY(sct_exec_body(x, valid, err));
    return sct_exec_end(x, err);
}

/* ---- results ---- */

void golden_expect(int ok, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    (void)printf(ok ? "ok   " : "FAIL ");
    (void)vprintf(fmt, ap);
    (void)printf("\n");
    va_end(ap);
    failures += !ok;
}

double golden_max_diff(const float *a, const float *b, uint64_t n)
{
    double most = 0;
    for (uint64_t i = 0; i < n; i++) {
        const double d = fabs((double)a[i] - (double)b[i]);
        if (isnan(d))
            return d;
        most = fmax(most, d);
    }
    return most;
}

double golden_rel_diff(const float *a, const float *b, uint64_t n)
{
    double off = 0, norm = 0;
    for (uint64_t i = 0; i < n; i++) {
        const double d = (double)a[i] - (double)b[i];
        off += d * d;
        norm += (double)b[i] * (double)b[i];
    }
    return sqrt(off) / (norm > 0 ? sqrt(norm) : 1.0);
}

sct_status golden_ok(sct_status rc, const sct_error *err, const char *what)
{
    if (rc != SCT_OK)
        golden_expect(0, "%s: %s", what, err->code ? err->msg : sct_status_text(rc));
    return rc;
}

int golden_result(void)
{
    if (failures)
        printf("%d failure(s)\n", failures);
    return failures != 0;
}
