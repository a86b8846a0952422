/* SPDX-License-Identifier: MIT
 * kargs.h - what every host kernel (reference and cpu) is called with.
 * A kernel knows pointers and sizes; it has no state, allocates nothing, reports nothing. */
#ifndef SCT_KARGS_H
#define SCT_KARGS_H

#include <sctrun/backend.h>

/* in/out point at the values of this micro-batch; an ACCUM's in[0] == out[0] points at the
 * slot. FEED's in[0] and EMIT's out[0] point at the whole batch value. scratch: the bytes that
 * the row asked for (of this team), 64-byte aligned. step and micro are never NULL; outside the
 * body micro is {0, batch, 0}. A node is shared by `parts` threads, this one is `part`: the
 * split must follow from the shapes so that the bits of the result do not depend on parts. */
struct sct_kargs {
    const void *in[SCT_MAX_IN];
    void *out[SCT_MAX_OUT];
    void *scratch;
    const struct sct_opdesc *d;
    const struct sct_step_state *step;
    const struct sct_micro *micro;
    uint32_t part, parts;
};

typedef void (*sct_kernel_fn)(const struct sct_kargs *);

#endif
