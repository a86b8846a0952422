/* SPDX-License-Identifier: MIT
 * loss.h - cross-entropy. Shape letters: <sctrun/ops.h>. */
#ifndef SCTRUN_OPS_LOSS_H
#define SCTRUN_OPS_LOSS_H

#include <sctrun/op.h>

#ifdef __cplusplus
extern "C" {
#endif

/* logits [B][L], label i32 [B][2], mix [B], weight [B] -> loss [B]. Target t = (1 - s)(mix at
 * label 0, 1 - mix at label 1) + s/L; loss = -weight * sum t log softmax(logits). A sample of
 * weight 0 gives exactly 0, whatever its logits. */
static inline sct_val sct_xent(struct sct_builder *b, sct_val logits, sct_val label,
                               sct_val mix, sct_val weight, float smoothing)
{
    const sct_val in[4] = {logits, label, mix, weight};
    const struct sct_xent_params p = {smoothing};
    return sct_emit_(b, SCT_OP_XENT, in, 4, &p, sizeof p);
}

/* (logits, label, mix, weight, dloss [B]) -> dlogits = dloss weight (softmax - t). */
static inline sct_val sct_xent_dx(struct sct_builder *b, sct_val logits, sct_val label,
                                  sct_val mix, sct_val weight, sct_val dloss, float smoothing)
{
    const sct_val in[5] = {logits, label, mix, weight, dloss};
    const struct sct_xent_params p = {smoothing};
    return sct_emit_(b, SCT_OP_XENT_DX, in, 5, &p, sizeof p);
}

#ifdef __cplusplus
}
#endif
#endif
