/* SPDX-License-Identifier: MIT
 * random.h - dropout and drop path. Shape letters: <sctrun/ops.h>. */
#ifndef SCTRUN_OPS_RANDOM_H
#define SCTRUN_OPS_RANDOM_H

#include <sctrun/op.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Element e of the step's batch survives when u(seed, key, step, e) >= rate and is divided by
 * 1 - rate. u: docs/formats.md "Random numbers"; one Philox4x32-10 block gives elements
 * 4i..4i+3. */
static inline sct_val sct_dropout(struct sct_builder *b, sct_val x, float rate, uint64_t key)
{
    const struct sct_random_params p = {key, rate, 0};
    return sct_emit_(b, SCT_OP_DROPOUT, &x, 1, &p, sizeof p);
}

/* The same for whole images (element e = image of the batch). */
static inline sct_val sct_droppath(struct sct_builder *b, sct_val x, float rate, uint64_t key)
{
    const struct sct_random_params p = {key, rate, 0};
    return sct_emit_(b, SCT_OP_DROPPATH, &x, 1, &p, sizeof p);
}

#ifdef __cplusplus
}
#endif
#endif
