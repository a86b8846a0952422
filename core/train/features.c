/* SPDX-License-Identifier: MIT
 * features.c - one pass over the pictures through the frozen part, and batches made of it. */
#include "core/train/features.h"

#include <string.h>

#include "core/base/status.h"
#include "core/tune/fingerprint.h"

/* Not what is read once, nor training pictures that are drawn anew in every epoch, nor what a
 * backend computes in f64. */
static bool can_keep(const struct sct_session *x, const struct sct_features_of *of)
{
    const struct sct_desc one = sct_desc_make(SCT_F32, 1, (uint32_t[1]){1});
    return of->passes >= 2 && !(of->train && sct_preprocess_draws(&x->pre)) &&
           x->device.be->bytes(x->device.dev, &one) == sizeof(float);
}

static void feature_name(char name[32], uint32_t i)
{
    (void)snprintf(name, 32, "feature.%u", i);
}

/* Copies what a batch became into its places. */
static sct_status keep_batch(struct sct_features *f, struct sct_exec *e, uint32_t at,
                             uint32_t valid, sct_error *err)
{
    float *to = f->own;
    for (uint32_t i = 0; i < f->part.n; i++) {
        char name[32];
        const size_t floats = (size_t)f->part.floats[i];
        feature_name(name, i);
        SCT_TRY(sct_exec_fetch(e, name, f->rows, err));
        memcpy(to + at * floats, f->rows, valid * floats * sizeof *to);
        to += f->count * floats;
    }
    return SCT_OK;
}

static sct_status compute(struct sct_features *f, struct sct_session *x,
                          const struct sct_features_of *of, struct sct_exec *e, sct_error *err)
{
    uint32_t *order = sct_calloc(f->count, sizeof *order);
    if (!order)
        return sct_nomem(err);
    sct_order_epoch(0, 0, f->count, 0, order);
    sct_loader_epoch(of->loader, of->train ? 0 : SCT_LOADER_PLAIN);
    sct_status rc = sct_loader_begin(of->loader, order, f->count, f->batch, 0, err);
    sct_free(order);
    for (uint32_t at = 0; rc == SCT_OK && at < f->count;) {
        struct sct_batch b;
        struct sct_step_state st = {x->seed, 0, 0.0f, 0};
        rc = sct_loader_next(of->loader, &b, err);
        st.valid = b.valid;
        if (rc == SCT_OK)
            rc = sct_exec_feed(e, "images", b.images, b.valid, err);
        if (rc == SCT_OK)
            rc = at == 0 ? sct_exec_begin(e, &st, err) : sct_exec_state(e, &st, err);
        if (rc == SCT_OK)
            rc = sct_exec_body(e, b.valid, err);
        if (rc == SCT_OK)
            rc = keep_batch(f, e, at, b.valid, err);
        at += b.valid;
    }
    return rc;
}

static sct_status allocate(struct sct_features *f, sct_error *err)
{
    uint64_t most = 0;
    for (uint32_t i = 0; i < f->part.n; i++)
        most = f->part.floats[i] > most ? f->part.floats[i] : most;
    f->rows = sct_calloc(f->batch, (size_t)most * sizeof *f->rows);
    f->labels = sct_calloc(f->batch, sizeof *f->labels);
    f->mix = sct_calloc(f->batch, sizeof *f->mix);
    f->weight = sct_calloc(f->batch, sizeof *f->weight);
    return f->rows && f->labels && f->mix && f->weight ? SCT_OK : sct_nomem(err);
}

static sct_status compute_all(struct sct_features *f, struct sct_session *x,
                              const struct sct_features_of *of, struct sct_plan **plan,
                              sct_error *err)
{
    struct sct_exec *e = NULL;
    sct_session_say(
        x, SCT_LOG_INFO, "features of %u %s images: computed once, %.1f MB (--feature-bytes)",
        f->count, of->train ? "training" : "test", (double)sct_features_bytes(f) / 1048576.0);
    f->data = f->own = sct_calloc(f->count, (size_t)f->part.image * sizeof *f->own);
    sct_status rc = f->own ? sct_exec_create(&e, plan, x->device.store, err) : sct_nomem(err);
    if (rc == SCT_OK)
        rc = compute(f, x, of, e, err);
    if (rc == SCT_OK && !x->share) /* nobody needs them any more */
        rc = sct_store_forget_frozen(x->device.store, sct_exec_plan(e), err);
    sct_exec_destroy(&e);
    return rc;
}

/* What features of the share are found by: the program that makes them, and which pictures. */
static sct_status key_of(const struct sct_features *f, const struct sct_session *x,
                         const struct sct_features_of *of, const struct sct_plan *plan,
                         char key[SCT_SHA256_HEX], sct_error *err)
{
    struct sct_sha256 h;
    sct_sha256_init(&h);
    for (uint32_t i = 0; i < f->part.n; i++) {
        char name[32], hex[1][SCT_SHA256_HEX];
        const char *const names[1] = {name};
        feature_name(name, i);
        SCT_TRY(sct_fingerprint(plan, x->base.w, names, 1, hex, err));
        sct_sha256_add(&h, hex[0], sizeof hex[0]);
    }
    sct_sha256_add(&h, &f->count, sizeof f->count);
    sct_sha256_add(&h, &of->train, sizeof of->train);
    sct_sha256_end(&h, key);
    return SCT_OK;
}

/* From an earlier session, or computed for later ones. */
static sct_status shared(struct sct_features *f, struct sct_session *x,
                         const struct sct_features_of *of, struct sct_plan **plan,
                         sct_error *err)
{
    char key[SCT_SHA256_HEX];
    SCT_TRY(key_of(f, x, of, *plan, key, err));
    f->data = sct_share_get_features(x, key);
    if (f->data)
        return SCT_OK;
    SCT_TRY(compute_all(f, x, of, plan, err));
    SCT_TRY(sct_share_put_features(x, key, f->own, sct_features_bytes(f), f->count, err));
    f->own = NULL;
    return SCT_OK;
}

/* Plans the frozen part; runs it unless dry. *fits: it has room on the device. */
static sct_status run_part(struct sct_features *f, struct sct_session *x,
                           const struct sct_features_of *of, bool dry, bool *fits,
                           sct_error *err)
{
    struct sct_plan_opts po;
    struct sct_plan *plan = NULL;
    struct sct_plan_memory m;
    sct_status rc = SCT_OK;
    SCT_TRY(sct_session_plan_opts(x, &po, err));
    po.checkpoint = SCT_CHECKPOINT_NONE;
    po.any_size = true; /* the whole model will not fit either, and says what it would take */
    SCT_TRY(sct_plan_create(&plan, f->part.g, x->device.be, x->device.dev, &x->device.info, &po,
                            err));
    sct_plan_memory(plan, &m);
    f->device_bytes = m.total;
    *fits = sct_plan_fits(plan);
    if (*fits && !dry) {
        const bool keep = x->share && (x->borrowed & SCT_SHARED_DATA);
        rc = allocate(f, err);
        if (rc == SCT_OK)
            rc = keep ? shared(f, x, of, &plan, err) : compute_all(f, x, of, &plan, err);
    }
    sct_plan_destroy(&plan);
    return rc;
}

sct_status sct_features_make(struct sct_features *f, struct sct_session *x, struct sct_graph *g,
                             const struct sct_features_of *of, uint64_t *budget, bool dry,
                             sct_error *err)
{
    memset(f, 0, sizeof *f);
    if (*budget == 0)
        return SCT_OK;
    if (!can_keep(x, of))
        return SCT_OK;
    sct_status rc = sct_graph_sort(g, err);
    if (rc == SCT_OK)
        rc = sct_graph_prune(g, err); /* what nobody needs must not decide where the cut is */
    if (rc == SCT_OK)
        rc = sct_frozen_find(&f->part, g, err);
    if (rc != SCT_OK || !f->part.n)
        return rc;
    f->source = of->source;
    f->count = of->count;
    f->batch = g->batch;
    const uint64_t bytes = sct_features_bytes(f);
    if (bytes > *budget) {
        if (!dry)
            sct_session_say(x, SCT_LOG_INFO,
                            "features of %u %s images would take %.1f MB: computed in every "
                            "pass; raise --feature-bytes to keep them",
                            f->count, of->train ? "training" : "test",
                            (double)bytes / 1048576.0);
        sct_features_fini(f);
        return SCT_OK;
    }
    bool fits = true;
    rc = run_part(f, x, of, dry, &fits, err);
    if (rc == SCT_OK && !fits) {
        sct_features_fini(f);
        return SCT_OK;
    }
    if (rc == SCT_OK)
        rc = sct_frozen_cut(g, &f->part, err);
    if (rc != SCT_OK)
        sct_features_fini(f);
    else
        *budget -= bytes;
    return rc;
}

void sct_features_fini(struct sct_features *f)
{
    sct_frozen_fini(&f->part);
    sct_free(f->own);
    sct_free(f->rows);
    sct_free(f->labels);
    sct_free(f->mix);
    sct_free(f->weight);
    memset(f, 0, sizeof *f);
}

uint64_t sct_features_bytes(const struct sct_features *f)
{
    return (uint64_t)f->count * f->part.image * sizeof(float);
}

struct sct_batch sct_features_batch(struct sct_features *f, const uint32_t *index,
                                    uint32_t valid)
{
    for (uint32_t r = 0; r < f->batch; r++) {
        const int32_t label = r < valid ? (int32_t)sct_source_label(f->source, index[r]) : 0;
        f->labels[r][0] = f->labels[r][1] = label;
        f->mix[r] = 1.0f;
        f->weight[r] = r < valid ? 1.0f / (float)valid : 0.0f;
    }
    return (struct sct_batch){.labels = (const int32_t(*)[2])f->labels,
                              .mix = f->mix,
                              .weight = f->weight,
                              .index = index,
                              .valid = valid};
}

sct_status sct_features_feed(struct sct_features *f, struct sct_exec *e,
                             const struct sct_batch *b, sct_error *err)
{
    const float *from = f->data;
    for (uint32_t i = 0; i < f->part.n; i++) {
        char name[32];
        const size_t floats = (size_t)f->part.floats[i];
        feature_name(name, i);
        for (uint32_t r = 0; r < b->valid; r++)
            memcpy(f->rows + r * floats, from + b->index[r] * floats, floats * sizeof *from);
        SCT_TRY(sct_exec_feed(e, name, f->rows, b->valid, err));
        from += f->count * floats;
    }
    return SCT_OK;
}
