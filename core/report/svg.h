/* SPDX-License-Identifier: MIT
 * svg.h - a picture as SVG 1.1 text that needs nothing but a viewer: rectangles and words.
 * Lengths are pixels. An allocation that fails is remembered; sct_svg_take then returns NULL.
 * Thread rule: one thread at a time. */
#ifndef SCT_REPORT_SVG_H
#define SCT_REPORT_SVG_H

#include "core/base/str.h"

struct sct_svg {
    struct sct_str s;
};

enum sct_svg_anchor { SCT_SVG_LEFT, SCT_SVG_MIDDLE, SCT_SVG_RIGHT };

/* Starts a white picture; title is what a screen reader says. *svg is zero. */
void sct_svg_begin(struct sct_svg *svg, double width, double height, const char *title);
/* rgb: 0xrrggbb. class: a word of [a-z-]+ that scripts find it by; or NULL. */
void sct_svg_rect(struct sct_svg *svg, double x, double y, double w, double h, uint32_t rgb,
                  const char *class);
/* One line of text, its base line at y; any bytes: what XML has no place for is left out. */
void sct_svg_text(struct sct_svg *svg, double x, double y, double size, uint32_t anchor,
                  uint32_t rgb, const char *text);
/* Ends the picture: its text (sct_free), or NULL. *svg is zero again. */
char *sct_svg_take(struct sct_svg *svg);
void sct_svg_free(struct sct_svg *svg);

/* A colour for t in [0, 1], from near white over blue to near black: lightness falls evenly, so
 * that it can be told without colour. */
uint32_t sct_svg_heat(double t);

#endif
