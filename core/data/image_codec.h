/* SPDX-License-Identifier: MIT
 * image_codec.h - what the decoders of core/data share; private to this folder.
 * A decoder checks the size against the limits before it takes memory. */
#ifndef SCT_DATA_IMAGE_CODEC_H
#define SCT_DATA_IMAGE_CODEC_H

#include "core/data/image.h"

sct_status sct_jpeg_decode(struct sct_image *out, const uint8_t *bytes, size_t size,
                           const char *name, sct_error *err);
sct_status sct_png_decode(struct sct_image *out, const uint8_t *bytes, size_t size,
                          const char *name, sct_error *err);

/* SCT_EDATA when an image of w x h is empty or over the limits. */
sct_status sct_image_check_size(uint64_t w, uint64_t h, const char *name, sct_error *err);

#endif
