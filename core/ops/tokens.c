/* SPDX-License-Identifier: MIT
 * tokens.c - CONCAT_TOKENS, SLICE_TOKENS, PAD_TOKENS, MEAN_TOKENS, SPREAD_TOKENS.
 *
 * concat   out = x's tokens, then y's           dx, dy' = their slices of dy; an operand [N][C]
 *                                               that all images share: summed over the images
 * slice    out[n] = x[first + n]                dx = pad(dy)
 * pad      out[first + n] = x[n], else 0        dx = slice(dy)
 * mean     out = 1/(N - first) sum_{n >= first} x[n]         dx = spread(dy)
 * spread   out[n] = x/(total - first) for n >= first, else 0 dx = mean(dy) */
#include "core/ops/check.h"
#include "core/ops/vjp.h"

sct_status infer_concat_tokens(const struct sct_infer *i)
{
    const struct sct_desc *x = &i->in[0], *y = &i->in[1];
    char a[96], b[96];

    SCT_TRY(sct_check_f32(i, 0, 2));
    const int ranks = (x->nd == 3 && (y->nd == 3 || y->nd == 2)) || (x->nd == 2 && y->nd == 3);
    const struct sct_desc *whole = x->nd == 3 ? x : y;
    const uint64_t tokens = ranks ? (uint64_t)x->dim[x->nd - 2] + y->dim[y->nd - 2] : 0;
    if (!ranks || sct_desc_last(x) != sct_desc_last(y) || tokens > UINT32_MAX ||
        (x->nd == y->nd && x->dim[0] != y->dim[0]))
        return sct_fail(
            i->err, SCT_EINVAL,
            "tokens %s and %s do not join, expected [B][N][C] and [B][M][C] or [M][C]",
            sct_desc_text(x, a, sizeof a), sct_desc_text(y, b, sizeof b));
    return sct_infer_dims(i, 0, SCT_F32, 3,
                          (uint32_t[3]){whole->dim[0], (uint32_t)tokens, whole->dim[2]});
}

void vjp_concat_tokens(struct sct_vjp *v)
{
    uint32_t first = 0;
    for (uint32_t i = 0; i < 2; i++) {
        const struct sct_desc *d = &v->in_desc[i];
        const uint32_t count = d->dim[d->nd - 2];
        if (v->need[i]) {
            const sct_val part = sct_slice_tokens(v->b, v->dout[0], first, count);
            v->din[i] = d->nd == 3 ? part : sct_sum_to(v->b, v->acc(v, i), part);
        }
        first += count;
    }
}

/* [B][N][C] -> [B][tokens][C]. */
static sct_status infer_tokens(const struct sct_infer *i, uint32_t tokens)
{
    const uint32_t *d = i->in[0].dim;
    return sct_infer_dims(i, 0, SCT_F32, 3, (uint32_t[3]){d[0], tokens, d[2]});
}

static sct_status check_range(const struct sct_infer *i, uint32_t first, uint32_t count,
                              uint32_t total)
{
    if (count == 0 || (uint64_t)first + count > total)
        return sct_fail(i->err, SCT_EINVAL, "tokens %u..+%u, expected a part of 0..%u", first,
                        count, total);
    return SCT_OK;
}

sct_status infer_slice_tokens(const struct sct_infer *i)
{
    const struct sct_range_params *p = i->params;
    SCT_TRY(sct_infer_want_dtype(i, 0, SCT_F32));
    SCT_TRY(sct_check_nd(i, 0, "input", 3, "[B][N][C]"));
    SCT_TRY(check_range(i, p->first, p->count, i->in[0].dim[1]));
    return infer_tokens(i, p->count);
}

void vjp_slice_tokens(struct sct_vjp *v)
{
    const struct sct_range_params *p = v->params;
    if (v->need[0])
        v->din[0] = sct_pad_tokens(v->b, v->dout[0], p->first, v->in_desc[0].dim[1]);
}

sct_status infer_pad_tokens(const struct sct_infer *i)
{
    const struct sct_range_params *p = i->params;
    SCT_TRY(sct_infer_want_dtype(i, 0, SCT_F32));
    SCT_TRY(sct_check_nd(i, 0, "input", 3, "[B][N][C]"));
    SCT_TRY(check_range(i, p->first, i->in[0].dim[1], p->total));
    return infer_tokens(i, p->total);
}

void vjp_pad_tokens(struct sct_vjp *v)
{
    const struct sct_range_params *p = v->params;
    if (v->need[0])
        v->din[0] = sct_slice_tokens(v->b, v->dout[0], p->first, v->in_desc[0].dim[1]);
}

sct_status infer_mean_tokens(const struct sct_infer *i)
{
    const struct sct_range_params *p = i->params;
    const uint32_t *d = i->in[0].dim;
    SCT_TRY(sct_infer_want_dtype(i, 0, SCT_F32));
    SCT_TRY(sct_check_nd(i, 0, "input", 3, "[B][N][C]"));
    SCT_TRY(check_range(i, p->first, 1, d[1]));
    return sct_infer_dims(i, 0, SCT_F32, 2, (uint32_t[2]){d[0], d[2]});
}

void vjp_mean_tokens(struct sct_vjp *v)
{
    const struct sct_range_params *p = v->params;
    if (v->need[0])
        v->din[0] = sct_spread_tokens(v->b, v->dout[0], p->first, v->in_desc[0].dim[1]);
}

sct_status infer_spread_tokens(const struct sct_infer *i)
{
    const struct sct_range_params *p = i->params;
    const uint32_t *d = i->in[0].dim;
    SCT_TRY(sct_infer_want_dtype(i, 0, SCT_F32));
    SCT_TRY(sct_check_nd(i, 0, "input", 2, "[B][C]"));
    SCT_TRY(check_range(i, p->first, 1, p->total));
    return sct_infer_dims(i, 0, SCT_F32, 3, (uint32_t[3]){d[0], p->total, d[1]});
}

void vjp_spread_tokens(struct sct_vjp *v)
{
    const struct sct_range_params *p = v->params;
    if (v->need[0])
        v->din[0] = sct_mean_tokens(v->b, v->dout[0], p->first);
}
