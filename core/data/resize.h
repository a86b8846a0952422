/* SPDX-License-Identifier: MIT
 * resize.h - Pillow's antialiased resampling of 8-bit RGB images, bit for bit.
 * Two separable passes with 22-bit integer weights and 8-bit pixels between them. */
#ifndef SCT_DATA_RESIZE_H
#define SCT_DATA_RESIZE_H

#include "core/data/image.h"

#ifdef __cplusplus
extern "C" {
#endif

enum sct_filter {
    SCT_FILTER_BOX,
    SCT_FILTER_BILINEAR,
    SCT_FILTER_HAMMING,
    SCT_FILTER_BICUBIC, /* a = -0.5 */
    SCT_FILTER_LANCZOS  /* 3 lobes; uses libm's sine, so only as portable as that */
};

/* Which pass goes first. It matters because pixels are rounded and clamped between the passes:
 * 500 x 300 (rows x columns) to 224 x 224 changes a quarter of all values. */
enum sct_pass_order {
    SCT_PASS_HORIZONTAL, /* Pillow up to 12.1 */
    SCT_PASS_PILLOW_12,  /* 12.2 and 12.3: vertical when rows > 100 columns and rows shrink */
    SCT_PASS_PILLOW_13   /* 13.0: vertical when rows lost > 0 and > 2 x columns lost */
};

/* A part of a resized picture, in its pixels. */
struct sct_window {
    uint32_t x, y, w, h;
};

/* Resizes src to w x h pixels and stores the part of the result that lies in `win` (NULL: all
 * of it) at dst, [win->h][win->w][3] dense, owned by the caller. A part equals the same part of
 * the whole. Same size is a copy. src and dst do not overlap. SCT_EINVAL for a window outside
 * the picture, SCT_EDATA for sizes over the limits, SCT_ENOMEM. Thread-safe: no shared state.
 */
sct_status sct_resize(uint8_t *dst, const struct sct_image *src, uint32_t w, uint32_t h,
                      const struct sct_window *win, enum sct_filter filter,
                      enum sct_pass_order order, sct_error *err);

/* torchvision's Resize(side): the short side becomes `side`, the long one side * long / short
 * rounded down. */
void sct_resize_short_side(uint32_t w, uint32_t h, uint32_t side, uint32_t *out_w,
                           uint32_t *out_h);

/* torchvision's CenterCrop: first of `crop` out of `size` >= crop pixels, half rounded to even.
 */
uint32_t sct_center_offset(uint32_t size, uint32_t crop);

/* Weights of one axis: output i is the sum over j < count[i] of k[i * ksize + j] times source
 * pixel first[i] + j. */
struct sct_resize_taps {
    uint32_t n, ksize;       /* ksize is a multiple of 4 */
    uint32_t *first, *count; /* [n] */
    int32_t *k;              /* [n][ksize], 22 bits after the point, zero beyond count */
};

/* Row operations behind sct_resize, one table per instruction set; all give the same bits. */
struct sct_resize_rows {
    const char *name;
    /* dst[rows][n][3] from src[rows][src_w][3]. */
    void (*horizontal)(uint8_t *dst, const uint8_t *src, uint32_t src_w, uint32_t rows,
                       const struct sct_resize_taps *taps);
    /* dst[bytes] = sum over j < count of k[j] * src[j * stride + ..]. */
    void (*vertical)(uint8_t *dst, const uint8_t *src, size_t stride, size_t bytes,
                     uint32_t count, const int32_t *k);
};

extern const struct sct_resize_rows sct_resize_rows_c;
/* The best table of this machine. */
const struct sct_resize_rows *sct_resize_rows_best(void);
/* sct_resize with a given table; for tests. */
sct_status sct_resize_with(const struct sct_resize_rows *rows, uint8_t *dst,
                           const struct sct_image *src, uint32_t w, uint32_t h,
                           const struct sct_window *win, enum sct_filter filter,
                           enum sct_pass_order order, sct_error *err);

#ifdef __cplusplus
}
#endif
#endif
