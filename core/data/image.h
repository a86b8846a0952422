/* SPDX-License-Identifier: MIT
 * image.h - 8-bit RGB images in memory, decoded from JPEG, PNG and WebP.
 * Values equal Pillow's Image.open(..).convert("RGB"): no EXIF rotation, no colour profile,
 * alpha dropped. */
#ifndef SCT_DATA_IMAGE_H
#define SCT_DATA_IMAGE_H

#include <sctrun/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Checked from the header of a file, before memory is taken. Fewer pixels can be allowed, see
 * struct sct_image_opts. */
#define SCT_IMAGE_MAX_SIDE   16384u
#define SCT_IMAGE_MAX_PIXELS (UINT64_C(1) << 28)
/* Bytes; no file of a picture within the limits is larger. */
#define SCT_IMAGE_MAX_FILE   ((size_t)1 << 30)

/* A 16-bit PNG has no one meaning in 8 bits. Pillow takes the high byte of colours and of gray
 * with alpha, but saturates plain gray: min(v, 255). */
#define SCT_DEEP_MODES(X)                                                                      \
    X(REFUSE, "refuse")                                                                        \
    X(PILLOW, "pillow")

enum sct_deep_mode {

#define SCT_DEEP_MODE_ENUM(ID, NAME) SCT_DEEP_##ID,
    SCT_DEEP_MODES(SCT_DEEP_MODE_ENUM)
#undef SCT_DEEP_MODE_ENUM
        SCT_DEEP_MODE_COUNT
};

/* How files are read. All zero is the default. */
struct sct_image_opts {
    uint64_t max_pixels; /* 0, or anything above it: SCT_IMAGE_MAX_PIXELS */
    enum sct_deep_mode deep;
};

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

/* Decodes size bytes of a JPEG (gray, YCbCr, RGB, CMYK, YCCK; baseline or progressive), a PNG
 * (gray, palette, RGB, with or without alpha; 1 to 8 bits a channel, 16 if opts say so) or, if
 * built with libwebp, a WebP that is no animation. The kind is told from the content, never
 * from the name; `name` is only used in messages. A file that ends early or whose data is
 * damaged is an error (SCT_EDATA), not a partly grey picture. opts may be NULL. On failure *out
 * is empty. Thread-safe: no shared state. */
sct_status sct_image_decode(struct sct_image *out, const void *bytes, size_t size,
                            const char *name, const struct sct_image_opts *opts,
                            sct_error *err);

/* Reads and decodes a file. A file that cannot be read is SCT_EDATA. */
sct_status sct_image_read(struct sct_image *out, const char *path,
                          const struct sct_image_opts *opts, sct_error *err);

/* Whether WebP is decoded in this build. */
int sct_image_has_webp(void);

#ifdef __cplusplus
}
#endif
#endif
