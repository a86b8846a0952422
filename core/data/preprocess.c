/* SPDX-License-Identifier: MIT
 * preprocess.c - resize modes, presets, and the normalisation table.
 * A crop computes only the pixels that are kept; they equal those of resize-then-crop. */
#include "core/data/preprocess.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "core/base/hash.h"

static const char *const mode_names[] = {
#define MODE_NAME(ID, NAME) NAME,
    SCT_RESIZE_MODES(MODE_NAME)
#undef MODE_NAME
};

static const char *const order_names[] = {"horizontal", "pillow-12.2", "pillow-13"};

static const struct {
    const char *name;
    float mean[3], std[3];
} stats[] = {
    {"imagenet", {0.485f, 0.456f, 0.406f}, {0.229f, 0.224f, 0.225f}},
    {"half", {0.5f, 0.5f, 0.5f}, {0.5f, 0.5f, 0.5f}},
    {"none", {0.0f, 0.0f, 0.0f}, {1.0f, 1.0f, 1.0f}},
};

#define COUNT(A) (sizeof(A) / sizeof((A)[0]))

void sct_preprocess_default(struct sct_preprocess *p)
{
    memset(p, 0, sizeof *p);
    p->mode = SCT_RESIZE_SQUASH_BICUBIC;
    p->size = 224;
    p->crop_pct = 0.9;
    p->order = SCT_PASS_HORIZONTAL;
    memcpy(p->mean, stats[0].mean, sizeof p->mean);
    memcpy(p->std, stats[0].std, sizeof p->std);
}

sct_status sct_preprocess_stats(struct sct_preprocess *p, const char *name, sct_error *err)
{
    for (size_t i = 0; i < COUNT(stats); i++)
        if (strcmp(stats[i].name, name) == 0) {
            memcpy(p->mean, stats[i].mean, sizeof p->mean);
            memcpy(p->std, stats[i].std, sizeof p->std);
            return SCT_OK;
        }
    return sct_fail(err, SCT_EUSAGE,
                    "normalisation: expected imagenet, half or none, found \"%s\"", name);
}

sct_status sct_resize_mode_parse(enum sct_resize_mode *out, const char *name, sct_error *err)
{
    for (size_t i = 0; i < COUNT(mode_names); i++)
        if (strcmp(mode_names[i], name) == 0) {
            *out = (enum sct_resize_mode)i;
            return SCT_OK;
        }
    return sct_fail(err, SCT_EUSAGE, "resize mode: expected %s, %s, %s or %s, found \"%s\"",
                    mode_names[0], mode_names[1], mode_names[2], mode_names[3], name);
}

const char *sct_resize_mode_name(enum sct_resize_mode mode)
{
    return mode_names[mode];
}

sct_status sct_pass_order_parse(enum sct_pass_order *out, const char *name, sct_error *err)
{
    for (size_t i = 0; i < COUNT(order_names); i++)
        if (strcmp(order_names[i], name) == 0) {
            *out = (enum sct_pass_order)i;
            return SCT_OK;
        }
    return sct_fail(err, SCT_EUSAGE, "pass order: expected %s, %s or %s, found \"%s\"",
                    order_names[0], order_names[1], order_names[2], name);
}

const char *sct_pass_order_name(enum sct_pass_order order)
{
    return order_names[order];
}

sct_status sct_preprocess_check(const struct sct_preprocess *p, sct_error *err)
{
    if (p->mode < 0 || p->mode >= SCT_RESIZE_MODE_COUNT ||
        (size_t)p->order >= COUNT(order_names))
        return sct_fail(err, SCT_EUSAGE,
                        "preprocessing: mode %d or order %d is not one of ours", (int)p->mode,
                        (int)p->order);
    if (p->size == 0 || p->size > 4096)
        return sct_fail(err, SCT_EUSAGE,
                        "preprocessing: expected an input size of 1 to 4096 pixels, found %u",
                        (unsigned)p->size);
    /* The crop is at most the whole picture; the bound below keeps the resized one in limits.
     */
    if (!(p->crop_pct >= 0.25 && p->crop_pct <= 1.0))
        return sct_fail(err, SCT_EUSAGE,
                        "preprocessing: expected crop_pct in [0.25, 1], found %g", p->crop_pct);
    for (int c = 0; c < 3; c++)
        if (!isfinite(p->mean[c]) || !isfinite(p->std[c]) || p->std[c] <= 0.0f)
            return sct_fail(err, SCT_EUSAGE,
                            "preprocessing: mean %g and std %g of channel %d: expected finite "
                            "numbers and std above 0",
                            (double)p->mean[c], (double)p->std[c], c);
    return SCT_OK;
}

sct_status sct_preprocess_apply(const struct sct_preprocess *p, const struct sct_image *img,
                                uint8_t *out, sct_error *err)
{
    SCT_TRY(sct_preprocess_check(p, err));
    SCT_TRY(img->rgb ? SCT_OK : sct_fail(err, SCT_EDATA, "preprocessing: the image is empty"));
    const bool bicubic =
        p->mode == SCT_RESIZE_SQUASH_BICUBIC || p->mode == SCT_RESIZE_CROP_BICUBIC;
    const enum sct_filter filter = bicubic ? SCT_FILTER_BICUBIC : SCT_FILTER_BILINEAR;
    if (p->mode == SCT_RESIZE_SQUASH_BICUBIC || p->mode == SCT_RESIZE_SQUASH_BILINEAR)
        return sct_resize(out, img, p->size, p->size, NULL, filter, p->order, err);
    uint32_t w, h;
    sct_resize_short_side(img->w, img->h, (uint32_t)floor(p->size / p->crop_pct), &w, &h);
    const struct sct_window win = {sct_center_offset(w, p->size), sct_center_offset(h, p->size),
                                   p->size, p->size};
    return sct_resize(out, img, w, h, &win, filter, p->order, err);
}

void sct_preprocess_table(const struct sct_preprocess *p, float table[3][256])
{
    for (int c = 0; c < 3; c++)
        for (int v = 0; v < 256; v++) {
            const float x = (float)v / 255.0f;
            const float centred = x - p->mean[c];
            table[c][v] = centred / p->std[c];
        }
}

uint64_t sct_preprocess_hash(const struct sct_preprocess *p)
{
    const bool crop = p->mode == SCT_RESIZE_CROP_BICUBIC || p->mode == SCT_RESIZE_CROP_BILINEAR;
    uint64_t h = sct_hash_str(SCT_HASH_INIT, mode_names[p->mode]);
    h = sct_hash_str(h, order_names[p->order]);
    h = sct_hash_u64(h, p->size);
    return crop ? sct_hash(h, &p->crop_pct, sizeof p->crop_pct) : h;
}
