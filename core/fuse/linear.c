/* SPDX-License-Identifier: MIT
 * linear.c - fusion rules of linear layers and layer norm with their neighbours:
 *   gelu(linear(x))            -> LINEAR_GELU, the pre-activation is kept for the backward
 *   gelu_dx(pre, linear_dx())  -> LINEAR_DX_GELU
 *   res + linear(x)            -> LINEAR_ADD
 *   res + linear_dx(dy)        -> LINEAR_DX_ADD
 *   res + layernorm_dx(..)     -> LAYERNORM_DX_ADD */
#include "core/fuse/match.h"

bool fuse_linear_gelu(struct fuse *f, uint32_t n)
{
    const struct sct_gnode *gelu = &f->g->node[n];
    if (gelu->op != SCT_OP_GELU)
        return false;
    const struct sct_gnode *lin = fuse_made_by(f, gelu->in[0], SCT_OP_LINEAR);
    if (!lin)
        return false;
    struct sct_gnode c =
        fuse_candidate(f, n, SCT_OP_LINEAR_GELU, gelu->params, sizeof(struct sct_gelu_params));
    c.n_in = lin->n_in;
    memcpy(c.in, lin->in, sizeof c.in);
    c.out[0] = gelu->out[0];
    c.out[1] = lin->out[0];
    c.label = lin->label;
    return fuse_commit(f, n, &c, &gelu->in[0], 1);
}

bool fuse_linear_dx_gelu(struct fuse *f, uint32_t n)
{
    const struct sct_gnode *gelu = &f->g->node[n];
    if (gelu->op != SCT_OP_GELU_DX)
        return false;
    const struct sct_gnode *dx = fuse_only(f, gelu->in[1], SCT_OP_LINEAR_DX);
    if (!dx)
        return false;
    struct sct_gnode c = fuse_candidate(f, n, SCT_OP_LINEAR_DX_GELU, gelu->params,
                                        sizeof(struct sct_gelu_params));
    c.n_in = 3;
    c.in[0] = dx->in[0];
    c.in[1] = dx->in[1];
    c.in[2] = gelu->in[0];
    c.out[0] = gelu->out[0];
    const uint32_t gone = gelu->in[1];
    return fuse_commit(f, n, &c, &gone, 1);
}

/* ADD of two values of one shape, one of which comes from `op` and has no other use: the
 * operand number of it, or -1. The other one must not be an operand of the same kind made
 * later; the second operand is preferred, so that a residual keeps its place. */
static int add_side(const struct fuse *f, uint32_t n, uint32_t op)
{
    const struct sct_gnode *add = &f->g->node[n];
    if (add->op != SCT_OP_ADD || add->in[0] == add->in[1] ||
        !sct_desc_same_dims(&f->g->value[add->in[0]].desc, &f->g->value[add->in[1]].desc))
        return -1;
    for (int side = 1; side >= 0; side--)
        if (fuse_only(f, add->in[side], op))
            return side;
    return -1;
}

static bool add_rule(struct fuse *f, uint32_t n, uint32_t part, uint32_t fused)
{
    const int side = add_side(f, n, part);
    if (side < 0)
        return false;
    const struct sct_gnode *add = &f->g->node[n];
    const struct sct_gnode *made = fuse_only(f, add->in[side], part);
    struct sct_gnode c = fuse_candidate(f, n, fused, NULL, 0);
    c.n_in = (uint8_t)(made->n_in + 1);
    c.in[0] = add->in[1 - side];
    memcpy(c.in + 1, made->in, made->n_in * sizeof c.in[0]);
    c.out[0] = add->out[0];
    c.label = made->label;
    const uint32_t gone = add->in[side];
    return fuse_commit(f, n, &c, &gone, 1);
}

bool fuse_linear_add(struct fuse *f, uint32_t n)
{
    return add_rule(f, n, SCT_OP_LINEAR, SCT_OP_LINEAR_ADD);
}

bool fuse_linear_dx_add(struct fuse *f, uint32_t n)
{
    return add_rule(f, n, SCT_OP_LINEAR_DX, SCT_OP_LINEAR_DX_ADD);
}

bool fuse_layernorm_dx_add(struct fuse *f, uint32_t n)
{
    return add_rule(f, n, SCT_OP_LAYERNORM_DX, SCT_OP_LAYERNORM_DX_ADD);
}
