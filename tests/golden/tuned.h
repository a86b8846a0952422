/* SPDX-License-Identifier: MIT
 * tuned.h - the tiny model with a strategy applied, its trainables at the golden start values.
 */
#ifndef SCT_TEST_TUNED_H
#define SCT_TEST_TUNED_H

#include "core/graphs/graphs.h"
#include "core/peft/adapter.h"
#include "tests/golden/golden.h"

/* A row of cases.json, and what is made of it. */
struct tuned {
    const char *name;
    float lr, weight_decay, smoothing;
    struct sct_st *file; /* <name>.safetensors */
    struct sct_tuner tuner;
    struct sct_weights *w;
    struct sct_model *m;
};

/* Opens strategy `name` with options {"key": "value"}. */
sct_status tuned_open_strategy(struct sct_tuner *t, const char *name, const json_t *options,
                               sct_error *err);
/* row is an object of "cases" of cases.json, or of compose.json. The strategy's names must be
 * exactly those of the file: anything missing or left over is an error. On failure *t is empty.
 */
sct_status tuned_open(struct tuned *t, const struct golden *g, const json_t *row,
                      sct_error *err);
void tuned_close(struct tuned *t);

/* ---- training ---- */

struct tuned_feeds {
    int32_t labels[GOLDEN_BATCH][2];
    float mix[GOLDEN_BATCH], weight[GOLDEN_BATCH];
    uint32_t valid;
};

/* The mean over `valid` images; with mix below 1 the partners' labels take part. */
sct_status tuned_feeds(struct tuned_feeds *f, const struct golden *g, double mix,
                       uint32_t valid, sct_error *err);
sct_status tuned_feed(struct sct_exec *x, const struct golden *g, const struct tuned_feeds *f,
                      sct_error *err);
/* Softmax does not see what is added to every key alike, so the true gradient of the keys' bias
 * is zero and what remains is noise: those entries of tensor `name` are set to 0 in both. */
void tuned_hide_key_bias(const char *name, float *a, float *b, uint64_t n);

/* A plan of a training graph, ready to run, and its own store. */
struct tuned_ready {
    struct sct_store *store;
    struct sct_exec *x;
    struct sct_optim optim;
};

/* grads: every gradient becomes an output, and no step is taken. To be closed on failure, too.
 */
sct_status tuned_ready_open(struct tuned_ready *r, const struct golden *g, struct tuned *t,
                            const struct golden_plan *plan, float smoothing, bool grads,
                            sct_error *err);
void tuned_ready_close(struct tuned_ready *r);
/* Steps over the whole batch at t's learning rate; their losses into loss[steps]. */
sct_status tuned_train(struct tuned_ready *r, const struct golden *g, const struct tuned *t,
                       const struct tuned_feeds *f, uint32_t steps, float *loss,
                       sct_error *err);

#endif
