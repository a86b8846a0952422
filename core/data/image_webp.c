/* SPDX-License-Identifier: MIT
 * image_webp.c - WebP through libwebp's decoder with its defaults, as Pillow has them.
 * Without the library (meson -Dwebp=disabled) a WebP file is refused by name. */
#include "core/data/image_codec.h"

#include <string.h>

#ifdef SCT_HAVE_WEBP
#include <webp/decode.h>

int sct_image_has_webp(void)
{
    return 1;
}

static sct_status fail(const struct sct_image_file *f, VP8StatusCode code, sct_error *err)
{
    static const char *const text[] = {
        [VP8_STATUS_OK] = "nothing wrong",
        [VP8_STATUS_OUT_OF_MEMORY] = "out of memory",
        [VP8_STATUS_INVALID_PARAM] = "an invalid parameter",
        [VP8_STATUS_BITSTREAM_ERROR] = "damaged data",
        [VP8_STATUS_UNSUPPORTED_FEATURE] = "a feature it does not have",
        [VP8_STATUS_SUSPENDED] = "truncated data",
        [VP8_STATUS_USER_ABORT] = "an abort",
        [VP8_STATUS_NOT_ENOUGH_DATA] = "truncated data",
    };
    const size_t i = (size_t)code;
    const char *why = i < sizeof text / sizeof text[0] ? text[i] : "an unknown fault";
    if (code == VP8_STATUS_OUT_OF_MEMORY)
        return sct_fail(err, SCT_ENOMEM, "%s: out of memory while decoding", f->name);
    return sct_fail(
        err, SCT_EDATA,
        "%s: expected a WebP image, the decoder finds %s; replace the file or remove "
        "it from the list",
        f->name, why);
}

static sct_status decode(struct sct_image *out, WebPDecoderConfig *c,
                         const struct sct_image_file *f, sct_error *err)
{
    VP8StatusCode code = WebPGetFeatures(f->bytes, f->size, &c->input);
    if (code != VP8_STATUS_OK)
        return fail(f, code, err);
    if (c->input.has_animation)
        return sct_fail(
            err, SCT_EDATA,
            "%s: expected one picture, found an animated WebP; save one frame of it", f->name);
    const uint64_t w = (uint64_t)c->input.width, h = (uint64_t)c->input.height;
    SCT_TRY(sct_image_check_file(w, h, f, err));
    SCT_TRY(sct_image_init(out, (uint32_t)w, (uint32_t)h, err));
    c->output.colorspace = MODE_RGB; /* alpha is dropped, not composed */
    c->output.is_external_memory = 1;
    c->output.u.RGBA.rgba = out->rgb;
    c->output.u.RGBA.stride = (int)w * 3;
    c->output.u.RGBA.size = (size_t)w * (size_t)h * 3;
    code = WebPDecode(f->bytes, f->size, c);
    return code == VP8_STATUS_OK ? SCT_OK : fail(f, code, err);
}

sct_status sct_webp_decode(struct sct_image *out, const struct sct_image_file *f,
                           sct_error *err)
{
    WebPDecoderConfig c;
    memset(out, 0, sizeof *out);
    if (!WebPInitDecoderConfig(&c))
        return sct_fail(err, SCT_EFAIL,
                        "%s: libwebp is of another version than its headers; build again",
                        f->name);
    const sct_status rc = decode(out, &c, f, err);
    WebPFreeDecBuffer(&c.output);
    if (rc != SCT_OK)
        sct_image_fini(out);
    return rc;
}

#else

int sct_image_has_webp(void)
{
    return 0;
}

sct_status sct_webp_decode(struct sct_image *out, const struct sct_image_file *f,
                           sct_error *err)
{
    memset(out, 0, sizeof *out);
    return sct_fail(err, SCT_EDATA,
                    "%s: expected a JPEG or PNG image, found a WebP file; this build has no "
                    "libwebp: build it with -Dwebp=enabled, or convert the file",
                    f->name);
}

#endif
