/* SPDX-License-Identifier: MIT
 * pad_grid.c - PAD_GRID and its gradient CROP_GRID: rows below and columns to the right. */
#include "kernels/ref/ref_util.h"

/* Copies rows x columns tokens between grids of different width. */
static void copy_grids(const struct sct_kargs *k, size_t rows, size_t columns)
{
    const struct sct_grid_params *p = k->d->params;
    const size_t images = k->d->in[0].dim[0], C = k->d->in[0].dim[2];
    const size_t from = k->d->in[0].dim[1], to = k->d->out[0].dim[1];
    const REAL *in = k->in[0];
    REAL *out = k->out[0];
    for (size_t b = 0; b < images; b++)
        for (size_t y = 0; y < rows; y++)
            memcpy(out + (b * to + y * p->out_w) * C, in + (b * from + y * p->w) * C,
                   columns * C * sizeof *out);
}

void REF(pad_grid)(const struct sct_kargs *k)
{
    const struct sct_grid_params *p = k->d->params;
    memset(k->out[0], 0, ref_count(&k->d->out[0]) * sizeof(REAL));
    copy_grids(k, p->h, p->w);
}

void REF(crop_grid)(const struct sct_kargs *k)
{
    const struct sct_grid_params *p = k->d->params;
    copy_grids(k, p->out_h, p->out_w);
}
