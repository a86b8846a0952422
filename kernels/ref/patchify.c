/* SPDX-License-Identifier: MIT
 * patchify.c - PATCHIFY and UNPATCHIFY: picture to rows of patches and back.
 * Inside a patch the order is (channel, y, x), that of a convolution's weight. */
#include "kernels/ref/ref_util.h"

struct picture {
    size_t images, channels, height, width, patch;
};

static struct picture picture_of(const struct sct_kargs *k, const struct sct_desc *d)
{
    const struct sct_patchify_params *p = k->d->params;
    const struct picture s = {d->dim[0], d->dim[1], d->dim[2], d->dim[3], p->patch};
    return s;
}

/* Where pixel (b, c, y, x) stands among the patches. */
static size_t patch_index(const struct picture *s, size_t b, size_t c, size_t y, size_t x)
{
    const size_t P = s->patch, across = s->width / P;
    const size_t patch = (b * (s->height / P) + y / P) * across + x / P;
    return ((patch * s->channels + c) * P + y % P) * P + x % P;
}

void REF(patchify)(const struct sct_kargs *k)
{
    const struct picture s = picture_of(k, &k->d->in[0]);
    const REAL *in = k->in[0];
    REAL *out = k->out[0];
    for (size_t b = 0; b < s.images; b++)
        for (size_t c = 0; c < s.channels; c++)
            for (size_t y = 0; y < s.height; y++)
                for (size_t x = 0; x < s.width; x++)
                    out[patch_index(&s, b, c, y, x)] = *in++;
}

void REF(unpatchify)(const struct sct_kargs *k)
{
    const struct picture s = picture_of(k, &k->d->out[0]);
    const REAL *in = k->in[0];
    REAL *out = k->out[0];
    for (size_t b = 0; b < s.images; b++)
        for (size_t c = 0; c < s.channels; c++)
            for (size_t y = 0; y < s.height; y++)
                for (size_t x = 0; x < s.width; x++)
                    *out++ = in[patch_index(&s, b, c, y, x)];
}
