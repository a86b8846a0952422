/* SPDX-License-Identifier: MIT
 * loader.c - a ring of batches filled image by image.
 * Invariant: image p of the order goes to row p % batch of slot (p / batch) % ring, whoever
 * makes it; a slot is filled again only after the consumer gave its batch back. */
#include "core/data/loader.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include "core/base/status.h"
#include "core/data/mix.h"

enum { CACHE_EMPTY, CACHE_BUSY, CACHE_READY };

/* In a struct, so that freeing it does not cast the atomic away. */
struct cell {
    atomic_uchar state;
};

struct slot {
    uint8_t *images;
    uint32_t done;    /* images made or failed */
    uint32_t fail_at; /* smallest position that failed, UINT32_MAX: none */
    sct_error err;
};

struct sct_loader {
    const struct sct_source *source;
    struct sct_preprocess pre;
    uint32_t max_batch, ring;
    size_t image_bytes;
    uint64_t bytes;

    uint64_t seed;
    int64_t epoch, next_epoch; /* of the current order, of the next one */

    uint8_t *cache;
    struct cell *cells; /* [cached]; CACHE_* */
    uint32_t cached;    /* items 0 .. cached - 1 are kept */
    uint32_t kept;      /* train steps that what is kept has behind it */
    uint32_t kept_side;
    size_t kept_bytes;
    bool use_cache; /* by the current order */

    int32_t (*labels)[2]; /* tables of the batch that the consumer holds */
    float *mix, *weight;
    uint32_t *index;

    pthread_t *threads;
    uint32_t thread_count;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t work, ready;
    bool lock_made, quit, held;
    struct slot *slots; /* [ring] */
    uint32_t *order;
    uint32_t n, batch, batches;
    uint32_t taken;    /* positions given out */
    uint32_t released; /* batches the consumer is through with */
    uint32_t in_flight;
    atomic_uint_fast64_t fetched;
};

static uint32_t batch_valid(const struct sct_loader *l, uint32_t b)
{
    const uint32_t left = l->n - b * l->batch;
    return left < l->batch ? left : l->batch;
}

static const struct sct_steps *steps_of(const struct sct_loader *l)
{
    return l->epoch < 0 ? &l->pre.eval : &l->pre.train;
}

static sct_status run_steps(const struct sct_loader *l, uint32_t item, uint32_t from,
                            uint32_t to, struct sct_image *img, struct sct_draw *draw,
                            sct_error *err)
{
    const struct sct_augment a = sct_preprocess_augment(&l->pre);
    char name[512];
    const sct_status rc = sct_augment_run(&a, steps_of(l), from, to, img, draw, err);
    if (rc != SCT_OK && err) {
        sct_source_item_name(l->source, item, name, sizeof name);
        (void)sct_error_prefix(err, "%s", name);
    }
    return rc;
}

/* The decoded item with steps 0 .. to - 1 behind it. */
static sct_status make_image(struct sct_loader *l, uint32_t item, uint32_t to,
                             struct sct_image *img, struct sct_draw *draw, sct_error *err)
{
    SCT_TRY(sct_source_fetch(l->source, item, img, err));
    (void)atomic_fetch_add_explicit(&l->fetched, 1, memory_order_relaxed);
    const sct_status rc = run_steps(l, item, 0, to, img, draw, err);
    if (rc != SCT_OK)
        sct_image_fini(img);
    return rc;
}

/* As make_image with the kept steps, from the cache or into it. An item may stand in the order
 * twice, so two threads may want to fill its place: the first claims it, the other one just
 * makes the image. */
static sct_status kept_image(struct sct_loader *l, uint32_t item, struct sct_image *img,
                             sct_error *err)
{
    uint8_t *kept = l->cache + (size_t)item * l->kept_bytes;
    atomic_uchar *state = &l->cells[item].state;
    unsigned char expect = CACHE_EMPTY;
    if (atomic_load_explicit(state, memory_order_acquire) == CACHE_READY) {
        SCT_TRY(sct_image_init(img, l->kept_side, l->kept_side, err));
        memcpy(img->rgb, kept, l->kept_bytes);
        return SCT_OK;
    }
    const bool mine = atomic_compare_exchange_strong(state, &expect, CACHE_BUSY);
    const sct_status rc = make_image(l, item, l->kept, img, NULL, err);
    if (mine) {
        if (rc == SCT_OK)
            memcpy(kept, img->rgb, l->kept_bytes);
        atomic_store_explicit(state, rc == SCT_OK ? CACHE_READY : CACHE_EMPTY,
                              memory_order_release);
    }
    return rc;
}

static sct_status get_image(struct sct_loader *l, uint32_t item, uint8_t *out, sct_error *err)
{
    const uint32_t n = steps_of(l)->n;
    const bool cached = l->use_cache && item < l->cached;
    struct sct_image img = {0};
    struct sct_draw draw, *d = l->epoch < 0 ? NULL : &draw;
    if (d)
        sct_draw_init(d, l->seed, (uint32_t)l->epoch, item, SCT_DRAW_SAMPLE);
    sct_status rc =
        cached ? kept_image(l, item, &img, err) : make_image(l, item, n, &img, d, err);
    if (rc == SCT_OK && cached)
        rc = run_steps(l, item, l->kept, n, &img, d, err);
    if (rc == SCT_OK)
        memcpy(out, img.rgb, l->image_bytes);
    sct_image_fini(&img);
    return rc;
}

static bool can_take(const struct sct_loader *l)
{
    return l->taken < l->n && l->taken / l->batch < (uint64_t)l->released + l->ring;
}

/* Makes one image. The lock is held on entry and on return, not while the image is made. */
static void make_one(struct sct_loader *l)
{
    const uint32_t p = l->taken++, row = p % l->batch, item = l->order[p];
    struct slot *s = &l->slots[p / l->batch % l->ring];
    sct_error err = SCT_ERROR_INIT;
    if (row == 0) {
        s->done = 0;
        s->fail_at = UINT32_MAX;
    }
    l->in_flight++;
    const uint32_t valid = batch_valid(l, p / l->batch);
    (void)pthread_mutex_unlock(&l->lock);
    const sct_status rc = get_image(l, item, s->images + row * l->image_bytes, &err);
    (void)pthread_mutex_lock(&l->lock);
    l->in_flight--;
    if (rc != SCT_OK && p < s->fail_at) {
        s->fail_at = p;
        s->err = err;
    }
    if (++s->done == valid || l->in_flight == 0)
        (void)pthread_cond_broadcast(&l->ready);
}

static void *worker(void *arg)
{
    struct sct_loader *l = arg;
    (void)pthread_mutex_lock(&l->lock);
    while (!l->quit) {
        if (can_take(l))
            make_one(l);
        else
            (void)pthread_cond_wait(&l->work, &l->lock);
    }
    (void)pthread_mutex_unlock(&l->lock);
    return NULL;
}

static sct_status check_opts(const struct sct_loader_opts *o, sct_error *err)
{
    SCT_TRY(sct_preprocess_check(&o->pre, err));
    if (o->batch == 0 || o->batch > 65536 || o->threads > 256 || o->ahead > 1024)
        return sct_fail(err, SCT_EUSAGE,
                        "loader: expected a batch of 1 to 65536, at most 256 threads and 1024 "
                        "batches ahead, found %u, %u, %u",
                        (unsigned)o->batch, (unsigned)o->threads, (unsigned)o->ahead);
    return SCT_OK;
}

static sct_status make_cache(struct sct_loader *l, uint64_t budget, sct_error *err)
{
    const uint64_t count = sct_source_count(l->source);
    if (l->kept_bytes == 0)
        return SCT_OK;
    uint64_t fit = budget / (l->kept_bytes + 1); /* one byte of state each */
    if (fit > SIZE_MAX / l->kept_bytes)
        fit = SIZE_MAX / l->kept_bytes;
    l->cached = (uint32_t)(fit < count ? fit : count);
    if (l->cached == 0)
        return SCT_OK;
    l->cache = sct_alloc(l->cached * l->kept_bytes);
    l->cells = sct_calloc(l->cached, sizeof *l->cells);
    if (!l->cache || !l->cells)
        return sct_fail(err, SCT_ENOMEM,
                        "loader: out of memory for a cache of %u images; give a smaller cache",
                        (unsigned)l->cached);
    l->bytes += l->cached * ((uint64_t)l->kept_bytes + 1);
    return SCT_OK;
}

static sct_status make_ring(struct sct_loader *l, sct_error *err)
{
    const size_t batch_bytes = l->max_batch * l->image_bytes;
    l->slots = sct_calloc(l->ring, sizeof *l->slots);
    l->labels = sct_calloc(l->max_batch, sizeof *l->labels);
    l->mix = sct_calloc(l->max_batch, sizeof *l->mix);
    l->weight = sct_calloc(l->max_batch, sizeof *l->weight);
    l->index = sct_calloc(l->max_batch, sizeof *l->index);
    bool ok = l->slots && l->labels && l->mix && l->weight && l->index;
    for (uint32_t i = 0; ok && i < l->ring; i++) {
        l->slots[i].images = sct_alloc(batch_bytes);
        ok = l->slots[i].images != NULL;
    }
    if (!ok)
        return sct_fail(err, SCT_ENOMEM, "loader: out of memory for %u batches of %u images",
                        (unsigned)l->ring, (unsigned)l->max_batch);
    l->bytes += l->ring * (batch_bytes + sizeof *l->slots) +
                l->max_batch *
                    (sizeof *l->labels + sizeof *l->mix + sizeof *l->weight + sizeof *l->index);
    return SCT_OK;
}

static sct_status make_threads(struct sct_loader *l, uint32_t n, sct_error *err)
{
    if (pthread_mutex_init(&l->lock, NULL) != 0)
        return sct_fail(err, SCT_EFAIL, "loader: no mutex could be made");
    if (pthread_cond_init(&l->work, NULL) != 0) {
        (void)pthread_mutex_destroy(&l->lock);
        return sct_fail(err, SCT_EFAIL, "loader: no condition variable could be made");
    }
    if (pthread_cond_init(&l->ready, NULL) != 0) {
        (void)pthread_cond_destroy(&l->work);
        (void)pthread_mutex_destroy(&l->lock);
        return sct_fail(err, SCT_EFAIL, "loader: no condition variable could be made");
    }
    l->lock_made = true;
    if (n == 0)
        return SCT_OK;
    l->threads = sct_calloc(n, sizeof *l->threads);
    if (!l->threads)
        return sct_fail(err, SCT_ENOMEM, "loader: out of memory for %u threads", (unsigned)n);
    for (; l->thread_count < n; l->thread_count++) {
        const int e = pthread_create(&l->threads[l->thread_count], NULL, worker, l);
        if (e != 0)
            return sct_fail(err, SCT_EFAIL, "loader: thread %u of %u could not be started: %s",
                            (unsigned)l->thread_count + 1, (unsigned)n, strerror(e));
    }
    return SCT_OK;
}

sct_status sct_loader_create(struct sct_loader **out, const struct sct_source *source,
                             const struct sct_loader_opts *opts, sct_error *err)
{
    *out = NULL;
    SCT_TRY(check_opts(opts, err));
    struct sct_loader *l = sct_calloc(1, sizeof *l);
    if (!l)
        return sct_nomem(err);
    l->source = source;
    l->pre = opts->pre;
    l->max_batch = l->batch = opts->batch;
    l->ring = (opts->ahead ? opts->ahead : 2) + 1; /* and the one that the consumer holds */
    l->image_bytes = (size_t)opts->pre.size * opts->pre.size * 3;
    l->seed = opts->seed;
    l->epoch = l->next_epoch = SCT_LOADER_PLAIN;
    l->kept = sct_preprocess_fixed(&l->pre, &l->pre.train, &l->kept_side);
    l->kept_bytes = (size_t)l->kept_side * l->kept_side * 3;
    l->bytes = sizeof *l;
    sct_status rc = SCT_OK;
    if (l->image_bytes > SIZE_MAX / l->max_batch)
        rc = sct_fail(err, SCT_ENOMEM, "loader: a batch does not fit in memory");
    if (rc == SCT_OK)
        rc = make_cache(l, opts->cache_bytes, err);
    if (rc == SCT_OK)
        rc = make_ring(l, err);
    if (rc == SCT_OK)
        rc = make_threads(l, opts->threads, err);
    if (rc != SCT_OK)
        sct_loader_destroy(&l);
    *out = l;
    return rc;
}

/* After it no image is in the making and none will be begun. The lock is held. */
static void drain(struct sct_loader *l)
{
    l->taken = l->n;
    while (l->in_flight > 0)
        (void)pthread_cond_wait(&l->ready, &l->lock);
    l->n = l->taken = l->released = l->batches = 0;
    l->held = false;
}

void sct_loader_epoch(struct sct_loader *l, int64_t epoch)
{
    l->next_epoch = epoch;
}

sct_status sct_loader_begin(struct sct_loader *l, const uint32_t *order, uint32_t n,
                            uint32_t batch, int drop_last, sct_error *err)
{
    const uint32_t count = sct_source_count(l->source);
    (void)pthread_mutex_lock(&l->lock);
    drain(l);
    (void)pthread_mutex_unlock(&l->lock);
    if (batch == 0 || batch > l->max_batch)
        return sct_fail(err, SCT_EINVAL, "loader: expected a batch of 1 to %u, found %u",
                        (unsigned)l->max_batch, (unsigned)batch);
    for (uint32_t i = 0; i < n; i++)
        if (order[i] >= count)
            return sct_fail(err, SCT_EINVAL,
                            "loader: item %u of the order is %u, but there are "
                            "only %u",
                            (unsigned)i, (unsigned)order[i], (unsigned)count);
    uint32_t *copy = n ? sct_alloc((size_t)n * sizeof *copy) : NULL;
    if (n && !copy)
        return sct_fail(err, SCT_ENOMEM, "loader: out of memory for an order of %u items",
                        (unsigned)n);
    if (n)
        memcpy(copy, order, (size_t)n * sizeof *copy);
    (void)pthread_mutex_lock(&l->lock);
    sct_free(l->order);
    l->order = copy;
    l->batch = batch;
    l->epoch = l->next_epoch;
    l->use_cache = sct_steps_same(steps_of(l), &l->pre.train, l->kept);
    l->n = drop_last ? n / batch * batch : n;
    l->batches = l->n / batch + (l->n % batch != 0);
    (void)pthread_cond_broadcast(&l->work);
    (void)pthread_mutex_unlock(&l->lock);
    return SCT_OK;
}

/* Waits until batch b is made; without threads, makes it. The lock is held. */
static struct slot *wait_batch(struct sct_loader *l, uint32_t b, uint32_t valid)
{
    struct slot *s = &l->slots[b % l->ring];
    const uint32_t end = b * l->batch + valid;
    while (l->thread_count == 0 && l->taken < end)
        make_one(l);
    while (l->taken < end || s->done < valid)
        (void)pthread_cond_wait(&l->ready, &l->lock);
    return s;
}

static void fill_batch(struct sct_loader *l, struct slot *s, uint32_t b, struct sct_batch *out)
{
    const uint32_t valid = batch_valid(l, b);
    for (uint32_t r = 0; r < l->batch; r++) {
        const uint32_t item = r < valid ? l->order[b * l->batch + r] : 0;
        const int32_t label = r < valid ? (int32_t)sct_source_label(l->source, item) : 0;
        l->index[r] = item;
        l->labels[r][0] = l->labels[r][1] = label;
        l->mix[r] = 1.0f;
        l->weight[r] = r < valid ? 1.0f / (float)valid : 0.0f;
    }
    memset(s->images + valid * l->image_bytes, 0, (l->batch - valid) * l->image_bytes);
    *out = (struct sct_batch){.images = s->images,
                              .labels = (const int32_t(*)[2])l->labels,
                              .mix = l->mix,
                              .weight = l->weight,
                              .index = l->index,
                              .valid = valid};
}

sct_status sct_loader_next(struct sct_loader *l, struct sct_batch *batch, sct_error *err)
{
    sct_status rc = SCT_OK;
    memset(batch, 0, sizeof *batch);
    (void)pthread_mutex_lock(&l->lock);
    if (l->held) {
        l->held = false;
        l->released++;
        (void)pthread_cond_broadcast(&l->work);
    }
    const uint32_t b = l->released;
    if (b < l->batches) {
        struct slot *s = wait_batch(l, b, batch_valid(l, b));
        l->held = true;
        if (s->fail_at != UINT32_MAX)
            rc = sct_fail(err, s->err.code, "%s", s->err.msg);
        else
            fill_batch(l, s, b, batch);
    }
    const int64_t epoch = l->epoch;
    (void)pthread_mutex_unlock(&l->lock);
    /* the slot is the consumer's now */
    if (rc == SCT_OK && batch->valid && epoch >= 0 && sct_mix_on(&l->pre.mix))
        sct_mix_batch(&l->pre.mix, l->seed, (uint32_t)epoch, l->index, batch->valid,
                      l->pre.size, l->slots[b % l->ring].images, l->labels, l->mix);
    return rc;
}

void sct_loader_seed(struct sct_loader *l, uint64_t seed)
{
    (void)pthread_mutex_lock(&l->lock);
    drain(l);
    l->seed = seed;
    (void)pthread_mutex_unlock(&l->lock);
}

uint64_t sct_loader_fetched(struct sct_loader *l)
{
    return atomic_load_explicit(&l->fetched, memory_order_relaxed);
}

uint32_t sct_loader_batches(const struct sct_loader *l)
{
    return l->batches;
}

uint64_t sct_loader_bytes(const struct sct_loader *l)
{
    return l->bytes;
}

uint64_t sct_loader_bytes_touched(const struct sct_loader *l, uint32_t n)
{
    const uint64_t kept = n < l->cached ? n : l->cached;
    const uint64_t batches = n / l->max_batch + (n % l->max_batch != 0);
    const uint64_t slots = batches < l->ring ? batches : l->ring;
    return l->bytes - (l->cached - kept) * l->kept_bytes -
           (l->ring - slots) * l->max_batch * l->image_bytes;
}

static void end_threads(struct sct_loader *l)
{
    if (!l->lock_made)
        return;
    (void)pthread_mutex_lock(&l->lock);
    l->quit = true;
    (void)pthread_cond_broadcast(&l->work);
    (void)pthread_mutex_unlock(&l->lock);
    for (uint32_t i = 0; i < l->thread_count; i++)
        (void)pthread_join(l->threads[i], NULL);
    (void)pthread_cond_destroy(&l->ready);
    (void)pthread_cond_destroy(&l->work);
    (void)pthread_mutex_destroy(&l->lock);
}

void sct_loader_destroy(struct sct_loader **loader)
{
    struct sct_loader *l = loader ? *loader : NULL;
    if (!l)
        return;
    end_threads(l);
    for (uint32_t i = 0; l->slots && i < l->ring; i++)
        sct_free(l->slots[i].images);
    sct_free(l->slots);
    sct_free(l->labels);
    sct_free(l->mix);
    sct_free(l->weight);
    sct_free(l->index);
    sct_free(l->order);
    sct_free(l->threads);
    sct_free(l->cache);
    sct_free(l->cells);
    sct_free(l);
    *loader = NULL;
}
