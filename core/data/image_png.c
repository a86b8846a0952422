/* SPDX-License-Identifier: MIT
 * image_png.c - PNG through libpng's row interface.
 * Not libpng's simplified interface: that one applies gAMA and composes alpha, Pillow does
 * neither. */
#include "core/data/image_codec.h"

#include <setjmp.h>
#include <stdbool.h>
#include <string.h>

#include <png.h>

#include "core/base/mem.h"

struct png_ctx {
    png_structp png;
    png_infop info;
    jmp_buf jump;
    struct sct_image image;
    const struct sct_image_file *f;
    size_t at;
    sct_error *err;
    sct_status rc;
};

static void on_error(png_structp png, png_const_charp text)
{
    struct png_ctx *c = png_get_error_ptr(png);
    c->rc =
        sct_fail(c->err, SCT_EDATA,
                 "%s: expected a PNG image, the decoder says: %s; replace the file or remove "
                 "it from the list",
                 c->f->name, text);
    longjmp(c->jump, 1);
}

static void on_warning(png_structp png, png_const_charp text)
{
    (void)png;
    (void)text;
}

static void on_read(png_structp png, png_bytep to, png_size_t n)
{
    struct png_ctx *c = png_get_io_ptr(png);
    if (n > c->f->size - c->at) {
        c->rc =
            sct_fail(c->err, SCT_EDATA,
                     "%s: PNG data is truncated at byte %zu (%zu more expected); replace the "
                     "file or remove it from the list",
                     c->f->name, c->f->size, n - (c->f->size - c->at));
        longjmp(c->jump, 1);
    }
    memcpy(to, c->f->bytes + c->at, n);
    c->at += n;
}

/* Everything becomes RGB, 8 bits a channel: palettes looked up, gray spread over the range and
 * replicated, alpha dropped, high bytes kept. But for gray of 16 bits (*gray16), which stays as
 * it is. */
static sct_status set_transforms(struct png_ctx *c, bool *gray16)
{
    const int depth = png_get_bit_depth(c->png, c->info);
    const int color = png_get_color_type(c->png, c->info);
    *gray16 = depth == 16 && color == PNG_COLOR_TYPE_GRAY;
    if (depth == 16 && c->f->opts->deep == SCT_DEEP_REFUSE)
        return sct_fail(
            c->err, SCT_EDATA,
            "%s: expected at most 8 bits a channel, found a 16-bit PNG; convert it to 8 bits "
            "first, or say --deep-png pillow to read it as Pillow does",
            c->f->name);
    if (*gray16)
        return SCT_OK;
    if (depth == 16)
        png_set_strip_16(c->png);
    if (color == PNG_COLOR_TYPE_PALETTE)
        png_set_palette_to_rgb(c->png);
    if (!(color & PNG_COLOR_MASK_COLOR)) {
        if (depth < 8)
            png_set_expand_gray_1_2_4_to_8(c->png);
        png_set_gray_to_rgb(c->png);
    }
    png_set_strip_alpha(c->png);
    return SCT_OK;
}

/* The 16-bit rows fill the last two thirds of the image; it is written from the front, never
 * past what has been read: 3 i + 2 < n + 2 (i + 1) for i < n. */
static void spread_gray16(uint8_t *rgb, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const uint8_t *v = rgb + n + 2 * i; /* big-endian */
        const uint8_t g = v[0] ? 255 : v[1];
        rgb[3 * i] = rgb[3 * i + 1] = rgb[3 * i + 2] = g;
    }
}

static sct_status decode(struct png_ctx *c)
{
    bool gray16;
    png_set_read_fn(c->png, c, on_read);
    png_set_user_limits(c->png, SCT_IMAGE_MAX_SIDE, SCT_IMAGE_MAX_SIDE);
    png_read_info(c->png, c->info);
    const uint32_t w = png_get_image_width(c->png, c->info);
    const uint32_t h = png_get_image_height(c->png, c->info);
    SCT_TRY(sct_image_check_file(w, h, c->f, c->err));
    SCT_TRY(set_transforms(c, &gray16));
    const int passes = png_set_interlace_handling(c->png);
    png_read_update_info(c->png, c->info);
    const size_t stride = (size_t)w * (gray16 ? 2 : 3), n = (size_t)w * h;
    if (png_get_rowbytes(c->png, c->info) != stride)
        return sct_fail(c->err, SCT_EDATA,
                        "%s: this kind of PNG is not handled (%zu bytes a row "
                        "of %u pixels); save it as 8-bit RGB",
                        c->f->name, (size_t)png_get_rowbytes(c->png, c->info), (unsigned)w);
    SCT_TRY(sct_image_init(&c->image, w, h, c->err));
    memset(c->image.rgb, 0, n * 3); /* later passes of an interlaced file read the rows */
    uint8_t *rows = c->image.rgb + (gray16 ? n : 0);
    for (int pass = 0; pass < passes; pass++)
        for (uint32_t y = 0; y < h; y++)
            png_read_row(c->png, rows + y * stride, NULL);
    if (gray16)
        spread_gray16(c->image.rgb, n);
    return SCT_OK;
}

sct_status sct_png_decode(struct sct_image *out, const struct sct_image_file *f, sct_error *err)
{
    /* On the heap: what setjmp's frame holds in registers is lost after a longjmp. */
    struct png_ctx *const c = sct_calloc(1, sizeof *c);
    sct_status rc;
    memset(out, 0, sizeof *out);
    if (!c)
        return sct_fail(err, SCT_ENOMEM, "%s: out of memory for the PNG decoder", f->name);
    c->f = f;
    c->err = err;
    if (setjmp(c->jump) == 0) {
        c->png = png_create_read_struct(PNG_LIBPNG_VER_STRING, c, on_error, on_warning);
        c->info = c->png ? png_create_info_struct(c->png) : NULL;
        c->rc = c->info ? decode(c)
                        : sct_fail(err, SCT_ENOMEM, "%s: out of memory for the PNG decoder",
                                   f->name);
    }
    png_destroy_read_struct(&c->png, &c->info, NULL);
    rc = c->rc;
    if (rc == SCT_OK)
        *out = c->image;
    else
        sct_image_fini(&c->image);
    sct_free(c);
    return rc;
}
