/* SPDX-License-Identifier: MIT
 * sprite.h - drawing of single anti-aliased shapes; private to core/data.
 * Coverage is counted on a 4 x 4 grid of samples a pixel, in integers. */
#ifndef SCT_DATA_SPRITE_H
#define SCT_DATA_SPRITE_H

#include "core/data/generator.h"

enum sct_sprite_shape {

#define SCT_SPRITE_ENUM(NAME) SCT_SPRITE_##NAME,
    SCT_SPRITE_SHAPES(SCT_SPRITE_ENUM)
#undef SCT_SPRITE_ENUM
        SCT_SPRITE_SHAPE_COUNT
};

/* Lengths are 1/256 pixel; the shape lies in the circle of this radius around the centre. */
struct sct_sprite {
    enum sct_sprite_shape shape;
    int32_t x, y, radius;
    uint16_t angle; /* 1/65536 turn, clockwise in the picture */
    uint8_t rgb[3];
};

/* Draws over what is there. Parts outside the image are cut. */
void sct_sprite_draw(struct sct_image *img, const struct sct_sprite *s);

#endif
