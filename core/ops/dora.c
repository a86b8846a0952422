/* SPDX-License-Identifier: MIT
 * dora.c - DORA_SCALE: magnitude over norm of every row of a weight with its update.
 *
 * f = m / |w + scale b a|    dm = df / |w + scale b a|; the norm is a constant (DoRA, arXiv
 * 2402.09353, section 4.3), so w, a and b get no gradient. */
#include "core/ops/check.h"
#include "core/ops/vjp.h"

#include <float.h>

sct_status infer_dora_scale(const struct sct_infer *i)
{
    const struct sct_module_params *p = i->params;
    SCT_TRY(sct_check_f32(i, 0, i->n_in));
    SCT_TRY(sct_check_nd(i, 0, "magnitude", 1, "[n]"));
    SCT_TRY(sct_check_nd(i, 1, "weight", 2, "[rows][in]"));
    SCT_TRY(sct_check_param(i, "scale", p->scale, -FLT_MAX, FLT_MAX));
    const uint32_t n = i->in[0].dim[0], rows = i->in[1].dim[0], in = i->in[1].dim[1];
    if (p->first > rows || n > rows - p->first)
        return sct_fail(i->err, SCT_EINVAL, "rows %u to %u of a weight of %u rows", p->first,
                        p->first + n, rows);
    if (i->n_in == 3)
        return sct_fail(i->err, SCT_EINVAL, "expected both factors of an update, or none");
    if (i->n_in == 4) {
        SCT_TRY(sct_check_nd(i, 2, "first factor", 2, "[R][in]"));
        const uint32_t a[2] = {i->in[2].dim[0], in}, b[2] = {n, i->in[2].dim[0]};
        SCT_TRY(sct_check_dims(i, 2, "first factor", 2, a));
        SCT_TRY(sct_check_dims(i, 3, "second factor", 2, b));
    }
    SCT_TRY(sct_infer_same(i, 0, 0));
    return sct_infer_same(i, 1, 0);
}

void vjp_dora_scale(struct sct_vjp *v)
{
    if (v->need[0])
        v->din[0] = sct_mul(v->b, v->dout[0], v->out[1]);
}
