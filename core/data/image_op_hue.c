/* SPDX-License-Identifier: MIT
 * image_op_hue.c - the hue, through 8-bit HSV as Pillow converts it. */
#include <math.h>

#include "core/data/image_op.h"

static uint8_t clip(int v)
{
    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

/* Smith 1978. The quotients are floats; the sixth of the circle and the scaling are doubles. */
static void to_hsv(const uint8_t rgb[3], uint8_t hsv[3])
{
    const int r = rgb[0], g = rgb[1], b = rgb[2];
    const int most = r > g ? (r > b ? r : b) : (g > b ? g : b);
    const int least = r < g ? (r < b ? r : b) : (g < b ? g : b);
    hsv[0] = hsv[1] = 0;
    hsv[2] = (uint8_t)most;
    if (most == least)
        return;
    const float span = (float)(most - least);
    const float rc = (float)(most - r) / span, gc = (float)(most - g) / span;
    const float bc = (float)(most - b) / span;
    const float s = span / (float)most;
    float h;
    if (r == most)
        h = bc - gc;
    else if (g == most)
        h = (float)(2.0 + (double)rc - (double)bc);
    else
        h = (float)(4.0 + (double)gc - (double)rc);
    h = (float)fmod((double)h / 6.0 + 1.0, 1.0);
    hsv[0] = clip((int)((double)h * 255.0));
    hsv[1] = clip((int)((double)s * 255.0));
}

static void to_rgb(const uint8_t hsv[3], uint8_t rgb[3])
{
    const uint8_t v = hsv[2];
    if (hsv[1] == 0) {
        rgb[0] = rgb[1] = rgb[2] = v;
        return;
    }
    const double sixths = (double)((float)hsv[0] * 6.0f) / 255.0;
    const int i = (int)floor(sixths);
    const float f = (float)(sixths - (double)(float)i),
                s = (float)((double)(float)hsv[1] / 255.0);
    const double value = (double)(float)v, fs = (double)(s * f);
    const uint8_t p = clip((int)round(value * (1.0 - (double)s)));
    const uint8_t q = clip((int)round(value * (1.0 - fs)));
    const uint8_t t = clip((int)round(value * (1.0 - (double)s * (1.0 - (double)f))));
    const uint8_t table[6][3] = {{v, t, p}, {q, v, p}, {p, v, t},
                                 {p, q, v}, {t, p, v}, {v, p, q}};
    for (int c = 0; c < 3; c++)
        rgb[c] = table[i % 6][c];
}

void sct_image_hue(struct sct_image *img, uint8_t shift)
{
    uint8_t *p = img->rgb;
    for (size_t n = (size_t)img->w * img->h; n > 0; n--, p += 3) {
        uint8_t hsv[3];
        to_hsv(p, hsv);
        hsv[0] = (uint8_t)(hsv[0] + shift);
        to_rgb(hsv, p);
    }
}
