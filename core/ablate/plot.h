/* SPDX-License-Identifier: MIT
 * plot.h - a plot as inline SVG: a frame with ticks, and marks in data coordinates. Colours are
 * classes (c0 to c9) and variables of the page, so that one picture fits a light and a dark
 * page; every mark carries its figures as a title, which browsers show under the pointer. */
#ifndef SCT_ABLATE_PLOT_H
#define SCT_ABLATE_PLOT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/str.h"

enum { SCT_PLOT_COLORS = 10, SCT_PLOT_SHAPES = 4 };

struct sct_plot {
    struct sct_str *out;
    double x0, x1, y0, y1;           /* of the data, at the edges of the frame */
    double left, top, width, height; /* of the frame, pixels */
    double below;                    /* room for labels under the frame */
};

/* The ends of a range that holds low .. high and begins and ends at a tick of *step; a range of
 * nothing is made one. */
void sct_plot_range(double low, double high, double *from, double *to, double *step);

/* Begins a picture with a frame of width x height, v->left from the picture's edge or more. y
 * has ticks and lines, x has not. title and labels are escaped. */
void sct_plot_begin(struct sct_plot *v, struct sct_str *out, const char *title,
                    const char *y_label, double width, double height, double below);
void sct_plot_end(struct sct_plot *v);
/* A tick of x with its text; tilted: for long ones. */
void sct_plot_tick(struct sct_plot *v, double x, const char *text, bool tilted);
/* The text under the ticks of x. */
void sct_plot_x_label(struct sct_plot *v, const char *text);
/* A mark of row `row` (colour and shape), with y - error .. y + error if error > 0. */
void sct_plot_mark(struct sct_plot *v, uint32_t row, double x, double y, double error,
                   const char *title);
/* A bar of w pixels from the frame's foot, centred at x plus shift pixels. */
void sct_plot_bar(struct sct_plot *v, uint32_t row, double x, double shift, double w, double y,
                  double error, const char *title);
/* A line through n > 0 points; those that are not numbers are gaps. One point is a mark. */
void sct_plot_line(struct sct_plot *v, uint32_t row, const double *x, const double *y,
                   uint32_t n, const char *title);
/* What the legend shows of a row, as a small picture of its own. */
void sct_plot_key(struct sct_str *out, uint32_t row);

#endif
