/* SPDX-License-Identifier: MIT
 * shape.c - RESHAPE, COPY, CAST, FILL, ZERO, PACK: shape, type, constants, layout.
 *
 * reshape, copy   out = in; gradient: dy in the input's shape
 * cast            out = in rounded to the type; gradient: dy in the input's type (straight
 * through) fill, zero      out = a constant pack            out = in in another order, private
 * to a backend; runs on weights only */
#include "core/ops/check.h"
#include "core/ops/vjp.h"

sct_status infer_reshape(const struct sct_infer *i)
{
    const struct sct_reshape_params *p = i->params;
    const struct sct_desc *x = &i->in[0];
    uint32_t dim[SCT_MAX_DIMS] = {0};
    char a[96], b[96];

    SCT_TRY(sct_check_param_nd(i, p->nd));
    for (uint32_t d = 0; d < p->nd; d++) {
        if (p->dim[d] == 0 && d >= x->nd)
            return sct_fail(i->err, SCT_EINVAL, "dimension %u of %s cannot be kept: not there",
                            d, sct_desc_text(x, a, sizeof a));
        dim[d] = p->dim[d] ? p->dim[d] : x->dim[d];
    }
    SCT_TRY(sct_infer_dims(i, 0, x->dtype, p->nd, dim));
    if (sct_desc_count(&i->out[0]) != sct_desc_count(x))
        return sct_fail(i->err, SCT_EINVAL, "%s cannot become %s: other number of elements",
                        sct_desc_text(x, a, sizeof a), sct_desc_text(&i->out[0], b, sizeof b));
    return SCT_OK;
}

/* Dimension 0 is kept, not named, where both shapes have it: it may be the number of images,
 * and the graph is inferred again when that changes. */
void vjp_reshape(struct sct_vjp *v)
{
    struct sct_desc d = v->in_desc[0];
    if (!v->need[0])
        return;
    if (d.nd && v->out_desc[0].nd && d.dim[0] == v->out_desc[0].dim[0])
        d.dim[0] = 0;
    v->din[0] = sct_reshape(v->b, v->dout[0], d.nd, d.dim);
}

sct_status infer_copy(const struct sct_infer *i)
{
    return sct_infer_same(i, 0, 0);
}

void vjp_copy(struct sct_vjp *v)
{
    if (v->need[0])
        v->din[0] = v->dout[0];
}

sct_status infer_cast(const struct sct_infer *i)
{
    const struct sct_cast_params *p = i->params;
    const uint32_t from = i->in[0].dtype, to = p->dtype;
    const int narrow = from == SCT_F32 && (to == SCT_BF16 || to == SCT_F16);
    const int widen = to == SCT_F32 && (from == SCT_BF16 || from == SCT_F16);
    char found[96];
    if (!narrow && !widen)
        return sct_fail(i->err, SCT_EINVAL,
                        "no cast of %s to dtype %u, expected f32 to bf16 or f16, or back",
                        sct_desc_text(&i->in[0], found, sizeof found), to);
    return sct_infer_dims(i, 0, to, i->in[0].nd, i->in[0].dim);
}

void vjp_cast(struct sct_vjp *v)
{
    if (v->need[0])
        v->din[0] = sct_cast(v->b, v->dout[0], v->in_desc[0].dtype);
}

sct_status infer_fill(const struct sct_infer *i)
{
    const struct sct_fill_params *p = i->params;
    if (i->n_in)
        return sct_infer_dims(i, 0, SCT_F32, i->in[0].nd, i->in[0].dim);
    SCT_TRY(sct_check_param_nd(i, p->nd));
    return sct_infer_dims(i, 0, SCT_F32, p->nd, p->dim);
}

sct_status infer_zero(const struct sct_infer *i)
{
    const struct sct_zero_params *p = i->params;
    SCT_TRY(sct_check_param_nd(i, p->nd));
    return sct_infer_dims(i, 0, SCT_F32, p->nd, p->dim);
}

sct_status infer_pack(const struct sct_infer *i)
{
    const struct sct_pack_params *p = i->params;
    SCT_TRY(sct_infer_same(i, 0, 0));
    i->out[0].layout = p->layout;
    return SCT_OK;
}
