/* SPDX-License-Identifier: MIT
 * table.c - means, deviations, comparison with the baseline. */
#include "core/ablate/table.h"

#include <math.h>
#include <string.h>

#include "core/base/status.h"

/* ---- the choice of a search ---- */

struct tally {
    double top1, loss;
    uint32_t n;
};

static bool better(const struct tally *a, const struct tally *b)
{
    return a->top1 > b->top1 || (!(a->top1 < b->top1) && a->loss < b->loss);
}

int32_t sct_table_choose(const struct sct_grid *g, const struct sct_grid_cell *cell,
                         const struct sct_cell_result *result, uint32_t n, uint32_t row,
                         uint32_t column, uint32_t *missing)
{
    struct tally now = {0}, best = {0};
    int32_t chosen = SCT_GRID_NONE;
    uint32_t seen = 0;
    *missing = 0;
    /* the seeds of a combination stand together */
    for (uint32_t i = 0; i < n; i++) {
        const struct sct_grid_cell *c = &cell[i];
        if (!c->search || c->row != row || c->column != column)
            continue;
        if (seen++ % g->n_search_seed == 0)
            now = (struct tally){0};
        *missing += result[i].status == SCT_CELL_MISSING;
        if (result[i].status == SCT_CELL_OK) {
            now.top1 += result[i].top1 / g->n_search_seed;
            now.loss += result[i].loss / g->n_search_seed;
            now.n++;
        }
        if (now.n == g->n_search_seed && (chosen == SCT_GRID_NONE || better(&now, &best))) {
            best = now;
            chosen = (int32_t)c->combo;
        }
    }
    return chosen;
}

/* ---- figures ---- */

static void *take(struct sct_table *t, size_t n, size_t size)
{
    return sct_arena_alloc(&t->arena, (n ? n : 1) * size);
}

/* Where the cells that are reported lie: [row][column][seed] -> index of cell. */
struct places {
    uint32_t *at;
    uint32_t columns, seeds;
};

static const struct sct_cell_result *result_at(const struct sct_table *t,
                                               const struct places *p, uint32_t row,
                                               uint32_t column, uint32_t seed)
{
    return &t->result[p->at[((size_t)row * p->columns + column) * p->seeds + seed]];
}

const struct sct_cell_result *sct_table_cell(const struct sct_table *t, uint32_t row,
                                             uint32_t column, uint32_t seed)
{
    for (uint32_t i = 0; i < t->n_cell; i++) {
        const struct sct_grid_cell *c = &t->cell[i];
        if (!c->search && c->row == row && c->column == column && c->seed == seed)
            return t->result[i].status == SCT_CELL_OK ? &t->result[i] : NULL;
    }
    return NULL;
}

static sct_status find_places(const struct sct_table *t, struct places *p, sct_error *err)
{
    p->columns = t->g->n_column;
    p->seeds = t->g->n_seed;
    p->at = sct_calloc((size_t)t->g->n_row * p->columns * p->seeds, sizeof *p->at);
    if (!p->at)
        return sct_nomem(err);
    for (uint32_t i = 0; i < t->n_cell; i++) {
        const struct sct_grid_cell *c = &t->cell[i];
        if (!c->search)
            p->at[((size_t)c->row * p->columns + c->column) * p->seeds + c->seed] = i;
    }
    return SCT_OK;
}

static double best_of(const struct sct_cell_result *r)
{
    double best = r->top1;
    for (uint32_t i = 0; i < r->n_eval; i++)
        best = r->eval[i].top1 > best ? r->eval[i].top1 : best;
    return best;
}

static struct sct_figure figure(const double *v, uint32_t n)
{
    struct sct_figure f = {.n = n};
    sct_stats_mean(v, n, &f.mean, &f.deviation);
    return f;
}

/* Accuracy of a cell, or NaN. */
static double top1_at(const struct sct_table *t, const struct places *p, uint32_t row,
                      uint32_t column, uint32_t seed)
{
    const struct sct_cell_result *r = result_at(t, p, row, column, seed);
    return r->status == SCT_CELL_OK ? r->top1 : (double)NAN;
}

static void columns_of(const struct sct_table *t, const struct places *p, uint32_t row,
                       double *v)
{
    struct sct_table_row *out = &t->row[row];
    for (uint32_t c = 0; c < p->columns; c++) {
        uint32_t n = 0, b = 0;
        for (uint32_t s = 0; s < p->seeds; s++) {
            const double x = top1_at(t, p, row, c, s);
            if (!isnan(x))
                v[n++] = x;
        }
        out->column[c] = figure(v, n);
        for (uint32_t s = 0; s < p->seeds && out->best; s++) {
            const struct sct_cell_result *r = result_at(t, p, row, c, s);
            if (r->status == SCT_CELL_OK)
                v[b++] = best_of(r);
        }
        if (out->best)
            out->best[c] = figure(v, b);
    }
}

enum { ALL = -1, OF_GROUPS = -2 };

/* A seed's mean over the columns of group `which`, or over all, or over the means of groups;
 * NaN where one is not there. */
static double seed_mean(const struct sct_table *t, const struct places *p, uint32_t row,
                        uint32_t seed, int which)
{
    double sum = 0;
    uint32_t n = 0;
    if (which == OF_GROUPS) {
        for (uint32_t k = 0; k < t->n_group; k++)
            sum += seed_mean(t, p, row, seed, (int)k);
        return sum / t->n_group;
    }
    for (uint32_t c = 0; c < p->columns; c++) {
        if (which != ALL && t->group_of[c] != (uint32_t)which)
            continue;
        sum += top1_at(t, p, row, c, seed);
        n++;
    }
    return sum / n;
}

static struct sct_figure over_seeds(const struct sct_table *t, const struct places *p,
                                    uint32_t row, int which, double *v)
{
    uint32_t n = 0;
    for (uint32_t s = 0; s < p->seeds; s++) {
        const double m = seed_mean(t, p, row, s, which);
        if (!isnan(m))
            v[n++] = m;
    }
    return figure(v, n);
}

/* A target set: the mean over columns, of every seed. */
static void targets_of(const struct sct_table *t, const struct places *p, uint32_t row,
                       double *v)
{
    for (uint32_t k = 0; k < t->g->n_target; k++) {
        uint32_t n = 0;
        for (uint32_t s = 0; s < p->seeds; s++) {
            double sum = 0;
            for (uint32_t c = 0; c < p->columns; c++) {
                const struct sct_cell_result *r = result_at(t, p, row, c, s);
                sum += r->status == SCT_CELL_OK && k < r->n_target ? r->target[k].top1
                                                                   : (double)NAN;
            }
            if (!isnan(sum))
                v[n++] = sum / p->columns;
        }
        t->row[row].target[k] = figure(v, n);
    }
}

static void measures_of(const struct sct_table *t, const struct places *p, uint32_t row)
{
    struct sct_table_row *out = &t->row[row];
    for (uint32_t c = 0; c < p->columns; c++)
        for (uint32_t s = 0; s < p->seeds; s++) {
            const struct sct_cell_result *r = result_at(t, p, row, c, s);
            out->ok += r->status == SCT_CELL_OK;
            out->failed += r->status == SCT_CELL_FAILED;
            out->missing += r->status == SCT_CELL_MISSING;
            if (r->status != SCT_CELL_OK)
                continue;
            out->params += (double)(r->trainable - r->head);
            out->seconds += r->seconds;
            out->train_seconds += r->train_seconds;
            out->peak_bytes = fmax(out->peak_bytes, (double)r->peak_bytes);
            out->device_bytes = fmax(out->device_bytes, (double)r->device_bytes);
        }
    const double n = out->ok ? out->ok : (double)NAN;
    out->params /= n;
    out->seconds /= n;
    out->train_seconds /= n;
    if (!out->ok)
        out->peak_bytes = out->device_bytes = NAN;
}

static void compare(const struct sct_table *t, const struct places *p, uint32_t row, double *v)
{
    const int32_t base = t->g->baseline;
    uint32_t n = 0;
    t->row[row].versus = (struct sct_paired){0, (double)NAN, (double)NAN, (double)NAN};
    t->row[row].p_holm = NAN;
    if (base == SCT_GRID_NONE || (uint32_t)base == row)
        return;
    for (uint32_t c = 0; c < p->columns; c++)
        for (uint32_t s = 0; s < p->seeds; s++) {
            const double d = top1_at(t, p, row, c, s) - top1_at(t, p, (uint32_t)base, c, s);
            if (!isnan(d))
                v[n++] = d;
        }
    t->row[row].versus = sct_stats_paired(v, n);
}

static sct_status correct(struct sct_table *t, sct_error *err)
{
    const uint32_t n = t->g->n_row;
    double *p = sct_calloc((size_t)2 * n, sizeof *p);
    if (!p)
        return sct_nomem(err);
    for (uint32_t i = 0; i < n; i++)
        p[i] = t->row[i].versus.p;
    sct_stats_holm(p, p + n, n);
    for (uint32_t i = 0; i < n; i++)
        t->row[i].p_holm = p[n + i];
    sct_free(p);
    return SCT_OK;
}

/* ---- groups ---- */

/* Columns without a group are no part of one; if any is, there are no means of groups. */
static sct_status find_groups(struct sct_table *t, sct_error *err)
{
    const struct sct_grid *g = t->g;
    t->group = take(t, g->n_column, sizeof *t->group);
    t->group_of = take(t, g->n_column, sizeof *t->group_of);
    if (!t->group || !t->group_of)
        return sct_nomem(err);
    for (uint32_t c = 0; c < g->n_column; c++) {
        uint32_t k = 0;
        if (!*g->column[c].group) {
            t->n_group = 0;
            return SCT_OK;
        }
        while (k < t->n_group && strcmp(t->group[k].name, g->column[c].group) != 0)
            k++;
        if (k == t->n_group)
            t->group[t->n_group++].name = g->column[c].group;
        t->group[k].columns++;
        t->group_of[c] = k;
    }
    return SCT_OK;
}

static sct_status make_row(struct sct_table *t, const struct places *p, uint32_t row, double *v,
                           sct_error *err)
{
    const struct sct_grid *g = t->g;
    struct sct_table_row *out = &t->row[row];
    out->column = take(t, g->n_column, sizeof *out->column);
    out->group = take(t, t->n_group, sizeof *out->group);
    out->target = take(t, g->n_target, sizeof *out->target);
    out->best = g->best_on_test ? take(t, g->n_column, sizeof *out->best) : NULL;
    out->chosen = g->row[row].combos ? take(t, g->n_column, sizeof *out->chosen) : NULL;
    if (!out->column || !out->group || !out->target || (g->best_on_test && !out->best) ||
        (g->row[row].combos && !out->chosen))
        return sct_nomem(err);
    columns_of(t, p, row, v);
    for (uint32_t k = 0; k < t->n_group; k++)
        out->group[k] = over_seeds(t, p, row, (int)k, v);
    out->of_tasks = over_seeds(t, p, row, ALL, v);
    out->of_groups = (struct sct_figure){(double)NAN, (double)NAN, 0};
    if (t->n_group > 1)
        out->of_groups = over_seeds(t, p, row, OF_GROUPS, v);
    targets_of(t, p, row, v);
    measures_of(t, p, row);
    compare(t, p, row, v);
    for (uint32_t c = 0; c < g->n_column && out->chosen; c++) {
        uint32_t missing;
        const int32_t m = sct_table_choose(g, t->cell, t->result, t->n_cell, row, c, &missing);
        if (m != SCT_GRID_NONE)
            sct_grid_combo_text(&g->row[row], (uint32_t)m, out->chosen[c],
                                sizeof out->chosen[c]);
    }
    return SCT_OK;
}

sct_status sct_table_make(struct sct_table *t, const struct sct_grid *g,
                          const struct sct_grid_cell *cell,
                          const struct sct_cell_result *result, char (*id)[SCT_GRID_ID],
                          uint32_t n, sct_error *err)
{
    struct places p = {0};
    memset(t, 0, sizeof *t);
    t->g = g;
    t->cell = cell;
    t->result = result;
    t->id = id;
    t->n_cell = n;
    t->row = take(t, g->n_row, sizeof *t->row);
    double *v = sct_calloc((size_t)g->n_column * g->n_seed, sizeof *v);
    sct_status rc = t->row && v ? SCT_OK : sct_nomem(err);
    if (rc == SCT_OK)
        rc = find_groups(t, err);
    if (rc == SCT_OK)
        rc = find_places(t, &p, err);
    for (uint32_t r = 0; r < g->n_row && rc == SCT_OK; r++)
        rc = make_row(t, &p, r, v, err);
    if (rc == SCT_OK)
        rc = correct(t, err);
    sct_free(p.at);
    sct_free(v);
    if (rc != SCT_OK)
        sct_table_fini(t);
    return rc;
}

void sct_table_fini(struct sct_table *t)
{
    sct_arena_free(&t->arena);
    memset(t, 0, sizeof *t);
}
