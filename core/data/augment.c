/* SPDX-License-Identifier: MIT
 * augment.c - the steps, one function a kind. */
#include "core/data/augment.h"

#include <math.h>
#include <string.h>

#include "core/data/image_op.h"

struct run {
    const struct sct_augment *a;
    const struct sct_step *s;
    struct sct_draw *draw;
    sct_error *err;
};

static const uint8_t black[3] = {0, 0, 0};

uint32_t sct_augment_side(const struct sct_augment *a, const struct sct_step *s)
{
    if (s->kind != SCT_STEP_RESIZE) { /* RRC_SIZE is CROP_SIZE */
        const double own = s->v[CROP_SIZE];
        return own > 0 ? (uint32_t)own : a->size;
    }
    if (s->v[RESIZE_SIZE] > 0)
        return (uint32_t)s->v[RESIZE_SIZE];
    const double pct = s->v[RESIZE_CROP_PCT] > 0 ? s->v[RESIZE_CROP_PCT] : a->crop_pct;
    return (uint32_t)floor((double)a->size / pct);
}

enum sct_filter sct_augment_filter(double word, struct sct_draw *draw)
{
    if ((int)word != SCT_FILTER_RANDOM)
        return (enum sct_filter)(int)word;
    return sct_draw_below(draw, 2) ? SCT_FILTER_BICUBIC : SCT_FILTER_BILINEAR;
}

/* *img becomes a picture of another size; win as in sct_resize. */
static sct_status resize_to(const struct run *r, struct sct_image *img, uint32_t w, uint32_t h,
                            const struct sct_window *win, enum sct_filter filter)
{
    struct sct_image out;
    SCT_TRY(sct_image_init(&out, win ? win->w : w, win ? win->h : h, r->err));
    const sct_status rc = sct_resize(out.rgb, img, w, h, win, filter, r->a->order, r->err);
    sct_image_fini(rc == SCT_OK ? img : &out);
    if (rc == SCT_OK)
        *img = out;
    return rc;
}

/* With a centre crop behind it, makes only what the crop keeps; *fused says whether it did. */
static sct_status resize(const struct run *r, struct sct_image *img,
                         const struct sct_step *next, bool *fused)
{
    const enum sct_filter filter = (enum sct_filter)(int)r->s->v[RESIZE_FILTER];
    const uint32_t side = sct_augment_side(r->a, r->s);
    uint32_t w = side, h = side;
    if (r->s->v[RESIZE_MODE] == RESIZE_SHORT)
        sct_resize_short_side(img->w, img->h, side, &w, &h);
    const uint32_t crop = next ? sct_augment_side(r->a, next) : 0;
    *fused = next && crop <= w && crop <= h;
    if (!*fused)
        return resize_to(r, img, w, h, NULL, filter);
    const struct sct_window win = {sct_center_offset(w, crop), sct_center_offset(h, crop), crop,
                                   crop};
    return resize_to(r, img, w, h, &win, filter);
}

sct_status sct_image_crop(struct sct_image *img, int64_t x, int64_t y, uint32_t w, uint32_t h,
                          const uint8_t fill[3], sct_error *err)
{
    struct sct_image out;
    SCT_TRY(sct_image_init(&out, w, h, err));
    const int64_t x0 = x < 0 ? -x : 0, x1 = img->w - x < w ? img->w - x : w;
    for (uint32_t j = 0; j < h; j++) {
        uint8_t *row = out.rgb + (size_t)j * w * 3;
        const int64_t sy = y + j;
        const bool inside = sy >= 0 && sy < img->h && x0 < x1;
        for (uint32_t i = 0; i < w; i++)
            if (!inside || i < x0 || i >= x1)
                memcpy(row + 3 * (size_t)i, fill, 3);
        if (inside)
            memcpy(row + 3 * x0, img->rgb + 3 * ((size_t)sy * img->w + (size_t)(x + x0)),
                   3 * (size_t)(x1 - x0));
    }
    sct_image_fini(img);
    *img = out;
    return SCT_OK;
}

/* A side that is too short is padded by half of what it lacks, rounded down. */
static int64_t center(uint32_t size, uint32_t crop)
{
    return size < crop ? -(int64_t)((crop - size) / 2) : sct_center_offset(size, crop);
}

static sct_status center_crop(const struct run *r, struct sct_image *img)
{
    const uint32_t c = sct_augment_side(r->a, r->s);
    return sct_image_crop(img, center(img->w, c), center(img->h, c), c, c, black, r->err);
}

static sct_status random_crop(const struct run *r, struct sct_image *img)
{
    const uint32_t c = sct_augment_side(r->a, r->s), pad = (uint32_t)r->s->v[CROP_PADDING];
    const uint8_t gray = (uint8_t)r->s->v[CROP_FILL], fill[3] = {gray, gray, gray};
    if (img->w + 2 * pad < c || img->h + 2 * pad < c)
        return sct_fail(r->err, SCT_EDATA,
                        "random-crop: expected at least %u x %u pixels, found %u x %u and a "
                        "padding of %u; put a resize before it",
                        (unsigned)c, (unsigned)c, (unsigned)img->w, (unsigned)img->h,
                        (unsigned)pad);
    const int64_t y = sct_draw_below(r->draw, img->h + 2 * pad - c + 1);
    const int64_t x = sct_draw_below(r->draw, img->w + 2 * pad - c + 1);
    return sct_image_crop(img, x - pad, y - pad, c, c, fill, r->err);
}

/* A box with a share of the area within scale and w / h within ratio, uniform in the logarithm,
 * that fits; false after ten attempts. */
static bool draw_box(struct sct_draw *d, const double scale[2], const double ratio[2],
                     double area, uint32_t *w, uint32_t *h, const struct sct_image *img)
{
    const double lo = log(ratio[0]), hi = log(ratio[1]);
    for (int attempt = 0; attempt < 10; attempt++) {
        const double target = area * sct_draw_range(d, scale[0], scale[1]);
        const double aspect = exp(sct_draw_range(d, lo, hi));
        const double bw = nearbyint(sqrt(target * aspect)),
                     bh = nearbyint(sqrt(target / aspect));
        if (bw < 1.0 || bh < 1.0 || bw > (double)img->w || bh > (double)img->h)
            continue;
        *w = (uint32_t)bw;
        *h = (uint32_t)bh;
        return true;
    }
    return false;
}

static sct_status random_resized_crop(const struct run *r, struct sct_image *img)
{
    const double *v = r->s->v, whole = (double)img->w / (double)img->h;
    const uint32_t side = sct_augment_side(r->a, r->s);
    uint32_t w = img->w, h = img->h, x, y;
    if (draw_box(r->draw, &v[RRC_SCALE], &v[RRC_RATIO], (double)img->w * (double)img->h, &w, &h,
                 img)) {
        y = sct_draw_below(r->draw, img->h - h + 1);
        x = sct_draw_below(r->draw, img->w - w + 1);
    } else { /* the middle, with the nearest ratio allowed */
        if (whole < v[RRC_RATIO])
            h = (uint32_t)nearbyint((double)w / v[RRC_RATIO]);
        else if (whole > v[RRC_RATIO + 1])
            w = (uint32_t)nearbyint((double)h * v[RRC_RATIO + 1]);
        w = w < 1 ? 1 : w;
        h = h < 1 ? 1 : h;
        x = (img->w - w) / 2;
        y = (img->h - h) / 2;
    }
    const enum sct_filter filter = sct_augment_filter(v[RRC_FILTER], r->draw);
    SCT_TRY(sct_image_crop(img, x, y, w, h, black, r->err));
    return resize_to(r, img, side, side, NULL, filter);
}

static sct_status hflip(const struct run *r, struct sct_image *img)
{
    if (sct_draw_unit(r->draw) < r->s->v[HFLIP_P])
        sct_image_hflip(img);
    return SCT_OK;
}

/* Factors are uniform in [max(0, 1 - v), 1 + v], the hue in [-v, v]; the order is drawn too. */
static sct_status color_jitter(const struct run *r, struct sct_image *img)
{
    static void (*const blend[3])(struct sct_image *, float) = {
        sct_image_brightness, sct_image_contrast, sct_image_color};
    uint32_t order[4] = {0, 1, 2, 3};
    for (uint32_t i = 3; i > 0; i--) {
        const uint32_t j = sct_draw_below(r->draw, i + 1), keep = order[i];
        order[i] = order[j];
        order[j] = keep;
    }
    for (int i = 0; i < 4; i++) {
        const uint32_t k = order[i];
        const double v = r->s->v[k];
        if (v <= 0)
            continue;
        if (k == JITTER_HUE)
            sct_image_hue(img, (uint8_t)(int)(sct_draw_range(r->draw, -v, v) * 255.0));
        else
            blend[k](img, (float)sct_draw_range(r->draw, v < 1 ? 1 - v : 0, 1 + v));
    }
    return SCT_OK;
}

static uint8_t level(const struct sct_augment *a, int c, double z)
{
    const double v = nearbyint(((double)a->mean[c] + (double)a->std[c] * z) * 255.0);
    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

/* pixel: normal noise; rand: one normal colour; const: the mean. Normal after normalisation,
 * and then cut to what 8 bits hold. */
static void erase(const struct run *r, struct sct_image *img, uint32_t x, uint32_t y,
                  uint32_t w, uint32_t h)
{
    const int mode = (int)r->s->v[ERASE_MODE];
    uint8_t color[3];
    for (int c = 0; c < 3; c++)
        color[c] = level(r->a, c, mode == ERASE_RAND ? sct_draw_normal(r->draw) : 0.0);
    for (uint32_t j = y; j < y + h; j++)
        for (uint32_t i = x; i < x + w; i++) {
            uint8_t *p = img->rgb + ((size_t)j * img->w + i) * 3;
            for (int c = 0; c < 3; c++)
                p[c] =
                    mode == ERASE_PIXEL ? level(r->a, c, sct_draw_normal(r->draw)) : color[c];
        }
}

static sct_status random_erasing(const struct run *r, struct sct_image *img)
{
    const double *v = r->s->v, area = (double)img->w * (double)img->h / v[ERASE_COUNT];
    uint32_t w, h;
    if (sct_draw_unit(r->draw) >= v[ERASE_P])
        return SCT_OK;
    for (int n = 0; n < (int)v[ERASE_COUNT]; n++) {
        if (!draw_box(r->draw, &v[ERASE_SCALE], &v[ERASE_RATIO], area, &w, &h, img))
            continue;
        const uint32_t y = sct_draw_below(r->draw, img->h - h + 1);
        const uint32_t x = sct_draw_below(r->draw, img->w - w + 1);
        erase(r, img, x, y, w, h);
    }
    return SCT_OK;
}

static sct_status one_step(const struct run *r, struct sct_image *img)
{
    uint8_t fill[3];
    switch (r->s->kind) {
    case SCT_STEP_CENTER_CROP:
        return center_crop(r, img);
    case SCT_STEP_RANDOM_CROP:
        return random_crop(r, img);
    case SCT_STEP_RANDOM_RESIZED_CROP:
        return random_resized_crop(r, img);
    case SCT_STEP_HFLIP:
        return hflip(r, img);
    case SCT_STEP_COLOR_JITTER:
        return color_jitter(r, img);
    case SCT_STEP_RANDAUGMENT:
        for (int c = 0; c < 3; c++)
            fill[c] = level(r->a, c, 0.0);
        return sct_randaugment(img, r->s, fill, r->draw, r->err);
    case SCT_STEP_RANDOM_ERASING:
        return random_erasing(r, img);
    case SCT_STEP_RESIZE:
    case SCT_STEP_MIX:
        break;
    }
    return sct_fail(r->err, SCT_EINVAL, "%s is no step of a picture",
                    sct_step_info(r->s->kind)->name);
}

sct_status sct_augment_run(const struct sct_augment *a, const struct sct_steps *list,
                           uint32_t from, uint32_t to, struct sct_image *img,
                           struct sct_draw *draw, sct_error *err)
{
    for (uint32_t k = from; k < to; k++) {
        const struct sct_step *s = &list->step[k];
        const struct run r = {a, s, draw, err};
        if (sct_step_info(s->kind)->random && !draw)
            return sct_fail(err, SCT_EINVAL, "%s: nothing may be random here",
                            sct_step_info(s->kind)->name);
        if (s->kind == SCT_STEP_RESIZE) {
            bool fused;
            const bool crop = k + 1 < to && s[1].kind == SCT_STEP_CENTER_CROP;
            SCT_TRY(resize(&r, img, crop ? &s[1] : NULL, &fused));
            k += fused;
        } else {
            SCT_TRY(one_step(&r, img));
        }
    }
    return SCT_OK;
}
