/* SPDX-License-Identifier: MIT
 * plans.h - the plans of a training run: of a step, of an evaluation, and the features that
 * both start from where the model has a frozen part. */
#ifndef SCT_TRAIN_PLANS_H
#define SCT_TRAIN_PLANS_H

#include "core/train/features.h"

struct sct_train_plans {
    struct sct_optim optim;        /* named by the training plan */
    struct sct_plan *train, *eval; /* NULL once an exec has taken them */
    struct sct_plan *average;      /* eval of the moving averages; NULL without any */
    struct sct_features train_f, eval_f;
};

/* Makes all of it for x->model: `steps` steps, `evals` evaluations of the first n_test
 * pictures. Features are computed now unless dry. On failure *p is empty. */
sct_status sct_train_plans_make(struct sct_train_plans *p, struct sct_session *x,
                                uint64_t steps, uint32_t evals, bool dry, sct_error *err);
/* After the execs are gone: forgets the optimiser's state. */
void sct_train_plans_fini(struct sct_train_plans *p, struct sct_session *x);

#endif
