/* SPDX-License-Identifier: MIT
 * loader.h - prepared batches, made ahead of the step by worker threads.
 * The batches are a pure function of (source, preprocessing, order, seed, epoch): threads and
 * cache only change when.
 */
#ifndef SCT_DATA_LOADER_H
#define SCT_DATA_LOADER_H

#include "core/data/preprocess.h"
#include "core/data/source.h"

#ifdef __cplusplus
extern "C" {
#endif

struct sct_loader;

struct sct_loader_opts {
    struct sct_preprocess pre;
    uint32_t batch;       /* largest batch, images */
    uint32_t threads;     /* 0: images are made inside sct_loader_next */
    uint32_t ahead;       /* batches made in advance, 1 or more; 0 means 2 */
    uint64_t cache_bytes; /* prepared images kept in memory; 0 keeps none */
    uint64_t seed;        /* of what the train steps draw */
};

/* Epoch of the eval steps. */
enum { SCT_LOADER_PLAIN = -1 };

/* One batch, with the inputs a training graph feeds on. Rows at and after `valid` are padding:
 * zero image, label 0, weight 0. */
struct sct_batch {
    const uint8_t *images;      /* [batch][S][S][3] */
    const int32_t (*labels)[2]; /* [batch]; the sample's, and that of what is mixed into it */
    const float *mix;           /* [batch]; the share of the first label, 1 unless mixed */
    const float *weight;        /* [batch], 1 / valid */
    const uint32_t *index;      /* [batch], item of the source; 0 beyond valid */
    uint32_t valid;             /* 0: the order is at its end */
};

/* Makes a loader over a source that must outlive it. The cache keeps the items with the
 * smallest indices, as many as fit in cache_bytes: what the train steps make of them before the
 * first one that draws, if that has a fixed size (then also for the eval steps, where they
 * begin likewise), else nothing. SCT_EUSAGE (options), SCT_ENOMEM, SCT_EFAIL (no thread could
 * be started); *out is then NULL. One consumer thread at a time. */
sct_status sct_loader_create(struct sct_loader **out, const struct sct_source *source,
                             const struct sct_loader_opts *opts, sct_error *err);

/* The next orders are made with the train steps and the numbers of an epoch, and mixed; or,
 * with SCT_LOADER_PLAIN, with the eval steps, as a fresh loader does. */
void sct_loader_epoch(struct sct_loader *l, int64_t epoch);

/* Another seed, for another run over the same source: what is kept stays, as no draw is in it.
 * What was prepared for the order at hand is dropped. */
void sct_loader_seed(struct sct_loader *l, uint64_t seed);

/* Starts over with the n items of `order` (copied; each below the source's count; repeats are
 * fine) in batches of `batch` images, 1 to the options' batch. drop_last leaves out a last,
 * partial batch. What was prepared for the previous order is dropped. SCT_EINVAL, SCT_ENOMEM:
 * the loader is then at its end. */
sct_status sct_loader_begin(struct sct_loader *l, const uint32_t *order, uint32_t n,
                            uint32_t batch, int drop_last, sct_error *err);

/* The next batch, in order; waits for it. It belongs to the loader and is valid until the next
 * call on it. When an image of the batch cannot be made, returns the error of the first such
 * image (it names the item) and an empty batch; a further call goes on with the batch after it.
 */
sct_status sct_loader_next(struct sct_loader *l, struct sct_batch *batch, sct_error *err);

/* Images that were decoded or drawn, not found among those that are kept, so far. */
uint64_t sct_loader_fetched(struct sct_loader *l);
/* Batches of the current order. */
uint32_t sct_loader_batches(const struct sct_loader *l);
/* Bytes of all memory the loader took: cache, ring and tables. */
uint64_t sct_loader_bytes(const struct sct_loader *l);
/* Bytes of it that orders of the first n items touch: the rest is never more than a promise of
 * the system. */
uint64_t sct_loader_bytes_touched(const struct sct_loader *l, uint32_t n);

/* Ends the threads and frees everything. Accepts NULL and pointers to NULL. */
void sct_loader_destroy(struct sct_loader **l);

/* out[n] = the order of epoch `epoch`: 0 .. n - 1, or with `shuffle` a permutation that depends
 * on (seed, epoch, n) only; docs/formats.md, "Order of samples". */
void sct_order_epoch(uint64_t seed, uint32_t epoch, uint32_t n, int shuffle, uint32_t *out);

#ifdef __cplusplus
}
#endif
#endif
