/* SPDX-License-Identifier: MIT
 * concat_tokens.c - CONCAT_TOKENS: an operand without image dimension is repeated. */
#include "kernels/ref/ref_util.h"

void REF(concat_tokens)(const struct sct_kargs *k)
{
    const struct sct_desc *d = k->d->in;
    const size_t images = k->d->out[0].dim[0], C = sct_desc_last(d);
    const size_t nx = d[0].dim[d[0].nd - 2] * C, ny = d[1].dim[d[1].nd - 2] * C;
    const REAL *x = k->in[0], *y = k->in[1];
    REAL *out = k->out[0];
    for (size_t b = 0; b < images; b++, out += nx + ny) {
        memcpy(out, x + (d[0].nd == 3 ? b * nx : 0), nx * sizeof *out);
        memcpy(out + nx, y + (d[1].nd == 3 ? b * ny : 0), ny * sizeof *out);
    }
}
