/* SPDX-License-Identifier: MIT
 * ablate_worker.h - a process that runs cells, one after the other, and shares between them
 * what they have in common. A cell that ends it costs nothing but itself: the next cell gets a
 * new process. */
#ifndef SCT_TOOLS_ABLATE_WORKER_H
#define SCT_TOOLS_ABLATE_WORKER_H

#include <sys/types.h>

#include "core/ablate/cell.h"
#include "tools/cli.h"

struct ablation {
    struct cli *cli;
    struct sct_grid grid;
    struct sct_grid_cell *cell; /* [n] */
    struct sct_cell_result *result;
    char (*id)[SCT_GRID_ID]; /* "": not known before a search has ended */
    uint32_t n;
    const char *dir;
    /* of the worker; pid 0: there is none */
    pid_t pid;
    int to, from;
};

/* dir/cells/<id>.json into buf. */
void ablate_cell_path(const struct ablation *a, const char *id, char *buf, size_t size);
/* Runs cell i, whose id is known, and leaves its result in the file and in a->result[i]. A cell
 * that fails is no error of this function; *stopped: a signal ended it, and it has no result.
 */
sct_status ablate_run_cell(struct ablation *a, uint32_t i, bool *stopped, sct_error *err);
/* Ends the worker, if there is one. */
void ablate_end_worker(struct ablation *a);

#endif
