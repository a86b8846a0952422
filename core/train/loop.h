/* SPDX-License-Identifier: MIT
 * loop.h - training: steps, evaluations, logs, adapters. */
#ifndef SCT_TRAIN_LOOP_H
#define SCT_TRAIN_LOOP_H

#include "core/report/log.h"
#include "core/train/evaluate.h"
#include "core/train/plans.h"

struct sct_progress {
    uint64_t step, steps;
    uint32_t epoch, epochs;
    double loss, lr, images_per_s, eta_seconds;
    uint64_t device_bytes;
    int is_eval;    /* eval below is fresh */
    int is_average; /* it is of the moving averages */
    struct sct_eval_result eval;
};

/* Evaluations of the weights, or of their moving averages. */
struct sct_train_evals {
    struct sct_eval_result best, last;
    uint32_t best_epoch;
};

struct sct_train_result {
    struct sct_train_evals plain, average; /* average: where has_average */
    bool has_average;
    uint64_t trainable, head, all, steps;
    double seconds, images_per_s, first_step_seconds, train_seconds;
    uint64_t peak_device_bytes, peak_process_bytes;
    struct sct_plan_memory memory;
};

/* Trains x->model as the settings say. dir: the run folder, made already, or NULL: nothing is
 * written. each (may be NULL) is called at every logged step and evaluation. ENONFINITE at the
 * first loss that is not finite; what was best before is kept. stop (may be NULL) is looked at
 * after every step: nonzero ends the run early, saved. started: sct_now() of the process start.
 */
sct_status sct_train(struct sct_session *x, const char *dir, double started,
                     void (*each)(void *ctx, const struct sct_progress *p), void *ctx,
                     volatile int *stop, struct sct_train_result *r, sct_error *err);

/* Steps and evaluations that the settings come to. EUSAGE when no batch can be filled. */
struct sct_train_extent {
    uint32_t count, steps_per_epoch, evals;
    uint64_t steps;
};

sct_status sct_train_extent(const struct sct_session *x, struct sct_train_extent *t,
                            sct_error *err);

/* The optimiser that the settings describe. */
struct sct_optim_opts sct_train_optim_opts(const struct sct_settings *s);
/* "trainable params: ... || all params: ... || trainable%: ..." as peft prints it. */
void sct_params_line(const struct sct_model *m, char *buf, size_t size);

#endif
