/* SPDX-License-Identifier: MIT
 * sprite.c - inside tests of shapes and their blending.
 * No floating point: sine is a polynomial in 15-bit fixed point. */
#include "core/data/sprite.h"

#include <stdbool.h>

#define UNIT 1024 /* the radius in a shape's own coordinates */
#define GRID 4    /* samples of a pixel along each axis */

struct vertex {
    int16_t u, v;
};

/* Polygons in the unit circle, v down. Areas are near 1.3 to 2 units, so that area alone says
 * little about the shape. */
static const struct vertex square[] = {{-724, -724}, {724, -724}, {724, 724}, {-724, 724}};
static const struct vertex triangle[] = {{0, -1024}, {887, 512}, {-887, 512}};
static const struct vertex star[] = {{0, -1024},   {253, -348}, {974, -316}, {409, 133},
                                     {602, 828},   {0, 430},    {-602, 828}, {-409, 133},
                                     {-974, -316}, {-253, -348}};
static const struct vertex cross[] = {{-300, -960}, {300, -960}, {300, -300},  {960, -300},
                                      {960, 300},   {300, 300},  {300, 960},   {-300, 960},
                                      {-300, 300},  {-960, 300}, {-960, -300}, {-300, -300}};
static const struct vertex arrow[] = {{0, -1024},  {760, -160},  {280, -160}, {280, 960},
                                      {-280, 960}, {-280, -160}, {-760, -160}};
static const struct vertex ell[] = {{-620, -800}, {-100, -800}, {-100, 280},
                                    {620, 280},   {620, 800},   {-620, 800}};
static const struct vertex bar[] = {{-330, -960}, {330, -960}, {330, 960}, {-330, 960}};

#define COUNT(A) (uint32_t)(sizeof(A) / sizeof((A)[0]))

/* Even-odd rule; a point on an edge belongs to one side by the half-open comparison. */
static bool in_polygon(const struct vertex *p, uint32_t n, int32_t u, int32_t v)
{
    bool in = false;
    for (uint32_t i = 0, j = n - 1; i < n; j = i++) {
        if ((p[i].v > v) == (p[j].v > v))
            continue;
        const int32_t dv = p[j].v - p[i].v;
        const int32_t left = (u - p[i].u) * dv, right = (p[j].u - p[i].u) * (v - p[i].v);
        if (dv > 0 ? left < right : left > right)
            in = !in;
    }
    return in;
}

static bool inside(enum sct_sprite_shape shape, int32_t u, int32_t v)
{
    const int32_t r2 = u * u + v * v;
    switch (shape) {
    case SCT_SPRITE_disc:
        return r2 <= 820 * 820;
    case SCT_SPRITE_ring:
        return r2 <= 980 * 980 && r2 >= 540 * 540;
    case SCT_SPRITE_halfdisc:
        return v >= -340 && u * u + (v + 340) * (v + 340) <= 940 * 940;
    case SCT_SPRITE_square:
        return in_polygon(square, COUNT(square), u, v);
    case SCT_SPRITE_triangle:
        return in_polygon(triangle, COUNT(triangle), u, v);
    case SCT_SPRITE_star:
        return in_polygon(star, COUNT(star), u, v);
    case SCT_SPRITE_cross:
        return in_polygon(cross, COUNT(cross), u, v);
    case SCT_SPRITE_arrow:
        return in_polygon(arrow, COUNT(arrow), u, v);
    case SCT_SPRITE_ell:
        return in_polygon(ell, COUNT(ell), u, v);
    case SCT_SPRITE_bar:
        return in_polygon(bar, COUNT(bar), u, v);
    case SCT_SPRITE_SHAPE_COUNT:
        break;
    }
    return false;
}

/* sin(turn / 65536), 15 bits after the point; Taylor to the seventh power in a quarter turn,
 * with the last term adjusted so that the end is exactly 1. */
static int32_t sine(uint16_t turn)
{
    const uint32_t quarter = turn & 0x3fffu;
    const int64_t z =
        (turn & 0x4000u ? 0x4000u - quarter : quarter) * 2; /* 32768 = a quarter */
    const int64_t z2 = z * z >> 15;
    const int64_t p = 51472 - (z2 * (21167 - (z2 * (2612 - (z2 * 149 >> 15)) >> 15)) >> 15);
    const int32_t s = (int32_t)(z * p >> 15);
    return turn & 0x8000u ? -s : s;
}

struct turned {
    int32_t c, s;
};

/* Samples of pixel (px, py) that the shape covers, 0 to GRID^2. */
static uint32_t coverage(const struct sct_sprite *o, struct turned t, int32_t px, int32_t py)
{
    const int32_t step = 256 / GRID;
    uint32_t hit = 0;
    for (int32_t i = 0; i < GRID * GRID; i++) {
        const int64_t dx = px * 256 + step / 2 + i % GRID * step - o->x;
        const int64_t dy = py * 256 + step / 2 + i / GRID * step - o->y;
        const int64_t u = (dx * t.c + dy * t.s) * UNIT / ((int64_t)o->radius * 32768);
        const int64_t v = (dy * t.c - dx * t.s) * UNIT / ((int64_t)o->radius * 32768);
        if (u * u + v * v <= UNIT * UNIT && inside(o->shape, (int32_t)u, (int32_t)v))
            hit++;
    }
    return hit;
}

static int32_t clip(int32_t v, int32_t lo, int32_t hi)
{
    return v < lo ? lo : v > hi ? hi : v;
}

void sct_sprite_draw(struct sct_image *img, const struct sct_sprite *o)
{
    const struct turned t = {sine((uint16_t)(o->angle + 0x4000u)), sine(o->angle)};
    const int32_t x0 = clip((o->x - o->radius) / 256 - 1, 0, (int32_t)img->w);
    const int32_t y0 = clip((o->y - o->radius) / 256 - 1, 0, (int32_t)img->h);
    const int32_t x1 = clip((o->x + o->radius) / 256 + 2, 0, (int32_t)img->w);
    const int32_t y1 = clip((o->y + o->radius) / 256 + 2, 0, (int32_t)img->h);
    const uint32_t full = GRID * GRID;
    for (int32_t y = y0; y < y1; y++)
        for (int32_t x = x0; x < x1; x++) {
            const uint32_t a = coverage(o, t, x, y);
            uint8_t *p = img->rgb + ((size_t)y * img->w + (size_t)x) * 3;
            for (int c = 0; c < 3; c++)
                p[c] = (uint8_t)((p[c] * (full - a) + o->rgb[c] * a + full / 2) / full);
        }
}
