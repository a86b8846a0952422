/* SPDX-License-Identifier: MIT
 * html.c - the report: one file, no script, nothing fetched from anywhere. */
#include <math.h>
#include <string.h>

#include "core/ablate/plot.h"
#include "core/ablate/table.h"
#include "core/report/markup.h"

static const char style[] =
    ":root{color-scheme:light dark;--bg:#fff;--fg:#1b1f24;--dim:#59636e;--line:#d1d9e0;"
    "--c0:#0969da;--c1:#d4570a;--c2:#1a7f37;--c3:#cf222e;--c4:#8250df;--c5:#7d5a3c;--c6:#bf3989;"
    "--c7:#6e7781;--c8:#8a7d00;--c9:#0a8296}\n"
    "@media(prefers-color-scheme:dark){:root{--bg:#0d1117;--fg:#e6edf3;--dim:#9198a1;"
    "--line:#3d444d;--c0:#58a6ff;--c1:#ff9e5e;--c2:#56d364;--c3:#ff7b72;--c4:#bc8cff;--c5:#c9a587;"
    "--c6:#ff80c8;--c7:#b1bac4;--c8:#e3d04b;--c9:#39d0e0}}\n"
    "body{background:var(--bg);color:var(--fg);font:15px/1.5 system-ui,sans-serif;margin:2em "
    "auto;max-width:90em;padding:0 1em}\n"
    "h1{margin:0}h2{margin:1.8em 0 .4em}p{margin:.5em 0;max-width:60em}.wide{overflow-x:auto}\n"
    "table{border-collapse:collapse;font-size:14px;font-variant-numeric:tabular-nums}\n"
    "th,td{border-bottom:1px solid var(--line);padding:.25em .7em;text-align:left;"
    "white-space:nowrap}.n{text-align:right}th{border-bottom-width:2px}\n"
    ".legend{display:flex;flex-wrap:wrap;gap:.2em 1.2em;margin:.6em 0;padding:0;"
    "list-style:none}.legend svg{vertical-align:-3px;margin-right:.3em}\n"
    ".plots{display:flex;flex-wrap:wrap;gap:1em}.plot{display:block;flex:none}\n"
    "svg text{fill:var(--fg);font:12px system-ui,sans-serif}svg .t{font-weight:600}\n"
    "svg .y{text-anchor:end;fill:var(--dim)}svg .x{text-anchor:middle;fill:var(--dim)}\n"
    "svg .l{text-anchor:middle;fill:var(--dim)}svg .f{fill:none;stroke:var(--line)}\n"
    "svg .g,svg .k{stroke:var(--line)}svg .m{fill:currentColor;stroke:none}\n"
    "svg .e{stroke:var(--fg);fill:none;opacity:.7}svg .p{fill:none;stroke:currentColor;"
    "stroke-width:1.8}svg .b{opacity:.85}.m:hover{filter:brightness(1.3)}\n"
    ".s1{stroke-dasharray:6 3}.s2{stroke-dasharray:2 3}.s3{stroke-dasharray:8 3 2 3}\n";

static const struct sct_figure *headline(const struct sct_table *t, uint32_t row)
{
    return t->n_group > 1 ? &t->row[row].of_groups : &t->row[row].of_tasks;
}

/* y from the lowest to the highest of what is drawn, whiskers included. */
static void widen(struct sct_plot *v, double y, double error)
{
    const double e = error > 0 ? error : 0;
    if (!isfinite(y))
        return;
    v->y0 = fmin(v->y0, y - e);
    v->y1 = fmax(v->y1, y + e);
}

/* A per cent at least, and none below nothing. */
static void settle_range(struct sct_plot *v)
{
    if (!(v->y0 <= v->y1)) /* there is nothing */
        v->y0 = v->y1 = 0;
    v->y0 = fmax(v->y0, 0);
    v->y1 = fmax(v->y1, v->y0 + 1);
}

static void empty_range(struct sct_plot *v)
{
    v->y0 = INFINITY;
    v->y1 = -INFINITY;
}

static void figure_text(const char *label, const char *what, const struct sct_figure *f,
                        char *buf, size_t size)
{
    char deviation[48] = "";
    if (!isnan(f->deviation))
        (void)snprintf(deviation, sizeof deviation, " ± %.2f (%u seeds)", f->deviation, f->n);
    (void)snprintf(buf, size, "%s, %s: %.2f%s", label, what, f->mean, deviation);
}

/* ---- accuracy over parameters ---- */

/* log10, and a place of its own for nothing at all, left of the smallest. */
static double place_of(double params, double none)
{
    return params >= 1 ? log10(params) : none;
}

static void ticks_of_params(struct sct_plot *v, double low, double high, bool none)
{
    char text[32];
    if (none)
        sct_plot_tick(v, low - 0.75, "0", false);
    for (int e = (int)floor(low); e <= (int)ceil(high); e++) {
        if (e < low - 0.3 || e > high + 0.3)
            continue;
        (void)snprintf(text, sizeof text, e < 6 ? "%.0f" : "1e%.0f", e < 6 ? pow(10, e) : e);
        sct_plot_tick(v, e, text, false);
    }
    sct_plot_x_label(v, "trained parameters beside the head");
}

static void plot_params(const struct sct_table *t, struct sct_str *out)
{
    struct sct_plot v = {0};
    double low = INFINITY, high = -INFINITY;
    bool none = false;
    char text[512];
    empty_range(&v);
    for (uint32_t r = 0; r < t->g->n_row; r++) {
        const struct sct_figure *f = headline(t, r);
        if (isnan(f->mean))
            continue;
        widen(&v, f->mean, f->deviation);
        none = none || t->row[r].params < 1;
        if (t->row[r].params >= 1) {
            low = fmin(low, log10(t->row[r].params));
            high = fmax(high, log10(t->row[r].params));
        }
    }
    if (!(low <= high))
        low = high = 0;
    /* at least a decade, so that one tick is there */
    low = fmin(low, floor(high));
    v.x0 = low - (none ? 1.1 : 0.35);
    v.x1 = fmax(high, ceil(low)) + 0.35;
    settle_range(&v);
    sct_plot_begin(&v, out, "Accuracy over parameters", "top-1, %", 520, 320, 44);
    ticks_of_params(&v, low, fmax(high, ceil(low)), none);
    for (uint32_t r = 0; r < t->g->n_row; r++) {
        const struct sct_figure *f = headline(t, r);
        if (isnan(f->mean))
            continue;
        char what[64];
        (void)snprintf(what, sizeof what, "%.0f parameters", t->row[r].params);
        figure_text(t->g->row[r].label, what, f, text, sizeof text);
        sct_plot_mark(&v, r, place_of(t->row[r].params, low - 0.75), f->mean, f->deviation,
                      text);
    }
    sct_plot_end(&v);
}

/* ---- bars ---- */

struct bars {
    const char *title;
    uint32_t n;
    const char *(*name)(const struct sct_table *t, uint32_t i);
    const struct sct_figure *(*figure)(const struct sct_table *t, uint32_t row, uint32_t i);
};

enum { LABEL = 28 }; /* characters of a label under bars */

/* A name that is too long is cut; the title of every bar has all of it. */
static void short_name(const char *name, char out[LABEL * 4 + 8])
{
    size_t n = 0, letters = 0;
    while (name[n] && letters < LABEL) {
        n++;
        while ((name[n] & 0xc0) == 0x80) /* the rest of a letter of several bytes */
            n++;
        letters++;
    }
    (void)snprintf(out, LABEL * 4 + 8, "%.*s%s", (int)n, name, name[n] ? "…" : "");
}

/* Tilted labels end under their bars: what room do they need below, and left of the frame? */
static void room_for_names(const struct sct_table *t, const struct bars *b, double each,
                           struct sct_plot *v)
{
    const double letter = 7.2; /* pixels, at most on average */
    for (uint32_t i = 0; i < b->n; i++) {
        char name[LABEL * 4 + 8];
        short_name(b->name(t, i), name);
        const double n = letter * (double)strlen(name);
        v->below = fmax(v->below, 26 + 0.574 * n); /* sin, cos of 35 degrees */
        v->left = fmax(v->left, 0.819 * n - (i + 0.5) * each);
    }
}

static void plot_bars(const struct sct_table *t, const struct bars *b, struct sct_str *out)
{
    const uint32_t rows = t->g->n_row;
    const double w = rows > 12 ? 7 : rows > 5 ? 12 : 18;
    const double each = fmax(rows * (w + 2) + 22, 160.0 / b->n);
    struct sct_plot v = {0};
    char text[512];
    empty_range(&v);
    for (uint32_t i = 0; i < b->n; i++)
        for (uint32_t r = 0; r < rows; r++)
            widen(&v, b->figure(t, r, i)->mean, b->figure(t, r, i)->deviation);
    v.y0 = 0;             /* the length of a bar is its value */
    v.y1 = fmax(v.y1, 1); /* also where there is none */
    v.x0 = 0;
    v.x1 = b->n;
    room_for_names(t, b, each, &v);
    sct_plot_begin(&v, out, b->title, "top-1, %", each * b->n, 260, v.below);
    for (uint32_t i = 0; i < b->n; i++) {
        char name[LABEL * 4 + 8];
        short_name(b->name(t, i), name);
        sct_plot_tick(&v, i + 0.5, name, true);
        for (uint32_t r = 0; r < rows; r++) {
            const struct sct_figure *f = b->figure(t, r, i);
            if (isnan(f->mean))
                continue;
            figure_text(t->g->row[r].label, b->name(t, i), f, text, sizeof text);
            sct_plot_bar(&v, r, i + 0.5, (r - (rows - 1) / 2.0) * (w + 2), w, f->mean,
                         f->deviation, text);
        }
    }
    sct_plot_end(&v);
}

static const char *column_name(const struct sct_table *t, uint32_t i)
{
    return t->g->column[i].name;
}

static const struct sct_figure *column_figure(const struct sct_table *t, uint32_t row,
                                              uint32_t i)
{
    return &t->row[row].column[i];
}

static const char *set_name(const struct sct_table *t, uint32_t i)
{
    return i ? t->g->target[i - 1].name : "source";
}

static const struct sct_figure *set_figure(const struct sct_table *t, uint32_t row, uint32_t i)
{
    return i ? &t->row[row].target[i - 1] : &t->row[row].of_tasks;
}

/* ---- curves ---- */

struct curve {
    double x[SCT_CELL_CURVE], y[SCT_CELL_CURVE];
    uint32_t n, seeds;
};

/* Mean over the seeds whose curves have as many points as the first. */
static void loss_curve(const struct sct_table *t, uint32_t row, uint32_t column,
                       struct curve *k)
{
    memset(k, 0, sizeof *k);
    for (uint32_t s = 0; s < t->g->n_seed; s++) {
        const struct sct_cell_result *r = sct_table_cell(t, row, column, s);
        if (!r || r->n_curve == 0 || (k->n && r->n_curve != k->n))
            continue;
        k->n = r->n_curve;
        k->seeds++;
        for (uint32_t i = 0; i < k->n; i++)
            k->y[i] += r->curve[i];
    }
    for (uint32_t i = 0; i < k->n; i++) {
        k->x[i] = 100.0 * (i + 1) / k->n;
        k->y[i] /= k->seeds;
    }
}

static void plot_loss(const struct sct_table *t, uint32_t column, struct sct_str *out)
{
    struct sct_plot v = {.x0 = 0, .x1 = 100};
    struct curve k;
    char text[256];
    empty_range(&v);
    for (uint32_t r = 0; r < t->g->n_row; r++) {
        loss_curve(t, r, column, &k);
        for (uint32_t i = 0; i < k.n; i++)
            widen(&v, k.y[i], 0);
    }
    sct_plot_begin(&v, out, t->g->column[column].name, "training loss", 300, 200, 44);
    for (int x = 0; x <= 100; x += 25) {
        (void)snprintf(text, sizeof text, "%d", x);
        sct_plot_tick(&v, x, text, false);
    }
    sct_plot_x_label(&v, "% of the steps");
    for (uint32_t r = 0; r < t->g->n_row; r++) {
        loss_curve(t, r, column, &k);
        (void)snprintf(text, sizeof text, "%.160s: mean of %u %s", t->g->row[r].label, k.seeds,
                       k.seeds == 1 ? "seed" : "seeds");
        if (k.n)
            sct_plot_line(&v, r, k.x, k.y, k.n, text);
    }
    sct_plot_end(&v);
}

/* A curve over the number of shots for every strategy: the mean over tasks. */
static void plot_shots(const struct sct_table *t, struct sct_str *out)
{
    const struct sct_grid *g = t->g;
    struct sct_plot v = {0};
    char text[512];
    empty_range(&v);
    v.x0 = INFINITY;
    v.x1 = -INFINITY;
    for (uint32_t k = 0; k < g->n_shots; k++) {
        v.x0 = fmin(v.x0, log2(g->shots[k]) - 0.25);
        v.x1 = fmax(v.x1, log2(g->shots[k]) + 0.25);
        for (uint32_t r = 0; r < g->n_row; r++)
            widen(&v, t->row[r].group[k].mean, t->row[r].group[k].deviation);
    }
    settle_range(&v);
    sct_plot_begin(&v, out, "Few-shot: mean over tasks", "top-1, %", 520, 320, 44);
    sct_plot_x_label(&v, "images a class");
    for (uint32_t k = 0; k < g->n_shots; k++) {
        (void)snprintf(text, sizeof text, "%u", g->shots[k]);
        sct_plot_tick(&v, log2(g->shots[k]), text, false);
    }
    for (uint32_t r = 0; r < g->n_row; r++) {
        /* a line from mark to mark, in pieces, as there may be many */
        for (uint32_t k = 0; k < g->n_shots; k++) {
            const struct sct_figure *f = &t->row[r].group[k];
            if (k) {
                const double x[2] = {log2(g->shots[k - 1]), log2(g->shots[k])};
                const double y[2] = {t->row[r].group[k - 1].mean, f->mean};
                if (!isnan(y[0]) && !isnan(y[1]))
                    sct_plot_line(&v, r, x, y, 2, g->row[r].label);
            }
            figure_text(g->row[r].label, t->group[k].name, f, text, sizeof text);
            if (!isnan(f->mean))
                sct_plot_mark(&v, r, log2(g->shots[k]), f->mean, f->deviation, text);
        }
    }
    sct_plot_end(&v);
}

/* ---- the page ---- */

static void legend(const struct sct_table *t, struct sct_str *out)
{
    sct_str_add(out, "<ul class=\"legend\">\n");
    for (uint32_t r = 0; r < t->g->n_row; r++) {
        sct_str_add(out, "<li>");
        sct_plot_key(out, r);
        sct_markup_text(out, t->g->row[r].label);
        sct_str_add(out, "</li>\n");
    }
    sct_str_add(out, "</ul>\n");
}

static void plots(const struct sct_table *t, struct sct_str *out)
{
    const struct bars tasks = {"Accuracy by task", t->g->n_column, column_name, column_figure};
    const struct bars sets = {"Accuracy by target set", t->g->n_target + 1, set_name,
                              set_figure};
    legend(t, out);
    sct_str_add(out, "<div class=\"plots\">\n");
    plot_params(t, out);
    if (t->g->n_shots)
        plot_shots(t, out);
    sct_str_add(out, "</div>\n<div class=\"wide\">\n");
    plot_bars(t, &tasks, out);
    if (t->g->n_target)
        plot_bars(t, &sets, out);
    sct_str_add(out, "</div>\n<h2>Training</h2>\n<div class=\"plots\">\n");
    for (uint32_t c = 0; c < t->g->n_column; c++)
        plot_loss(t, c, out);
    sct_str_add(out, "</div>\n");
}

char *sct_table_html(const struct sct_table *t)
{
    struct sct_sheet h = {.html = true};
    sct_str_add(&h.s, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
                      "<meta name=\"viewport\" content=\"width=device-width\">"
                      "<link rel=\"icon\" href=\"data:,\"><title>");
    sct_markup_text(&h.s, t->g->name);
    sct_str_add(&h.s, "</title>\n<style>\n%s", style);
    for (int i = 0; i < SCT_PLOT_COLORS; i++)
        sct_str_add(&h.s, ".c%d{color:var(--c%d)}", i, i);
    sct_str_add(&h.s, "\n</style></head><body>\n");
    sct_sheet_heading(&h, 1, t->g->name);
    if (*t->g->about)
        sct_sheet_paragraph(&h, "%s", t->g->about);
    plots(t, &h.s);
    sct_sheet_heading(&h, 2, "Table");
    sct_table_sheet(t, &h);
    sct_str_add(&h.s, "<p>sctrun " SCT_VERSION "</p>\n</body></html>\n");
    return sct_str_take(&h.s);
}
