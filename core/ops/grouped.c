/* SPDX-License-Identifier: MIT
 * grouped.c - LINEAR_GROUPED, LINEAR_GROUPED_DX, LINEAR_GROUPED_DW. w [G][O][I], out = G O,
 * in = G I; o below O, k below I:
 *
 * y[r][g O + o]  = bias[g O + o] + sum_k x[r][g I + k] w[g][o][k]
 * dx[r][g I + k] = sum_o dy[r][g O + o] w[g][o][k]      LINEAR_GROUPED_DX
 * dw[g][o][k]    = sum_r dy[r][g O + o] x[r][g I + k]   LINEAR_GROUPED_DW
 * dbias          = sum_r dy[r]                          SUM_TO */
#include "core/ops/check.h"
#include "core/ops/vjp.h"

/* in[w] is f32 [G][O][I], and `side` (1: O, 2: I) of all groups is the width of in[x]. Gives
 * the product of the other side and G. */
static sct_status check_weight(const struct sct_infer *i, uint32_t x, uint32_t w, uint32_t side,
                               uint32_t *other)
{
    char a[96], b[96];
    const struct sct_desc *d = &i->in[w];
    SCT_TRY(sct_check_rows(i, x, side == 1 ? "gradient" : "input"));
    SCT_TRY(sct_infer_want_dtype(i, w, SCT_F32));
    SCT_TRY(sct_check_nd(i, w, "weight", 3, "[groups][out/groups][in/groups]"));
    const uint64_t all = (uint64_t)d->dim[0] * d->dim[side],
                   rest = (uint64_t)d->dim[0] * d->dim[3 - side];
    if (all != sct_desc_last(&i->in[x]))
        return sct_fail(i->err, SCT_EINVAL, "weight %s does not fit %s %s",
                        sct_desc_text(d, a, sizeof a), side == 1 ? "gradient" : "input",
                        sct_desc_text(&i->in[x], b, sizeof b));
    if (rest > UINT32_MAX)
        return sct_fail(i->err, SCT_EINVAL, "weight %s has too many channels",
                        sct_desc_text(d, a, sizeof a));
    *other = (uint32_t)rest;
    return SCT_OK;
}

/* in[x] with another width. */
static sct_status infer_width(const struct sct_infer *i, uint32_t x, uint32_t width)
{
    struct sct_desc y = i->in[x];
    y.dim[y.nd - 1] = width;
    return sct_infer_dims(i, 0, SCT_F32, y.nd, y.dim);
}

sct_status infer_linear_grouped(const struct sct_infer *i)
{
    uint32_t out;
    SCT_TRY(check_weight(i, 0, 1, 2, &out));
    if (i->n_in > 2) {
        SCT_TRY(sct_infer_want_dtype(i, 2, SCT_F32));
        SCT_TRY(sct_check_dims(i, 2, "bias", 1, &out));
    }
    return infer_width(i, 0, out);
}

void vjp_linear_grouped(struct sct_vjp *v)
{
    const sct_val dy = v->dout[0];
    if (v->need[0])
        v->din[0] = sct_linear_grouped_dx(v->b, dy, v->in[1]);
    if (v->need[1])
        v->din[1] = sct_linear_grouped_dw(v->b, v->acc(v, 1), dy, v->in[0]);
    if (v->n_in > 2 && v->need[2])
        v->din[2] = sct_sum_to(v->b, v->acc(v, 2), dy);
}

sct_status infer_linear_grouped_dx(const struct sct_infer *i)
{
    uint32_t in;
    SCT_TRY(check_weight(i, 0, 1, 1, &in));
    return infer_width(i, 0, in);
}

sct_status infer_linear_grouped_dw(const struct sct_infer *i)
{
    uint32_t in;
    SCT_TRY(check_weight(i, 1, 0, 1, &in));
    SCT_TRY(sct_check_rows(i, 2, "input"));
    SCT_TRY(sct_check_like_rows(i, 2, "input", 1, in));
    return sct_infer_same(i, 0, 0);
}
