/* SPDX-License-Identifier: MIT
 * window.c - WATTENTION, WATTENTION_DX, WATTENTION_DT (Liu et al. 2021, Swin).
 *
 * The attention of attention.c inside each window of the grid rolled by -shift, with
 * s[i][j] = scale q[i].k[j] + table[rel(i, j)][head] (- 100 across regions); so
 * dtable[t][head] = sum of ds[i][j] over images, windows and pairs with rel(i, j) = t.
 * out and lse stand at the token's place in the grid, not in the window.
 * The output lse is for the backward pass; it has no gradient. */
#include "core/ops/check.h"
#include "core/ops/vjp.h"

#include <float.h>

static sct_status check_grid(const struct sct_infer *i, const struct sct_wattention_params *p)
{
    if (p->grid_h == 0 || p->grid_w == 0 || p->win_h == 0 || p->win_w == 0 ||
        p->grid_h % p->win_h || p->grid_w % p->win_w)
        return sct_fail(i->err, SCT_EINVAL,
                        "grid %u x %u, expected a multiple of the window %u x %u: pad it first",
                        p->grid_h, p->grid_w, p->win_h, p->win_w);
    if (p->shift_h >= p->win_h || p->shift_w >= p->win_w)
        return sct_fail(i->err, SCT_EINVAL,
                        "shift %u, %u, expected less than the window %u x %u", p->shift_h,
                        p->shift_w, p->win_h, p->win_w);
    return SCT_OK;
}

/* qkv = in[at], table = in[at + 1]; outputs and gradients behind them as far as they are there.
 */
static sct_status check_window(const struct sct_infer *i, uint32_t at)
{
    const struct sct_wattention_params *p = i->params;
    const struct sct_desc *x = &i->in[at];
    char found[96];

    SCT_TRY(sct_check_f32(i, 0, i->n_in));
    SCT_TRY(check_grid(i, p));
    SCT_TRY(sct_check_nd(i, at, "qkv", 3, "[B][N][3C]"));
    if ((uint64_t)p->grid_h * p->grid_w != x->dim[1])
        return sct_fail(i->err, SCT_EINVAL,
                        "qkv %s, expected %llu tokens for a grid of %u x %u",
                        sct_desc_text(x, found, sizeof found),
                        (unsigned long long)p->grid_h * p->grid_w, p->grid_h, p->grid_w);
    if (p->heads == 0 || x->dim[2] % 3 || x->dim[2] / 3 % p->heads)
        return sct_fail(i->err, SCT_EINVAL, "qkv %s cannot be split into q, k, v of %u heads",
                        sct_desc_text(x, found, sizeof found), p->heads);
    SCT_TRY(sct_check_param(i, "scale", p->scale, -FLT_MAX, FLT_MAX));
    /* A window has no more tokens than the grid, so 4 x window fits 64 bits easily. */
    const uint64_t rel = (2 * (uint64_t)p->win_h - 1) * (2 * (uint64_t)p->win_w - 1);
    if (i->in[at + 1].nd != 2 || i->in[at + 1].dim[0] != rel ||
        i->in[at + 1].dim[1] != p->heads)
        return sct_fail(i->err, SCT_EINVAL, "table is %s, expected [%llu][%u]",
                        sct_desc_text(&i->in[at + 1], found, sizeof found),
                        (unsigned long long)rel, p->heads);
    if (i->n_in <= at + 2)
        return SCT_OK;
    SCT_TRY(sct_check_dims(i, at + 2, "output", 3,
                           (uint32_t[3]){x->dim[0], x->dim[1], x->dim[2] / 3}));
    SCT_TRY(sct_check_dims(i, at + 3, "lse", 3, (uint32_t[3]){x->dim[0], p->heads, x->dim[1]}));
    return sct_check_like(i, at + 4, "gradient", at + 2);
}

sct_status infer_wattention(const struct sct_infer *i)
{
    const struct sct_wattention_params *p = i->params;
    const uint32_t *d = i->in[0].dim;
    SCT_TRY(check_window(i, 0));
    SCT_TRY(sct_infer_dims(i, 0, SCT_F32, 3, (uint32_t[3]){d[0], d[1], d[2] / 3}));
    return sct_infer_dims(i, 1, SCT_F32, 3, (uint32_t[3]){d[0], p->heads, d[1]});
}

void vjp_wattention(struct sct_vjp *v)
{
    const struct sct_wattention_params *p = v->params;
    const sct_val qkv = v->in[0], table = v->in[1], out = v->out[0], lse = v->out[1];
    if (!v->dout[0].id)
        return;
    if (v->need[0])
        v->din[0] = sct_wattention_dx(v->b, qkv, table, out, lse, v->dout[0], p);
    if (v->need[1])
        v->din[1] = sct_wattention_dt(v->b, v->acc(v, 1), qkv, table, out, lse, v->dout[0], p);
}

sct_status infer_wattention_dx(const struct sct_infer *i)
{
    SCT_TRY(check_window(i, 0));
    return sct_infer_same(i, 0, 0);
}

sct_status infer_wattention_dt(const struct sct_infer *i)
{
    SCT_TRY(check_window(i, 1));
    SCT_TRY(sct_check_like(i, 0, "accumulator", 2));
    return sct_infer_same(i, 0, 0);
}
