/* SPDX-License-Identifier: MIT
 * tuner.h - the strategies of a run, composed: each with its options, in the order in which
 * they change the model.
 *
 *   every one observes the plain model -> every one chooses -> they are applied in order
 *
 * A part is called as its strategy, or, if that one was there before, "<strategy>2", 3, ...
 * Thread rule: one thread. */
#ifndef SCT_TUNE_TUNER_H
#define SCT_TUNE_TUNER_H

#include "core/peft/host.h"
#include "core/settings/settings.h"

struct sct_part {
    char label[72]; /* unique among the parts */
    bool again;     /* a part of the same strategy comes before */
    struct sct_strategy_run run;
    struct sct_opts *opts; /* owns the strings of the state */
    struct sct_set *set;   /* what it was given, weakest first; strings are the tuner's */
    uint32_t n_set, cap_set;
    uint32_t first_watch, n_watch; /* its watches of the model that was observed */
};

struct sct_tuner {
    struct sct_part *part;
    uint32_t n, cap;
    bool stacked;   /* the parts come from adapters: equal names of parameters are told apart */
    char name[256]; /* labels joined by '+' */
    struct sct_arena arena;
};

/* Opens the strategies of a LIST (core/io/option.h) and gives them the options in order. An
 * option that names no part belongs to the only one that has its key. EPLUGIN, EUSAGE. On
 * failure *t is empty. */
sct_status sct_tuner_open(struct sct_tuner *t, const char *strategies,
                          const struct sct_set *set, uint32_t n_set, sct_error *err);
/* One more part behind those of *t, which may be zero; all of `set` is its own. On failure *t
 * is as it was. */
sct_status sct_tuner_add(struct sct_tuner *t, const char *strategy, const struct sct_set *set,
                         uint32_t n_set, sct_error *err);
void sct_tuner_close(struct sct_tuner *t);

/* Whether any part looks at data, so that there is something to observe. */
bool sct_tuner_observes(const struct sct_tuner *t);
/* Every part puts its watches on the plain model. */
sct_status sct_tuner_observe(struct sct_tuner *t, struct sct_model *plain, sct_error *err);
/* Every part chooses. own: the readings of each part, [n]. */
sct_status sct_tuner_choose(struct sct_tuner *t, const struct sct_model *plain,
                            struct sct_readings *const *own, sct_error *err);
/* All of them change a fresh model, in order. EUSAGE names a parameter that two parts have. */
sct_status sct_tuner_apply(struct sct_tuner *t, struct sct_model *m, sct_error *err);

/* The options in force, as the values below `options:` in YAML. */
void sct_tuner_dump(const struct sct_tuner *t, uint32_t indent, struct sct_str *out);

#endif
