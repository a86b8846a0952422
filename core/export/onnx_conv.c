/* SPDX-License-Identifier: MIT
 * onnx_conv.c - LINEAR_GROUPED and CONV_GRID as Conv, which wants channels in front of places.
 */
#include "core/base/status.h"
#include "core/export/onnx_ops.h"

/* x [..][in][places..] through w [out][in/groups][kernel..]; in[2] of n is its bias, if there.
 */
static onnx_name conv(struct onnx *o, const struct sct_gnode *n, onnx_name x, onnx_name w,
                      uint32_t groups, uint32_t n_pad, const int64_t *pad)
{
    const onnx_name in[3] = {x, w, n->n_in > 2 ? sct_onnx_value(o, n->in[2]) : NULL};
    SctOnnx__Node *y = sct_onnx_add(o, "Conv", n->n_in > 2 ? 3 : 2, in);
    sct_onnx_attr_int(o, y, "group", groups);
    if (n_pad)
        sct_onnx_attr_ints(o, y, "pads", n_pad, pad);
    return y ? y->output[0] : "";
}

void sct_onnx_linear_grouped(struct onnx *o, const struct sct_gnode *n)
{
    static const int64_t turn[3] = {0, 2, 1};
    const struct sct_desc *x = &o->g->value[n->in[0]].desc;
    const uint32_t *w = o->g->value[n->in[1]].desc.dim;
    const int64_t out = (int64_t)w[0] * w[1];
    if (x->nd != 2 && x->nd != 3) {
        sct_onnx_fail(o, SCT_EUNSUP,
                      "linear_grouped of a value with %u dimensions, expected 2 or 3", x->nd);
        return;
    }
    const onnx_name weight =
        sct_onnx_reshape(o, sct_onnx_value(o, n->in[1]), 3, (const int64_t[3]){out, w[2], 1});
    onnx_name y = sct_onnx_value(o, n->in[0]);
    if (x->nd == 3)
        y = sct_onnx_transpose(o, y, 3, turn);
    else
        y = sct_onnx_reshape(o, y, 3, (const int64_t[3]){0, x->dim[1], 1});
    y = conv(o, n, y, weight, w[0], 0, NULL);
    o->name[n->out[0]] = x->nd == 3 ? sct_onnx_transpose(o, y, 3, turn)
                                    : sct_onnx_reshape(o, y, 2, (const int64_t[2]){0, out});
}

void sct_onnx_conv_grid(struct onnx *o, const struct sct_gnode *n)
{
    const struct sct_grid_params *p = n->params;
    const uint32_t *x = o->g->value[n->in[0]].desc.dim, *w = o->g->value[n->in[1]].desc.dim;
    const uint32_t grid = p->h * p->w, first = x[1] - grid;
    const int64_t a = w[2] / 2, b = w[3] / 2, pad[4] = {a, b, a, b};
    const onnx_name all = sct_onnx_value(o, n->in[0]), weight = sct_onnx_value(o, n->in[1]);
    onnx_name part[2] = {NULL, first ? sct_onnx_slice(o, all, 1, first, grid) : all};
    part[1] = sct_onnx_reshape(o, part[1], 4, (const int64_t[4]){0, p->h, p->w, x[2]});
    part[1] = sct_onnx_transpose(o, part[1], 4, (const int64_t[4]){0, 3, 1, 2});
    part[1] = conv(o, n, part[1], weight, 1, 4, pad);
    part[1] = sct_onnx_transpose(o, part[1], 4, (const int64_t[4]){0, 2, 3, 1});
    part[1] = sct_onnx_reshape(o, part[1], 3, (const int64_t[3]){0, grid, w[0]});
    o->name[n->out[0]] = part[1];
    if (!first)
        return;
    /* the tokens in front: each an image of one pixel */
    part[0] = sct_onnx_slice(o, all, 1, 0, first);
    part[0] = sct_onnx_reshape(o, part[0], 4, (const int64_t[4]){-1, x[2], 1, 1});
    part[0] = conv(o, n, part[0], weight, 1, 4, pad);
    part[0] = sct_onnx_reshape(o, part[0], 3, (const int64_t[3]){-1, first, w[0]});
    SctOnnx__Node *y = sct_onnx_add(o, "Concat", 2, part);
    sct_onnx_attr_int(o, y, "axis", 1);
    o->name[n->out[0]] = y ? y->output[0] : "";
}
