/* SPDX-License-Identifier: MIT
 * run.h - running one cell in this process. */
#ifndef SCT_ABLATE_RUN_H
#define SCT_ABLATE_RUN_H

#include "core/ablate/cell.h"
#include "core/train/share.h"

struct sct_cell_run {
    const struct sct_grid *g;
    struct sct_share *share; /* NULL: nothing is shared */
    const char *dir; /* folder for the run's own files, replaced; or NULL: it has none */
    void (*log)(void *ctx, int level, const char *line);
    void *log_ctx;
    volatile int *stop; /* as sct_train's; may be NULL */
};

/* Trains and tests a cell with these settings (sct_grid_settings). The list it is judged by is
 * looked at after the last epoch, and otherwise as eval_interval says. On failure *r says how.
 * *stopped: it ended early, and *r is nothing to keep. */
sct_status sct_cell_train(const struct sct_cell_run *how, const struct sct_grid_cell *c,
                          struct sct_settings_run *run, struct sct_cell_result *r,
                          bool *stopped, sct_error *err);

#endif
