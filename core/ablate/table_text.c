/* SPDX-License-Identifier: MIT
 * table_text.c - the table in words, for Markdown and HTML, and as CSV. */
#include <math.h>
#include <string.h>

#include "core/ablate/table.h"

/* ---- Markdown, HTML ---- */

static void put_figure(struct sct_sheet *h, const struct sct_figure *f)
{
    if (isnan(f->mean))
        sct_sheet_number(h, "-");
    else if (isnan(f->deviation))
        sct_sheet_number(h, "%.2f", f->mean);
    else
        sct_sheet_number(h, "%.2f ± %.2f", f->mean, f->deviation);
}

static void put_number(struct sct_sheet *h, double v, int digits)
{
    if (isnan(v))
        sct_sheet_number(h, "-");
    else
        sct_sheet_number(h, "%.*f", digits, v);
}

static void put_p(struct sct_sheet *h, double p)
{
    if (isnan(p))
        sct_sheet_number(h, "-");
    else
        sct_sheet_number(h, p < 0.0001 ? "%.1e" : "%.4f", p);
}

static bool has_means(const struct sct_table *t)
{
    return t->g->n_column > 1;
}

/* Groups of one column each say nothing that the columns do not. */
static uint32_t shown_groups(const struct sct_table *t)
{
    return t->n_group < t->g->n_column ? t->n_group : 0;
}

static void head(const struct sct_table *t, struct sct_sheet *h)
{
    const struct sct_grid *g = t->g;
    sct_sheet_row(h, true);
    sct_sheet_cell(h, "strategy");
    sct_sheet_number(h, "parameters");
    for (uint32_t c = 0; c < g->n_column; c++)
        sct_sheet_number(h, "%s", g->column[c].name);
    for (uint32_t k = 0; k < shown_groups(t); k++)
        sct_sheet_number(h, "mean %s (%u)", t->group[k].name, t->group[k].columns);
    if (shown_groups(t) > 1)
        sct_sheet_number(h, "mean of %u group means", t->n_group);
    if (has_means(t))
        sct_sheet_number(h, "mean of %u %s", g->n_column, g->n_shots ? "columns" : "tasks");
    if (g->baseline != SCT_GRID_NONE) {
        sct_sheet_number(h, "vs %s", g->row[g->baseline].label);
        sct_sheet_number(h, "p");
        sct_sheet_number(h, "p (Holm)");
        sct_sheet_number(h, "pairs");
    }
    sct_sheet_number(h, "s per cell");
    sct_sheet_number(h, "process MB");
    sct_sheet_number(h, "device MB");
    sct_sheet_row_end(h);
}

static void put_versus(const struct sct_table *t, uint32_t r, struct sct_sheet *h)
{
    const struct sct_table_row *row = &t->row[r];
    if (t->g->baseline == (int32_t)r) {
        sct_sheet_number(h, "baseline");
        sct_sheet_number(h, " ");
        sct_sheet_number(h, " ");
        sct_sheet_number(h, " ");
        return;
    }
    if (row->versus.n)
        sct_sheet_number(h, "%+.2f", row->versus.mean);
    else
        sct_sheet_number(h, "-");
    put_p(h, row->versus.p);
    put_p(h, row->p_holm);
    sct_sheet_number(h, "%u", row->versus.n);
}

static void put_row(const struct sct_table *t, uint32_t r, struct sct_sheet *h)
{
    const struct sct_grid *g = t->g;
    const struct sct_table_row *row = &t->row[r];
    sct_sheet_row(h, false);
    sct_sheet_cell(h, g->row[r].label);
    put_number(h, row->params, 0);
    for (uint32_t c = 0; c < g->n_column; c++)
        put_figure(h, &row->column[c]);
    for (uint32_t k = 0; k < shown_groups(t); k++)
        put_figure(h, &row->group[k]);
    if (shown_groups(t) > 1)
        put_figure(h, &row->of_groups);
    if (has_means(t))
        put_figure(h, &row->of_tasks);
    if (g->baseline != SCT_GRID_NONE)
        put_versus(t, r, h);
    put_number(h, row->seconds, 1);
    put_number(h, row->peak_bytes / 1048576.0, 1);
    put_number(h, row->device_bytes / 1048576.0, 1);
    sct_sheet_row_end(h);
}

static void head_of_rows(const struct sct_table *t, struct sct_sheet *h, const char *first)
{
    sct_sheet_row(h, true);
    sct_sheet_cell(h, first);
    for (uint32_t r = 0; r < t->g->n_row; r++)
        sct_sheet_number(h, "%s", t->g->row[r].label);
    sct_sheet_row_end(h);
}

/* Rows are the sets: the source first, then the targets. */
static void domains(const struct sct_table *t, struct sct_sheet *h)
{
    const struct sct_grid *g = t->g;
    sct_sheet_heading(h, 2, "Target sets");
    sct_sheet_paragraph(h, "Trained on the source, tested on every set, classes by name.");
    sct_sheet_table(h);
    head_of_rows(t, h, "set");
    sct_sheet_row(h, false);
    sct_sheet_cell(h, "source (test list)");
    for (uint32_t r = 0; r < g->n_row; r++)
        put_figure(h, &t->row[r].of_tasks);
    sct_sheet_row_end(h);
    for (uint32_t k = 0; k < g->n_target; k++) {
        sct_sheet_row(h, false);
        sct_sheet_cell(h, g->target[k].name);
        for (uint32_t r = 0; r < g->n_row; r++)
            put_figure(h, &t->row[r].target[k]);
        sct_sheet_row_end(h);
    }
    sct_sheet_table_end(h);
}

static void by_column(const struct sct_table *t, struct sct_sheet *h, bool chosen)
{
    const struct sct_grid *g = t->g;
    sct_sheet_table(h);
    sct_sheet_row(h, true);
    sct_sheet_cell(h, "strategy");
    for (uint32_t c = 0; c < g->n_column; c++)
        sct_sheet_number(h, "%s", g->column[c].name);
    sct_sheet_row_end(h);
    for (uint32_t r = 0; r < g->n_row; r++) {
        const struct sct_table_row *row = &t->row[r];
        if (chosen && !row->chosen)
            continue;
        sct_sheet_row(h, false);
        sct_sheet_cell(h, g->row[r].label);
        for (uint32_t c = 0; c < g->n_column; c++) {
            if (chosen)
                sct_sheet_number(h, "%s", row->chosen[c][0] ? row->chosen[c] : "-");
            else
                put_figure(h, &row->best[c]);
        }
        sct_sheet_row_end(h);
    }
    sct_sheet_table_end(h);
}

static void failures(const struct sct_table *t, struct sct_sheet *h)
{
    uint32_t n = 0, missing = 0;
    for (uint32_t i = 0; i < t->n_cell; i++) {
        char text[400];
        missing += t->result[i].status == SCT_CELL_MISSING;
        if (t->result[i].status != SCT_CELL_FAILED)
            continue;
        if (n++ == 0) {
            sct_sheet_heading(h, 2, "Failed cells");
            sct_sheet_table(h);
            sct_sheet_row(h, true);
            sct_sheet_cell(h, "cell");
            sct_sheet_number(h, "code");
            sct_sheet_cell(h, "message");
            sct_sheet_row_end(h);
        }
        sct_grid_cell_text(t->g, &t->cell[i], text, sizeof text);
        sct_sheet_row(h, false);
        sct_sheet_cell(h, text);
        sct_sheet_number(h, "%d", t->result[i].code);
        sct_sheet_cell(h, t->result[i].message);
        sct_sheet_row_end(h);
    }
    if (n)
        sct_sheet_table_end(h);
    if (missing)
        sct_sheet_paragraph(h, "%u of %u cells have not been run.", missing, t->n_cell);
}

static bool searches(const struct sct_table *t)
{
    for (uint32_t r = 0; r < t->g->n_row; r++)
        if (t->row[r].chosen)
            return true;
    return false;
}

static uint32_t compared(const struct sct_table *t)
{
    uint32_t n = 0;
    for (uint32_t r = 0; r < t->g->n_row; r++)
        n += isnan(t->row[r].versus.p) ? 0 : 1;
    return n;
}

static void main_table(const struct sct_table *t, struct sct_sheet *h)
{
    const struct sct_grid *g = t->g;
    sct_sheet_paragraph(
        h,
        "Top-1 in per cent on the test list after the last epoch%s; %u %s, ± is the sample "
        "deviation over seeds. Parameters: trained beside the head. Memory: the most of a cell.",
        searches(t) ? ", with settings chosen on the validation list" : "", g->n_seed,
        g->n_seed == 1 ? "seed" : "seeds");
    sct_sheet_table(h);
    head(t, h);
    for (uint32_t r = 0; r < g->n_row; r++)
        put_row(t, r, h);
    sct_sheet_table_end(h);
    if (g->baseline != SCT_GRID_NONE)
        sct_sheet_paragraph(h,
                            "p: two-sided paired t-test of the difference from %s, paired over "
                            "task and seed; p (Holm): corrected for %u %s.",
                            g->row[g->baseline].label, compared(t),
                            compared(t) == 1 ? "comparison" : "comparisons");
}

void sct_table_sheet(const struct sct_table *t, struct sct_sheet *h)
{
    main_table(t, h);
    if (t->g->n_target)
        domains(t, h);
    if (searches(t)) {
        sct_sheet_heading(h, 2, "Chosen on the validation list");
        by_column(t, h, true);
    }
    if (t->g->best_on_test) {
        sct_sheet_heading(h, 2, "best_on_test");
        sct_sheet_paragraph(h,
                            "The best of all evaluations on the test list, which has thereby "
                            "chosen the epoch: no estimate of accuracy on new pictures.");
        by_column(t, h, false);
    }
    failures(t, h);
}

char *sct_table_markdown(const struct sct_table *t)
{
    struct sct_sheet h = {.html = false};
    sct_sheet_heading(&h, 1, t->g->name);
    if (*t->g->about)
        sct_sheet_paragraph(&h, "%s", t->g->about);
    sct_table_sheet(t, &h);
    return sct_str_take(&h.s);
}

/* ---- CSV ---- */

/* RFC 4180: in quotes if need be, quotes doubled. */
static void csv(struct sct_str *s, const char *text)
{
    if (!strpbrk(text, ",\"\r\n")) {
        sct_str_add(s, "%s", text);
        return;
    }
    sct_str_add(s, "\"");
    for (const char *p = text; *p; p++)
        sct_str_add(s, *p == '"' ? "\"\"" : "%c", *p);
    sct_str_add(s, "\"");
}

static void csv_number(struct sct_str *s, double v)
{
    if (isnan(v))
        sct_str_add(s, ",");
    else
        sct_str_add(s, ",%.10g", v);
}

static void csv_line(const struct sct_table *t, uint32_t r, const char *kind, const char *name,
                     const struct sct_figure *f, struct sct_str *s)
{
    const struct sct_table_row *row = &t->row[r];
    csv(s, t->g->row[r].label);
    sct_str_add(s, ",%s,", kind);
    csv(s, name);
    csv_number(s, f->mean);
    csv_number(s, f->deviation);
    sct_str_add(s, ",%u", f->n);
    csv_number(s, row->params);
    csv_number(s, row->seconds);
    csv_number(s, row->peak_bytes);
    csv_number(s, row->device_bytes);
    csv_number(s, row->versus.n ? row->versus.mean : (double)NAN);
    csv_number(s, row->versus.p);
    csv_number(s, row->p_holm);
    sct_str_add(s, ",%u,%u,%u,%u\n", row->versus.n, row->ok, row->failed, row->missing);
}

char *sct_table_csv(const struct sct_table *t)
{
    struct sct_str s = {0};
    const struct sct_grid *g = t->g;
    sct_str_add(&s, "strategy,kind,name,mean,deviation,seeds,parameters,seconds,peak_bytes,"
                    "device_bytes,difference,p,p_holm,pairs,ok,failed,missing\n");
    for (uint32_t r = 0; r < g->n_row; r++) {
        const struct sct_table_row *row = &t->row[r];
        for (uint32_t c = 0; c < g->n_column; c++)
            csv_line(t, r, "task", g->column[c].name, &row->column[c], &s);
        for (uint32_t k = 0; k < t->n_group; k++)
            csv_line(t, r, "group", t->group[k].name, &row->group[k], &s);
        if (t->n_group > 1)
            csv_line(t, r, "headline", "mean of group means", &row->of_groups, &s);
        csv_line(t, r, "headline", "mean of columns", &row->of_tasks, &s);
        for (uint32_t k = 0; k < g->n_target; k++)
            csv_line(t, r, "target", g->target[k].name, &row->target[k], &s);
        for (uint32_t c = 0; c < g->n_column && row->best; c++)
            csv_line(t, r, "best_on_test", g->column[c].name, &row->best[c], &s);
    }
    return sct_str_take(&s);
}
