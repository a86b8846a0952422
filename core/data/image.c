/* SPDX-License-Identifier: MIT
 * image.c - memory of images, limits, and which decoder a file needs.
 * The kind of a file is told from its first bytes: names of image files are often wrong. */
#include "core/data/image.h"

#include <stdbool.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/data/image_codec.h"
#include "core/data/slurp.h"

static const struct {
    const char *magic;
    uint32_t size, at;
    const char *what;
} others[] = {
    {"GIF8", 4, 0, "a GIF file; convert it first"},
    {"BM", 2, 0, "a BMP file; convert it first"},
    {"ftypavif", 8, 4, "an AVIF file; convert it first"},
    {"ftyphei", 7, 4, "a HEIC file; convert it first"},
    {"II*\0", 4, 0, "a TIFF file; convert it first"},
    {"MM\0*", 4, 0, "a TIFF file; convert it first"},
    {"\x00\x00\x00\x0cjP  ", 8, 0, "a JPEG 2000 file; convert it first"},
    {"version https://git-lfs", 23, 0,
     "a Git LFS pointer; fetch the real file with git lfs pull"},
    {"<!DOCTYPE", 9, 0, "an HTML page, as a failed download leaves; fetch it again"},
    {"<html", 5, 0, "an HTML page, as a failed download leaves; fetch it again"},
};

static sct_status check_size(uint64_t w, uint64_t h, uint64_t limit, const char *name,
                             sct_error *err)
{
    if (w == 0 || h == 0)
        return sct_fail(err, SCT_EDATA, "%s: the image is empty (%llu x %llu pixels)", name,
                        (unsigned long long)w, (unsigned long long)h);
    if (w > SCT_IMAGE_MAX_SIDE || h > SCT_IMAGE_MAX_SIDE || w * h > limit)
        return sct_fail(err, SCT_EDATA,
                        "%s: expected at most %u pixels a side and %llu in all, found %llu x "
                        "%llu; make the image smaller first",
                        name, SCT_IMAGE_MAX_SIDE, (unsigned long long)limit,
                        (unsigned long long)w, (unsigned long long)h);
    return SCT_OK;
}

sct_status sct_image_check_size(uint64_t w, uint64_t h, const char *name, sct_error *err)
{
    return check_size(w, h, SCT_IMAGE_MAX_PIXELS, name, err);
}

sct_status sct_image_check_file(uint64_t w, uint64_t h, const struct sct_image_file *f,
                                sct_error *err)
{
    const uint64_t asked = f->opts->max_pixels;
    const bool fewer = asked && asked < SCT_IMAGE_MAX_PIXELS;
    return check_size(w, h, fewer ? asked : SCT_IMAGE_MAX_PIXELS, f->name, err);
}

sct_status sct_image_init(struct sct_image *img, uint32_t w, uint32_t h, sct_error *err)
{
    memset(img, 0, sizeof *img);
    SCT_TRY(sct_image_check_size(w, h, "image", err));
    uint8_t *rgb = sct_alloc((size_t)w * h * 3);
    if (!rgb)
        return sct_fail(err, SCT_ENOMEM, "out of memory for an image of %u x %u pixels",
                        (unsigned)w, (unsigned)h);
    img->w = w;
    img->h = h;
    img->rgb = rgb;
    return SCT_OK;
}

void sct_image_fini(struct sct_image *img)
{
    if (!img)
        return;
    sct_free(img->rgb);
    memset(img, 0, sizeof *img);
}

static sct_status refuse(const uint8_t *p, size_t size, const char *name, sct_error *err)
{
    if (size == 0)
        return sct_fail(err, SCT_EDATA,
                        "%s: expected a JPEG, PNG or WebP image, found an empty file", name);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (size >= (size_t)others[i].at + others[i].size &&
            memcmp(p + others[i].at, others[i].magic, others[i].size) == 0)
            return sct_fail(err, SCT_EDATA, "%s: expected a JPEG, PNG or WebP image, found %s",
                            name, others[i].what);
    char hex[3 * 8 + 1] = "";
    for (size_t i = 0; i < 8 && i < size; i++)
        (void)snprintf(hex + 3 * i, 4, "%02x ", p[i]);
    return sct_fail(err, SCT_EDATA,
                    "%s: expected a JPEG, PNG or WebP image, found %zu bytes that begin with "
                    "%s",
                    name, size, hex);
}

sct_status sct_image_decode(struct sct_image *out, const void *bytes, size_t size,
                            const char *name, const struct sct_image_opts *opts, sct_error *err)
{
    static const uint8_t png[8] = {0x89, 'P', 'N', 'G', 0x0d, 0x0a, 0x1a, 0x0a};
    static const struct sct_image_opts usual;
    const uint8_t *p = bytes;
    const struct sct_image_file f = {p, size, name, opts ? opts : &usual};
    memset(out, 0, sizeof *out);
    if (size >= 3 && p[0] == 0xff && p[1] == 0xd8 && p[2] == 0xff)
        return sct_jpeg_decode(out, &f, err);
    if (size >= sizeof png && memcmp(p, png, sizeof png) == 0)
        return sct_png_decode(out, &f, err);
    if (size >= 12 && memcmp(p, "RIFF", 4) == 0 && memcmp(p + 8, "WEBP", 4) == 0)
        return sct_webp_decode(out, &f, err);
    return refuse(p, size, name, err);
}

sct_status sct_image_read(struct sct_image *out, const char *path,
                          const struct sct_image_opts *opts, sct_error *err)
{
    uint8_t *bytes;
    size_t size;
    memset(out, 0, sizeof *out);
    SCT_TRY(sct_slurp(&bytes, &size, path, SCT_IMAGE_MAX_FILE, err));
    const sct_status rc = sct_image_decode(out, bytes, size, path, opts, err);
    sct_free(bytes);
    return rc;
}
