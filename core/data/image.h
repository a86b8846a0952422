/* SPDX-License-Identifier: MIT
 * image.h - 8-bit RGB images in memory, decoded from JPEG and PNG.
 * Values equal Pillow's Image.open(..).convert("RGB"): no EXIF rotation, no colour profile,
 * alpha dropped. */
#ifndef SCT_DATA_IMAGE_H
#define SCT_DATA_IMAGE_H

#include <sctrun/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Checked from the header of a file, before memory is taken. */
#define SCT_IMAGE_MAX_SIDE   16384u
#define SCT_IMAGE_MAX_PIXELS (UINT64_C(1) << 28)

/* rgb is [h][w][3], dense. An image of zeros is valid and empty. Not shared between threads
 * while it is being written. */
struct sct_image {
    uint32_t w, h;
    uint8_t *rgb;
};

/* Takes memory for w x h pixels, uninitialised. On failure (SCT_EDATA over the limits or a zero
 * side, SCT_ENOMEM) *img is empty. Whoever holds the image ends it with sct_image_fini. */
sct_status sct_image_init(struct sct_image *img, uint32_t w, uint32_t h, sct_error *err);

/* Frees the pixels and empties the image. Accepts NULL and empty images. */
void sct_image_fini(struct sct_image *img);

/* Decodes size bytes of a JPEG (gray, YCbCr, RGB, CMYK, YCCK; baseline or progressive) or PNG
 * (gray, palette, RGB, with or without alpha; 1 to 8 bits a channel). The kind is told from the
 * content, never from the name; `name` is only used in messages. A file that ends early or
 * whose data is damaged is an error (SCT_EDATA), not a partly grey picture. On failure *out is
 * empty. Thread-safe: no shared state. */
sct_status sct_image_decode(struct sct_image *out, const void *bytes, size_t size,
                            const char *name, sct_error *err);

/* Reads and decodes a file. A file that cannot be read is SCT_EDATA. */
sct_status sct_image_read(struct sct_image *out, const char *path, sct_error *err);

#ifdef __cplusplus
}
#endif
#endif
