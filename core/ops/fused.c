/* SPDX-License-Identifier: MIT
 * fused.c - the ops that the fuse pass writes. Formulas: ops.h, in terms of the primitives.
 * No gradients: fusion runs after differentiation. Where the formula keeps an intermediate
 * value, it is an output, so a fused op needs no buffer of its own. */
#include "core/ops/check.h"
#include "core/ops/linear.h"

static sct_status infer_as(const struct sct_infer *i, uint32_t k, const struct sct_desc *d)
{
    return sct_infer_dims(i, k, SCT_F32, d->nd, d->dim);
}

static sct_status check_gelu(const struct sct_infer *i)
{
    const struct sct_gelu_params *p = i->params;
    if (p->kind > SCT_GELU_QUICK)
        return sct_fail(i->err, SCT_EINVAL,
                        "gelu kind %u, expected 0 (erf), 1 (tanh) or 2 (quick)", p->kind);
    return SCT_OK;
}

sct_status infer_linear_gelu(const struct sct_infer *i)
{
    struct sct_desc y;
    SCT_TRY(check_gelu(i));
    SCT_TRY(sct_linear_shape(i, 0, 1, 2, &y));
    SCT_TRY(infer_as(i, 0, &y));
    return infer_as(i, 1, &y);
}

sct_status infer_linear_add(const struct sct_infer *i)
{
    struct sct_desc y;
    SCT_TRY(sct_infer_want_dtype(i, 0, SCT_F32));
    SCT_TRY(sct_linear_shape(i, 1, 2, 3, &y));
    SCT_TRY(sct_check_dims(i, 0, "residual", y.nd, y.dim));
    return sct_infer_same(i, 0, 0);
}

sct_status infer_linear_dx_gelu(const struct sct_infer *i)
{
    struct sct_desc dx;
    SCT_TRY(check_gelu(i));
    SCT_TRY(sct_infer_want_dtype(i, 2, SCT_F32));
    SCT_TRY(sct_linear_dx_shape(i, 0, 1, &dx));
    SCT_TRY(sct_check_dims(i, 2, "input of gelu", dx.nd, dx.dim));
    return infer_as(i, 0, &dx);
}

sct_status infer_linear_dx_add(const struct sct_infer *i)
{
    struct sct_desc dx;
    SCT_TRY(sct_infer_want_dtype(i, 0, SCT_F32));
    SCT_TRY(sct_linear_dx_shape(i, 1, 2, &dx));
    SCT_TRY(sct_check_dims(i, 0, "residual", dx.nd, dx.dim));
    return sct_infer_same(i, 0, 0);
}

sct_status infer_linear_dw_el(const struct sct_infer *i)
{
    SCT_TRY(sct_infer_want_dtype(i, 0, SCT_F32));
    SCT_TRY(sct_check_rows(i, 1, "gradient"));
    SCT_TRY(sct_check_rows(i, 2, "input"));
    SCT_TRY(sct_check_like_rows(i, 2, "input", 1, sct_desc_last(&i->in[2])));
    SCT_TRY(
        sct_check_index(i, 3, (uint64_t)sct_desc_last(&i->in[1]) * sct_desc_last(&i->in[2])));
    SCT_TRY(sct_check_dims(i, 0, "accumulator", 1, i->in[3].dim));
    return sct_infer_same(i, 0, 0);
}

sct_status infer_layernorm_dx_add(const struct sct_infer *i)
{
    const struct sct_desc *x = &i->in[1];
    SCT_TRY(sct_check_f32(i, 0, i->n_in));
    SCT_TRY(sct_check_rows(i, 1, "input"));
    SCT_TRY(sct_check_like(i, 0, "residual", 1));
    SCT_TRY(sct_check_dims(i, 2, "gain", 1, &x->dim[x->nd - 1]));
    SCT_TRY(sct_check_dims(i, 3, "mean", x->nd - 1, x->dim));
    SCT_TRY(sct_check_dims(i, 4, "rstd", x->nd - 1, x->dim));
    SCT_TRY(sct_check_like(i, 5, "gradient", 1));
    return sct_infer_same(i, 0, 0);
}

/* h [..][C], idx [K], w [K][K], bias [K] or none; out: [..][C], [..][K]. */
static sct_status infer_module(const struct sct_infer *i)
{
    struct sct_desc part;
    SCT_TRY(sct_check_f32(i, 2, i->n_in));
    SCT_TRY(sct_check_rows(i, 0, "input"));
    SCT_TRY(sct_check_index(i, 1, sct_desc_last(&i->in[0])));
    const uint32_t K = i->in[1].dim[0];
    SCT_TRY(sct_check_dims(i, 2, "weight", 2, (uint32_t[2]){K, K}));
    if (i->n_in > 3)
        SCT_TRY(sct_check_dims(i, 3, "bias", 1, &K));
    part = i->in[0];
    part.dim[part.nd - 1] = K;
    SCT_TRY(sct_infer_same(i, 0, 0));
    return infer_as(i, 1, &part);
}

sct_status infer_sct_module(const struct sct_infer *i)
{
    return infer_module(i);
}

sct_status infer_sct_module_dx(const struct sct_infer *i)
{
    return infer_module(i);
}

/* a = in[2] [R][in] for the channels of in[narrow], b = in[3] [k][R] for channels first.. of
 * in[wide]; both have the same rows. */
static sct_status check_lora(const struct sct_infer *i, uint32_t narrow, uint32_t wide)
{
    const struct sct_module_params *p = i->params;
    const struct sct_desc *a = &i->in[2], *b = &i->in[3];
    char ta[96], tb[96];

    SCT_TRY(sct_check_f32(i, 0, 4));
    SCT_TRY(sct_check_rows(i, 0, "first input"));
    SCT_TRY(sct_check_rows(i, 1, "second input"));
    SCT_TRY(sct_check_like_rows(i, 1, "second input", 0, sct_desc_last(&i->in[1])));
    SCT_TRY(sct_check_nd(i, 2, "a", 2, "[R][in]"));
    SCT_TRY(sct_check_nd(i, 3, "b", 2, "[k][R]"));
    if (a->dim[0] != b->dim[1] || a->dim[1] != sct_desc_last(&i->in[narrow]))
        return sct_fail(i->err, SCT_EINVAL, "a %s and b %s, expected [R][%u] and [k][R]",
                        sct_desc_text(a, ta, sizeof ta), sct_desc_text(b, tb, sizeof tb),
                        sct_desc_last(&i->in[narrow]));
    if ((uint64_t)p->first + b->dim[0] > sct_desc_last(&i->in[wide]))
        return sct_fail(i->err, SCT_EINVAL, "channels %u..+%u, expected a part of 0..%u",
                        p->first, b->dim[0], sct_desc_last(&i->in[wide]));
    return SCT_OK;
}

/* out[k] = in[0]'s rows with `last` channels. */
static sct_status infer_rows(const struct sct_infer *i, uint32_t k, uint32_t last)
{
    struct sct_desc d = i->in[0];
    d.dim[d.nd - 1] = last;
    return infer_as(i, k, &d);
}

sct_status infer_lora_module(const struct sct_infer *i)
{
    SCT_TRY(check_lora(i, 1, 0));
    SCT_TRY(sct_infer_same(i, 0, 0));
    return infer_rows(i, 1, i->in[2].dim[0]);
}

sct_status infer_lora_module_dx(const struct sct_infer *i)
{
    SCT_TRY(check_lora(i, 0, 1));
    SCT_TRY(sct_infer_same(i, 0, 0));
    SCT_TRY(infer_rows(i, 1, i->in[2].dim[0]));
    return infer_rows(i, 2, i->in[3].dim[0]);
}
