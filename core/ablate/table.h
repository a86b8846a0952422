/* SPDX-License-Identifier: MIT
 * table.h - the results of a grid put together: what every form of the table shows.
 *
 * Accuracies are top-1 in per cent on the test list after the last epoch. A mean over several
 * columns is there only where every one of them has a result. Deviations are sample deviations
 * (n - 1) over seeds: of a mean over columns, of that mean from seed to seed. Figures that are
 * not there are NaN. */
#ifndef SCT_ABLATE_TABLE_H
#define SCT_ABLATE_TABLE_H

#include "core/ablate/cell.h"
#include "core/ablate/sheet.h"
#include "core/ablate/stats.h"

struct sct_figure {
    double mean, deviation;
    uint32_t n;
};

/* Of a group of columns: those of VTAB-1k, those of the file, or numbers of shots. */
struct sct_table_group {
    const char *name;
    uint32_t columns;
};

struct sct_table_row {
    struct sct_figure *column;   /* [n_column] */
    struct sct_figure *best;     /* [n_column], best on test; NULL unless asked for */
    struct sct_figure *group;    /* [n_group] */
    struct sct_figure *target;   /* [n_target], over all columns */
    struct sct_figure of_groups; /* mean of the means of groups; n = 0 without groups */
    struct sct_figure of_tasks;  /* mean of all columns */
    double params;               /* trained beside the head, mean over cells */
    double seconds, train_seconds, peak_bytes,
        device_bytes; /* of a cell: means; memory: most */
    uint32_t ok, failed, missing;
    struct sct_paired versus; /* this row minus the baseline, paired over columns and seeds */
    double p_holm;            /* versus.p, corrected for the number of rows */
    char (*chosen)[160];      /* [n_column] what search chose; NULL without search */
};

struct sct_table {
    const struct sct_grid *g;
    const struct sct_grid_cell *cell; /* [n_cell] as sct_grid_cells gives them */
    const struct sct_cell_result *result;
    char (*id)[SCT_GRID_ID]; /* "": not known yet */
    uint32_t n_cell;
    struct sct_table_group *group;
    uint32_t *group_of; /* [n_column] */
    uint32_t n_group;
    struct sct_table_row *row; /* [n_row of the grid] */
    struct sct_arena arena;
};

/* Which combination a row's search chose for a column: the one with the highest mean top-1 on
 * the validation list over the search seeds; of equal ones that with the lowest loss, then the
 * first. Combinations with a failed or missing cell do not count. *missing: cells that are
 * neither done nor failed. SCT_GRID_NONE: none can be chosen. */
int32_t sct_table_choose(const struct sct_grid *g, const struct sct_grid_cell *cell,
                         const struct sct_cell_result *result, uint32_t n, uint32_t row,
                         uint32_t column, uint32_t *missing);

/* Borrows grid, cells, results and ids. ENOMEM: *t is empty. */
sct_status sct_table_make(struct sct_table *t, const struct sct_grid *g,
                          const struct sct_grid_cell *cell,
                          const struct sct_cell_result *result, char (*id)[SCT_GRID_ID],
                          uint32_t n, sct_error *err);
void sct_table_fini(struct sct_table *t);

/* The cell of a row, column and seed that is reported; NULL result: missing. */
const struct sct_cell_result *sct_table_cell(const struct sct_table *t, uint32_t row,
                                             uint32_t column, uint32_t seed);

/* ---- its forms; each caller's string (sct_free), NULL when memory is short ---- */

/* All tables and what is to be said to them, without a title. */
void sct_table_sheet(const struct sct_table *t, struct sct_sheet *h);
char *sct_table_markdown(const struct sct_table *t);
/* One line for every row and column, group and headline mean. */
char *sct_table_csv(const struct sct_table *t);
/* The same and every cell; a JSON tree, whose reference is the caller's. */
struct json_t *sct_table_json(const struct sct_table *t);
/* One file without any other: styles, plots (SVG) and table. */
char *sct_table_html(const struct sct_table *t);

#endif
