/* SPDX-License-Identifier: MIT
 * image_png.c - PNG through libpng's row interface.
 * Not libpng's simplified interface: that one applies gAMA and composes alpha, Pillow does
 * neither. */
#include "core/data/image_codec.h"

#include <setjmp.h>
#include <string.h>

#include <png.h>

#include "core/base/mem.h"

struct png_ctx {
    png_structp png;
    png_infop info;
    jmp_buf jump;
    struct sct_image image;
    const uint8_t *bytes;
    size_t size, at;
    const char *name;
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
                 c->name, text);
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
    if (n > c->size - c->at) {
        c->rc =
            sct_fail(c->err, SCT_EDATA,
                     "%s: PNG data is truncated at byte %zu (%zu more expected); replace the "
                     "file or remove it from the list",
                     c->name, c->size, n - (c->size - c->at));
        longjmp(c->jump, 1);
    }
    memcpy(to, c->bytes + c->at, n);
    c->at += n;
}

/* Everything becomes RGB, 8 bits a channel: palettes looked up, gray spread over the range and
 * replicated, alpha dropped. */
static sct_status set_transforms(struct png_ctx *c)
{
    const int depth = png_get_bit_depth(c->png, c->info);
    const int color = png_get_color_type(c->png, c->info);
    if (depth == 16)
        return sct_fail(
            c->err, SCT_EDATA,
            "%s: expected at most 8 bits a channel, found a 16-bit PNG; convert it to "
            "8 bits first",
            c->name);
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

static sct_status decode(struct png_ctx *c)
{
    png_set_read_fn(c->png, c, on_read);
    png_set_user_limits(c->png, SCT_IMAGE_MAX_SIDE, SCT_IMAGE_MAX_SIDE);
    png_read_info(c->png, c->info);
    const uint32_t w = png_get_image_width(c->png, c->info);
    const uint32_t h = png_get_image_height(c->png, c->info);
    SCT_TRY(sct_image_check_size(w, h, c->name, c->err));
    SCT_TRY(set_transforms(c));
    const int passes = png_set_interlace_handling(c->png);
    png_read_update_info(c->png, c->info);
    const size_t stride = (size_t)w * 3;
    if (png_get_rowbytes(c->png, c->info) != stride)
        return sct_fail(c->err, SCT_EDATA,
                        "%s: this kind of PNG is not handled (%zu bytes a row "
                        "of %u pixels); save it as 8-bit RGB",
                        c->name, (size_t)png_get_rowbytes(c->png, c->info), (unsigned)w);
    SCT_TRY(sct_image_init(&c->image, w, h, c->err));
    memset(c->image.rgb, 0, stride * h); /* later passes of an interlaced file read the rows */
    for (int pass = 0; pass < passes; pass++)
        for (uint32_t y = 0; y < h; y++)
            png_read_row(c->png, c->image.rgb + y * stride, NULL);
    return SCT_OK;
}

sct_status sct_png_decode(struct sct_image *out, const uint8_t *bytes, size_t size,
                          const char *name, sct_error *err)
{
    /* On the heap: what setjmp's frame holds in registers is lost after a longjmp. */
    struct png_ctx *const c = sct_calloc(1, sizeof *c);
    sct_status rc;
    memset(out, 0, sizeof *out);
    if (!c)
        return sct_fail(err, SCT_ENOMEM, "%s: out of memory for the PNG decoder", name);
    c->bytes = bytes;
    c->size = size;
    c->name = name;
    c->err = err;
    if (setjmp(c->jump) == 0) {
        c->png = png_create_read_struct(PNG_LIBPNG_VER_STRING, c, on_error, on_warning);
        c->info = c->png ? png_create_info_struct(c->png) : NULL;
        c->rc = c->info
                    ? decode(c)
                    : sct_fail(err, SCT_ENOMEM, "%s: out of memory for the PNG decoder", name);
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
