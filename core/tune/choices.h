/* SPDX-License-Identifier: MIT
 * choices.h - what a strategy chose, seen from outside: its index lists, and beside them what
 * was measured. Nothing is asked of the strategy: the lists are those that its adapter would
 * save, and the adapted graph tells what they index. Thread rule: one thread at a time. */
#ifndef SCT_TUNE_CHOICES_H
#define SCT_TUNE_CHOICES_H

#include "core/peft/readings.h"

/* One index list. A list of channels has a unit for each channel; one of elements of a
 * parameter [units][..] has one for each row. */
struct sct_choice_list {
    const char *name;   /* of the list without ".index": "sct.blocks.3" */
    const char *where;  /* site that was changed, or the parameter */
    const int32_t *idx; /* [k], as it is stored */
    uint32_t k, of;     /* entries; channels or elements that there are */
    bool elements;      /* of a parameter */
    uint32_t units;
    const uint32_t *count;             /* [units]: entries in each */
    const struct sct_reading *reading; /* that tells of it; or NULL */
    const double *score;               /* [units]; NULL without a reading */
};

/* A parameter of the base whose gradients were measured. */
struct sct_choice_param {
    const char *where; /* its name */
    uint64_t of;       /* its elements */
    double score;      /* sum of its squared gradients */
    bool whole;        /* it is trained itself */
    /* trained for it: itself, deltas of its entries, what an edit of its layer added */
    const char **tensor;
    uint32_t n_tensor;
    uint64_t trained; /* elements of these */
};

struct sct_choices {
    struct sct_arena arena;
    struct sct_choice_list *list; /* in the model's order */
    uint32_t n, cap;
    struct sct_choice_param *param; /* in the order of the readings */
    uint32_t n_param;
};

/* Everything borrows from the adapted model and the readings (may be NULL). The score of a
 * channel is the mean over the classes that have images of the L2 norm over images and tokens;
 * that of a row of a parameter the sum of the squared gradients. A list of channels belongs to
 * the reading of its block; of several in a block, the first list changed to the first that was
 * watched, and so on. ENOMEM; *c is empty then. */
sct_status sct_choices_find(struct sct_choices *c, const struct sct_model *adapted,
                            const struct sct_readings *readings, sct_error *err);
/* choices_params.c: fills in c->param and n_param; sct_choices_find calls it. ENOMEM. */
sct_status sct_choices_params(struct sct_choices *c, const struct sct_model *adapted,
                              const struct sct_readings *readings, sct_error *err);
void sct_choices_fini(struct sct_choices *c);

/* Whether lists index the same kind of thing, so that their overlap means something. */
bool sct_choices_alike(const struct sct_choice_list *a, const struct sct_choice_list *b);

#endif
