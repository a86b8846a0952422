/* SPDX-License-Identifier: MIT
 * observe.c - OBS_SUMSQ_LABEL, OBS_SUMSQ: streamed sums of squares for choosing what to train.
 *
 * obs_sumsq_label   acc[label[b][0]][c] += weight[b] sum_{n >= skip} x[b][n][c]^2
 * obs_sumsq         acc[e] += g[e]^2, once a batch
 * A norm over samples is the root of such a sum. None of them is differentiated. */
#include "core/ops/check.h"

sct_status infer_obs_sumsq_label(const struct sct_infer *i)
{
    const struct sct_observe_params *p = i->params;
    const uint32_t *x = i->in[1].dim;
    SCT_TRY(sct_check_f32(i, 0, 2));
    SCT_TRY(sct_infer_want_dtype(i, 2, SCT_I32));
    SCT_TRY(sct_infer_want_dtype(i, 3, SCT_F32));
    SCT_TRY(sct_check_nd(i, 0, "accumulator", 2, "[L][C]"));
    SCT_TRY(sct_check_nd(i, 1, "input", 3, "[B][N][C]"));
    SCT_TRY(sct_check_dims(i, 0, "accumulator", 2, (uint32_t[2]){i->in[0].dim[0], x[2]}));
    SCT_TRY(sct_check_dims(i, 2, "label", 2, (uint32_t[2]){x[0], 2}));
    SCT_TRY(sct_check_dims(i, 3, "weight", 1, x));
    if (p->skip >= x[1])
        return sct_fail(i->err, SCT_EINVAL, "%u tokens skipped, expected fewer than %u",
                        p->skip, x[1]);
    return sct_infer_same(i, 0, 0);
}

sct_status infer_obs_sumsq(const struct sct_infer *i)
{
    SCT_TRY(sct_check_f32(i, 0, 2));
    SCT_TRY(sct_check_like(i, 1, "gradient", 0));
    return sct_infer_same(i, 0, 0);
}
