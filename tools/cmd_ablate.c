/* SPDX-License-Identifier: MIT
 * cmd_ablate.c - sctrun ablate: the cells of a grid that are not done yet, and the table. */
#include <signal.h>
#include <string.h>

#include "core/ablate/table.h"
#include "core/base/status.h"
#include "core/io/file.h"
#include "tools/ablate_worker.h"

struct own_flags {
    uint32_t part, parts; /* of --shard; 0: all */
    bool collect;
};

/* "2/8" */
static sct_status read_shard(struct own_flags *f, const char *text, sct_error *err)
{
    char tail;
    if (!text || sscanf(text, "%u/%u%c", &f->part, &f->parts, &tail) != 2 || f->part < 1 ||
        f->part > f->parts || f->parts > 1000000)
        return sct_fail(err, SCT_EUSAGE,
                        "--shard: expected I/N with I from 1 to N, as 1/4, found \"%s\"",
                        text ? text : "");
    return SCT_OK;
}

/* Takes its own flags out of argv. */
static sct_status take_flags(struct cli *c, struct own_flags *f, sct_error *err)
{
    int kept = 0;
    for (int i = 0; i < c->argc; i++) {
        char *arg = c->argv[i];
        if (strcmp(arg, "--collect") == 0)
            f->collect = true;
        else if (strncmp(arg, "--shard=", 8) == 0)
            SCT_TRY(read_shard(f, arg + 8, err));
        else if (strcmp(arg, "--shard") == 0)
            SCT_TRY(read_shard(f, ++i < c->argc ? c->argv[i] : NULL, err));
        else
            c->argv[kept++] = arg;
    }
    c->argc = kept;
    if (f->collect && f->parts)
        return sct_fail(err, SCT_EUSAGE, "--collect is for the cells of all shards");
    return SCT_OK;
}

/* ---- the cells ---- */

static bool searched(const struct ablation *a, uint32_t i)
{
    return !a->cell[i].search && a->grid.row[a->cell[i].row].combos;
}

/* What a search chose, once it is done. *ready: the cell has its settings, and its id. */
static sct_status settle(struct ablation *a, uint32_t i, bool *ready, sct_error *err)
{
    struct sct_settings_run run;
    struct sct_grid_cell *c = &a->cell[i];
    *ready = a->id[i][0] != 0;
    if (*ready)
        return SCT_OK;
    uint32_t missing;
    const int32_t combo =
        sct_table_choose(&a->grid, a->cell, a->result, a->n, c->row, c->column, &missing);
    if (missing)
        return SCT_OK;
    if (combo == SCT_GRID_NONE) {
        a->result[i].status = SCT_CELL_FAILED;
        a->result[i].code = 1;
        (void)snprintf(a->result[i].message, sizeof a->result[i].message,
                       "no combination of its search has a result");
        return SCT_OK;
    }
    c->combo = (uint32_t)combo;
    SCT_TRY(sct_grid_settings(&a->grid, c, &run, err));
    const sct_status rc = sct_grid_id(&a->grid, c, &run, a->id[i], NULL, err);
    sct_settings_fini(&run);
    *ready = rc == SCT_OK;
    return rc;
}

static sct_status load(struct ablation *a, uint32_t i, sct_error *err)
{
    char path[4200];
    ablate_cell_path(a, a->id[i], path, sizeof path);
    sct_cell_fini(&a->result[i]);
    return sct_cell_read(path, &a->grid, &a->cell[i], a->id[i], &a->result[i], err);
}

/* Settings of every cell, checked before anything runs; and the ids that are known. */
static sct_status check_cells(struct ablation *a, sct_error *err)
{
    for (uint32_t i = 0; i < a->n; i++) {
        struct sct_settings_run run;
        char text[400], id[SCT_GRID_ID];
        sct_grid_cell_text(&a->grid, &a->cell[i], text, sizeof text);
        sct_status rc = sct_grid_settings(&a->grid, &a->cell[i], &run, err);
        if (rc == SCT_OK) {
            rc = sct_grid_id(&a->grid, &a->cell[i], &run, id, NULL, err);
            sct_settings_fini(&run);
        }
        if (rc != SCT_OK)
            return sct_error_prefix(err, "%s", text);
        if (!searched(a, i))
            memcpy(a->id[i], id, sizeof id);
    }
    return SCT_OK;
}

/* A search and what depends on it are one part's. */
static bool mine(const struct ablation *a, const struct own_flags *f, uint32_t i)
{
    const struct sct_grid_cell *c = &a->cell[i];
    bool search = false;
    for (uint32_t r = 0; r < a->grid.n_row; r++)
        search = search || a->grid.row[r].combos;
    const uint32_t unit = search ? c->row * a->grid.n_column + c->column : i;
    return !f->parts || unit % f->parts == f->part - 1;
}

static void say_result(struct ablation *a, uint32_t i)
{
    const struct sct_cell_result *r = &a->result[i];
    char cell[400], line[1600];
    sct_grid_cell_text(&a->grid, &a->cell[i], cell, sizeof cell);
    if (r->status == SCT_CELL_OK)
        (void)snprintf(line, sizeof line, "cell %u/%u: %s: %s top1 %.2f, %.1f s", i + 1, a->n,
                       cell, a->cell[i].search ? "validation" : "test", r->top1, r->seconds);
    else
        (void)snprintf(line, sizeof line, "cell %u/%u: %s: failed (%d): %s", i + 1, a->n, cell,
                       r->code, r->message);
    cli_log(a->cli, r->status == SCT_CELL_OK ? SCT_LOG_INFO : SCT_LOG_WARN, line);
}

/* Results that are there, in the order in which one may depend on another. */
static sct_status load_all(struct ablation *a, sct_error *err)
{
    for (uint32_t i = 0; i < a->n; i++) {
        bool ready;
        SCT_TRY(settle(a, i, &ready, err));
        if (ready)
            SCT_TRY(load(a, i, err));
    }
    return SCT_OK;
}

static sct_status run_all(struct ablation *a, const struct own_flags *f, sct_error *err)
{
    for (uint32_t i = 0; i < a->n && !cli_stop; i++) {
        bool ready, stopped;
        if (!mine(a, f, i))
            continue;
        SCT_TRY(settle(a, i, &ready, err));
        if (!ready)
            continue;
        /* from the file: a cell of the same settings, or another process, may have made it */
        SCT_TRY(load(a, i, err));
        if (a->result[i].status == SCT_CELL_OK)
            continue;
        SCT_TRY(ablate_run_cell(a, i, &stopped, err));
        if (!stopped)
            say_result(a, i);
    }
    return SCT_OK;
}

/* ---- the folder ---- */

static sct_status open_folder(const struct ablation *a, bool make, sct_error *err)
{
    char path[4200];
    (void)snprintf(path, sizeof path, "%.4000s/cells", a->dir);
    if (sct_dir_exists(path))
        return SCT_OK;
    if (!make)
        return sct_fail(err, SCT_EUSAGE, "%s has no results of cells", a->dir);
    SCT_TRY(sct_dir_make_new(a->dir, err));
    return sct_dir_make(path, err);
}

static sct_status write_text(const struct ablation *a, const char *name, char *text,
                             sct_error *err)
{
    char path[4200];
    (void)snprintf(path, sizeof path, "%.4000s/%s", a->dir, name);
    const sct_status rc = text ? sct_file_write(path, text, strlen(text), err) : sct_nomem(err);
    sct_free(text);
    return rc;
}

static sct_status write_tables(const struct ablation *a, const struct sct_table *t, bool json,
                               sct_error *err)
{
    char path[4200];
    json_t *tree = sct_table_json(t);
    char *markdown = sct_table_markdown(t);
    (void)snprintf(path, sizeof path, "%.4000s/table.json", a->dir);
    sct_status rc = tree && markdown ? sct_json_save(path, tree, err) : sct_nomem(err);
    if (rc == SCT_OK)
        rc = write_text(a, "table.csv", sct_table_csv(t), err);
    if (rc == SCT_OK)
        rc = write_text(a, "report.html", sct_table_html(t), err);
    if (rc == SCT_OK && json) {
        rc = cli_print_json(tree, err);
        tree = NULL;
    } else if (rc == SCT_OK) {
        fputs(markdown, stdout);
    }
    json_decref(tree);
    if (rc == SCT_OK)
        return write_text(a, "table.md", markdown, err);
    sct_free(markdown);
    return rc;
}

static sct_status tables(const struct ablation *a, bool json, sct_error *err)
{
    struct sct_table t;
    SCT_TRY(sct_table_make(&t, &a->grid, a->cell, a->result, a->id, a->n, err));
    const sct_status rc = write_tables(a, &t, json, err);
    sct_table_fini(&t);
    return rc;
}

static void list_cells(const struct ablation *a)
{
    static const char *const status[] = {"to do", "done", "failed"};
    for (uint32_t i = 0; i < a->n; i++) {
        char text[400];
        sct_grid_cell_text(&a->grid, &a->cell[i], text, sizeof text);
        printf("%-16s  %-6s  %s\n", a->id[i][0] ? a->id[i] : "after the search",
               status[a->result[i].status], text);
    }
}

static sct_status ablate(struct ablation *a, const struct sct_settings *s,
                         const struct own_flags *f, sct_error *err)
{
    char dir[4200];
    (void)snprintf(dir, sizeof dir, "runs/%.200s", a->grid.name);
    a->dir = s->output ? s->output : dir;
    SCT_TRY(sct_grid_cells(&a->grid, &a->cell, &a->n, err));
    a->result = sct_calloc(a->n, sizeof *a->result);
    a->id = sct_calloc(a->n, sizeof *a->id);
    if (!a->result || !a->id)
        return sct_nomem(err);
    SCT_TRY(check_cells(a, err));
    if (s->dry_run) {
        SCT_TRY(load_all(a, err));
        list_cells(a);
        return SCT_OK;
    }
    SCT_TRY(open_folder(a, !f->collect, err));
    if (!f->collect)
        SCT_TRY(run_all(a, f, err));
    ablate_end_worker(a);
    if (f->parts || cli_stop)
        return SCT_OK;
    SCT_TRY(load_all(a, err));
    return tables(a, s->json != 0, err);
}

sct_status cmd_ablate(struct cli *c, sct_error *err)
{
    struct sct_settings_run top;
    struct own_flags own = {0};
    struct ablation a = {.cli = c};
    SCT_TRY(take_flags(c, &own, err));
    SCT_TRY(sct_settings_init(&top, c->argc, c->argv, cli_env, false, err));
    c->quiet |= top.s.quiet != 0;
    (void)signal(SIGPIPE, SIG_IGN); /* a worker that is gone is an answer, not an end */
    sct_status rc = SCT_OK;
    if (top.n_word != 1)
        rc = sct_fail(err, SCT_EUSAGE,
                      "expected one grid, found %u: sctrun ablate GRID.yaml [--output DIR]",
                      top.n_word);
    if (rc == SCT_OK)
        rc = sct_grid_open(&a.grid, top.word[0], c->argc, c->argv, cli_env, err);
    if (rc == SCT_OK)
        rc = ablate(&a, &top.s, &own, err);
    ablate_end_worker(&a);
    for (uint32_t i = 0; a.result && i < a.n; i++)
        sct_cell_fini(&a.result[i]);
    sct_free(a.result);
    sct_free(a.id);
    sct_free(a.cell);
    sct_grid_close(&a.grid);
    sct_settings_fini(&top);
    return rc;
}
