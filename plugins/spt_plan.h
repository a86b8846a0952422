/* SPDX-License-Identifier: MIT
 * spt_plan.h - how a plan comes about: candidates, scores, selection, files.
 * Ownership: idx of a plan's tensors belongs to the plan; spt_plan_fini frees it. */
#ifndef SCT_PLUGIN_SPT_PLAN_H
#define SCT_PLUGIN_SPT_PLAN_H

#include "plugins/spt.h"

/* spt_score.c: all candidates of a model, nothing of them trained. Of linear layers (but the
 * head) weight and bias, of fused qkv the three parts; of norms weight and bias. Not the patch
 * embedding, tokens, positions. EUNSUP when there is no linear layer. On failure *p is empty.
 */
sct_status spt_plan_init(struct spt_plan *p, const struct spt_options *o,
                         const struct sct_strategy_host *h, const sct_model *m, sct_error *err);
/* Accepts an empty plan. */
void spt_plan_fini(struct spt_plan *p, const struct sct_strategy_host *h);
/* Nothing is trained any more. */
void spt_plan_clear(struct spt_plan *p, const struct sct_strategy_host *h);

/* Asks for the sensitivities of all candidates; in observe. */
sct_status spt_watch(const struct spt_options *o, const struct spt_plan *p,
                     const struct sct_strategy_host *h, sct_model *m, sct_error *err);
/* score[i]: the sensitivities of candidate i, borrowed from the readings. */
sct_status spt_scores(const struct spt_plan *p, const struct sct_strategy_host *h,
                      const sct_readings *r, const float **score, sct_error *err);

/* spt_select.c: the plan whose total comes closest to the budget, of those that the thresholds
 * tau = ceil(i step 1e6), i = 1 .. max / step, give (engine.py:178-300 of the published code).
 * Entries are ranked by score; of equal ones the one in the earlier candidate, and in it the
 * one at the lower position, comes first. score[i] NULL stands for numbers made up, which
 * spread as sensitivities do (dry runs). ENONFINITE: a score is no number; EUSAGE: nothing
 * comes near the budget. p: as spt_plan_init left it. */
sct_status spt_select(struct spt_plan *p, const struct spt_options *o,
                      const struct sct_strategy_host *h, const float *const *score,
                      sct_error *err);

/* EUSAGE when the budget is more than twice what any plan of these candidates can have, or max
 * is no number of steps. p: as spt_plan_init left it. */
sct_status spt_check_budget(const struct spt_plan *p, const struct spt_options *o,
                            const struct sct_strategy_host *h, sct_error *err);
/* Whether the largest threshold takes every entry, so that no larger one gives another plan. */
int spt_takes_all(const struct spt_plan *p, const struct spt_options *o);

static inline uint64_t spt_size(const struct spt_tensor *t)
{
    return (uint64_t)t->rows * t->cols;
}

static inline uint64_t spt_total(const struct spt_plan *p)
{
    return p->structured + p->vectors + p->sparse + p->class_token;
}

/* Counts structured, vectors and sparse again from the tensors. */
void spt_plan_count(struct spt_plan *p, const struct spt_options *o);
/* Logs what the plan holds, and warns when its total is more than 10 % off the budget. */
void spt_plan_tell(const struct spt_plan *p, const struct spt_options *o,
                   const struct sct_strategy_host *h);

/* spt_file.c: a plan from a file, own (.json) or published (.pth); p as spt_plan_init left it.
 * EFILE says what does not fit the model. */
sct_status spt_plan_read(struct spt_plan *p, const struct spt_options *o,
                         const struct sct_strategy_host *h, const char *path, sct_error *err);
/* The form follows from the ending, .json or .pth. */
sct_status spt_plan_write(const struct spt_plan *p, const struct spt_options *o,
                          const struct sct_strategy_host *h, const char *path, sct_error *err);

/* spt_adapter.c: what an adapter remembers: tensor spt.plan.fate i32 [candidates], and, unless
 * there are no entries, spt.plan.entries i32 [candidates], spt.plan.index i32 [all entries]. */
sct_status spt_plan_save(const struct spt_plan *p, const struct sct_strategy_host *h,
                         sct_adapter *a, sct_error *err);
sct_status spt_plan_load(struct spt_plan *p, const struct spt_options *o,
                         const struct sct_strategy_host *h, const sct_adapter *a,
                         sct_error *err);

#endif
