/* SPDX-License-Identifier: MIT
 * norm.c - LAYERNORM, LAYERNORM_DX, LAYERNORM_DG (Ba, Kiros, Hinton 2016).
 *
 * mean = 1/C sum x, rstd = 1/sqrt(1/C sum (x - mean)^2 + eps), xhat = (x - mean) rstd
 * y = g xhat + beta
 * dx = rstd (g dy - 1/C sum g dy - xhat 1/C sum g dy xhat)      LAYERNORM_DX
 * dg = sum over rows of dy xhat                                 LAYERNORM_DG
 * dbeta = sum over rows of dy                                   SUM_TO
 * The outputs mean and rstd are for the backward pass; they have no gradient. */
#include "core/ops/check.h"
#include "core/ops/vjp.h"

#include <float.h>

sct_status infer_layernorm(const struct sct_infer *i)
{
    const struct sct_norm_params *p = i->params;
    const struct sct_desc *x = &i->in[0];
    SCT_TRY(sct_check_rows(i, 0, "input"));
    SCT_TRY(sct_check_f32(i, 1, 3));
    SCT_TRY(sct_check_dims(i, 1, "gain", 1, &x->dim[x->nd - 1]));
    SCT_TRY(sct_check_dims(i, 2, "bias", 1, &x->dim[x->nd - 1]));
    SCT_TRY(sct_check_param(i, "eps", p->eps, 0.0f, FLT_MAX));
    SCT_TRY(sct_infer_same(i, 0, 0));
    SCT_TRY(sct_infer_dims(i, 1, SCT_F32, x->nd - 1, x->dim));
    return sct_infer_dims(i, 2, SCT_F32, x->nd - 1, x->dim);
}

void vjp_layernorm(struct sct_vjp *v)
{
    const sct_val x = v->in[0], mean = v->out[1], rstd = v->out[2], dy = v->dout[0];
    if (!dy.id)
        return;
    if (v->need[0])
        v->din[0] = sct_layernorm_dx(v->b, x, v->in[1], mean, rstd, dy);
    if (v->need[1])
        v->din[1] = sct_layernorm_dg(v->b, v->acc(v, 1), x, mean, rstd, dy);
    if (v->need[2])
        v->din[2] = sct_sum_to(v->b, v->acc(v, 2), dy);
}

/* x = in[at], in[at + 1] of the channels' shape, mean, rstd, dy of (x, [C], mean, rstd, dy). */
static sct_status check_backward(const struct sct_infer *i, uint32_t x, uint32_t vec)
{
    const struct sct_desc *d = &i->in[x];
    SCT_TRY(sct_check_rows(i, x, "input"));
    SCT_TRY(sct_check_f32(i, 0, i->n_in));
    SCT_TRY(sct_check_dims(i, vec, vec ? "gain" : "accumulator", 1, &d->dim[d->nd - 1]));
    SCT_TRY(sct_check_dims(i, 2, "mean", d->nd - 1, d->dim));
    SCT_TRY(sct_check_dims(i, 3, "rstd", d->nd - 1, d->dim));
    return sct_check_like(i, 4, "gradient", x);
}

sct_status infer_layernorm_dx(const struct sct_infer *i)
{
    SCT_TRY(check_backward(i, 0, 1));
    return sct_infer_same(i, 0, 0);
}

sct_status infer_layernorm_dg(const struct sct_infer *i)
{
    SCT_TRY(check_backward(i, 1, 0));
    return sct_infer_same(i, 0, 0);
}
