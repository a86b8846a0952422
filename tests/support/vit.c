/* SPDX-License-Identifier: MIT
 * vit.c - a small ViT with random weights for plan and exec tests. */
#include "tests/support/vit.h"

#include <string.h>

#include "core/base/hash.h"
#include "core/base/status.h"

static const struct sct_optim_opts optim_opts = {
    .weight_decay = 1e-2f, .beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-8f};

int test_vit_build(struct test_vit *t, uint32_t batch, uint32_t depth, int full,
                   float drop_path, sct_error *err)
{
    const struct sct_model_config cfg = {.name = "test",
                                         .head_init = "normal(0, 0.2)",
                                         .image = VIT_IMAGE,
                                         .patch = 4,
                                         .dim = 24,
                                         .depth = depth,
                                         .heads = 3,
                                         .mlp = 40,
                                         .classes = VIT_CLASSES,
                                         .class_token = 1,
                                         .drop_path = drop_path,
                                         .eps = 1e-6f};
    const struct sct_build_opts vo = {batch, 3, false};
    memset(t, 0, sizeof *t);
    t->w = sct_weights_create("random", true, 5);
    if (!t->w || sct_vit_build(&t->m, &cfg, t->w, &vo, err) != SCT_OK)
        return -1;
    for (int i = 0; i < 768; i++)
        t->m->table[i] = ((float)(i % 256) / 255.0f - 0.5f) / 0.5f;
    for (uint32_t i = 0; i < t->m->n_param; i++)
        if (full || strncmp(t->m->param[i]->name, "blocks.0.mlp.fc1", 16) == 0)
            sct_model_train(t->m, t->m->param[i], NULL);
    return sct_graph_train(&t->g, t->m, &optim_opts, &t->optim, false, err) == SCT_OK ? 0 : -1;
}

void test_vit_free(struct test_vit *t)
{
    sct_graph_destroy(&t->g);
    sct_optim_fini(&t->optim);
    sct_model_destroy(&t->m);
    sct_weights_destroy(&t->w);
}

static sct_status feed(struct sct_exec *x, uint32_t batch, uint32_t valid, sct_error *err)
{
    static uint8_t images[VIT_MAX_BATCH * VIT_IMAGE * VIT_IMAGE * 3];
    int32_t label[VIT_MAX_BATCH][2];
    float mix[VIT_MAX_BATCH], weight[VIT_MAX_BATCH];
    uint32_t s = 9;
    for (size_t i = 0; i < sizeof images; i++) {
        s = s * 1664525u + 1013904223u;
        images[i] = (uint8_t)(s >> 24);
    }
    for (uint32_t i = 0; i < batch; i++) {
        label[i][0] = label[i][1] = (int32_t)(i % VIT_CLASSES);
        mix[i] = 1.0f;
        weight[i] = i < valid ? 1.0f / (float)valid : 0.0f;
    }
    SCT_TRY(sct_exec_feed(x, "images", images, batch, err));
    SCT_TRY(sct_exec_feed(x, "labels", label, batch, err));
    SCT_TRY(sct_exec_feed(x, "mix", mix, batch, err));
    return sct_exec_feed(x, "weight", weight, batch, err);
}

static sct_status one_step(struct sct_exec *x, uint32_t batch, uint32_t valid, uint32_t i,
                           sct_error *err)
{
    const struct sct_step_state st = {11, i, 0.01f, valid};
    SCT_TRY(feed(x, batch, valid, err));
    SCT_TRY(sct_exec_begin(x, &st, err));
    SCT_TRY(sct_exec_body(x, valid, err));
    return sct_exec_end(x, err);
}

static sct_status checksum(struct test_vit *t, struct sct_store *store, uint64_t *sum,
                           sct_error *err)
{
    float v[16384];
    *sum = SCT_HASH_INIT;
    for (uint32_t i = 0; i < t->m->n_param; i++) {
        const struct sct_param *p = t->m->param[i];
        if (!p->trainable)
            continue;
        SCT_TRY(sct_store_read(store, p->t, v, err));
        *sum = sct_hash(*sum, v, (size_t)sct_desc_count(&p->t->desc) * sizeof *v);
    }
    return SCT_OK;
}

sct_status test_vit_train(struct test_vit *t, const struct sct_backend *be, sct_device *dev,
                          const struct sct_device_info *info, const struct sct_plan_opts *o,
                          uint32_t valid, uint32_t steps, float *loss, uint64_t *sum,
                          sct_error *err)
{
    struct sct_plan *p = NULL;
    struct sct_exec *x = NULL;
    struct sct_store *store = sct_store_create(be, dev);
    sct_status rc = sct_plan_create(&p, t->g, be, dev, info, o, err);
    if (rc == SCT_OK)
        rc = sct_exec_create(&x, &p, store, err);
    for (uint32_t i = 0; i < steps && rc == SCT_OK; i++) {
        rc = one_step(x, t->m->g->batch, valid, i, err);
        if (rc == SCT_OK)
            rc = sct_exec_fetch(x, "loss", &loss[i], err);
    }
    if (rc == SCT_OK && sum)
        rc = checksum(t, store, sum, err);
    sct_exec_destroy(&x);
    sct_plan_destroy(&p);
    sct_store_destroy(&store);
    return rc;
}

static sct_status fetch_grads(struct sct_exec *x, const struct sct_model *m, float *grad,
                              sct_error *err)
{
    char name[128];
    uint64_t at = 0;
    memset(grad, 0, VIT_MAX_GRADS * sizeof *grad);
    for (uint32_t i = 0; i < m->n_param; i++) {
        const struct sct_param *p = m->param[i];
        if (!p->trainable)
            continue;
        const uint64_t n = sct_desc_count(&p->t->desc);
        if (n > VIT_MAX_GRADS - at)
            return sct_fail(err, SCT_EINVAL, "more than %d gradients", VIT_MAX_GRADS);
        (void)snprintf(name, sizeof name, "grad.%s", p->name);
        SCT_TRY(sct_exec_fetch(x, name, grad + at, err));
        at += n;
    }
    return SCT_OK;
}

sct_status test_vit_grads(struct test_vit *t, const struct sct_backend *be, sct_device *dev,
                          const struct sct_device_info *info, const struct sct_plan_opts *o,
                          uint32_t valid, float *grad, uint32_t *b, sct_error *err)
{
    struct sct_optim optim = {0};
    struct sct_graph *g = NULL;
    struct sct_plan *p = NULL;
    struct sct_exec *x = NULL;
    struct sct_store *store = sct_store_create(be, dev);
    sct_status rc = sct_graph_train(&g, t->m, &optim_opts, &optim, true, err);
    if (rc == SCT_OK)
        rc = sct_plan_create(&p, g, be, dev, info, o, err);
    if (rc == SCT_OK)
        rc = sct_exec_create(&x, &p, store, err);
    if (rc == SCT_OK)
        rc = one_step(x, t->m->g->batch, valid, 0, err);
    if (rc == SCT_OK)
        rc = fetch_grads(x, t->m, grad, err);
    *b = x ? sct_exec_plan(x)->shape.b : 0;
    sct_exec_destroy(&x);
    sct_plan_destroy(&p);
    sct_graph_destroy(&g);
    sct_store_destroy(&store);
    sct_optim_fini(&optim);
    return rc;
}
