/* SPDX-License-Identifier: MIT
 * patch_merge.c - PATCH_MERGE and its inverse PATCH_SPLIT: 2 x 2 tokens to one of 4C channels.
 */
#include "kernels/ref/ref_util.h"

/* First element of the quarter of merged token (b, y/2, x/2) that holds grid token (b, y, x).
 * Quarters stand in the order (0,0), (1,0), (0,1), (1,1) of (row, column). */
static size_t merged(const struct sct_grid_params *p, size_t C, size_t b, size_t y, size_t x)
{
    const size_t token = (b * (p->h / 2) + y / 2) * (p->w / 2) + x / 2;
    return (token * 4 + x % 2 * 2 + y % 2) * C;
}

void REF(patch_merge)(const struct sct_kargs *k)
{
    const struct sct_grid_params *p = k->d->params;
    const size_t images = k->d->in[0].dim[0], C = k->d->in[0].dim[2];
    const REAL *in = k->in[0];
    REAL *out = k->out[0];
    for (size_t b = 0; b < images; b++)
        for (size_t y = 0; y < p->h; y++)
            for (size_t x = 0; x < p->w; x++, in += C)
                memcpy(out + merged(p, C, b, y, x), in, C * sizeof *out);
}

void REF(patch_split)(const struct sct_kargs *k)
{
    const struct sct_grid_params *p = k->d->params;
    const size_t images = k->d->out[0].dim[0], C = k->d->out[0].dim[2];
    const REAL *in = k->in[0];
    REAL *out = k->out[0];
    for (size_t b = 0; b < images; b++)
        for (size_t y = 0; y < p->h; y++)
            for (size_t x = 0; x < p->w; x++, out += C)
                memcpy(out, in + merged(p, C, b, y, x), C * sizeof *out);
}
