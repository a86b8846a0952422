/* SPDX-License-Identifier: MIT
 * share.c - what sessions have in common, under keys that say all that it depends on. */
#include "core/train/share.h"

#include <string.h>

#include "core/base/status.h"
#include "core/base/str.h"
#include "core/train/session.h"

/* "name=value;" with the length in front, so that no value can look like two. */
static void part(struct sct_str *s, const char *text)
{
    sct_str_add(s, "%zu:%s;", text ? strlen(text) : 0, text ? text : "");
}

static char *taken(struct sct_str *s, sct_error *err)
{
    char *key = sct_str_take(s);
    if (!key)
        (void)sct_nomem(err);
    return key;
}

static bool same(const char *a, const char *b)
{
    return a && b && strcmp(a, b) == 0;
}

static void forget(char **key)
{
    sct_free(*key);
    *key = NULL;
}

/* ---- features ---- */

static void close_features(struct sct_share *h)
{
    for (uint32_t i = 0; i < h->n_features; i++)
        sct_free(h->features[i].data);
    sct_free(h->features);
    h->features = NULL;
    h->n_features = h->cap_features = 0;
}

static void drop_features(struct sct_share *h, uint32_t i)
{
    memmove(&h->features[i], &h->features[i + 1],
            (h->n_features - i - 1) * sizeof *h->features);
    h->n_features--;
}

const float *sct_share_get_features(struct sct_session *x, const char *key)
{
    struct sct_share *h = x->share;
    for (uint32_t i = 0; i < h->n_features; i++) {
        if (strcmp(h->features[i].key, key) != 0)
            continue;
        const struct sct_share_features f = h->features[i];
        drop_features(h, i);
        h->features[h->n_features++] = f; /* used last */
        return f.data;
    }
    return NULL;
}

sct_status sct_share_put_features(struct sct_session *x, const char *key, float *data,
                                  uint64_t bytes, uint32_t images, sct_error *err)
{
    struct sct_share *h = x->share;
    uint64_t all = bytes;
    SCT_TRY(sct_grow((void **)&h->features, &h->cap_features, (uint64_t)h->n_features + 1,
                     sizeof *h->features, err));
    for (uint32_t i = 0; i < h->n_features; i++)
        all += h->features[i].bytes;
    while (h->n_features && all > x->feature_bytes) {
        all -= h->features[0].bytes;
        sct_free(h->features[0].data);
        drop_features(h, 0);
    }
    struct sct_share_features *f = &h->features[h->n_features++];
    *f = (struct sct_share_features){.data = data, .bytes = bytes};
    (void)snprintf(f->key, sizeof f->key, "%s", key);
    h->featured += images;
    return SCT_OK;
}

/* ---- device and base ---- */

static void close_device(struct sct_share *h)
{
    close_features(h);
    if (h->device_key) {
        uint64_t uploads, computed;
        sct_store_counts(h->device.store, &uploads, &computed);
        h->uploads += uploads;
        h->computed += computed;
        sct_device_close(&h->device);
    }
    forget(&h->device_key);
}

static void close_base(struct sct_share *h)
{
    close_device(h);
    if (h->base_key)
        sct_base_close(&h->base);
    forget(&h->base_key);
}

sct_status sct_share_device(struct sct_session *x, const struct sct_device_opts *opts,
                            sct_error *err)
{
    struct sct_share *h = x->share;
    struct sct_str s = {0};
    part(&s, opts->backend);
    part(&s, opts->device);
    part(&s, opts->threads);
    part(&s, opts->isa);
    part(&s, opts->gemm);
    part(&s, opts->assume);
    part(&s, opts->profile);
    part(&s, opts->cache_dir);
    char *key = taken(&s, err);
    if (!key)
        return SCT_ENOMEM;
    if (!same(key, h->device_key)) {
        close_device(h);
        const sct_status rc = sct_device_open(&h->device, opts, err);
        if (rc != SCT_OK) {
            sct_free(key);
            return rc;
        }
        h->device.opts.backend = h->device.opts.device = NULL; /* the session's */
        h->device_key = key;
    } else {
        sct_free(key);
    }
    /* a copy: its host structure answers from the share's options */
    x->device = h->device;
    x->borrowed |= SCT_SHARED_DEVICE;
    return SCT_OK;
}

sct_status sct_share_base(struct sct_session *x, uint64_t seed, uint32_t interp, sct_error *err)
{
    struct sct_share *h = x->share;
    struct sct_str s = {0};
    const bool random = strcmp(x->weights, "random") == 0;
    part(&s, x->weights);
    part(&s, x->s->model);
    sct_str_add(&s, "%llu;%u", random ? (unsigned long long)seed : 0ull, interp);
    char *key = taken(&s, err);
    if (!key)
        return SCT_ENOMEM;
    if (!same(key, h->base_key)) {
        close_base(h);
        const sct_status rc = sct_base_open(&h->base, x->weights, seed, err);
        if (rc != SCT_OK) {
            sct_free(key);
            return rc;
        }
        h->base_key = key;
    } else {
        sct_free(key);
    }
    x->base = h->base;
    x->borrowed |= SCT_SHARED_BASE;
    return SCT_OK;
}

/* ---- data ---- */

static void close_targets(struct sct_share *h)
{
    for (uint32_t i = 0; i < h->n_target; i++) {
        struct sct_share_target *t = &h->target[i];
        h->fetched += sct_loader_fetched(t->loader);
        sct_loader_destroy(&t->loader);
        sct_source_destroy(&t->source);
        sct_free(t->key);
    }
    sct_free(h->target);
    h->target = NULL;
    h->n_target = h->cap_target = 0;
}

static void close_data(struct sct_share *h)
{
    close_features(h);
    close_targets(h);
    h->fetched += h->train_loader ? sct_loader_fetched(h->train_loader) : 0;
    h->fetched += h->test_loader ? sct_loader_fetched(h->test_loader) : 0;
    sct_loader_destroy(&h->train_loader);
    sct_loader_destroy(&h->test_loader);
    sct_source_destroy(&h->train);
    sct_source_destroy(&h->test);
    memset(&h->about, 0, sizeof h->about);
    forget(&h->data_key);
}

/* Everything that the sources, and what their loaders keep, depend on. The model's own
 * preprocessing is a function of the base. */
static char *data_key(const struct sct_session *x, uint32_t need, uint32_t batch,
                      sct_error *err)
{
    const struct sct_settings *s = x->s;
    struct sct_str k = {0};
    const char *const text[] = {s->data,       s->train_list, s->test_list, s->image_root,
                                s->preprocess, s->mean,       s->std,       s->cache_bytes,
                                s->model,      x->weights};
    for (size_t i = 0; i < sizeof text / sizeof text[0]; i++)
        part(&k, text[i]);
    sct_str_add(&k, "%u;%u;%u;%u;%u;%u;%u;%u;", s->layout, s->protocol, s->shots, s->shot_seed,
                s->folder_order, s->unknown_classes, s->deep_png, s->max_pixels);
    sct_str_add(&k, "%u;%u;%u;%a;%u;%u;%u", s->resize,
                (unsigned)sct_opts_source(x->run->opts, "resize"), s->pass_order,
                (double)s->crop_pct, s->threads, batch,
                need & (SCT_NEED_TRAIN | SCT_NEED_TEST));
    return taken(&k, err);
}

static bool sharable(const struct sct_session *x)
{
    return x->share && !x->s->class_map && !x->s->skip_bad && !x->adapter;
}

sct_status sct_share_get_data(struct sct_session *x, uint32_t need, bool *found, sct_error *err)
{
    struct sct_share *h = x->share;
    *found = false;
    if (!sharable(x))
        return SCT_OK;
    char *key = data_key(x, need, x->s->batch_size, err);
    if (!key)
        return SCT_ENOMEM;
    *found = same(key, h->data_key);
    sct_free(key);
    if (!*found) {
        close_data(h); /* before another one is opened: memory for one, not for two */
        return SCT_OK;
    }
    x->train = h->train;
    x->test = h->test;
    x->train_loader = h->train_loader;
    x->test_loader = h->test_loader;
    x->about = h->about;
    x->borrowed |= SCT_SHARED_DATA;
    if (x->train_loader)
        sct_loader_seed(x->train_loader, x->seed);
    if (x->test_loader)
        sct_loader_seed(x->test_loader, x->seed);
    return SCT_OK;
}

sct_status sct_share_put_data(struct sct_session *x, uint32_t need, uint32_t batch,
                              sct_error *err)
{
    struct sct_share *h = x->share;
    if (!sharable(x) || (x->borrowed & SCT_SHARED_DATA) || batch != x->s->batch_size)
        return SCT_OK;
    char *key = data_key(x, need, batch, err);
    if (!key)
        return SCT_ENOMEM;
    close_data(h);
    h->train = x->train;
    h->test = x->test;
    h->train_loader = x->train_loader;
    h->test_loader = x->test_loader;
    h->about = x->about; /* without --class-map it owns nothing */
    h->data_key = key;
    x->borrowed |= SCT_SHARED_DATA;
    return SCT_OK;
}

bool sct_share_get_target(const struct sct_session *x, const char *key,
                          struct sct_source **source, struct sct_loader **loader)
{
    const struct sct_share *h = x->share;
    if (!h || !(x->borrowed & SCT_SHARED_DATA))
        return false;
    for (uint32_t i = 0; i < h->n_target; i++) {
        if (!same(h->target[i].key, key))
            continue;
        *source = h->target[i].source;
        *loader = h->target[i].loader;
        return true;
    }
    return false;
}

sct_status sct_share_put_target(struct sct_session *x, const char *key,
                                struct sct_source *source, struct sct_loader *loader,
                                sct_error *err)
{
    struct sct_share *h = x->share;
    SCT_TRY(sct_grow((void **)&h->target, &h->cap_target, (uint64_t)h->n_target + 1,
                     sizeof *h->target, err));
    char *own = sct_strdup(key);
    if (!own)
        return sct_nomem(err);
    h->target[h->n_target++] = (struct sct_share_target){own, source, loader};
    return SCT_OK;
}

/* ---- the end ---- */

void sct_share_leave(struct sct_session *x)
{
    if (x->borrowed & SCT_SHARED_DEVICE)
        sct_store_forget_models(x->share->device.store);
}

void sct_share_counts(const struct sct_share *h, struct sct_share_counts *c)
{
    *c = (struct sct_share_counts){h->fetched, h->uploads, h->computed, h->featured,
                                   h->measured};
    uint64_t uploads = 0, computed = 0;
    c->decoded += h->train_loader ? sct_loader_fetched(h->train_loader) : 0;
    c->decoded += h->test_loader ? sct_loader_fetched(h->test_loader) : 0;
    for (uint32_t i = 0; i < h->n_target; i++)
        c->decoded += sct_loader_fetched(h->target[i].loader);
    if (h->device_key)
        sct_store_counts(h->device.store, &uploads, &computed);
    c->uploads += uploads;
    c->computed += computed;
}

void sct_share_fini(struct sct_share *h)
{
    close_data(h);
    close_base(h);
    memset(h, 0, sizeof *h);
}
