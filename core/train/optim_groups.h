/* SPDX-License-Identifier: MIT
 * optim_groups.h - learning rate and weight decay of every trained parameter: what a strategy's
 * sct_group says, times the layer's factor (--layer-decay), times the last --group that
 * matches; no decay where --weight-decay-on leaves it out.
 * Thread rule: one thread at a time per model. */
#ifndef SCT_TRAIN_OPTIM_GROUPS_H
#define SCT_TRAIN_OPTIM_GROUPS_H

#include "core/ir/model.h"
#include "core/settings/settings.h"

/* Writes the factors into the groups of m's trainable parameters. Once a model. EUSAGE when a
 * rule matches none, naming near ones, or an option needs another. */
sct_status sct_optim_groups(struct sct_model *m, const struct sct_settings_run *r,
                            sct_error *err);

/* After it: whether every trained parameter has the learning rate 0, so that none moves. */
bool sct_optim_idle(const struct sct_model *m, const struct sct_settings_run *r);

/* Trained parameters that have the same factors. */
struct sct_optim_row {
    float lr_mult, wd_mult;
    uint32_t tensors;
    uint64_t parameters;
    const char *first; /* name of the first one; the model's */
};

/* The rows in the model's order; *row is from sct_alloc. ENOMEM: *row is NULL. */
sct_status sct_optim_rows(const struct sct_model *m, struct sct_optim_row **row, uint32_t *n,
                          sct_error *err);
/* Whether p belongs to the row. */
bool sct_optim_row_has(const struct sct_optim_row *row, const struct sct_param *p);

#endif
