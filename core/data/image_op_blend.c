/* SPDX-License-Identifier: MIT
 * image_op_blend.c - a picture blended with, or pushed away from, a degenerate of itself. All
 * steps in float, each rounded, the result clamped and truncated. */
#include <string.h>

#include "core/base/mem.h"
#include "core/base/status.h"
#include "core/data/image_op.h"

static uint8_t blend(uint8_t deg, uint8_t v, float f)
{
    const float step = f * (float)((int)v - (int)deg);
    const float t = (float)deg + step;
    return t <= 0.0f ? 0 : t >= 255.0f ? 255 : (uint8_t)t;
}

static uint8_t luma(const uint8_t *p)
{
    return (uint8_t)((19595u * p[0] + 38470u * p[1] + 7471u * p[2] + 32768u) >> 16);
}

static void blend_flat(struct sct_image *img, uint8_t deg, float f)
{
    const size_t n = (size_t)img->w * img->h * 3;
    uint8_t lut[256];
    for (int i = 0; i < 256; i++)
        lut[i] = blend(deg, (uint8_t)i, f);
    for (size_t i = 0; i < n; i++)
        img->rgb[i] = lut[img->rgb[i]];
}

void sct_image_color(struct sct_image *img, float f)
{
    uint8_t *p = img->rgb;
    for (size_t n = (size_t)img->w * img->h; n > 0; n--, p += 3) {
        const uint8_t deg = luma(p);
        for (int c = 0; c < 3; c++)
            p[c] = blend(deg, p[c], f);
    }
}

void sct_image_contrast(struct sct_image *img, float f)
{
    const size_t n = (size_t)img->w * img->h;
    uint64_t sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += luma(img->rgb + 3 * i);
    blend_flat(img, (uint8_t)((double)sum / (double)n + 0.5), f);
}

void sct_image_brightness(struct sct_image *img, float f)
{
    blend_flat(img, 0, f);
}

/* One smoothed value: 0.5, then the rows below, at and above p, each left to right. */
static uint8_t smooth(const uint8_t *p, size_t stride)
{
    const float k = 1.0f / 13.0f, mid = 5.0f / 13.0f;
    const uint8_t *row[3] = {p + stride, p, p - stride};
    float acc = 0.5f;
    for (int r = 0; r < 3; r++) {
        const float left = (float)row[r][-3] * k;
        const float here = (float)row[r][0] * (r == 1 ? mid : k);
        const float right = (float)row[r][3] * k;
        const float two = left + here;
        const float sum = two + right;
        acc += sum;
    }
    return acc >= 255.0f ? 255 : (uint8_t)acc;
}

sct_status sct_image_sharpness(struct sct_image *img, float f, sct_error *err)
{
    const size_t stride = (size_t)img->w * 3;
    uint8_t *out = sct_alloc(stride * img->h);
    if (!out)
        return sct_nomem(err);
    memcpy(out, img->rgb, stride * img->h); /* the border has no neighbours and stays */
    for (size_t y = 1; y + 1 < img->h; y++)
        for (size_t i = 3; i + 3 < stride; i++) {
            const uint8_t *p = img->rgb + y * stride + i;
            out[y * stride + i] = blend(smooth(p, stride), *p, f);
        }
    memcpy(img->rgb, out, stride * img->h);
    sct_free(out);
    return SCT_OK;
}
