/* SPDX-License-Identifier: MIT
 * grid.h - a grid of runs as a file, and the cells that it stands for.
 *
 *     name, about
 *     base: {<settings>, options: {...}}            of every cell
 *     tasks: [DATA | {name, group, <settings>, options}]
 *     strategies: [NAME | {strategy, label, <settings>, options, grid, search}]
 *     grid: {KEY: [...], options.KEY: [...]}        every strategy with every combination
 *     seeds: [0, 1, 2]
 *     baseline: LABEL                               whom the others are compared with
 *     search: {KEY: [...], options.KEY: [...]}      what is chosen on the validation list
 *     search_seeds: [0]
 *     few_shot: {shots: [1, 2, 4]}
 *     domains: [{name, <settings of data>}]         further test lists
 *     best_on_test: off                             a column for it, under this name
 *     share: on                                     cells share pictures and packed weights
 *     save: off                                     run folders of cells, adapters included
 *
 * Settings are those of `-c FILE`, each stronger than those before it: base, task, strategy,
 * values of `grid`, what was chosen. A row of the table is a strategy with one combination of
 * its `grid`; a column a task (with few_shot: a task and a number of shots). A cell is one run:
 * a row, a column, a seed; or, of a search, also a combination of what is searched, trained on
 * train800 and judged by val200 (--protocol tune). Everything wrong in a file is SCT_EUSAGE
 * with file:line:column. Read-only once it is open; one thread. */
#ifndef SCT_ABLATE_GRID_H
#define SCT_ABLATE_GRID_H

#include "core/base/mem.h"
#include "core/settings/settings.h"

enum {
    SCT_GRID_AXES = 16,
    SCT_GRID_ROWS = 4096,
    SCT_GRID_CELLS = 1000000,
    SCT_GRID_ID = 17, /* 16 hexadecimal digits and the end */
    SCT_GRID_NONE = -1,
};

struct sct_grid_axis {
    const char *key;                  /* "lr", "options.k" */
    const struct sct_cfg_node *first; /* n scalars */
    uint32_t n;
};

struct sct_grid_row {
    const char *label;
    const struct sct_cfg_node *map; /* of the strategy; NULL: the file has its name alone */
    struct sct_pick *pick;          /* the strategy, and one value of each axis of `grid` */
    uint32_t n_pick;
    struct sct_grid_axis search[SCT_GRID_AXES];
    uint32_t n_search, combos; /* combos: 0 where nothing is searched */
};

struct sct_grid_column {
    const char *name, *task, *group; /* group: "" if it has none */
    const struct sct_cfg_node *map;  /* of the task, or NULL */
    const char *data;                /* where map is NULL */
    struct sct_pick pick[1];         /* of `data`, where map is NULL */
    uint32_t shots;                  /* 0: not said by few_shot */
};

struct sct_grid_target {
    const char *name;
    const struct sct_cfg_node *map;
};

struct sct_grid {
    struct sct_cfg *cfg;
    struct sct_arena arena;
    const char *path, *name, *about;
    const struct sct_cfg_node *base;
    struct sct_grid_row *row;
    struct sct_grid_column *column;
    struct sct_grid_target *target;
    uint32_t *seed, *search_seed;
    uint32_t n_row, cap_row, n_column, n_target, n_seed, n_search_seed;
    uint32_t *shots, n_shots; /* of few_shot */
    int32_t baseline;         /* row, or SCT_GRID_NONE */
    uint32_t best_on_test, share, save;
    /* flags of the command line, stronger than the file; borrowed */
    int argc;
    char *const *argv;
    const char *(*env)(const char *);
};

/* Opens a file, or configs/grids/<name>.yaml where there is neither '/' nor ".yaml" in path.
 * argv: flags for every cell. Everything is checked but what needs a cell's settings
 * (sct_grid_settings). On failure *g is empty. */
sct_status sct_grid_open(struct sct_grid *g, const char *path, int argc, char *const *argv,
                         const char *(*env)(const char *), sct_error *err);
void sct_grid_close(struct sct_grid *g);

/* ---- cells ---- */

struct sct_grid_cell {
    uint32_t row, column, seed; /* seed: an index of seed, or of search_seed */
    bool search;
    uint32_t combo; /* of what is searched; where not searched, the one that was chosen */
};

/* All cells in the order in which they run: what shares data stands together, and searches
 * before what needs their outcome. *cell: sct_free. */
sct_status sct_grid_cells(const struct sct_grid *g, struct sct_grid_cell **cell, uint32_t *n,
                          sct_error *err);

/* Everything in force in a cell. The caller ends it with sct_settings_fini. Refuses what a cell
 * cannot have (a folder of its own, an adapter, a protocol) and what its strategy does not
 * have. */
sct_status sct_grid_settings(const struct sct_grid *g, const struct sct_grid_cell *c,
                             struct sct_settings_run *run, sct_error *err);
/* What names the cell: a hash of everything in force that changes its result, but not of where
 * it stands in the grid, nor of threads and log. Grids may change and keep the cells that they
 * still have; two places with the same settings are one cell. args: the text of args.yaml
 * (sct_free), or NULL. */
sct_status sct_grid_id(const struct sct_grid *g, const struct sct_grid_cell *c,
                       struct sct_settings_run *run, char id[SCT_GRID_ID], char **args,
                       sct_error *err);
/* For cells of a row that is searched: some layouts test on the validation list where there is
 * no test list, and then the search would choose on what is reported. SCT_EDATA. */
sct_status sct_grid_check_lists(const struct sct_settings *s, sct_error *err);
/* The settings of a further test list of a cell whose settings are `run`. */
sct_status sct_grid_target_settings(const struct sct_grid *g, uint32_t target,
                                    const struct sct_settings_run *run,
                                    struct sct_settings_run *out, sct_error *err);
/* What a combination says for one of the keys that a row searches. */
const struct sct_cfg_node *sct_grid_combo_value(const struct sct_grid_row *row, uint32_t combo,
                                                uint32_t axis);
/* "lr=0.01 k=8": a combination of what a row searches, into buf. */
void sct_grid_combo_text(const struct sct_grid_row *row, uint32_t combo, char *buf,
                         size_t size);
/* "sct k=8, sprites_count, seed 0" */
void sct_grid_cell_text(const struct sct_grid *g, const struct sct_grid_cell *c, char *buf,
                        size_t size);

#endif
