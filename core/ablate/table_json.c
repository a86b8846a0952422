/* SPDX-License-Identifier: MIT
 * table_json.c - the table as JSON: every figure, and every cell with where its file is. */
#include <math.h>

#include "core/ablate/table.h"
#include "core/io/json.h"

/* JSON has no NaN. */
static json_t *number(double v)
{
    return isnan(v) || isinf(v) ? json_null() : json_real(v);
}

static json_t *figure(const char *name, const struct sct_figure *f)
{
    return json_pack("{s:s, s:o, s:o, s:i}", "name", name, "mean", number(f->mean), "deviation",
                     number(f->deviation), "seeds", (int)f->n);
}

static json_t *versus(const struct sct_table *t, const struct sct_table_row *row)
{
    const struct sct_paired *v = &row->versus;
    return json_pack("{s:s, s:o, s:o, s:o, s:o, s:i}", "baseline",
                     t->g->row[t->g->baseline].label, "difference",
                     number(v->n ? v->mean : (double)NAN), "t", number(v->t), "p", number(v->p),
                     "p_holm", number(row->p_holm), "pairs", (int)v->n);
}

static json_t *row_json(const struct sct_table *t, uint32_t r)
{
    const struct sct_grid *g = t->g;
    const struct sct_table_row *row = &t->row[r];
    json_t *tasks = json_array(), *groups = json_array(), *targets = json_array();
    for (uint32_t c = 0; c < g->n_column; c++) {
        json_t *o = figure(g->column[c].name, &row->column[c]);
        if (row->best)
            json_object_set_new(o, "best_on_test", figure(g->column[c].name, &row->best[c]));
        if (row->chosen)
            json_object_set_new(o, "chosen", json_string(row->chosen[c]));
        json_array_append_new(tasks, o);
    }
    for (uint32_t k = 0; k < t->n_group; k++)
        json_array_append_new(groups, figure(t->group[k].name, &row->group[k]));
    for (uint32_t k = 0; k < g->n_target; k++)
        json_array_append_new(targets, figure(g->target[k].name, &row->target[k]));
    json_t *o = json_pack(
        "{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:i, s:i, s:i, s:o}", "strategy",
        g->row[r].label, "parameters", number(row->params), "seconds", number(row->seconds),
        "train_seconds", number(row->train_seconds), "peak_bytes", number(row->peak_bytes),
        "device_bytes", number(row->device_bytes), "tasks", tasks, "groups", groups, "ok",
        (int)row->ok, "failed", (int)row->failed, "missing", (int)row->missing,
        "mean_of_columns", figure("mean of columns", &row->of_tasks));
    if (t->n_group > 1)
        json_object_set_new(o, "mean_of_group_means",
                            figure("mean of group means", &row->of_groups));
    if (g->n_target)
        json_object_set_new(o, "targets", targets);
    else
        json_decref(targets);
    if (g->baseline != SCT_GRID_NONE && g->baseline != (int32_t)r)
        json_object_set_new(o, "versus", versus(t, row));
    return o;
}

static json_t *cell_json(const struct sct_table *t, uint32_t i)
{
    static const char *const status[] = {"missing", "ok", "failed"};
    const struct sct_grid *g = t->g;
    const struct sct_grid_cell *c = &t->cell[i];
    const struct sct_cell_result *r = &t->result[i];
    char combo[160] = "";
    if (g->row[c->row].combos)
        sct_grid_combo_text(&g->row[c->row], c->combo, combo, sizeof combo);
    json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:I, s:s}", "id", t->id[i], "stage",
                          c->search ? "search" : "report", "strategy", g->row[c->row].label,
                          "task", g->column[c->column].name, "seed",
                          (json_int_t)(c->search ? g->search_seed[c->seed] : g->seed[c->seed]),
                          "status", status[r->status]);
    if (*combo && (c->search || r->status == SCT_CELL_OK))
        json_object_set_new(o, "searched", json_string(combo));
    if (r->status == SCT_CELL_OK)
        json_object_set_new(o, c->search ? "val_top1" : "test_top1", json_real(r->top1));
    if (r->status == SCT_CELL_FAILED) {
        json_object_set_new(o, "code", json_integer(r->code));
        json_object_set_new(o, "message", json_string(r->message));
    }
    return o;
}

json_t *sct_table_json(const struct sct_table *t)
{
    const struct sct_grid *g = t->g;
    json_t *rows = json_array(), *cells = json_array(), *seeds = json_array();
    for (uint32_t r = 0; r < g->n_row; r++)
        json_array_append_new(rows, row_json(t, r));
    for (uint32_t i = 0; i < t->n_cell; i++)
        json_array_append_new(cells, cell_json(t, i));
    for (uint32_t s = 0; s < g->n_seed; s++)
        json_array_append_new(seeds, json_integer(g->seed[s]));
    return json_pack("{s:s, s:s, s:s, s:s, s:o, s:o, s:o}", "grid", g->name, "about", g->about,
                     "program", SCT_VERSION, "metric",
                     "top-1 in per cent on the test list after the last epoch", "seeds", seeds,
                     "rows", rows, "cells", cells);
}
