/* SPDX-License-Identifier: MIT
 * onnx_ops.c - the ONNX form of every op that a forward graph may hold, but attention and
 * convolutions. */
#include "core/export/onnx_ops.h"

#include <string.h>

#define X    sct_onnx_value(o, n->in[0])
#define IN_D (&o->g->value[n->in[0]].desc)

static void done(struct onnx *o, const struct sct_gnode *n, onnx_name name)
{
    o->name[n->out[0]] = name;
}

/* Rows of a batch value, dropout, drop path: in evaluation the value itself. */
static void same(struct onnx *o, const struct sct_gnode *n)
{
    done(o, n, X);
}

static void reshape(struct onnx *o, const struct sct_gnode *n)
{
    const struct sct_desc *d = &o->g->value[n->out[0]].desc;
    int64_t dim[SCT_MAX_DIMS];
    for (uint32_t i = 0; i < d->nd; i++)
        dim[i] = i == 0 && o->varies[n->out[0]] ? 0 : (int64_t)d->dim[i];
    done(o, n, sct_onnx_reshape(o, X, d->nd, dim));
}

static void patchify(struct onnx *o, const struct sct_gnode *n)
{
    const struct sct_patchify_params *p = n->params;
    const struct sct_desc *d = IN_D;
    const int64_t P = p->patch, C = d->dim[1], h = d->dim[2] / p->patch,
                  w = d->dim[3] / p->patch;
    onnx_name y = sct_onnx_reshape(o, X, 6, (const int64_t[6]){0, C, h, P, w, P});
    y = sct_onnx_transpose(o, y, 6, (const int64_t[6]){0, 2, 4, 1, 3, 5});
    done(o, n, sct_onnx_reshape(o, y, 3, (const int64_t[3]){0, h * w, C * P * P}));
}

static void add(struct onnx *o, const struct sct_gnode *n)
{
    done(o, n, sct_onnx_op2(o, "Add", X, sct_onnx_value(o, n->in[1])));
}

static void mul(struct onnx *o, const struct sct_gnode *n)
{
    done(o, n, sct_onnx_op2(o, "Mul", X, sct_onnx_value(o, n->in[1])));
}

static void scale(struct onnx *o, const struct sct_gnode *n)
{
    const struct sct_scale_params *p = n->params;
    onnx_name y = sct_onnx_op2(o, "Mul", X, sct_onnx_f32(o, 0, NULL, &p->mul));
    if (p->add != 0.0f)
        y = sct_onnx_op2(o, "Add", y, sct_onnx_f32(o, 0, NULL, &p->add));
    done(o, n, y);
}

static void fill(struct onnx *o, const struct sct_gnode *n)
{
    const struct sct_fill_params *p = n->params;
    const onnx_name value = sct_onnx_f32(o, 0, NULL, &p->value);
    onnx_name shape;
    if (n->n_in) {
        shape = sct_onnx_op1(o, "Shape", X);
    } else {
        int64_t dim[SCT_MAX_DIMS];
        for (uint32_t i = 0; i < p->nd; i++)
            dim[i] = p->dim[i];
        shape = sct_onnx_i64(o, p->nd, dim);
    }
    done(o, n, sct_onnx_op2(o, "Expand", value, shape));
}

static void gelu(struct onnx *o, const struct sct_gnode *n)
{
    const struct sct_gelu_params *p = n->params;
    if (p->kind == SCT_GELU_QUICK) {
        const float by = 1.702f;
        const onnx_name u = sct_onnx_op2(o, "Mul", X, sct_onnx_f32(o, 0, NULL, &by));
        done(o, n, sct_onnx_op2(o, "Mul", X, sct_onnx_op1(o, "Sigmoid", u)));
        return;
    }
    SctOnnx__Node *y = sct_onnx_add(o, "Gelu", 1, (const onnx_name[1]){X});
    sct_onnx_attr_string(o, y, "approximate", p->kind == SCT_GELU_TANH ? "tanh" : "none");
    done(o, n, y ? y->output[0] : "");
}

static void relu(struct onnx *o, const struct sct_gnode *n)
{
    done(o, n, sct_onnx_op1(o, "Relu", X));
}

static void linear(struct onnx *o, const struct sct_gnode *n)
{
    onnx_name y = sct_onnx_op2(o, "MatMul", X, sct_onnx_transposed(o, n->in[1]));
    if (n->n_in == 3)
        y = sct_onnx_op2(o, "Add", y, sct_onnx_value(o, n->in[2]));
    done(o, n, y);
}

/* Mean and reciprocal deviation are for the backward pass only. */
static void layernorm(struct onnx *o, const struct sct_gnode *n)
{
    const struct sct_norm_params *p = n->params;
    SctOnnx__Node *y = sct_onnx_add(
        o, "LayerNormalization", 3,
        (const onnx_name[3]){X, sct_onnx_value(o, n->in[1]), sct_onnx_value(o, n->in[2])});
    sct_onnx_attr_int(o, y, "axis", -1);
    sct_onnx_attr_float(o, y, "epsilon", p->eps);
    done(o, n, y ? y->output[0] : "");
}

/* [N][C] for every image of the batch of `like`. */
static onnx_name repeated(struct onnx *o, onnx_name x, onnx_name like)
{
    SctOnnx__Node *batch = sct_onnx_add(o, "Shape", 1, &like);
    sct_onnx_attr_int(o, batch, "start", 0);
    sct_onnx_attr_int(o, batch, "end", 1);
    const int64_t ones[2] = {1, 1};
    SctOnnx__Node *shape = sct_onnx_add(
        o, "Concat", 2,
        (const onnx_name[2]){batch ? batch->output[0] : "", sct_onnx_i64(o, 2, ones)});
    sct_onnx_attr_int(o, shape, "axis", 0);
    return sct_onnx_op2(o, "Expand", x, shape ? shape->output[0] : "");
}

static void concat_tokens(struct onnx *o, const struct sct_gnode *n)
{
    onnx_name in[2] = {X, sct_onnx_value(o, n->in[1])};
    for (uint32_t i = 0; i < 2; i++)
        if (!o->varies[n->in[i]] && o->varies[n->in[1 - i]])
            in[i] = repeated(o, in[i], in[1 - i]);
    SctOnnx__Node *y = sct_onnx_add(o, "Concat", 2, in);
    sct_onnx_attr_int(o, y, "axis", -2);
    done(o, n, y ? y->output[0] : "");
}

static void slice_tokens(struct onnx *o, const struct sct_gnode *n)
{
    const struct sct_range_params *p = n->params;
    done(o, n, sct_onnx_slice(o, X, 1, p->first, p->count));
}

static void pad_tokens(struct onnx *o, const struct sct_gnode *n)
{
    const struct sct_range_params *p = n->params;
    done(o, n, sct_onnx_pad(o, X, 1, p->first, p->total - p->first - IN_D->dim[1]));
}

static void mean_tokens(struct onnx *o, const struct sct_gnode *n)
{
    const struct sct_range_params *p = n->params;
    const int64_t axis = 1;
    onnx_name x = X;
    if (p->first)
        x = sct_onnx_slice(o, x, 1, p->first, IN_D->dim[1] - p->first);
    SctOnnx__Node *y =
        sct_onnx_add(o, "ReduceMean", 2, (const onnx_name[2]){x, sct_onnx_i64(o, 1, &axis)});
    sct_onnx_attr_int(o, y, "keepdims", 0);
    done(o, n, y ? y->output[0] : "");
}

/* Neighbours in the order (0,0), (1,0), (0,1), (1,1) of (row, column). */
static void patch_merge(struct onnx *o, const struct sct_gnode *n)
{
    const struct sct_grid_params *p = n->params;
    const int64_t h = p->h / 2, w = p->w / 2, C = IN_D->dim[2];
    onnx_name y = sct_onnx_reshape(o, X, 6, (const int64_t[6]){0, h, 2, w, 2, C});
    y = sct_onnx_transpose(o, y, 6, (const int64_t[6]){0, 1, 3, 4, 2, 5});
    done(o, n, sct_onnx_reshape(o, y, 3, (const int64_t[3]){0, h * w, 4 * C}));
}

static onnx_name as_grid(struct onnx *o, const struct sct_gnode *n, uint32_t h, uint32_t w)
{
    return sct_onnx_reshape(o, X, 4, (const int64_t[4]){0, h, w, IN_D->dim[2]});
}

static onnx_name as_tokens(struct onnx *o, const struct sct_gnode *n, onnx_name x)
{
    const struct sct_desc *d = &o->g->value[n->out[0]].desc;
    return sct_onnx_reshape(o, x, 3, (const int64_t[3]){0, d->dim[1], d->dim[2]});
}

/* Rows (axis 1) or columns (2) brought from place i + shift to place i of n, round the end. */
static onnx_name roll_axis(struct onnx *o, onnx_name x, int64_t axis, uint32_t shift,
                           uint32_t n)
{
    if (shift == 0)
        return x;
    const onnx_name half[2] = {sct_onnx_slice(o, x, axis, shift, n - shift),
                               sct_onnx_slice(o, x, axis, 0, shift)};
    SctOnnx__Node *y = sct_onnx_add(o, "Concat", 2, half);
    sct_onnx_attr_int(o, y, "axis", axis);
    return y ? y->output[0] : "";
}

/* [B][h][w][C] with its origin at (roll_h, roll_w); back: the other way round. */
static onnx_name roll(struct onnx *o, const struct sct_grid_params *p, onnx_name x, uint32_t h,
                      uint32_t w, bool back)
{
    const uint32_t dy = back && p->roll_h ? h - p->roll_h : p->roll_h,
                   dx = back && p->roll_w ? w - p->roll_w : p->roll_w;
    return roll_axis(o, roll_axis(o, x, 1, dy, h), 2, dx, w);
}

static void pad_grid(struct onnx *o, const struct sct_gnode *n)
{
    const struct sct_grid_params *p = n->params;
    onnx_name y = roll(o, p, as_grid(o, n, p->h, p->w), p->h, p->w, false);
    y = sct_onnx_pad(o, y, 1, 0, p->out_h - p->h);
    y = sct_onnx_pad(o, y, 2, 0, p->out_w - p->w);
    done(o, n, as_tokens(o, n, roll(o, p, y, p->out_h, p->out_w, true)));
}

static void crop_grid(struct onnx *o, const struct sct_gnode *n)
{
    const struct sct_grid_params *p = n->params;
    onnx_name y = roll(o, p, as_grid(o, n, p->h, p->w), p->h, p->w, false);
    y = sct_onnx_slice(o, y, 1, 0, p->out_h);
    y = sct_onnx_slice(o, y, 2, 0, p->out_w);
    done(o, n, as_tokens(o, n, roll(o, p, y, p->out_h, p->out_w, true)));
}

/* m / |w + scale b a| row by row. Transposed, as the linear layers have the weights: columns. A
 * row of zeros has no norm, and any finite factor. */
static void dora_scale(struct onnx *o, const struct sct_gnode *n)
{
    const struct sct_module_params *p = n->params;
    const int64_t axis = 0;
    const float least = 1e-30f;
    onnx_name w =
        sct_onnx_slice(o, sct_onnx_transposed(o, n->in[1]), 1, p->first, IN_D->dim[0]);
    if (n->n_in > 2) {
        const onnx_name by = sct_onnx_f32(o, 0, NULL, &p->scale);
        const onnx_name ba = sct_onnx_op2(o, "MatMul", sct_onnx_transposed(o, n->in[2]),
                                          sct_onnx_transposed(o, n->in[3]));
        w = sct_onnx_op2(o, "Add", w, sct_onnx_op2(o, "Mul", ba, by));
    }
    SctOnnx__Node *norm =
        sct_onnx_add(o, "ReduceL2", 2, (const onnx_name[2]){w, sct_onnx_i64(o, 1, &axis)});
    sct_onnx_attr_int(o, norm, "keepdims", 0);
    const onnx_name most =
        sct_onnx_op2(o, "Max", norm ? norm->output[0] : "", sct_onnx_f32(o, 0, NULL, &least));
    done(o, n, sct_onnx_op2(o, "Div", X, most));
}

/* ---- channels and elements ---- */

static void gather_ch(struct onnx *o, const struct sct_gnode *n)
{
    done(o, n, sct_onnx_gather(o, X, sct_onnx_value(o, n->in[1]), -1));
}

/* y [..][K] at channels idx of a row of `channels`, zero elsewhere: y times the [K][channels]
 * matrix of ones at (k, idx[k]). ONNX's scatters want an index for every element of y. */
static onnx_name spread(struct onnx *o, onnx_name y, uint32_t idx, uint32_t channels)
{
    const uint32_t K = o->g->value[idx].desc.dim[0], dim[2] = {K, channels};
    const int32_t *at = sct_onnx_index(o, idx);
    float *ones = at ? sct_calloc((size_t)K * channels, sizeof *ones) : NULL;
    if (!ones) {
        sct_onnx_fail(o, SCT_ENOMEM, "out of memory");
        return "";
    }
    for (uint32_t k = 0; k < K; k++)
        ones[(size_t)k * channels + (uint32_t)at[k]] = 1.0f;
    const onnx_name m = sct_onnx_f32(o, 2, dim, ones);
    sct_free(ones);
    return sct_onnx_op2(o, "MatMul", y, m);
}

/* 1, and 0 at channels idx. */
static onnx_name mask(struct onnx *o, uint32_t idx, uint32_t channels)
{
    const uint32_t K = o->g->value[idx].desc.dim[0];
    const int32_t *at = sct_onnx_index(o, idx);
    float *m = at ? sct_calloc(channels, sizeof *m) : NULL;
    if (!m) {
        sct_onnx_fail(o, SCT_ENOMEM, "out of memory");
        return "";
    }
    for (uint32_t c = 0; c < channels; c++)
        m[c] = 1.0f;
    for (uint32_t k = 0; k < K; k++)
        m[at[k]] = 0.0f;
    const onnx_name name = sct_onnx_f32(o, 1, &channels, m);
    sct_free(m);
    return name;
}

static void scatter_ch(struct onnx *o, const struct sct_gnode *n)
{
    const struct sct_channels_params *p = n->params;
    done(o, n, spread(o, X, n->in[1], p->channels));
}

static void scatter_add_ch(struct onnx *o, const struct sct_gnode *n)
{
    const onnx_name y = spread(o, sct_onnx_value(o, n->in[2]), n->in[1], sct_desc_last(IN_D));
    done(o, n, sct_onnx_op2(o, "Add", X, y));
}

static void mask_ch(struct onnx *o, const struct sct_gnode *n)
{
    done(o, n, sct_onnx_op2(o, "Mul", X, mask(o, n->in[1], sct_desc_last(IN_D))));
}

static void scatter_set_ch(struct onnx *o, const struct sct_gnode *n)
{
    const uint32_t C = sct_desc_last(IN_D);
    const onnx_name rest = sct_onnx_op2(o, "Mul", X, mask(o, n->in[1], C));
    const onnx_name y = spread(o, sct_onnx_value(o, n->in[2]), n->in[1], C);
    done(o, n, sct_onnx_op2(o, "Add", rest, y));
}

static void slice_ch(struct onnx *o, const struct sct_gnode *n)
{
    const struct sct_range_params *p = n->params;
    done(o, n, sct_onnx_slice(o, X, -1, p->first, p->count));
}

static void pad_ch(struct onnx *o, const struct sct_gnode *n)
{
    const struct sct_range_params *p = n->params;
    done(o, n, sct_onnx_pad(o, X, -1, p->first, p->total - p->first - sct_desc_last(IN_D)));
}

static void add_ch(struct onnx *o, const struct sct_gnode *n)
{
    const struct sct_range_params *p = n->params;
    const uint32_t C = sct_desc_last(IN_D), k = sct_desc_last(&o->g->value[n->in[1]].desc);
    const onnx_name y =
        sct_onnx_pad(o, sct_onnx_value(o, n->in[1]), -1, p->first, C - p->first - k);
    done(o, n, sct_onnx_op2(o, "Add", X, y));
}

static onnx_name flat(struct onnx *o, const struct sct_gnode *n)
{
    return sct_onnx_reshape(o, X, 1, (const int64_t[1]){-1});
}

static void gather_el(struct onnx *o, const struct sct_gnode *n)
{
    done(o, n, sct_onnx_gather(o, flat(o, n), sct_onnx_value(o, n->in[1]), 0));
}

static void scatter_add_el(struct onnx *o, const struct sct_gnode *n)
{
    const struct sct_desc *d = IN_D;
    int64_t dim[SCT_MAX_DIMS];
    for (uint32_t i = 0; i < d->nd; i++)
        dim[i] = d->dim[i];
    SctOnnx__Node *y =
        sct_onnx_add(o, "ScatterElements", 3,
                     (const onnx_name[3]){flat(o, n), sct_onnx_value(o, n->in[1]),
                                          sct_onnx_value(o, n->in[2])});
    sct_onnx_attr_int(o, y, "axis", 0);
    sct_onnx_attr_string(o, y, "reduction", "add");
    done(o, n, sct_onnx_reshape(o, y ? y->output[0] : "", d->nd, dim));
}

onnx_rule sct_onnx_rule_of(uint32_t op)
{
    static const onnx_rule rule[SCT_OP_COUNT] = {
        [SCT_OP_FEED] = same,
        [SCT_OP_PATCHIFY] = patchify,
        [SCT_OP_RESHAPE] = reshape,
        [SCT_OP_COPY] = same,
        [SCT_OP_FILL] = fill,
        [SCT_OP_ADD] = add,
        [SCT_OP_MUL] = mul,
        [SCT_OP_SCALE] = scale,
        [SCT_OP_GELU] = gelu,
        [SCT_OP_RELU] = relu,
        [SCT_OP_LINEAR] = linear,
        [SCT_OP_LAYERNORM] = layernorm,
        [SCT_OP_ATTENTION] = sct_onnx_attention,
        [SCT_OP_WATTENTION] = sct_onnx_wattention,
        [SCT_OP_LINEAR_GROUPED] = sct_onnx_linear_grouped,
        [SCT_OP_CONV_GRID] = sct_onnx_conv_grid,
        [SCT_OP_CONCAT_TOKENS] = concat_tokens,
        [SCT_OP_SLICE_TOKENS] = slice_tokens,
        [SCT_OP_PAD_TOKENS] = pad_tokens,
        [SCT_OP_MEAN_TOKENS] = mean_tokens,
        [SCT_OP_PATCH_MERGE] = patch_merge,
        [SCT_OP_PAD_GRID] = pad_grid,
        [SCT_OP_CROP_GRID] = crop_grid,
        [SCT_OP_GATHER_CH] = gather_ch,
        [SCT_OP_SCATTER_CH] = scatter_ch,
        [SCT_OP_SCATTER_ADD_CH] = scatter_add_ch,
        [SCT_OP_SCATTER_SET_CH] = scatter_set_ch,
        [SCT_OP_MASK_CH] = mask_ch,
        [SCT_OP_SLICE_CH] = slice_ch,
        [SCT_OP_PAD_CH] = pad_ch,
        [SCT_OP_ADD_CH] = add_ch,
        [SCT_OP_GATHER_EL] = gather_el,
        [SCT_OP_SCATTER_ADD_EL] = scatter_add_el,
        [SCT_OP_DORA_SCALE] = dora_scale,
        [SCT_OP_DROPOUT] = same,
        [SCT_OP_DROPPATH] = same,
    };
    return op < SCT_OP_COUNT ? rule[op] : NULL;
}
