/* SPDX-License-Identifier: MIT
 * calibrate_picture.c - scores and overlaps as one SVG picture.
 * A row a list: its units by falling score, darker is larger (root of the part of the row's
 * largest); below, a strip that is coloured where a unit was chosen. Neighbours of one colour
 * are one rectangle, so the file stays small however wide the model is. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/status.h"
#include "core/io/file.h"
#include "core/report/svg.h"
#include "tools/calibrate.h"

enum {
    MARGIN = 16,
    NAMES = 190, /* width of the names */
    BAR = 720,   /* of a row of scores */
    NOTES = 120, /* of what stands behind it */
    LINE = 24,   /* from row to row */
    HEAT = 14,
    STRIP = 5,
    CELL = 30,
    LEVELS = 48, /* colours of a row */
    INK = 0x222222,
    PALE = 0x777777,
    CHOSEN = 0xd94801,
    NO_SCORE = 0xe4e4e4,
};

struct unit {
    double score;
    uint32_t count, id;
};

static int by_score(const void *x, const void *y)
{
    const struct unit *a = x, *b = y;
    if (a->score > b->score || a->score < b->score)
        return a->score > b->score ? -1 : 1;
    return (a->id > b->id) - (a->id < b->id);
}

/* Without scores the order is that of the units. */
static struct unit *sorted(const struct sct_choice_list *l)
{
    struct unit *u = sct_calloc(l->units, sizeof *u);
    for (uint32_t i = 0; u && i < l->units; i++)
        u[i] = (struct unit){l->score ? l->score[i] : 0, l->count[i], i};
    if (u)
        qsort(u, l->units, sizeof *u, by_score);
    return u;
}

static uint32_t heat_of(const struct sct_choice_list *l, const struct unit *u, double most)
{
    if (!l->score)
        return NO_SCORE;
    /* the root: one channel is often far above all others, which would look alike */
    return sct_svg_heat(most > 0 ? floor(sqrt(u->score / most) * LEVELS) / LEVELS : 0);
}

/* Rows of a parameter may be chosen in part: the strip is that much darker. */
static uint32_t strip_of(const struct sct_choice_list *l, const struct unit *u)
{
    const double part = (double)u->count * (double)l->units / (double)l->of;
    uint32_t rgb = 0;
    for (int k = 16; k >= 0; k -= 8) {
        const double full = CHOSEN >> k & 255;
        rgb = rgb << 8 | (uint32_t)(255 + (full - 255) * ceil(part * 8) / 8);
    }
    return rgb;
}

static void draw_row(struct sct_svg *svg, const struct sct_choice_list *l, const struct unit *u,
                     double y)
{
    const double x = MARGIN + NAMES, w = (double)BAR / l->units, most = u[0].score;
    for (uint32_t i = 0, end; i < l->units; i = end) {
        const uint32_t rgb = heat_of(l, &u[i], most);
        for (end = i + 1; end < l->units && heat_of(l, &u[end], most) == rgb;)
            end++;
        sct_svg_rect(svg, x + i * w, y, (end - i) * w, HEAT, rgb, "score");
    }
    for (uint32_t i = 0, end; i < l->units; i = end) {
        const uint32_t rgb = strip_of(l, &u[i]);
        for (end = i + 1; end < l->units && strip_of(l, &u[end]) == rgb;)
            end++;
        if (u[i].count)
            sct_svg_rect(svg, x + i * w, y + HEAT, (end - i) * w, STRIP, rgb, "chosen");
    }
}

static sct_status draw_lists(struct sct_svg *svg, const struct sct_choices *c, double y,
                             sct_error *err)
{
    for (uint32_t i = 0; i < c->n; i++, y += LINE) {
        const struct sct_choice_list *l = &c->list[i];
        char note[64];
        struct unit *u = sorted(l);
        if (!u)
            return sct_nomem(err);
        (void)snprintf(note, sizeof note, "%u of %u", l->k, l->of);
        sct_svg_text(svg, MARGIN + NAMES - 8, y + HEAT - 2, 12, SCT_SVG_RIGHT, INK, l->name);
        draw_row(svg, l, u, y);
        sct_svg_text(svg, MARGIN + NAMES + BAR + 8, y + HEAT - 2, 12, SCT_SVG_LEFT, PALE, note);
        sct_free(u);
    }
    return SCT_OK;
}

static void draw_legend(struct sct_svg *svg, double y)
{
    const double x = MARGIN + NAMES;
    for (int i = 0; i < LEVELS; i++)
        sct_svg_rect(svg, x + 60 + 2 * i, y, 2.5, 10, sct_svg_heat((double)i / (LEVELS - 1)),
                     "legend");
    sct_svg_text(svg, x + 54, y + 9, 11, SCT_SVG_RIGHT, PALE, "score 0");
    sct_svg_text(svg, x + 66 + 2 * LEVELS, y + 9, 11, SCT_SVG_LEFT, PALE,
                 "largest of the row (colour: square root); largest first");
    sct_svg_rect(svg, x + 440, y + 2, 20, STRIP, CHOSEN, "legend");
    sct_svg_text(svg, x + 466, y + 9, 11, SCT_SVG_LEFT, PALE, "chosen");
}

static void draw_cell(struct sct_svg *svg, double x, double y, double v)
{
    char text[16];
    if (v < 0)
        return;
    (void)snprintf(text, sizeof text, "%.2f", v);
    sct_svg_rect(svg, x, y, CELL - 1, CELL - 1, sct_svg_heat(v), "overlap");
    sct_svg_text(svg, x + CELL / 2.0, y + CELL / 2.0 + 4, 10, SCT_SVG_MIDDLE,
                 v > 0.45 ? 0xffffff : INK, text);
}

static void draw_overlaps(struct sct_svg *svg, const struct sct_choices *c,
                          const struct overlaps *o, double y)
{
    char number[16];
    sct_svg_text(svg, MARGIN, y, 13, SCT_SVG_LEFT, INK,
                 "Overlap of the lists: entries in both, over those of the shorter list");
    y += 12;
    for (uint32_t i = 0; i < c->n; i++) {
        const double at = y + (double)i * CELL;
        (void)snprintf(number, sizeof number, "%u", i);
        sct_svg_text(svg, MARGIN + NAMES - 8, at + CELL / 2.0 + 4, 12, SCT_SVG_RIGHT, INK,
                     c->list[i].name);
        sct_svg_text(svg, MARGIN + NAMES + (i + 0.5) * CELL, y + (double)c->n * CELL + 12, 10,
                     SCT_SVG_MIDDLE, PALE, number);
        for (uint32_t k = 0; k < c->n; k++)
            draw_cell(svg, MARGIN + NAMES + (double)k * CELL, at,
                      o->overlap[(size_t)i * c->n + k]);
    }
}

sct_status calibrate_picture(const char *path, const char *title, const struct sct_choices *c,
                             const struct overlaps *o, sct_error *err)
{
    struct sct_svg svg = {{0}};
    const double bars = MARGIN + NAMES + BAR + NOTES + MARGIN;
    const double cells = MARGIN + NAMES + (double)c->n * CELL + MARGIN;
    const double lists = 72, table = lists + (double)c->n * LINE + 28;
    sct_svg_begin(&svg, fmax(bars, cells), table + 12 + (double)c->n * CELL + 20 + MARGIN,
                  title);
    sct_svg_text(&svg, MARGIN, MARGIN + 14, 15, SCT_SVG_LEFT, INK, title);
    draw_legend(&svg, 46);
    sct_status rc = draw_lists(&svg, c, lists, err);
    if (rc == SCT_OK) {
        draw_overlaps(&svg, c, o, table);
        char *text = sct_svg_take(&svg);
        rc = text ? sct_file_write(path, text, strlen(text), err) : sct_nomem(err);
        sct_free(text);
    }
    sct_svg_free(&svg);
    return rc;
}
