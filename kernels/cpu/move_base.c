/* SPDX-License-Identifier: MIT
 * move_base.c - rows between batch and micro-batch, copies, constants, pictures, patches.
 * Bytes are moved, whatever the element type; parts share the bytes. */
#include "kernels/cpu/cpu_base.h"
#include "kernels/cpu/cpu_layout.h"

#include <string.h>

enum { BYTES = 4096 };

static size_t bytes_of(const struct sct_desc *d)
{
    return (size_t)sct_desc_count(d) * sct_dtype_bytes(d->dtype);
}

void feed_base(const struct sct_kargs *k)
{
    const size_t b = k->d->out[0].dim[0], row = bytes_of(&k->d->out[0]) / b;
    const struct cpu_range r = cpu_split(k, row, BYTES);
    if (r.first >= r.end)
        return;
    for (size_t i = 0; i < b; i++) {
        unsigned char *to = (unsigned char *)k->out[0] + i * row + r.first;
        if (i < k->micro->count)
            memcpy(to, (const unsigned char *)k->in[0] + (k->micro->first + i) * row + r.first,
                   r.end - r.first);
        else
            memset(to, 0, r.end - r.first);
    }
}

void emit_base(const struct sct_kargs *k)
{
    const size_t row = bytes_of(&k->d->in[0]) / k->d->in[0].dim[0];
    const struct cpu_range r = cpu_split(k, row, BYTES);
    if (r.first >= r.end)
        return;
    for (size_t i = 0; i < k->micro->count; i++)
        memcpy((unsigned char *)k->out[0] + (k->micro->first + i) * row + r.first,
               (const unsigned char *)k->in[0] + i * row + r.first, r.end - r.first);
}

void copy_base(const struct sct_kargs *k)
{
    const struct cpu_range r = cpu_split(k, bytes_of(&k->d->out[0]), BYTES);
    if (r.first < r.end)
        memcpy((unsigned char *)k->out[0] + r.first, (const unsigned char *)k->in[0] + r.first,
               r.end - r.first);
}

void fill_base(const struct sct_kargs *k)
{
    const struct sct_fill_params *p = k->d->params;
    const struct cpu_range r = cpu_split(k, sct_desc_count(&k->d->out[0]), BYTES / 4);
    float *y = k->out[0];
    for (size_t i = r.first; i < r.end; i++)
        y[i] = p->value;
}

void zero_base(const struct sct_kargs *k)
{
    const struct cpu_range r = cpu_split(k, bytes_of(&k->d->out[0]), BYTES);
    if (r.first < r.end)
        memset((unsigned char *)k->out[0] + r.first, 0, r.end - r.first);
}

void image_base(const struct sct_kargs *k)
{
    const uint32_t *dim = k->d->in[0].dim;
    const size_t h = dim[1], w = dim[2];
    const struct cpu_range r = cpu_split(k, dim[0] * h, 8); /* lines of all images */
    const float *table = k->in[1];
    for (size_t line = r.first; line < r.end; line++) {
        const uint8_t *from = (const uint8_t *)k->in[0] + line * w * 3;
        const size_t image = line / h, y = line % h;
        for (size_t c = 0; c < 3; c++) {
            float *to = (float *)k->out[0] + ((image * 3 + c) * h + y) * w;
            const float *value = table + c * 256;
            for (size_t x = 0; x < w; x++)
                to[x] = value[from[3 * x + c]];
        }
    }
}

/* Between a picture [B][C][H][W] and its patches [B][(H/P)(W/P)][C P P], P floats at a time. */
static void patches(const struct sct_kargs *k, const uint32_t *picture, int back)
{
    const struct sct_patchify_params *p = k->d->params;
    const size_t ch = picture[1], h = picture[2], w = picture[3], n = p->patch, across = w / n,
                 per_image = h / n * across;
    const struct cpu_range r = cpu_split(k, picture[0] * per_image, 4);
    for (size_t patch = r.first; patch < r.end; patch++) {
        const size_t image = patch / per_image, at = patch % per_image;
        for (size_t c = 0; c < ch; c++)
            for (size_t y = 0; y < n; y++) {
                const size_t in_patch = ((patch * ch + c) * n + y) * n;
                const size_t in_picture =
                    ((image * ch + c) * h + at / across * n + y) * w + at % across * n;
                if (back)
                    memcpy((float *)k->out[0] + in_picture, (const float *)k->in[0] + in_patch,
                           n * sizeof(float));
                else
                    memcpy((float *)k->out[0] + in_patch, (const float *)k->in[0] + in_picture,
                           n * sizeof(float));
            }
    }
}

void patchify_base(const struct sct_kargs *k)
{
    patches(k, k->d->in[0].dim, 0);
}

void unpatchify_base(const struct sct_kargs *k)
{
    patches(k, k->d->out[0].dim, 1);
}
