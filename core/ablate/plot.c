/* SPDX-License-Identifier: MIT
 * plot.c - plots as SVG. */
#include "core/ablate/plot.h"

#include <math.h>

#include "core/report/markup.h"

void sct_plot_range(double low, double high, double *from, double *to, double *step)
{
    if (!(low <= high)) { /* also where there is nothing */
        low = 0;
        high = 1;
    }
    if (!(high - low > 1e-9 * (fabs(high) + 1e-3))) {
        low -= 0.5;
        high += 0.5;
    }
    const double rough = (high - low) / 5, unit = pow(10, floor(log10(rough)));
    const double times = rough / unit;
    *step = unit * (times <= 1 ? 1 : times <= 2 ? 2 : times <= 5 ? 5 : 10);
    *from = floor(low / *step + 1e-9) * *step;
    *to = ceil(high / *step - 1e-9) * *step;
}

static double px(const struct sct_plot *v, double x)
{
    return v->left + (x - v->x0) / (v->x1 - v->x0) * v->width;
}

static double py(const struct sct_plot *v, double y)
{
    const double part = (y - v->y0) / (v->y1 - v->y0);
    return v->top + (1 - (part < 0 ? 0 : part > 1 ? 1 : part)) * v->height;
}

static void title_of(struct sct_str *out, const char *title)
{
    sct_str_add(out, "<title>");
    sct_markup_text(out, title);
    sct_str_add(out, "</title>");
}

void sct_plot_begin(struct sct_plot *v, struct sct_str *out, const char *title,
                    const char *y_label, double width, double height, double below)
{
    double step;
    v->out = out;
    v->left = v->left > 58 ? v->left : 58;
    v->top = 26;
    v->width = width;
    v->height = height;
    v->below = below;
    const double w = v->left + width + 14, h = v->top + height + below;
    sct_plot_range(v->y0, v->y1, &v->y0, &v->y1, &step);
    sct_str_add(out,
                "<svg class=\"plot\" role=\"img\" width=\"%.0f\" height=\"%.0f\" viewBox=\"0 0 "
                "%.0f %.0f\">",
                w, h, w, h);
    title_of(out, title);
    sct_str_add(out, "<text class=\"t\" x=\"%.1f\" y=\"15\">", v->left);
    sct_markup_text(out, title);
    sct_str_add(out, "</text>\n");
    const int digits = step < 0.01 ? 3 : step < 0.1 ? 2 : step < 1 ? 1 : 0;
    for (int i = 0; i <= 12 && v->y0 + i * step <= v->y1 + step * 1e-6; i++) {
        const double y = py(v, v->y0 + i * step);
        sct_str_add(out,
                    "<line class=\"g\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>"
                    "<text class=\"y\" x=\"%.1f\" y=\"%.1f\">%.*f</text>\n",
                    v->left, v->left + width, y, y, v->left - 6, y + 4, digits,
                    v->y0 + i * step);
    }
    sct_str_add(out, "<text class=\"l\" transform=\"translate(13 %.1f) rotate(-90)\">",
                v->top + height / 2);
    sct_markup_text(out, y_label);
    sct_str_add(out,
                "</text><rect class=\"f\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" "
                "height=\"%.1f\"/>\n",
                v->left, v->top, width, height);
}

void sct_plot_end(struct sct_plot *v)
{
    sct_str_add(v->out, "</svg>\n");
}

void sct_plot_tick(struct sct_plot *v, double x, const char *text, bool tilted)
{
    const double at = px(v, x), foot = v->top + v->height;
    sct_str_add(v->out, "<line class=\"k\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>",
                at, at, foot, foot + 4);
    if (tilted)
        sct_str_add(v->out, "<text class=\"y\" transform=\"translate(%.1f %.1f) rotate(-35)\">",
                    at + 4, foot + 14);
    else
        sct_str_add(v->out, "<text class=\"x\" x=\"%.1f\" y=\"%.1f\">", at, foot + 17);
    sct_markup_text(v->out, text);
    sct_str_add(v->out, "</text>\n");
}

void sct_plot_x_label(struct sct_plot *v, const char *text)
{
    sct_str_add(v->out, "<text class=\"l\" x=\"%.1f\" y=\"%.1f\">", v->left + v->width / 2,
                v->top + v->height + v->below - 6);
    sct_markup_text(v->out, text);
    sct_str_add(v->out, "</text>\n");
}

static void whisker(struct sct_plot *v, double x, double y, double error)
{
    if (!(error > 0))
        return;
    sct_str_add(v->out, "<path class=\"e\" d=\"M%.1f %.1fV%.1fM%.1f %.1fh6M%.1f %.1fh6\"/>", x,
                py(v, y - error), py(v, y + error), x - 3, py(v, y - error), x - 3,
                py(v, y + error));
}

/* A disc, a square, a diamond, a triangle, in the order of rows ten by ten. */
static void shape(struct sct_str *out, uint32_t row, double x, double y)
{
    switch (row / SCT_PLOT_COLORS % SCT_PLOT_SHAPES) {
    case 0:
        sct_str_add(out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"5\"/>", x, y);
        break;
    case 1:
        sct_str_add(out, "<rect x=\"%.1f\" y=\"%.1f\" width=\"9\" height=\"9\"/>", x - 4.5,
                    y - 4.5);
        break;
    case 2:
        sct_str_add(out, "<path d=\"M%.1f %.1fl6 6l-6 6l-6 -6z\"/>", x, y - 6);
        break;
    default:
        sct_str_add(out, "<path d=\"M%.1f %.1fl6 10h-12z\"/>", x, y - 6);
        break;
    }
}

void sct_plot_mark(struct sct_plot *v, uint32_t row, double x, double y, double error,
                   const char *title)
{
    sct_str_add(v->out, "<g class=\"m c%u\">", row % SCT_PLOT_COLORS);
    title_of(v->out, title);
    whisker(v, px(v, x), y, error);
    shape(v->out, row, px(v, x), py(v, y));
    sct_str_add(v->out, "</g>\n");
}

void sct_plot_bar(struct sct_plot *v, uint32_t row, double x, double shift, double w, double y,
                  double error, const char *title)
{
    const double at = px(v, x) + shift, top = py(v, y);
    sct_str_add(v->out, "<g class=\"m c%u\">", row % SCT_PLOT_COLORS);
    title_of(v->out, title);
    sct_str_add(v->out,
                "<rect class=\"b\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>",
                at - w / 2, top, w, v->top + v->height - top);
    whisker(v, at, y, error);
    sct_str_add(v->out, "</g>\n");
}

void sct_plot_line(struct sct_plot *v, uint32_t row, const double *x, const double *y,
                   uint32_t n, const char *title)
{
    bool pen = false;
    if (n == 1) { /* no line, but a place */
        sct_plot_mark(v, row, x[0], y[0], 0, title);
        return;
    }
    sct_str_add(v->out, "<g class=\"m c%u\">", row % SCT_PLOT_COLORS);
    title_of(v->out, title);
    sct_str_add(v->out, "<path class=\"p s%u\" d=\"", row / SCT_PLOT_COLORS % SCT_PLOT_SHAPES);
    for (uint32_t i = 0; i < n; i++) {
        if (isfinite(y[i]))
            sct_str_add(v->out, "%c%.1f %.1f", pen ? 'L' : 'M', px(v, x[i]), py(v, y[i]));
        pen = isfinite(y[i]) != 0;
    }
    sct_str_add(v->out, "\"/></g>\n");
}

void sct_plot_key(struct sct_str *out, uint32_t row)
{
    sct_str_add(out, "<svg class=\"key\" width=\"16\" height=\"16\"><g class=\"m c%u\">",
                row % SCT_PLOT_COLORS);
    shape(out, row, 8, 8);
    sct_str_add(out, "</g></svg>");
}
