/* SPDX-License-Identifier: MIT
 * svg.c - SVG text. */
#include "core/report/svg.h"

#include "core/report/markup.h"

void sct_svg_begin(struct sct_svg *svg, double width, double height, const char *title)
{
    sct_str_add(
        &svg->s,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" width=\"%.6g\" "
        "height=\"%.6g\" viewBox=\"0 0 %.6g %.6g\" font-family=\"sans-serif\">\n<title>",
        width, height, width, height);
    sct_markup_text(&svg->s, title);
    sct_str_add(&svg->s, "</title>\n");
    sct_svg_rect(svg, 0, 0, width, height, 0xffffff, NULL);
}

void sct_svg_rect(struct sct_svg *svg, double x, double y, double w, double h, uint32_t rgb,
                  const char *class)
{
    sct_str_add(&svg->s,
                "<rect x=\"%.6g\" y=\"%.6g\" width=\"%.6g\" height=\"%.6g\" "
                "fill=\"#%06x\"",
                x, y, w, h, rgb & 0xffffffu);
    if (class)
        sct_str_add(&svg->s, " class=\"%s\"", class);
    sct_str_add(&svg->s, "/>\n");
}

void sct_svg_text(struct sct_svg *svg, double x, double y, double size, uint32_t anchor,
                  uint32_t rgb, const char *text)
{
    static const char *const anchors[] = {"start", "middle", "end"};
    sct_str_add(&svg->s,
                "<text x=\"%.6g\" y=\"%.6g\" font-size=\"%.6g\" text-anchor=\"%s\" "
                "fill=\"#%06x\">",
                x, y, size, anchors[anchor], rgb & 0xffffffu);
    sct_markup_text(&svg->s, text);
    sct_str_add(&svg->s, "</text>\n");
}

char *sct_svg_take(struct sct_svg *svg)
{
    sct_str_add(&svg->s, "</svg>\n");
    return sct_str_take(&svg->s);
}

void sct_svg_free(struct sct_svg *svg)
{
    sct_str_free(&svg->s);
}

uint32_t sct_svg_heat(double t)
{
    static const double stop[][3] = {
        {247, 250, 253}, {158, 202, 225}, {49, 113, 181}, {8, 29, 68}};
    const double at = (t > 0 ? t < 1 ? t : 1 : 0) * 3; /* a NaN is 0 */
    const int i = at < 3 ? (int)at : 2;
    uint32_t rgb = 0;
    for (int k = 0; k < 3; k++)
        rgb =
            rgb << 8 | (uint32_t)(stop[i][k] + (at - i) * (stop[i + 1][k] - stop[i][k]) + 0.5);
    return rgb;
}
