/* SPDX-License-Identifier: MIT
 * tape.h - a builder that runs every node at once with the f64 reference kernels.
 * What a vjp emits is computed as it is emitted; accumulators are plain buffers, one slot. */
#ifndef SCT_TESTS_GRAD_TAPE_H
#define SCT_TESTS_GRAD_TAPE_H

#include "core/ir/op.h"
#include "tests/cases/cases.h"

enum { TAPE_MAX = 128 };

struct tape {
    struct sct_builder base; /* first: the callbacks get its address */
    struct sct_desc desc[TAPE_MAX];
    void *data[TAPE_MAX]; /* f32 is stored as double */
    bool owned[TAPE_MAX]; /* an ACCUM's output is its input's storage */
    uint32_t n;           /* value 0 is "none" */
    uint32_t b, batch;
    struct sct_step_state step;
    struct sct_micro micro;
    sct_error err;
};

void tape_init(struct tape *t, const struct sct_case *c);
void tape_free(struct tape *t);
/* A value of that description, zeroed; "none" when memory or the tape is at its end. */
sct_val tape_new(struct tape *t, const struct sct_desc *d);
/* Bytes of a value on the tape. */
size_t tape_bytes(const struct sct_desc *d);
/* Every output of one node, run directly: res[] are the caller's buffers. */
void tape_run(const struct sct_opdesc *d, const struct sct_step_state *step,
              const struct sct_micro *micro, const void *const *in, void *const *res);

#endif
