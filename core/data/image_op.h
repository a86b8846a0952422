/* SPDX-License-Identifier: MIT
 * image_op.h - Pillow's operations on an 8-bit RGB picture, bit for bit.
 *
 * Formulas: ImageOps, ImageEnhance, ImageFilter.SMOOTH, Image.transform and the HSV conversion
 * of Pillow 9 to 13, which agree; tests/data/pillow.py compares every one of them. All work in
 * place on one picture that the caller owns; the size stays. Thread-safe: no shared state.
 * Built without contraction: a fused multiply-add would change last bits. */
#ifndef SCT_DATA_IMAGE_OP_H
#define SCT_DATA_IMAGE_OP_H

#include "core/data/resize.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- tables: every value of a channel goes to another one ---- */

/* Each channel is stretched to [0, 255]; a channel of one value stays. */
void sct_image_autocontrast(struct sct_image *img);
/* Each channel's histogram is made flat. */
void sct_image_equalize(struct sct_image *img);
void sct_image_invert(struct sct_image *img);
/* Keeps the upper `bits` bits, 0 to 8. 0 gives black, as Pillow up to 12 has it (13 refuses).
 */
void sct_image_posterize(struct sct_image *img, uint32_t bits);
/* Inverts values at and above the threshold, 0 to 256. */
void sct_image_solarize(struct sct_image *img, uint32_t threshold);
/* Adds to values below 128, up to 255 (timm's SolarizeAdd). */
void sct_image_solarize_add(struct sct_image *img, uint32_t add);

/* ---- blends: deg + f (img - deg), f = 1 is the picture ---- */

/* deg: the gray picture, L = (19595 R + 38470 G + 7471 B + 32768) >> 16. */
void sct_image_color(struct sct_image *img, float f);
/* deg: the mean of L, rounded. */
void sct_image_contrast(struct sct_image *img, float f);
/* deg: black. */
void sct_image_brightness(struct sct_image *img, float f);
/* deg: smoothed with the kernel (1 1 1; 1 5 1; 1 1 1) / 13. SCT_ENOMEM leaves img as it is. */
sct_status sct_image_sharpness(struct sct_image *img, float f, sct_error *err);

/* ---- colour and place ---- */

/* Adds `shift` to the hue, a byte that wraps around, through 8-bit HSV and back (torchvision's
 * adjust_hue of a PIL image, shift = trunc(255 hue)). Even a shift of 0 changes values. */
void sct_image_hue(struct sct_image *img, uint8_t shift);
/* Left and right change places. */
void sct_image_hflip(struct sct_image *img);

/* Image.transform(size, AFFINE, m): pixel (x, y) is the picture at m[0..2] (x + 1/2, y + 1/2,
 * 1) across and m[3..5] down; outside of it `fill`. filter: SCT_FILTER_BILINEAR, or _BICUBIC,
 * which is not that of the resize: a = -1, no rounding. SCT_EINVAL for another filter,
 * SCT_ENOMEM; img is then as it was. */
sct_status sct_image_affine(struct sct_image *img, const double m[6], enum sct_filter filter,
                            const uint8_t fill[3], sct_error *err);
/* Image.rotate(degrees), |degrees| < 90: counter-clockwise about the centre. */
sct_status sct_image_rotate(struct sct_image *img, double degrees, enum sct_filter filter,
                            const uint8_t fill[3], sct_error *err);

#ifdef __cplusplus
}
#endif
#endif
