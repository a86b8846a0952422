/* SPDX-License-Identifier: MIT
 * copy.c - COPY, RESHAPE, PACK: the same elements in the same order.
 * PACK copies densely: the reference backend asks for no layout of its own. */
#include "kernels/ref/ref_util.h"

static void copy(const struct sct_kargs *k)
{
    if (k->out[0] != k->in[0])
        memcpy(k->out[0], k->in[0], ref_count(&k->d->in[0]) * ref_element(&k->d->in[0]));
}

void REF(copy)(const struct sct_kargs *k)
{
    copy(k);
}

void REF(reshape)(const struct sct_kargs *k)
{
    copy(k);
}

void REF(pack)(const struct sct_kargs *k)
{
    copy(k);
}
