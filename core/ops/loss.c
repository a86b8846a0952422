/* SPDX-License-Identifier: MIT
 * loss.c - XENT, XENT_DX: cross-entropy with two labels, smoothing and sample weights.
 *
 * t[l] = (1 - s)(mix [l = label0] + (1 - mix) [l = label1]) + s / L    (mixup, cutmix; Szegedy
 * 2016) loss = -weight sum_l t[l] log softmax(logits)[l] dlogits[l] = dloss weight
 * (softmax(logits)[l] - t[l])                (sum_l t[l] = 1) A sample of weight 0 has loss 0
 * and gradient 0, whatever its logits are. Labels, mix and weight have no gradient. */
#include "core/ops/check.h"
#include "core/ops/vjp.h"

static sct_status check_loss(const struct sct_infer *i)
{
    const struct sct_xent_params *p = i->params;
    const uint32_t images = i->in[0].dim[0];
    SCT_TRY(sct_infer_want_dtype(i, 0, SCT_F32));
    SCT_TRY(sct_infer_want_dtype(i, 1, SCT_I32));
    SCT_TRY(sct_check_f32(i, 2, i->n_in));
    SCT_TRY(sct_check_nd(i, 0, "logits", 2, "[B][L]"));
    SCT_TRY(sct_check_dims(i, 1, "label", 2, (uint32_t[2]){images, 2}));
    SCT_TRY(sct_check_dims(i, 2, "mix", 1, &images));
    SCT_TRY(sct_check_dims(i, 3, "weight", 1, &images));
    return sct_check_param(i, "smoothing", p->smoothing, 0.0f, 1.0f);
}

sct_status infer_xent(const struct sct_infer *i)
{
    SCT_TRY(check_loss(i));
    return sct_infer_dims(i, 0, SCT_F32, 1, i->in[0].dim);
}

void vjp_xent(struct sct_vjp *v)
{
    const struct sct_xent_params *p = v->params;
    if (v->need[0])
        v->din[0] =
            sct_xent_dx(v->b, v->in[0], v->in[1], v->in[2], v->in[3], v->dout[0], p->smoothing);
}

sct_status infer_xent_dx(const struct sct_infer *i)
{
    SCT_TRY(check_loss(i));
    SCT_TRY(sct_check_dims(i, 4, "gradient", 1, i->in[0].dim));
    return sct_infer_same(i, 0, 0);
}
