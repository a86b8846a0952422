/* SPDX-License-Identifier: MIT
 * linear.c - LINEAR, LINEAR_DX, LINEAR_DW, SUM_TO.
 *
 * linear   y[r][o] = bias[o] + sum_k x[r][k] w[o][k]
 *          dx[r][k] = sum_o dy[r][o] w[o][k]        LINEAR_DX
 *          dw[o][k] = sum_r dy[r][o] x[r][k]        LINEAR_DW
 *          dbias[o] = sum_r dy[r][o]                SUM_TO */
#include "core/ops/linear.h"

#include "core/ops/check.h"
#include "core/ops/vjp.h"

static sct_status misfit(const struct sct_infer *i, uint32_t w, const char *what, uint32_t x)
{
    char a[96], b[96];
    return sct_fail(i->err, SCT_EINVAL, "weight %s does not fit %s %s",
                    sct_desc_text(&i->in[w], a, sizeof a), what,
                    sct_desc_text(&i->in[x], b, sizeof b));
}

sct_status sct_linear_shape(const struct sct_infer *i, uint32_t x, uint32_t w, uint32_t bias,
                            struct sct_desc *y)
{
    SCT_TRY(sct_check_rows(i, x, "input"));
    SCT_TRY(sct_infer_want_dtype(i, w, SCT_F32));
    SCT_TRY(sct_check_nd(i, w, "weight", 2, "[out][in]"));
    if (i->in[w].dim[1] != sct_desc_last(&i->in[x]))
        return misfit(i, w, "input", x);
    if (bias < i->n_in) {
        SCT_TRY(sct_infer_want_dtype(i, bias, SCT_F32));
        SCT_TRY(sct_check_dims(i, bias, "bias", 1, i->in[w].dim));
    }
    *y = sct_desc_make(SCT_F32, i->in[x].nd, i->in[x].dim);
    y->dim[y->nd - 1] = i->in[w].dim[0];
    return SCT_OK;
}

sct_status sct_linear_dx_shape(const struct sct_infer *i, uint32_t dy, uint32_t w,
                               struct sct_desc *dx)
{
    SCT_TRY(sct_check_rows(i, dy, "gradient"));
    SCT_TRY(sct_infer_want_dtype(i, w, SCT_F32));
    SCT_TRY(sct_check_nd(i, w, "weight", 2, "[out][in]"));
    if (i->in[w].dim[0] != sct_desc_last(&i->in[dy]))
        return misfit(i, w, "gradient", dy);
    *dx = sct_desc_make(SCT_F32, i->in[dy].nd, i->in[dy].dim);
    dx->dim[dx->nd - 1] = i->in[w].dim[1];
    return SCT_OK;
}

sct_status infer_linear(const struct sct_infer *i)
{
    struct sct_desc y;
    SCT_TRY(sct_linear_shape(i, 0, 1, 2, &y));
    return sct_infer_dims(i, 0, SCT_F32, y.nd, y.dim);
}

void vjp_linear(struct sct_vjp *v)
{
    const sct_val dy = v->dout[0];
    if (v->need[0])
        v->din[0] = sct_linear_dx(v->b, dy, v->in[1]);
    if (v->need[1])
        v->din[1] = sct_linear_dw(v->b, v->acc(v, 1), dy, v->in[0]);
    if (v->n_in > 2 && v->need[2])
        v->din[2] = sct_sum_to(v->b, v->acc(v, 2), dy);
}

sct_status infer_linear_dx(const struct sct_infer *i)
{
    struct sct_desc dx;
    SCT_TRY(sct_linear_dx_shape(i, 0, 1, &dx));
    return sct_infer_dims(i, 0, SCT_F32, dx.nd, dx.dim);
}

sct_status infer_linear_dw(const struct sct_infer *i)
{
    SCT_TRY(sct_infer_want_dtype(i, 0, SCT_F32));
    SCT_TRY(sct_check_rows(i, 1, "gradient"));
    SCT_TRY(sct_check_rows(i, 2, "input"));
    SCT_TRY(sct_check_like_rows(i, 2, "input", 1, sct_desc_last(&i->in[2])));
    SCT_TRY(sct_check_dims(i, 0, "accumulator", 2,
                           (uint32_t[2]){sct_desc_last(&i->in[1]), sct_desc_last(&i->in[2])}));
    return sct_infer_same(i, 0, 0);
}

sct_status infer_sum_to(const struct sct_infer *i)
{
    char a[96], x[96];
    SCT_TRY(sct_check_f32(i, 0, 2));
    if (!sct_desc_is_suffix(&i->in[1], &i->in[0]))
        return sct_fail(i->err, SCT_EINVAL, "accumulator %s is no suffix of %s",
                        sct_desc_text(&i->in[0], a, sizeof a),
                        sct_desc_text(&i->in[1], x, sizeof x));
    return sct_infer_same(i, 0, 0);
}
