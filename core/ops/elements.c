/* SPDX-License-Identifier: MIT
 * elements.c - GATHER_EL, SCATTER_ADD_EL: single elements of a parameter, by flat position.
 *
 * gather       y[k] = w[idx[k]]                        dw = 0 with dw[idx] += dy
 * scatter_add  out = w, out[idx[k]] += delta[k]        dw = dy, ddelta = gather(dy)
 * They run on parameters, so their gradients have no image dimension. */
#include "core/ops/check.h"
#include "core/ops/vjp.h"

sct_status infer_gather_el(const struct sct_infer *i)
{
    SCT_TRY(sct_infer_want_dtype(i, 0, SCT_F32));
    SCT_TRY(sct_check_index(i, 1, sct_desc_count(&i->in[0])));
    return sct_infer_dims(i, 0, SCT_F32, 1, i->in[1].dim);
}

void vjp_gather_el(struct sct_vjp *v)
{
    const struct sct_desc *w = &v->in_desc[0];
    if (v->need[0])
        v->din[0] =
            sct_scatter_add_el(v->b, sct_zero(v->b, w->nd, w->dim), v->in[1], v->dout[0]);
}

sct_status infer_scatter_add_el(const struct sct_infer *i)
{
    SCT_TRY(sct_check_f32(i, 0, 1));
    SCT_TRY(sct_check_index(i, 1, sct_desc_count(&i->in[0])));
    SCT_TRY(sct_infer_want_dtype(i, 2, SCT_F32));
    SCT_TRY(sct_check_like(i, 2, "delta", 1));
    return sct_infer_same(i, 0, 0);
}

void vjp_scatter_add_el(struct sct_vjp *v)
{
    if (v->need[0])
        v->din[0] = v->dout[0];
    if (v->need[2])
        v->din[2] = sct_gather_el(v->b, v->dout[0], v->in[1]);
}
