/* SPDX-License-Identifier: MIT
 * randaugment.c - RandAugment (Cubuk et al. 2019) as timm's "rand-m9-mstd0.5-inc1" has it.
 *
 * The operations, in timm's order, and what a magnitude m of 0 to 10 means to each:
 *   rotate by 30 m/10 degrees; shear by 0.3 m/10; translate by 0.45 m/10 of the side, all
 * either way; posterize to 4 - trunc(4 m/10) bits; solarize at 256 - trunc(256 m/10); add
 *   min(128, trunc(110 m/10)); enhance by max(0.1, 1 +- 0.9 m/10). */
#include <math.h>

#include "core/data/augment.h"
#include "core/data/image_op.h"

enum op {
    AUTO_CONTRAST,
    EQUALIZE,
    INVERT,
    ROTATE,
    POSTERIZE,
    SOLARIZE,
    SOLARIZE_ADD,
    COLOR,
    CONTRAST,
    BRIGHTNESS,
    SHARPNESS,
    SHEAR_X,
    SHEAR_Y,
    TRANSLATE_X,
    TRANSLATE_Y
};

static double enhance(double share, bool negate)
{
    const double step = share * 0.9, f = 1.0 + (negate ? -step : step);
    return f < 0.1 ? 0.1 : f;
}

static sct_status map(struct sct_image *img, int at, double v, enum sct_filter filter,
                      const uint8_t fill[3], sct_error *err)
{
    double m[6] = {1, 0, 0, 0, 1, 0};
    m[at] = v;
    return sct_image_affine(img, m, filter, fill, err);
}

sct_status sct_randaugment_op(struct sct_image *img, uint32_t op, double magnitude, bool negate,
                              enum sct_filter filter, const uint8_t fill[3], sct_error *err)
{
    const double share = magnitude / 10.0, sign = negate ? -1.0 : 1.0;
    const uint32_t add = (uint32_t)(share * 110.0);
    const float f = (float)enhance(share, negate);
    switch ((enum op)op) {
    case AUTO_CONTRAST:
        return sct_image_autocontrast(img), SCT_OK;
    case EQUALIZE:
        return sct_image_equalize(img), SCT_OK;
    case INVERT:
        return sct_image_invert(img), SCT_OK;
    case ROTATE:
        return sct_image_rotate(img, sign * (share * 30.0), filter, fill, err);
    case POSTERIZE:
        return sct_image_posterize(img, 4 - (uint32_t)(share * 4.0)), SCT_OK;
    case SOLARIZE:
        return sct_image_solarize(img, 256 - (uint32_t)(share * 256.0)), SCT_OK;
    case SOLARIZE_ADD:
        return sct_image_solarize_add(img, add > 128 ? 128 : add), SCT_OK;
    case COLOR:
        return sct_image_color(img, f), SCT_OK;
    case CONTRAST:
        return sct_image_contrast(img, f), SCT_OK;
    case BRIGHTNESS:
        return sct_image_brightness(img, f), SCT_OK;
    case SHARPNESS:
        return sct_image_sharpness(img, f, err);
    case SHEAR_X:
        return map(img, 1, sign * (share * 0.3), filter, fill, err);
    case SHEAR_Y:
        return map(img, 3, sign * (share * 0.3), filter, fill, err);
    case TRANSLATE_X:
        return map(img, 2, sign * (share * 0.45) * (double)img->w, filter, fill, err);
    case TRANSLATE_Y:
        return map(img, 5, sign * (share * 0.45) * (double)img->h, filter, fill, err);
    }
    return sct_fail(err, SCT_EINVAL, "randaugment: there is no operation %u", (unsigned)op);
}

/* The same numbers are drawn whether an operation is skipped or not, so that each one's are at
 * a fixed place. */
sct_status sct_randaugment(struct sct_image *img, const struct sct_step *s,
                           const uint8_t fill[3], struct sct_draw *draw, sct_error *err)
{
    for (int n = 0; n < (int)s->v[RAND_OPS]; n++) {
        const uint32_t op = sct_draw_below(draw, SCT_RAND_OPS);
        const bool skip = sct_draw_unit(draw) >= s->v[RAND_P];
        const bool negate = sct_draw_below(draw, 2) != 0;
        const double m = s->v[RAND_MAGNITUDE] + s->v[RAND_STD] * sct_draw_normal(draw);
        const enum sct_filter filter = sct_augment_filter(s->v[RAND_FILTER], draw);
        if (!skip)
            SCT_TRY(sct_randaugment_op(img, op,
                                       m < 0    ? 0
                                       : m > 10 ? 10
                                                : m,
                                       negate, filter, fill, err));
    }
    return SCT_OK;
}
