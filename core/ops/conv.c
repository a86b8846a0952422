/* SPDX-License-Identifier: MIT
 * conv.c - CONV_GRID, CONV_GRID_DX, CONV_GRID_DW. t is a token, (t, a, b) the one that kernel
 * element (a, b) meets: in a grid a - kh/2 rows below and b - kw/2 columns to the right, and
 * left out where that is outside; a token in front of the grid meets itself at the centre and
 * nothing else.
 *
 * y[t][o]        = bias[o] + sum_(a, b, c) x[(t, a, b)][c] w[o][c][a][b]
 * dx[t'][c]      = sum over t, a, b with (t, a, b) = t', and o, of dy[t][o] w[o][c][a][b]
 * dw[o][c][a][b] = sum_t dy[t][o] x[(t, a, b)][c]
 * dbias[o]       = sum_t dy[t][o]                  SUM_TO */
#include "core/ops/check.h"
#include "core/ops/vjp.h"

/* in[x] is f32 [B][N][..] with room for the grid. */
static sct_status check_tokens(const struct sct_infer *i, uint32_t x, const char *what)
{
    const struct sct_grid_params *p = i->params;
    char found[96];
    SCT_TRY(sct_infer_want_dtype(i, x, SCT_F32));
    SCT_TRY(sct_check_nd(i, x, what, 3, "[B][N][C]"));
    if (p->h == 0 || p->w == 0 || (uint64_t)p->h * p->w > i->in[x].dim[1])
        return sct_fail(i->err, SCT_EINVAL,
                        "%s is %s, expected at least the tokens of its grid, %u x %u", what,
                        sct_desc_text(&i->in[x], found, sizeof found), p->h, p->w);
    return SCT_OK;
}

/* in[w] is f32 [out][in][kh][kw] with odd sides, and `side` (0: out, 1: in) is the width of
 * in[x]. */
static sct_status check_kernel(const struct sct_infer *i, uint32_t x, uint32_t w, uint32_t side,
                               const char *what)
{
    char a[96], b[96];
    const struct sct_desc *d = &i->in[w];
    SCT_TRY(sct_infer_want_dtype(i, w, SCT_F32));
    SCT_TRY(sct_check_nd(i, w, "weight", 4, "[out][in][kh][kw]"));
    if (d->dim[2] % 2 == 0 || d->dim[3] % 2 == 0)
        return sct_fail(i->err, SCT_EINVAL, "weight is %s, expected a kernel with odd sides",
                        sct_desc_text(d, a, sizeof a));
    if (d->dim[side] != sct_desc_last(&i->in[x]))
        return sct_fail(i->err, SCT_EINVAL, "weight %s does not fit %s %s",
                        sct_desc_text(d, a, sizeof a), what,
                        sct_desc_text(&i->in[x], b, sizeof b));
    return SCT_OK;
}

/* in[x] with another width. */
static sct_status infer_width(const struct sct_infer *i, uint32_t x, uint32_t width)
{
    const uint32_t *d = i->in[x].dim;
    return sct_infer_dims(i, 0, SCT_F32, 3, (uint32_t[3]){d[0], d[1], width});
}

sct_status infer_conv_grid(const struct sct_infer *i)
{
    SCT_TRY(check_tokens(i, 0, "input"));
    SCT_TRY(check_kernel(i, 0, 1, 1, "input"));
    if (i->n_in > 2) {
        SCT_TRY(sct_infer_want_dtype(i, 2, SCT_F32));
        SCT_TRY(sct_check_dims(i, 2, "bias", 1, i->in[1].dim));
    }
    return infer_width(i, 0, i->in[1].dim[0]);
}

void vjp_conv_grid(struct sct_vjp *v)
{
    const struct sct_grid_params *p = v->params;
    const sct_val dy = v->dout[0];
    if (v->need[0])
        v->din[0] = sct_conv_grid_dx(v->b, dy, v->in[1], p->h, p->w);
    if (v->need[1])
        v->din[1] = sct_conv_grid_dw(v->b, v->acc(v, 1), dy, v->in[0], p->h, p->w);
    if (v->n_in > 2 && v->need[2])
        v->din[2] = sct_sum_to(v->b, v->acc(v, 2), dy);
}

sct_status infer_conv_grid_dx(const struct sct_infer *i)
{
    SCT_TRY(check_tokens(i, 0, "gradient"));
    SCT_TRY(check_kernel(i, 0, 1, 0, "gradient"));
    return infer_width(i, 0, i->in[1].dim[1]);
}

sct_status infer_conv_grid_dw(const struct sct_infer *i)
{
    SCT_TRY(check_tokens(i, 1, "gradient"));
    SCT_TRY(check_kernel(i, 1, 0, 0, "gradient"));
    SCT_TRY(sct_infer_want_dtype(i, 2, SCT_F32));
    SCT_TRY(sct_check_like_rows(i, 2, "input", 1, i->in[0].dim[1]));
    return sct_infer_same(i, 0, 0);
}
