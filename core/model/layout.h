/* SPDX-License-Identifier: MIT
 * layout.h - how a tensor of a file lies against timm's, and moving values between the two.
 *
 * Written as "dhk>(hk)d": on the left the axes of the file's tensor, one letter each, on the
 * right timm's; letters in parentheses are one axis there. The letter h is the heads of
 * attention. A 1 on the right is an axis of one element, as in "d>11d". A capital L, first and
 * on the left only, is the axis along which all blocks are stacked: timm's tensor is one slice.
 * The empty text is a copy of whatever shape. Pure functions, any thread. */
#ifndef SCT_MODEL_LAYOUT_H
#define SCT_MODEL_LAYOUT_H

#include <stdbool.h>

#include <sctrun/base.h>

enum { SCT_LAYOUT_AXES = 5 };

struct sct_layout {
    uint32_t n_src, n_dst;          /* axes left and right; both 0: a copy */
    uint32_t perm[SCT_LAYOUT_AXES]; /* left axis of the k-th letter on the right */
    uint32_t axis[SCT_LAYOUT_AXES]; /* right axis of the k-th letter */
    char letter[SCT_LAYOUT_AXES];   /* of the left axes */
    bool slice;
};

/* False when text is not as above. NULL is the empty text. */
bool sct_layout_parse(struct sct_layout *l, const char *text);

/* timm's shape (dst: at least SCT_LAYOUT_AXES) for the file's shape src of nd axes; 0: src has
 * another number of axes than the layout, or an axis that is 0 or does not fit 32 bits.
 * Otherwise the number of axes. A copy keeps up to SCT_LAYOUT_AXES axes. */
uint32_t sct_layout_shape(const struct sct_layout *l, const uint64_t *src, uint32_t nd,
                          uint32_t *dst);
/* The other way: the file's shape for timm's; heads split an axis that holds h, slices is the
 * length of L. 0: the number of axes is another, or heads do not divide. */
uint32_t sct_layout_source_shape(const struct sct_layout *l, const uint32_t *dst, uint32_t nd,
                                 uint32_t heads, uint32_t slices, uint64_t *src);

/* Values of one slice of the file's tensor (src: the shape of the whole tensor) in timm's
 * order, and back. Neither overlaps the other. A copy needs no shape. n: number of values. */
void sct_layout_read(const struct sct_layout *l, const uint64_t *src, const float *file,
                     float *timm, uint64_t n);
void sct_layout_write(const struct sct_layout *l, const uint64_t *src, const float *timm,
                      float *file, uint64_t n);

#endif
