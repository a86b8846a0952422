/* SPDX-License-Identifier: MIT
 * pad_grid.c - PAD_GRID and its gradient CROP_GRID: rows below and columns to the right,
 * between two rolls (formula: core/ops/grid.c). */
#include "kernels/ref/ref_util.h"

/* Copies the first rows x columns tokens of the rolled grids. */
static void copy_grids(const struct sct_kargs *k, size_t rows, size_t columns)
{
    const struct sct_grid_params *p = k->d->params;
    const size_t images = k->d->in[0].dim[0], C = k->d->in[0].dim[2];
    const size_t from = k->d->in[0].dim[1], to = k->d->out[0].dim[1];
    const REAL *in = k->in[0];
    REAL *out = k->out[0];
    for (size_t b = 0; b < images; b++)
        for (size_t i = 0; i < rows; i++)
            for (size_t j = 0; j < columns; j++) {
                const size_t y = i + p->roll_h, x = j + p->roll_w;
                const size_t s = y % p->h * p->w + x % p->w;
                const size_t d = y % p->out_h * p->out_w + x % p->out_w;
                memcpy(out + (b * to + d) * C, in + (b * from + s) * C, C * sizeof *out);
            }
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
