/* SPDX-License-Identifier: MIT
 * image_op_table.c - operations that are a table of 256 values per channel. */
#include <string.h>

#include "core/data/image_op.h"

struct luts {
    uint8_t v[3][256];
};

static size_t pixels(const struct sct_image *img)
{
    return (size_t)img->w * img->h;
}

static void apply(struct sct_image *img, const struct luts *t)
{
    uint8_t *p = img->rgb;
    for (size_t n = pixels(img); n > 0; n--, p += 3)
        for (int c = 0; c < 3; c++)
            p[c] = t->v[c][p[c]];
}

static void apply_all(struct sct_image *img, const uint8_t lut[256])
{
    const size_t n = pixels(img) * 3;
    for (size_t i = 0; i < n; i++)
        img->rgb[i] = lut[img->rgb[i]];
}

static void histogram(const struct sct_image *img, uint32_t h[3][256])
{
    const uint8_t *p = img->rgb;
    memset(h, 0, 3 * sizeof h[0]);
    for (size_t n = pixels(img); n > 0; n--, p += 3)
        for (int c = 0; c < 3; c++)
            h[c][p[c]]++;
}

/* First and last value that occurs. */
static void extent(const uint32_t h[256], int *lo, int *hi)
{
    for (*lo = 0; *lo < 255 && !h[*lo]; ++*lo)
        ;
    for (*hi = 255; *hi > 0 && !h[*hi]; --*hi)
        ;
}

void sct_image_autocontrast(struct sct_image *img)
{
    uint32_t h[3][256];
    struct luts t;
    histogram(img, h);
    for (int c = 0; c < 3; c++) {
        int lo, hi;
        extent(h[c], &lo, &hi);
        const double scale = hi > lo ? 255.0 / (double)(hi - lo) : 1.0;
        const double offset = hi > lo ? -(double)lo * scale : 0.0;
        for (int i = 0; i < 256; i++) {
            const double at = (double)i * scale;
            const int v = (int)(at + offset);
            t.v[c][i] = (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
        }
    }
    apply(img, &t);
}

void sct_image_equalize(struct sct_image *img)
{
    uint32_t h[3][256];
    struct luts t;
    histogram(img, h);
    for (int c = 0; c < 3; c++) {
        int lo, hi;
        extent(h[c], &lo, &hi);
        const uint32_t step = ((uint32_t)pixels(img) - h[c][hi]) / 255;
        uint32_t n = step / 2;
        for (int i = 0; i < 256; i++) {
            const uint32_t v = step ? n / step : (uint32_t)i;
            t.v[c][i] = (uint8_t)(v > 255 ? 255 : v);
            n += h[c][i];
        }
    }
    apply(img, &t);
}

void sct_image_invert(struct sct_image *img)
{
    sct_image_solarize(img, 0);
}

void sct_image_posterize(struct sct_image *img, uint32_t bits)
{
    uint8_t lut[256];
    for (uint32_t i = 0; i < 256; i++)
        lut[i] = (uint8_t)(i & ~((1u << (8 - bits)) - 1u));
    apply_all(img, lut);
}

void sct_image_solarize(struct sct_image *img, uint32_t threshold)
{
    uint8_t lut[256];
    for (uint32_t i = 0; i < 256; i++)
        lut[i] = (uint8_t)(i < threshold ? i : 255 - i);
    apply_all(img, lut);
}

void sct_image_solarize_add(struct sct_image *img, uint32_t add)
{
    uint8_t lut[256];
    for (uint32_t i = 0; i < 256; i++) {
        const uint32_t v = i + (i < 128 ? add : 0);
        lut[i] = (uint8_t)(v > 255 ? 255 : v);
    }
    apply_all(img, lut);
}
