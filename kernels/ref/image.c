/* SPDX-License-Identifier: MIT
 * image.c - IMAGE: bytes [B][H][W][3] to planes [B][3][H][W] through a table per channel.
 * The table holds (byte / 255 - mean) / deviation, so normalisation is exact and free. */
#include "kernels/ref/ref_util.h"

void REF(image)(const struct sct_kargs *k)
{
    const struct sct_desc *d = &k->d->in[0];
    const size_t images = d->dim[0], pixels = (size_t)d->dim[1] * d->dim[2];
    const unsigned char *in = k->in[0];
    const REAL *table = k->in[1];
    REAL *out = k->out[0];
    for (size_t b = 0; b < images; b++)
        for (size_t c = 0; c < 3; c++)
            for (size_t p = 0; p < pixels; p++)
                out[(b * 3 + c) * pixels + p] = table[c * 256 + in[(b * pixels + p) * 3 + c]];
}
