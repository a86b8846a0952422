/* SPDX-License-Identifier: MIT
 * cell.h - the result of one cell, and its file: cells/<id>.json, written complete or not at
 * all, so that a grid that was killed goes on with what is missing. */
#ifndef SCT_ABLATE_CELL_H
#define SCT_ABLATE_CELL_H

#include "core/ablate/grid.h"

enum { SCT_CELL_CURVE = 64 }; /* points of a curve of the training loss, at most */

enum sct_cell_status { SCT_CELL_MISSING, SCT_CELL_OK, SCT_CELL_FAILED };

/* An evaluation during training: on the list that the cell is judged by. */
struct sct_cell_eval {
    uint32_t epoch;
    double top1;
};

struct sct_cell_target {
    double top1;
    uint32_t images;
};

struct sct_cell_result {
    enum sct_cell_status status;
    int code;                /* of a failure: as the program's exit code */
    char message[1020];      /* of a failure */
    double top1, top5, loss; /* after the last epoch */
    uint32_t images;
    uint64_t trainable, head, all, steps;
    double seconds, train_seconds; /* of all of the cell; of its steps */
    uint64_t peak_bytes, device_bytes;
    uint64_t decoded, uploads, computed, featured,
        measured; /* by this cell; see struct sct_share_counts */
    char backend[64], device[128];
    double curve[SCT_CELL_CURVE]; /* mean training loss of equal parts of the steps */
    uint32_t n_curve;
    struct sct_cell_eval *eval;
    uint32_t n_eval, cap_eval;
    struct sct_cell_target *target; /* [n_target of the grid] */
    uint32_t n_target;
};

/* Frees what *r owns and makes it SCT_CELL_MISSING. */
void sct_cell_fini(struct sct_cell_result *r);

/* Writes the file, in a folder that exists. args: everything in force, as text; where: the
 * place in the grid, for people. EFAIL, ENOMEM. */
sct_status sct_cell_write(const char *path, const struct sct_grid *g,
                          const struct sct_grid_cell *c, const char *id, const char *args,
                          const struct sct_cell_result *r, sct_error *err);
/* Reads it; a file that is not there is SCT_CELL_MISSING and OK. EDATA: the file is not one of
 * these, or not of this cell. On failure *r is empty. */
sct_status sct_cell_read(const char *path, const struct sct_grid *g,
                         const struct sct_grid_cell *c, const char *id,
                         struct sct_cell_result *r, sct_error *err);

#endif
