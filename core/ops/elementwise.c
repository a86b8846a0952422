/* SPDX-License-Identifier: MIT
 * elementwise.c - ADD, MUL, SCALE, GELU, GELU_DX, RELU, RELU_DX.
 *
 * add     x + y            dx = dy, dy' = dy; y of suffix shape: dy summed over what was
 * repeated mul     x * y            dx = dy * y, dy' = dy * x, summed in the same way scale   m
 * x + a          dx = m dy gelu    x Phi(x)         dx = dy (Phi(x) + x phi(x)) (Hendrycks and
 * Gimpel 2016) tanh  x/2 (1 + tanh u), u = sqrt(2/pi)(x + 0.044715 x^3) dx = dy (1/2 (1 + tanh
 * u) + x/2 (1 - tanh^2 u) u') quick x s, s = 1 / (1 + exp(-1.702 x)) dx = dy (s + 1.702 x s
 * (1 - s)) relu    max(x, 0)        dx = dy where y > 0 */
#include "core/ops/check.h"
#include "core/ops/vjp.h"

static sct_status infer_binary(const struct sct_infer *i)
{
    char x[96], y[96];
    SCT_TRY(sct_check_f32(i, 0, 2));
    if (!sct_desc_is_suffix(&i->in[0], &i->in[1]))
        return sct_fail(i->err, SCT_EINVAL, "second input %s is no suffix of the first, %s",
                        sct_desc_text(&i->in[1], y, sizeof y),
                        sct_desc_text(&i->in[0], x, sizeof x));
    return sct_infer_same(i, 0, 0);
}

/* Gradient g, of the first input's shape, brought to the second input's shape. Ranks decide,
 * not sizes: they do not change with the number of images. */
static sct_val to_second(struct sct_vjp *v, sct_val g)
{
    if (v->in_desc[1].nd == v->in_desc[0].nd)
        return g;
    return sct_sum_to(v->b, v->acc(v, 1), g);
}

sct_status infer_add(const struct sct_infer *i)
{
    return infer_binary(i);
}

void vjp_add(struct sct_vjp *v)
{
    if (v->need[0])
        v->din[0] = v->dout[0];
    if (v->need[1])
        v->din[1] = to_second(v, v->dout[0]);
}

sct_status infer_mul(const struct sct_infer *i)
{
    return infer_binary(i);
}

void vjp_mul(struct sct_vjp *v)
{
    if (v->need[0])
        v->din[0] = sct_mul(v->b, v->dout[0], v->in[1]);
    if (v->need[1])
        v->din[1] = to_second(v, sct_mul(v->b, v->dout[0], v->in[0]));
}

sct_status infer_scale(const struct sct_infer *i)
{
    SCT_TRY(sct_infer_want_dtype(i, 0, SCT_F32));
    return sct_infer_same(i, 0, 0);
}

void vjp_scale(struct sct_vjp *v)
{
    const struct sct_scale_params *p = v->params;
    if (v->need[0])
        v->din[0] = sct_scale(v->b, v->dout[0], p->mul, 0.0f);
}

static sct_status check_kind(const struct sct_infer *i)
{
    const struct sct_gelu_params *p = i->params;
    if (p->kind > SCT_GELU_QUICK)
        return sct_fail(i->err, SCT_EINVAL,
                        "gelu kind %u, expected 0 (erf), 1 (tanh) or 2 (quick)", p->kind);
    return SCT_OK;
}

sct_status infer_gelu(const struct sct_infer *i)
{
    SCT_TRY(sct_infer_want_dtype(i, 0, SCT_F32));
    SCT_TRY(check_kind(i));
    return sct_infer_same(i, 0, 0);
}

void vjp_gelu(struct sct_vjp *v)
{
    const struct sct_gelu_params *p = v->params;
    if (v->need[0])
        v->din[0] = sct_gelu_dx(v->b, v->in[0], v->dout[0], p->kind);
}

sct_status infer_gelu_dx(const struct sct_infer *i)
{
    SCT_TRY(sct_check_f32(i, 0, 2));
    SCT_TRY(check_kind(i));
    SCT_TRY(sct_check_like(i, 1, "gradient", 0));
    return sct_infer_same(i, 0, 0);
}

sct_status infer_relu(const struct sct_infer *i)
{
    SCT_TRY(sct_infer_want_dtype(i, 0, SCT_F32));
    return sct_infer_same(i, 0, 0);
}

/* From the output: the input may be gone by then. */
void vjp_relu(struct sct_vjp *v)
{
    if (v->need[0])
        v->din[0] = sct_relu_dx(v->b, v->out[0], v->dout[0]);
}

sct_status infer_relu_dx(const struct sct_infer *i)
{
    SCT_TRY(sct_check_f32(i, 0, 2));
    SCT_TRY(sct_check_like(i, 1, "gradient", 0));
    return sct_infer_same(i, 0, 0);
}
