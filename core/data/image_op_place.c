/* SPDX-License-Identifier: MIT
 * image_op_place.c - flips and affine maps. */
#include <math.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/base/status.h"
#include "core/data/image_op.h"

void sct_image_hflip(struct sct_image *img)
{
    for (uint32_t y = 0; y < img->h; y++) {
        uint8_t *a = img->rgb + (size_t)y * img->w * 3, *b = a + ((size_t)img->w - 1) * 3;
        for (; a < b; a += 3, b -= 3)
            for (int c = 0; c < 3; c++) {
                const uint8_t keep = a[c];
                a[c] = b[c];
                b[c] = keep;
            }
    }
}

/* ---- affine ---- */

struct map {
    const struct sct_image *src;
    double m[6];
    int taps, before; /* of the filter, and how many of them come before the nearest below */
};

/* Cubic with a = -1 through four values, as Pillow nests it. */
static double cubic(const double v[4], double d)
{
    const double p2 = -v[0] + v[2];
    const double p3 = 2.0 * (v[0] - v[1]) + v[2] - v[3];
    const double p4 = -v[0] + v[1] - v[2] + v[3];
    return v[1] + d * (p2 + d * (p3 + d * p4));
}

static double along(const struct map *a, const double *v, double d)
{
    return a->taps == 4 ? cubic(v, d) : v[0] + (v[1] - v[0]) * d;
}

static int clamp(int v, uint32_t size)
{
    return v < 0 ? 0 : v >= (int)size ? (int)size - 1 : v;
}

/* The value of all channels at (u, v), in pixels of the picture. */
static void sample(const struct map *a, double u, double v, uint8_t out[3])
{
    const struct sct_image *s = a->src;
    const double x = floor(u -= 0.5), y = floor(v -= 0.5);
    size_t col[4], row[4];
    for (int k = 0; k < a->taps; k++) {
        col[k] = (size_t)clamp((int)x + k - a->before, s->w) * 3;
        row[k] = (size_t)clamp((int)y + k - a->before, s->h) * s->w * 3;
    }
    for (int c = 0; c < 3; c++) {
        double down[4], across[4];
        for (int r = 0; r < a->taps; r++) {
            for (int k = 0; k < a->taps; k++)
                across[k] = (double)s->rgb[row[r] + col[k] + (size_t)c];
            down[r] = along(a, across, u - x);
        }
        const double t = along(a, down, v - y);
        out[c] = t <= 0.0 ? 0 : t >= 255.0 ? 255 : (uint8_t)t;
    }
}

sct_status sct_image_affine(struct sct_image *img, const double m[6], enum sct_filter filter,
                            const uint8_t fill[3], sct_error *err)
{
    const int taps = filter == SCT_FILTER_BICUBIC ? 4 : filter == SCT_FILTER_BILINEAR ? 2 : 0;
    struct map a = {.src = img, .taps = taps, .before = taps == 4};
    struct sct_image out;
    if (!taps)
        return sct_fail(err, SCT_EINVAL,
                        "affine: expected bilinear or bicubic, found filter %d", (int)filter);
    SCT_TRY(sct_image_init(&out, img->w, img->h, err));
    memcpy(a.m, m, sizeof a.m);
    uint8_t *p = out.rgb;
    for (uint32_t y = 0; y < img->h; y++)
        for (uint32_t x = 0; x < img->w; x++, p += 3) {
            const double px = (double)x + 0.5, py = (double)y + 0.5;
            const double ux = a.m[0] * px, uy = a.m[1] * py, vx = a.m[3] * px, vy = a.m[4] * py;
            const double u = ux + uy + a.m[2], v = vx + vy + a.m[5];
            if (u >= 0.0 && u < (double)img->w && v >= 0.0 && v < (double)img->h)
                sample(&a, u, v, p);
            else
                memcpy(p, fill, 3);
        }
    sct_image_fini(img);
    *img = out;
    return SCT_OK;
}

/* Nearest multiple of 1e-15, |x| <= 1: Python's round(x, 15). The product is put right by its
 * own rounding error, which fma gives. */
static double round15(double x)
{
    const double scale = 1e15, p = x * scale, rest = fma(x, scale, -p);
    double r = nearbyint(p);
    const double off = (p - r) + rest;
    r += off > 0.5 ? 1.0 : off < -0.5 ? -1.0 : 0.0;
    return r / scale;
}

sct_status sct_image_rotate(struct sct_image *img, double degrees, enum sct_filter filter,
                            const uint8_t fill[3], sct_error *err)
{
    double deg = fmod(degrees, 360.0);
    if (deg < 0.0)
        deg += 360.0;
    if (deg == 0.0)
        return SCT_OK;
    const double t = -(deg * (3.14159265358979323846 / 180.0));
    const double c = round15(cos(t)), s = round15(sin(t)), minus = round15(-sin(t));
    const double cx = (double)img->w / 2.0, cy = (double)img->h / 2.0;
    const double ax = c * -cx, ay = s * -cy, bx = minus * -cx, by = c * -cy;
    const double m[6] = {c, s, ax + ay + cx, minus, c, bx + by + cy};
    return sct_image_affine(img, m, filter, fill, err);
}
