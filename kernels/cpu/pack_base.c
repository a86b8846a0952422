/* SPDX-License-Identifier: MIT
 * pack_base.c - PACK: a dense weight [N][K] into panels (cpu_layout.h). Parts share panels. */
#include "kernels/cpu/cpu_base.h"
#include "kernels/cpu/cpu_layout.h"

#include <string.h>

enum { DEPTH_CHUNK = 64 }; /* lines of `width` rows that stay in L1 while they are transposed */

/* [depth][width] from rows of the weight: element (k, j) = w[j][k]. */
static void panel_of_rows(const float *restrict w, size_t depth, size_t cols, size_t width,
                          float *restrict to)
{
    for (size_t k0 = 0; k0 < depth; k0 += DEPTH_CHUNK) {
        const size_t end = depth - k0 < DEPTH_CHUNK ? depth : k0 + DEPTH_CHUNK;
        for (size_t j = 0; j < width; j++)
            for (size_t k = k0; k < end; k++)
                to[k * width + j] = j < cols ? w[j * depth + k] : 0.0f;
    }
}

/* [depth][width] from columns: element (r, j) = w[r][j], w of row stride ld. */
static void panel_of_columns(const float *restrict w, size_t ld, size_t depth, size_t cols,
                             size_t width, float *restrict to)
{
    for (size_t r = 0; r < depth; r++) {
        memcpy(to + r * width, w + r * ld, cols * sizeof *to);
        for (size_t j = cols; j < width; j++)
            to[r * width + j] = 0.0f;
    }
}

void pack_base(const struct sct_kargs *k)
{
    const uint32_t layout = k->d->out[0].layout;
    const size_t n = sct_desc_rows(&k->d->in[0]), last = sct_desc_last(&k->d->in[0]),
                 width = cpu_panel_width(layout);
    const int t = cpu_panel_transposed(layout);
    const size_t all = t ? last : n, depth = t ? n : last;
    const struct cpu_range r = cpu_split(k, all, width);
    const float *w = k->in[0];
    for (size_t c = r.first; c < r.end; c += width) {
        const size_t cols = r.end - c < width ? r.end - c : width;
        float *to = (float *)k->out[0] + c * depth;
        if (t)
            panel_of_columns(w + c, last, depth, cols, width, to);
        else
            panel_of_rows(w + c * depth, depth, cols, width, to);
    }
}
