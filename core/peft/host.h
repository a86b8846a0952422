/* SPDX-License-Identifier: MIT
 * host.h - the table of functions that strategies are handed, and the calls into strategies. */
#ifndef SCT_PEFT_HOST_H
#define SCT_PEFT_HOST_H

#include "core/peft/adapter.h"
#include "core/peft/readings.h"

const struct sct_strategy_host *sct_strategy_host_table(void);
/* Where host->log goes; NULL is silence. Of all strategies of the process: the last one set. */
void sct_strategy_host_log(void (*log)(void *ctx, int level, const char *line), void *ctx);

/* A strategy with its state. The caller fills state from options between create and use. */
struct sct_strategy_run {
    const struct sct_strategy *s;
    void *state;
};

sct_status sct_strategy_open(struct sct_strategy_run *r, const struct sct_strategy *s,
                             sct_error *err);
void sct_strategy_close(struct sct_strategy_run *r);

/* Each calls the strategy's function if it has one, adds its name to errors, and reports the
 * builder's sticky error too. */
sct_status sct_strategy_observe(struct sct_strategy_run *r, struct sct_model *m,
                                sct_error *err);
sct_status sct_strategy_choose(struct sct_strategy_run *r, const struct sct_model *m,
                               const struct sct_readings *readings, sct_error *err);
sct_status sct_strategy_apply(struct sct_strategy_run *r, struct sct_model *m, sct_error *err);
sct_status sct_strategy_load(struct sct_strategy_run *r, const struct sct_model *m,
                             const struct sct_adapter *a, sct_error *err);
sct_status sct_strategy_save(const struct sct_strategy_run *r, struct sct_adapter *a,
                             sct_error *err);
/* Replaces *a by the same in the strategy's form on disk, and back; nothing happens when it has
 * none. *a stays on failure. */
sct_status sct_strategy_to_disk(const struct sct_strategy_run *r, struct sct_adapter **a,
                                sct_error *err);
sct_status sct_strategy_from_disk(struct sct_strategy_run *r, struct sct_adapter **a,
                                  sct_error *err);

#endif
