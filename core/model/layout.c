/* SPDX-License-Identifier: MIT
 * layout.c - axes of tensors in files: parsing, shapes, moving values. */
#include "core/model/layout.h"

#include <string.h>

/* Left axis of a letter, or SCT_LAYOUT_AXES. */
static uint32_t find(const struct sct_layout *l, char letter)
{
    for (uint32_t i = 0; i < l->n_src; i++)
        if (l->letter[i] == letter)
            return i;
    return SCT_LAYOUT_AXES;
}

bool sct_layout_parse(struct sct_layout *l, const char *text)
{
    *l = (struct sct_layout){.n_src = 0};
    if (!text || !*text)
        return true;
    const char *p = text;
    for (; *p && *p != '>'; p++) {
        if (l->n_src == SCT_LAYOUT_AXES || find(l, *p) < SCT_LAYOUT_AXES)
            return false;
        l->letter[l->n_src++] = *p;
    }
    l->slice = l->letter[0] == 'L';
    uint32_t k = 0;
    bool group = false;
    for (p += *p == '>'; *p; p++) {
        if (*p == '1' && !group) { /* an axis of no letter: its length stays 1 */
            if (++l->n_dst > SCT_LAYOUT_AXES)
                return false;
            continue;
        }
        if (*p == '(' || *p == ')') {
            group = *p == '(';
            l->n_dst += !group;
            continue;
        }
        const uint32_t at = find(l, *p);
        if (at >= SCT_LAYOUT_AXES || k == SCT_LAYOUT_AXES || *p == 'L')
            return false;
        l->perm[k] = at;
        l->axis[k++] = l->n_dst;
        l->n_dst += !group;
    }
    return k + l->slice == l->n_src && l->n_dst > 0 && l->n_dst <= SCT_LAYOUT_AXES;
}

static bool fits(uint64_t v)
{
    return v > 0 && v <= UINT32_MAX;
}

uint32_t sct_layout_shape(const struct sct_layout *l, const uint64_t *src, uint32_t nd,
                          uint32_t *dst)
{
    if (l->n_src ? nd != l->n_src : nd > SCT_LAYOUT_AXES)
        return 0;
    for (uint32_t i = 0; i < nd; i++)
        if (!fits(src[i]))
            return 0;
    for (uint32_t i = 0; !l->n_src && i < nd; i++)
        dst[i] = (uint32_t)src[i];
    for (uint32_t i = 0; i < l->n_dst; i++)
        dst[i] = 1;
    for (uint32_t k = 0; k + l->slice < l->n_src; k++) {
        const uint64_t v = dst[l->axis[k]] * src[l->perm[k]];
        if (!fits(v))
            return 0;
        dst[l->axis[k]] = (uint32_t)v;
    }
    return l->n_src ? l->n_dst : nd;
}

uint32_t sct_layout_source_shape(const struct sct_layout *l, const uint32_t *dst, uint32_t nd,
                                 uint32_t heads, uint32_t slices, uint64_t *src)
{
    if (!l->n_src) {
        for (uint32_t i = 0; i < nd && i < SCT_LAYOUT_AXES; i++)
            src[i] = dst[i];
        return nd <= SCT_LAYOUT_AXES ? nd : 0;
    }
    if (nd != l->n_dst)
        return 0;
    if (l->slice)
        src[0] = slices;
    for (uint32_t k = 0; k + l->slice < l->n_src; k++) {
        uint64_t v = dst[l->axis[k]];
        const bool pair = (k > 0 && l->axis[k - 1] == l->axis[k]) ||
                          (k + 1 + l->slice < l->n_src && l->axis[k + 1] == l->axis[k]);
        if (pair && (!heads || v % heads))
            return 0;
        if (pair)
            v = l->letter[l->perm[k]] == 'h' ? heads : v / heads;
        src[l->perm[k]] = v;
    }
    return l->n_src;
}

/* Place in the slice of the file's tensor after a step of one value in timm's order. */
static uint64_t advance(const struct sct_layout *l, const uint64_t *src, const uint64_t *stride,
                        uint64_t *index, uint64_t at)
{
    for (uint32_t k = l->n_src - l->slice; k-- > 0;) {
        const uint32_t a = l->perm[k];
        at += stride[a];
        if (++index[a] < src[a])
            return at;
        at -= stride[a] * src[a];
        index[a] = 0;
    }
    return at;
}

static void strides(const struct sct_layout *l, const uint64_t *src, uint64_t *stride)
{
    uint64_t n = 1;
    for (uint32_t a = l->n_src; a-- > 0;) {
        stride[a] = n;
        n *= src[a];
    }
}

void sct_layout_read(const struct sct_layout *l, const uint64_t *src, const float *file,
                     float *timm, uint64_t n)
{
    uint64_t stride[SCT_LAYOUT_AXES], index[SCT_LAYOUT_AXES] = {0}, at = 0;
    if (!l->n_src) {
        memcpy(timm, file, (size_t)n * sizeof *timm);
        return;
    }
    strides(l, src, stride);
    for (uint64_t i = 0; i < n; i++) {
        timm[i] = file[at];
        at = advance(l, src, stride, index, at);
    }
}

void sct_layout_write(const struct sct_layout *l, const uint64_t *src, const float *timm,
                      float *file, uint64_t n)
{
    uint64_t stride[SCT_LAYOUT_AXES], index[SCT_LAYOUT_AXES] = {0}, at = 0;
    if (!l->n_src) {
        memcpy(file, timm, (size_t)n * sizeof *timm);
        return;
    }
    strides(l, src, stride);
    for (uint64_t i = 0; i < n; i++) {
        file[at] = timm[i];
        at = advance(l, src, stride, index, at);
    }
}
