/* SPDX-License-Identifier: MIT
 * features.h - what the frozen part of a model makes of every picture, computed once and fed to
 * the rest in every epoch (--feature-bytes).
 *
 * The bits of a run do not change: the rest runs the nodes it always runs, on the numbers that
 * it would have been given. */
#ifndef SCT_TRAIN_FEATURES_H
#define SCT_TRAIN_FEATURES_H

#include "core/exec/exec.h"
#include "core/ir/frozen.h"
#include "core/train/session.h"

struct sct_features {
    struct sct_frozen part;
    const struct sct_source *source;
    const float *data; /* [n][count][floats of n]; NULL: none are kept */
    float *own;        /* the same, unless they are the share's */
    float *rows;       /* one batch of the largest feature */
    uint32_t count;
    /* batches that are made of them, as a loader's */
    uint32_t batch;
    int32_t (*labels)[2];
    float *mix, *weight;
    uint64_t device_bytes; /* while they are computed: all of it is free afterwards */
};

/* Which pictures: the first `count` of a source. */
struct sct_features_of {
    struct sct_loader *loader;
    const struct sct_source *source;
    uint32_t count, passes; /* how often a run goes over them; fewer than 2 keep none */
    bool train;             /* with the train steps, which may draw: then none are kept */
};

/* Computes the features of all pictures if g has a frozen part that is worth it and they fit in
 * *budget bytes, which it lowers; g is then cut. Otherwise f is empty and g as it was. No other
 * program may use the frozen values of the session's device store: they are freed. dry: nothing
 * is run, f->data stays NULL, everything else is as it would be. On failure f is empty. EDATA
 * names a picture. */
sct_status sct_features_make(struct sct_features *f, struct sct_session *x, struct sct_graph *g,
                             const struct sct_features_of *of, uint64_t *budget, bool dry,
                             sct_error *err);
void sct_features_fini(struct sct_features *f);

/* Whether there are features: the plan made of the graph then has inputs for them. */
static inline bool sct_features_on(const struct sct_features *f)
{
    return f->count != 0;
}

/* Bytes on the host. */
uint64_t sct_features_bytes(const struct sct_features *f);

/* The batch of pictures index[0..valid-1], without pixels, as a loader would make it. It
 * belongs to f until the next call. */
struct sct_batch sct_features_batch(struct sct_features *f, const uint32_t *index,
                                    uint32_t valid);
/* Feeds what belongs to the pictures of a batch. */
sct_status sct_features_feed(struct sct_features *f, struct sct_exec *e,
                             const struct sct_batch *b, sct_error *err);

#endif
