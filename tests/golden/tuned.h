/* SPDX-License-Identifier: MIT
 * tuned.h - the tiny model with a strategy applied, its trainables at the golden start values.
 */
#ifndef SCT_TEST_TUNED_H
#define SCT_TEST_TUNED_H

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

#endif
