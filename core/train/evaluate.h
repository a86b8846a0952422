/* SPDX-License-Identifier: MIT
 * evaluate.h - a model's logits over a source: accuracy, loss, predictions. */
#ifndef SCT_TRAIN_EVALUATE_H
#define SCT_TRAIN_EVALUATE_H

#include "core/train/features.h"

struct sct_eval_result {
    double top1, top5, loss; /* per cent, per cent, mean cross-entropy without smoothing */
    uint32_t images;
    double seconds;
};

/* Called once per batch with the logits [valid][classes] on the host. */
typedef sct_status (*sct_eval_each)(void *ctx, const struct sct_batch *b, const float *logits,
                                    uint32_t classes, sct_error *err);

struct sct_evaluator {
    struct sct_exec *x;
    float *logits;
    uint32_t batch, classes;
    struct sct_features *features; /* NULL: it starts from pictures */
};

/* The plan that an evaluator runs. On failure *plan is NULL. */
sct_status sct_evaluator_plan(struct sct_plan **plan, struct sct_session *x,
                              const char *const *sites, uint32_t n_sites, sct_error *err);
/* Plans and prepares the evaluation of x->model (sites: patterns that become outputs, may be
 * NULL). Shares the device store, so it sees the weights that training has reached. */
sct_status sct_evaluator_open(struct sct_evaluator *e, struct sct_session *x,
                              const char *const *sites, uint32_t n_sites, sct_error *err);
/* The same of a plan made before, which it takes on success; features: those that the plan
 * starts from, which must outlive it, or NULL. */
sct_status sct_evaluator_of(struct sct_evaluator *e, struct sct_session *x,
                            struct sct_plan **plan, struct sct_features *features,
                            sct_error *err);
void sct_evaluator_close(struct sct_evaluator *e);

/* The first `limit` items of the loader's source (0: all), in order. each may be NULL; batches
 * that start from features have no images. */
sct_status sct_evaluate(struct sct_evaluator *e, struct sct_loader *l,
                        const struct sct_source *src, uint32_t limit, struct sct_eval_result *r,
                        sct_eval_each each, void *ctx, sct_error *err);
/* Logits of one prepared batch of `valid` images [valid][S][S][3]. */
sct_status sct_evaluate_images(struct sct_evaluator *e, const uint8_t *images, uint32_t valid,
                               sct_error *err);

double sct_now(void); /* seconds of a monotonic clock */

#endif
