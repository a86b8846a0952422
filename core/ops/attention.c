/* SPDX-License-Identifier: MIT
 * attention.c - ATTENTION, ATTENTION_DX (Vaswani et al. 2017; lse as in Dao et al. 2022).
 *
 * Per image and head: s[i][j] = scale q[i].k[j], lse[i] = log sum_j exp s[i][j],
 * p[i][j] = exp(s[i][j] - lse[i]), out[i] = sum_j p[i][j] v[j].
 * delta[i] = dout[i].out[i], ds[i][j] = p[i][j] (dout[i].v[j] - delta[i]);
 * dq[i] = scale sum_j ds[i][j] k[j], dk[j] = scale sum_i ds[i][j] q[i],
 * dv[j] = sum_i p[i][j] dout[i].
 * The output lse is for the backward pass; it has no gradient. */
#include "core/ops/check.h"
#include "core/ops/vjp.h"

#include <float.h>

static sct_status check_qkv(const struct sct_infer *i, uint32_t heads, float scale)
{
    const struct sct_desc *x = &i->in[0];
    char found[96];
    SCT_TRY(sct_check_f32(i, 0, i->n_in));
    SCT_TRY(sct_check_nd(i, 0, "qkv", 3, "[B][N][3C]"));
    if (heads == 0 || x->dim[2] % 3 || x->dim[2] / 3 % heads)
        return sct_fail(i->err, SCT_EINVAL, "qkv %s cannot be split into q, k, v of %u heads",
                        sct_desc_text(x, found, sizeof found), heads);
    return sct_check_param(i, "scale", scale, -FLT_MAX, FLT_MAX);
}

sct_status infer_attention(const struct sct_infer *i)
{
    const struct sct_attention_params *p = i->params;
    const uint32_t *d = i->in[0].dim;
    SCT_TRY(check_qkv(i, p->heads, p->scale));
    SCT_TRY(sct_infer_dims(i, 0, SCT_F32, 3, (uint32_t[3]){d[0], d[1], d[2] / 3}));
    return sct_infer_dims(i, 1, SCT_F32, 3, (uint32_t[3]){d[0], p->heads, d[1]});
}

void vjp_attention(struct sct_vjp *v)
{
    const struct sct_attention_params *p = v->params;
    if (v->need[0] && v->dout[0].id)
        v->din[0] = sct_attention_dx(v->b, v->in[0], v->out[0], v->out[1], v->dout[0], p->heads,
                                     p->scale);
}

sct_status infer_attention_dx(const struct sct_infer *i)
{
    const struct sct_attention_params *p = i->params;
    const uint32_t *d = i->in[0].dim;
    SCT_TRY(check_qkv(i, p->heads, p->scale));
    SCT_TRY(sct_check_dims(i, 1, "output", 3, (uint32_t[3]){d[0], d[1], d[2] / 3}));
    SCT_TRY(sct_check_dims(i, 2, "lse", 3, (uint32_t[3]){d[0], p->heads, d[1]}));
    SCT_TRY(sct_check_like(i, 3, "gradient", 1));
    return sct_infer_same(i, 0, 0);
}
