/* SPDX-License-Identifier: MIT
 * readings_cache.c - keys of readings, and what is measured again. */
#include "core/tune/readings_cache.h"

#include <string.h>

#include "core/base/status.h"
#include "core/base/str.h"
#include "core/graphs/graphs.h"
#include "core/io/dir_cache.h"
#include "core/io/file.h"
#include "core/tune/fingerprint.h"

struct sct_readings_key {
    char *text; /* of the whole key; owned */
    char program[SCT_SHA256_HEX];
    uint32_t watch, rows, cols;
};

static void free_keys(struct sct_readings_key *key, uint32_t n)
{
    for (uint32_t i = 0; key && i < n; i++)
        sct_free(key[i].text);
    sct_free(key);
}

SCT_PRINTF(3, 4)

static void say(const struct sct_readings_cache *c, int level, const char *fmt, ...)
{
    char line[1400];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    if (c->say)
        c->say(c->say_ctx, level, line);
}

/* ---- the key ---- */

static void add_piece(void *ctx, const void *data, size_t n)
{
    sct_sha256_add(ctx, data, n);
}

/* The pictures that a run with this protocol reads, in its order. */
static sct_status hash_data(const struct sct_readings_cache *c, const struct sct_protocol *p,
                            uint32_t *images, char hex[SCT_SHA256_HEX], sct_error *err)
{
    const uint32_t count = sct_source_count(c->source);
    const uint32_t batch = p->batch ? p->batch : c->model->g->batch;
    const uint64_t most = (uint64_t)p->max_batches * batch;
    struct sct_sha256 all, one;
    uint32_t *order = sct_calloc(count, sizeof *order);
    sct_status rc = order ? SCT_OK : sct_nomem(err);
    *images = most && most < count ? (uint32_t)most : count;
    if (rc == SCT_OK)
        sct_order_epoch(c->seed, 0, count, p->shuffle != 0, order);
    sct_sha256_init(&all);
    for (uint32_t i = 0; i < *images && rc == SCT_OK; i++) {
        /* one hash a picture, so that no byte can move from one to the next */
        char item[SCT_SHA256_HEX + 12];
        const size_t at = SCT_SHA256_HEX - 1;
        sct_sha256_init(&one);
        rc = sct_source_content(c->source, order[i], add_piece, &one, err);
        sct_sha256_end(&one, item);
        (void)snprintf(item + at, sizeof item - at, " %u",
                       sct_source_label(c->source, order[i]));
        sct_sha256_add(&all, item, strlen(item) + 1);
    }
    sct_sha256_end(&all, hex);
    sct_free(order);
    return rc;
}

static const char *watched(const struct sct_model *m, const struct sct_watch_item *w)
{
    return w->what == SCT_WATCH_SUMSQ_LABEL ? m->site[w->id].path : m->param[w->id]->name;
}

static sct_status key_text(const struct sct_readings_cache *c, const struct sct_watch_item *w,
                           const char *data, uint32_t images, struct sct_readings_key *k,
                           sct_error *err)
{
    const struct sct_protocol *p = &w->protocol;
    const struct sct_device_info *d = &c->device->info;
    const bool random = p->train_mode || p->shuffle || w->what == SCT_WATCH_GRAD_SUMSQ;
    struct sct_str s = {0};
    sct_str_add(&s, "version: %s\n", SCT_VERSION);
    sct_str_add(&s, "backend: %s; %s; %s; %s\n", c->device->be->name, d->platform, d->name,
                d->driver);
    sct_str_add(&s, "base: %s\n", c->base_hash);
    sct_str_add(&s, "data: %s\nimages: %u\nclasses: %u\n", data, images, c->model->cfg.classes);
    sct_str_add(&s, "preprocess: %016llx\n", (unsigned long long)sct_preprocess_hash(c->pre));
    sct_str_add(&s, "watch: %u %s\n", w->what, watched(c->model, w));
    sct_str_add(&s,
                "protocol: train_mode %u, batch %u, max_batches %u, shuffle %u, list %u, "
                "any_class %u, skip_prefix %u\n",
                p->train_mode, p->batch ? p->batch : c->model->g->batch, p->max_batches,
                p->shuffle, p->list, p->any_class, p->skip_prefix);
    if (random)
        sct_str_add(&s, "seed: %llu\n", (unsigned long long)c->seed);
    sct_str_add(&s, "shape: %u x %u\nprogram: %s\n", k->rows, k->cols, k->program);
    k->text = sct_str_take(&s);
    return k->text ? SCT_OK : sct_nomem(err);
}

/* Shapes and program hashes of what a run of these watches puts out. */
static sct_status outputs(const struct sct_readings_cache *c, const struct sct_plan *p,
                          struct sct_readings_key *key, uint32_t n, sct_error *err)
{
    char(*name)[32] = sct_calloc(n, sizeof *name);
    char(*hex)[SCT_SHA256_HEX] = sct_calloc(n, sizeof *hex);
    const char **list = sct_calloc(n, sizeof(*list));
    sct_status rc = name && hex && list ? SCT_OK : sct_nomem(err);
    for (uint32_t i = 0; rc == SCT_OK && i < n; i++) {
        (void)snprintf(name[i], sizeof name[i], "watch.%u", i);
        list[i] = name[i];
    }
    if (rc == SCT_OK)
        rc = sct_fingerprint(p, c->base, list, n, hex, err);
    for (uint32_t i = 0; rc == SCT_OK && i < n; i++) {
        const struct sct_desc *d = &sct_graph_value(p->g, sct_graph_find(p->g, name[i]))->desc;
        const bool value = c->model->watch[key[i].watch].what == SCT_WATCH_SUMSQ_LABEL;
        key[i].rows = value ? d->dim[0] : 1;
        key[i].cols = value ? sct_desc_last(d) : (uint32_t)sct_desc_count(d);
        memcpy(key[i].program, hex[i], sizeof hex[i]);
    }
    sct_free(list);
    sct_free(hex);
    sct_free(name);
    return rc;
}

/* Everything of the keys but the text, for one run of these watches. */
static sct_status plan_keys(const struct sct_readings_cache *c, const uint32_t *watch,
                            uint32_t n, struct sct_readings_key **out, sct_error *err)
{
    struct sct_graph *g = NULL;
    struct sct_plan *p = NULL;
    struct sct_optim state = {0};
    struct sct_readings_key *key = sct_calloc(n, sizeof *key);
    sct_status rc =
        key ? sct_graph_calibrate(&g, c->model, watch, n, &state, err) : sct_nomem(err);
    for (uint32_t i = 0; rc == SCT_OK && i < n; i++)
        key[i].watch = watch[i];
    if (rc == SCT_OK)
        rc = sct_plan_create(&p, g, c->device->be, c->device->dev, &c->device->info, c->plan,
                             err);
    if (rc == SCT_OK)
        rc = outputs(c, p, key, n, err);
    sct_plan_destroy(&p);
    sct_graph_destroy(&g);
    sct_optim_fini(&state);
    if (rc != SCT_OK) {
        free_keys(key, n);
        key = NULL;
    }
    *out = key;
    return rc;
}

/* ---- reading ---- */

static char *path_of(const struct sct_readings_cache *c, const struct sct_readings_key *k)
{
    char name[SCT_SHA256_HEX + 16];
    struct sct_sha256 h;
    sct_sha256_init(&h);
    sct_sha256_add(&h, k->text, strlen(k->text));
    sct_sha256_end(&h, name);
    (void)snprintf(name + SCT_SHA256_HEX - 1, 16, ".safetensors");
    return sct_path_join(c->dir, name);
}

/* *found: appended to out. A file that cannot be used is said. */
static sct_status look_up(const struct sct_readings_cache *c, const struct sct_readings_key *k,
                          struct sct_readings *out, bool *found, sct_error *err)
{
    const struct sct_watch_item *w = &c->model->watch[k->watch];
    char *path = path_of(c, k);
    sct_error why = SCT_ERROR_INIT;
    *found = false;
    if (!path)
        return sct_nomem(err);
    if (!sct_file_exists(path)) {
        sct_free(path);
        return SCT_OK;
    }
    struct sct_reading *r = sct_readings_add(out, w->what, w->id, k->rows, k->cols,
                                             w->what == SCT_WATCH_SUMSQ_LABEL);
    sct_status rc = r ? sct_reading_load(path, k->text, r, &why) : SCT_ENOMEM;
    if (rc == SCT_OK)
        sct_dir_cache_used(path);
    else if (r)
        out->n--;
    *found = rc == SCT_OK;
    if (rc == SCT_EFILE) {
        say(c, SCT_LOG_WARN, "%s; it is measured again and written anew", why.msg);
        rc = SCT_OK;
    }
    sct_free(path);
    return rc == SCT_OK ? SCT_OK : sct_nomem(err);
}

/* Keys of what has to be measured: those of `all` without a reading, if a run of them alone
 * computes the same as the run of all. */
static sct_status missing(struct sct_readings_cache *c, struct sct_readings_key *all,
                          const uint8_t *found, uint32_t *watch, uint32_t *n, bool *alone,
                          sct_error *err)
{
    struct sct_readings_key *part;
    const uint32_t n_all = *n;
    uint32_t k = 0;
    for (uint32_t i = 0; i < n_all; i++)
        if (!found[i])
            watch[k++] = all[i].watch;
    *alone = true;
    if (k > 0 && k < n_all) {
        SCT_TRY(plan_keys(c, watch, k, &part, err));
        k = 0;
        for (uint32_t i = 0; i < n_all; i++)
            if (!found[i] && strcmp(all[i].program, part[k++].program) != 0)
                *alone = false;
        free_keys(part, k);
    }
    for (uint32_t i = 0; !*alone && i < n_all; i++)
        watch[i] = all[i].watch;
    *n = *alone ? k : n_all;
    return SCT_OK;
}

/* Moves the keys of watch[0..n) from all to the cache. */
static void pend(struct sct_readings_cache *c, struct sct_readings_key *all, uint32_t n_all,
                 const uint32_t *watch, uint32_t n)
{
    for (uint32_t i = 0, k = 0; i < n_all && k < n; i++) {
        if (all[i].watch != watch[k])
            continue;
        const struct sct_readings_key swap = all[k];
        all[k++] = all[i];
        all[i] = swap;
    }
    c->key = all;
    c->n_key = n_all;
}

sct_status sct_readings_cache_take(struct sct_readings_cache *c, uint32_t *watch, uint32_t *n,
                                   struct sct_readings *out, sct_error *err)
{
    const uint32_t n_all = *n, before = out->n;
    struct sct_readings_key *all = NULL;
    char data[SCT_SHA256_HEX];
    uint32_t images;
    bool alone = true;
    free_keys(c->key, c->n_key);
    c->key = NULL;
    c->n_key = 0;
    if (!c->dir || !*c->dir || !n_all)
        return SCT_OK;
    uint8_t *found = sct_calloc(n_all, 1);
    sct_status rc = found ? plan_keys(c, watch, n_all, &all, err) : sct_nomem(err);
    if (rc == SCT_OK)
        rc = hash_data(c, &c->model->watch[watch[0]].protocol, &images, data, err);
    for (uint32_t i = 0; rc == SCT_OK && i < n_all; i++) {
        bool here = false;
        rc = key_text(c, &c->model->watch[watch[i]], data, images, &all[i], err);
        if (rc == SCT_OK)
            rc = look_up(c, &all[i], out, &here, err);
        found[i] = here;
    }
    if (rc == SCT_OK)
        rc = missing(c, all, found, watch, n, &alone, err);
    if (rc != SCT_OK || !alone)
        out->n = before;
    if (rc == SCT_OK) {
        pend(c, all, n_all, watch, *n);
        c->n_read += n_all - *n;
        if (*n < n_all)
            say(c, SCT_LOG_INFO, "readings from cache: %u of %u (%s)", n_all - *n, n_all,
                c->dir);
    } else {
        free_keys(all, n_all);
    }
    sct_free(found);
    return rc;
}

/* ---- writing ---- */

static sct_status write_all(const struct sct_readings_cache *c, const struct sct_reading *item,
                            uint32_t n, sct_error *err)
{
    SCT_TRY(sct_dir_make(c->dir, err));
    for (uint32_t i = 0; i < n; i++) {
        char *path = path_of(c, &c->key[i]);
        const sct_status rc =
            path ? sct_reading_save(path, c->key[i].text, &item[i], err) : sct_nomem(err);
        sct_free(path);
        SCT_TRY(rc);
    }
    return sct_dir_cache_trim(c->dir, ".safetensors", SCT_READINGS_CACHE_BYTES, err);
}

void sct_readings_cache_keep(struct sct_readings_cache *c, const struct sct_reading *item,
                             uint32_t n)
{
    sct_error why = SCT_ERROR_INIT;
    c->n_measured += n;
    if (!c->key || n > c->n_key || c->failed)
        return;
    c->failed = write_all(c, item, n, &why) != SCT_OK;
    if (c->failed)
        say(c, SCT_LOG_WARN, "readings are not kept for other runs: %s", why.msg);
}

void sct_readings_cache_fini(struct sct_readings_cache *c)
{
    free_keys(c->key, c->n_key);
    c->key = NULL;
    c->n_key = 0;
}
