/* SPDX-License-Identifier: MIT
 * feed.c - FEED and EMIT: rows between the batch value and the micro-batch.
 * A short micro-batch is filled up with zeros on the way in and cut on the way out. */
#include "kernels/ref/ref_util.h"

static size_t row_bytes(const struct sct_desc *d)
{
    return ref_count(d) / d->dim[0] * ref_element(d);
}

void REF(feed)(const struct sct_kargs *k)
{
    const size_t row = row_bytes(&k->d->out[0]);
    const size_t count = k->micro->count, b = k->d->out[0].dim[0];
    const unsigned char *in = k->in[0];
    unsigned char *out = k->out[0];
    memcpy(out, in + k->micro->first * row, count * row);
    memset(out + count * row, 0, (b - count) * row);
}

void REF(emit)(const struct sct_kargs *k)
{
    const size_t row = row_bytes(&k->d->in[0]);
    unsigned char *out = k->out[0];
    memcpy(out + k->micro->first * row, k->in[0], k->micro->count * row);
}
