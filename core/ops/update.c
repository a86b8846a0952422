/* SPDX-License-Identifier: MIT
 * update.c - SLOT_SUM, SUM_ALL, SUMSQ, CLIP_COEF, ADAMW, SGD, EMA: what follows the body.
 *
 * slot_sum    sum of the copies of an accumulator, slot 0 first
 * sum_all     sum of all elements; sumsq: start + sum of squares
 * clip_coef   min(1, max_norm / (sqrt(x) + 1e-6))               (torch clip_grad_norm_)
 * adamw, sgd  one step, with g multiplied by coef first          (Loshchilov and Hutter 2019)
 * ema         average += weight (x - average)                     (timm ModelEmaV2, V3)
 *             not decay average + weight x: 0.9998 and 0.0002 as floats do not add up to 1, and
 *             that average would settle 1e-4 off
 * None of them is differentiated. */
#include "core/ops/check.h"

#include <float.h>

/* In the graph an accumulator has the shape of one copy; kernels see [S][..]. */
sct_status infer_slot_sum(const struct sct_infer *i)
{
    SCT_TRY(sct_infer_want_dtype(i, 0, SCT_F32));
    return sct_infer_same(i, 0, 0);
}

sct_status infer_sum_all(const struct sct_infer *i)
{
    SCT_TRY(sct_infer_want_dtype(i, 0, SCT_F32));
    return sct_infer_dims(i, 0, SCT_F32, 0, NULL);
}

sct_status infer_sumsq(const struct sct_infer *i)
{
    SCT_TRY(sct_check_f32(i, 0, 2));
    if (i->n_in > 1)
        SCT_TRY(sct_check_nd(i, 1, "start", 0, "a scalar"));
    return sct_infer_dims(i, 0, SCT_F32, 0, NULL);
}

sct_status infer_clip_coef(const struct sct_infer *i)
{
    const struct sct_clip_params *p = i->params;
    SCT_TRY(sct_infer_want_dtype(i, 0, SCT_F32));
    SCT_TRY(sct_check_nd(i, 0, "sum of squares", 0, "a scalar"));
    SCT_TRY(sct_check_param(i, "max_norm", p->max_norm, FLT_MIN, FLT_MAX));
    return sct_infer_dims(i, 0, SCT_F32, 0, NULL);
}

/* in[0] the parameter, in[1 .. grad] of its shape, in[grad + 1] the coefficient if given;
 * outputs are in[0 .. grad - 1]. */
static sct_status infer_update(const struct sct_infer *i, uint32_t grad)
{
    SCT_TRY(sct_check_f32(i, 0, i->n_in));
    for (uint32_t j = 1; j <= grad; j++)
        SCT_TRY(sct_check_like(i, j, j == grad ? "gradient" : "optimiser state", 0));
    if (i->n_in > grad + 1)
        SCT_TRY(sct_check_nd(i, grad + 1, "coefficient", 0, "a scalar"));
    for (uint32_t j = 0; j < grad; j++)
        SCT_TRY(sct_infer_same(i, j, j));
    return SCT_OK;
}

sct_status infer_adamw(const struct sct_infer *i)
{
    const struct sct_adamw_params *p = i->params;
    const float below_one = 1.0f - FLT_EPSILON / 2;
    SCT_TRY(sct_check_param(i, "lr_mult", p->lr_mult, 0.0f, FLT_MAX));
    SCT_TRY(sct_check_param(i, "weight_decay", p->weight_decay, 0.0f, FLT_MAX));
    SCT_TRY(sct_check_param(i, "beta1", p->beta1, 0.0f, below_one));
    SCT_TRY(sct_check_param(i, "beta2", p->beta2, 0.0f, below_one));
    SCT_TRY(sct_check_param(i, "eps", p->eps, 0.0f, FLT_MAX));
    return infer_update(i, 3);
}

sct_status infer_sgd(const struct sct_infer *i)
{
    const struct sct_sgd_params *p = i->params;
    SCT_TRY(sct_check_param(i, "lr_mult", p->lr_mult, 0.0f, FLT_MAX));
    SCT_TRY(sct_check_param(i, "weight_decay", p->weight_decay, 0.0f, FLT_MAX));
    SCT_TRY(sct_check_param(i, "momentum", p->momentum, 0.0f, FLT_MAX));
    return infer_update(i, 2);
}

sct_status infer_ema(const struct sct_infer *i)
{
    const struct sct_ema_params *p = i->params;
    SCT_TRY(sct_check_f32(i, 0, 2));
    SCT_TRY(sct_check_like(i, 1, "value", 0));
    SCT_TRY(sct_check_param(i, "weight", p->weight, FLT_MIN, 1.0f));
    return sct_infer_same(i, 0, 0);
}
