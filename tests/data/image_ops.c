/* SPDX-License-Identifier: MIT
 * image_ops.c - image operations by name. */
#include "tests/data/image_ops.h"

#include <string.h>

static const struct {
    const char *name;
    void (*plain)(struct sct_image *img);
    void (*whole)(struct sct_image *img, uint32_t a);
    void (*blend)(struct sct_image *img, float a);
} simple[] = {
    {"autocontrast", sct_image_autocontrast, NULL, NULL},
    {"equalize", sct_image_equalize, NULL, NULL},
    {"invert", sct_image_invert, NULL, NULL},
    {"hflip", sct_image_hflip, NULL, NULL},
    {"posterize", NULL, sct_image_posterize, NULL},
    {"solarize", NULL, sct_image_solarize, NULL},
    {"solarize_add", NULL, sct_image_solarize_add, NULL},
    {"color", NULL, NULL, sct_image_color},
    {"contrast", NULL, NULL, sct_image_contrast},
    {"brightness", NULL, NULL, sct_image_brightness},
};

/* m[at] = a, or a times the side. */
static const struct {
    const char *name;
    int at, side;
} maps[] = {{"shear_x", 1, 0}, {"shear_y", 3, 0}, {"translate_x", 2, 1}, {"translate_y", 5, 2}};

#define COUNT(A) (sizeof(A) / sizeof((A)[0]))

sct_status test_image_op(struct sct_image *img, const char *name, double a, double b,
                         sct_error *err)
{
    static const uint8_t fill[3] = {124, 116, 104};
    const enum sct_filter filter = (enum sct_filter)(int)b;
    for (size_t i = 0; i < COUNT(simple); i++)
        if (strcmp(simple[i].name, name) == 0) {
            if (simple[i].plain)
                simple[i].plain(img);
            else if (simple[i].whole)
                simple[i].whole(img, (uint32_t)a);
            else
                simple[i].blend(img, (float)a);
            return SCT_OK;
        }
    for (size_t i = 0; i < COUNT(maps); i++)
        if (strcmp(maps[i].name, name) == 0) {
            double m[6] = {1, 0, 0, 0, 1, 0};
            m[maps[i].at] = a * (maps[i].side == 1 ? img->w : maps[i].side == 2 ? img->h : 1);
            return sct_image_affine(img, m, filter, fill, err);
        }
    if (strcmp(name, "sharpness") == 0)
        return sct_image_sharpness(img, (float)a, err);
    if (strcmp(name, "rotate") == 0)
        return sct_image_rotate(img, a, filter, fill, err);
    if (strcmp(name, "hue") == 0) {
        sct_image_hue(img, (uint8_t)a);
        return SCT_OK;
    }
    return sct_fail(err, SCT_EUSAGE, "no operation is called %s", name);
}
