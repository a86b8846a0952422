/* SPDX-License-Identifier: MIT
 * image_jpeg.c - JPEG through libjpeg-turbo with the library's defaults.
 * ISLOW and fancy upsampling are what Pillow uses; anything faster differs by up to 23 levels.
 */
#include "core/data/image_codec.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <jerror.h>
#include <jpeglib.h>

#include "core/base/mem.h"

/* A progressive file may repeat scans to make a small file slow to decode. No encoder writes
 * more than a few dozen. */
#define JPEG_MAX_SCANS 500

/* jpeg_error_mgr is first: the library hands back a pointer to it. */
struct jpeg_ctx {
    struct jpeg_error_mgr mgr;
    struct jpeg_progress_mgr progress;
    struct jpeg_decompress_struct dec;
    jmp_buf jump;
    struct sct_image image;
    uint8_t *cmyk; /* one row, only for four components */
    const char *name;
    sct_error *err;
    sct_status rc;
};

static void on_error(j_common_ptr info)
{
    struct jpeg_ctx *c = (struct jpeg_ctx *)(void *)info->err;
    char text[JMSG_LENGTH_MAX];
    info->err->format_message(info, text);
    if (info->err->msg_code == JERR_OUT_OF_MEMORY)
        c->rc = sct_fail(c->err, SCT_ENOMEM, "%s: out of memory while decoding", c->name);
    else
        c->rc = sct_fail(c->err, SCT_EDATA,
                         "%s: expected a JPEG image, the decoder says: %s; replace the file or "
                         "remove it from the list",
                         c->name, text);
    longjmp(c->jump, 1);
}

/* The library repairs damaged data with grey and only warns. Here a picture is whole or an
 * error; three warnings say nothing about the pixels. */
static void on_message(j_common_ptr info, int level)
{
    struct jpeg_ctx *c = (struct jpeg_ctx *)(void *)info->err;
    char text[JMSG_LENGTH_MAX];
    if (level >= 0)
        return;
    switch (info->err->msg_code) {
    case JWRN_EXTRANEOUS_DATA:
    case JWRN_ADOBE_XFORM:
    case JWRN_JFIF_MAJOR:
        return;
    default:
        break;
    }
    info->err->format_message(info, text);
    c->rc = sct_fail(
        c->err, SCT_EDATA,
        "%s: JPEG data is truncated or damaged near row %u of %u (%s); replace the "
        "file or remove it from the list",
        c->name, (unsigned)c->dec.output_scanline, (unsigned)c->dec.image_height, text);
    longjmp(c->jump, 1);
}

static void on_progress(j_common_ptr info)
{
    struct jpeg_ctx *c = (struct jpeg_ctx *)(void *)info->err;
    if (c->dec.input_scan_number <= JPEG_MAX_SCANS)
        return;
    c->rc = sct_fail(c->err, SCT_EDATA, "%s: JPEG has more than %d scans; save it again",
                     c->name, JPEG_MAX_SCANS);
    longjmp(c->jump, 1);
}

/* Adobe stores CMYK inverted. Pillow: n = 255 - k, rgb = clamp(n - round(c n / 255)). */
static void row_from_cmyk(uint8_t *rgb, const uint8_t *cmyk, uint32_t w)
{
    for (uint32_t x = 0; x < w; x++) {
        const uint32_t n = cmyk[4 * x + 3];
        for (uint32_t i = 0; i < 3; i++) {
            const uint32_t t = (255u - cmyk[4 * x + i]) * n + 128u;
            const uint32_t q = ((t >> 8) + t) >> 8;
            rgb[3 * x + i] = (uint8_t)(n > q ? n - q : 0u);
        }
    }
}

static sct_status choose_output(struct jpeg_ctx *c)
{
    struct jpeg_decompress_struct *d = &c->dec;
    switch (d->num_components) {
    case 1:
    case 3:
        d->out_color_space = JCS_RGB;
        return SCT_OK;
    case 4:
        d->out_color_space = JCS_CMYK;
        c->cmyk = sct_alloc((size_t)d->image_width * 4);
        if (!c->cmyk)
            return sct_fail(c->err, SCT_ENOMEM, "%s: out of memory for one row", c->name);
        return SCT_OK;
    default:
        return sct_fail(c->err, SCT_EDATA,
                        "%s: expected a JPEG of 1, 3 or 4 components, found %d; save it as RGB",
                        c->name, d->num_components);
    }
}

static sct_status read_rows(struct jpeg_ctx *c)
{
    struct jpeg_decompress_struct *d = &c->dec;
    const size_t stride = (size_t)c->image.w * 3;
    while (d->output_scanline < d->output_height) {
        uint8_t *rgb = c->image.rgb + d->output_scanline * stride;
        JSAMPROW row = c->cmyk ? c->cmyk : rgb;
        if (jpeg_read_scanlines(d, &row, 1) != 1)
            return sct_fail(c->err, SCT_EDATA, "%s: JPEG data ends at row %u of %u", c->name,
                            (unsigned)d->output_scanline, (unsigned)d->output_height);
        if (c->cmyk)
            row_from_cmyk(rgb, c->cmyk, c->image.w);
    }
    return SCT_OK;
}

static sct_status decode(struct jpeg_ctx *c, const struct sct_image_file *f)
{
    struct jpeg_decompress_struct *d = &c->dec;
    jpeg_create_decompress(d);
    d->progress = &c->progress;
    jpeg_mem_src(d, f->bytes, (unsigned long)f->size);
    (void)jpeg_read_header(d, TRUE);
    SCT_TRY(sct_image_check_file(d->image_width, d->image_height, f, c->err));
    SCT_TRY(choose_output(c));
    SCT_TRY(sct_image_init(&c->image, d->image_width, d->image_height, c->err));
    (void)jpeg_start_decompress(d);
    return read_rows(c);
}

sct_status sct_jpeg_decode(struct sct_image *out, const struct sct_image_file *f,
                           sct_error *err)
{
    /* On the heap: what setjmp's frame holds in registers is lost after a longjmp. */
    struct jpeg_ctx *const c = sct_calloc(1, sizeof *c);
    sct_status rc;
    memset(out, 0, sizeof *out);
    if (!c)
        return sct_fail(err, SCT_ENOMEM, "%s: out of memory for the JPEG decoder", f->name);
    c->dec.err = jpeg_std_error(&c->mgr);
    c->mgr.error_exit = on_error;
    c->mgr.emit_message = on_message;
    c->progress.progress_monitor = on_progress;
    c->name = f->name;
    c->err = err;
    if (setjmp(c->jump) == 0)
        c->rc = decode(c, f);
    jpeg_destroy_decompress(&c->dec);
    sct_free(c->cmyk);
    rc = c->rc;
    if (rc == SCT_OK)
        *out = c->image;
    else
        sct_image_fini(&c->image);
    sct_free(c);
    return rc;
}
