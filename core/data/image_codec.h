/* SPDX-License-Identifier: MIT
 * image_codec.h - what the decoders of core/data share; private to this folder.
 * A decoder checks the size against the limits before it takes memory. */
#ifndef SCT_DATA_IMAGE_CODEC_H
#define SCT_DATA_IMAGE_CODEC_H

#include "core/data/image.h"

/* What a decoder is given beside the place of its output; all borrowed, opts never NULL. */
struct sct_image_file {
    const uint8_t *bytes;
    size_t size;
    const char *name; /* for messages */
    const struct sct_image_opts *opts;
};

sct_status sct_jpeg_decode(struct sct_image *out, const struct sct_image_file *f,
                           sct_error *err);
sct_status sct_png_decode(struct sct_image *out, const struct sct_image_file *f,
                          sct_error *err);
/* Refuses by name when the build has no libwebp. */
sct_status sct_webp_decode(struct sct_image *out, const struct sct_image_file *f,
                           sct_error *err);

/* SCT_EDATA when an image of w x h is empty or over the limits; of a file, also over its opts'.
 */
sct_status sct_image_check_size(uint64_t w, uint64_t h, const char *name, sct_error *err);
sct_status sct_image_check_file(uint64_t w, uint64_t h, const struct sct_image_file *f,
                                sct_error *err);

#endif
