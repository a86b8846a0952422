/* SPDX-License-Identifier: MIT
 * rows_conv.c - linear layers in groups, convolution over the grid of tokens. */
#include "backends/opencl/rows.h"

static const char file[] = "conv.cl";

/* One item for each element of out[0]. */
static void element_grid(struct cl_emit *e)
{
    rows_item_grid(e, sct_desc_count(&e->d->out[0]));
}

/* bias is in[2], if it is there. */
static void arg_forward(struct cl_emit *e)
{
    for (uint32_t i = 0; i < 2; i++)
        cl_arg_in(e, i);
    cl_arg_in(e, e->d->n_in > 2 ? 2 : ROWS_NONE);
    cl_arg_out(e, 0);
}

static void arg_backward(struct cl_emit *e)
{
    cl_arg_in(e, 0);
    cl_arg_in(e, 1);
    cl_arg_out(e, 0);
}

static void arg_weight(struct cl_emit *e)
{
    cl_arg_acc(e);
    cl_arg_state(e);
    cl_arg_in(e, 1);
    cl_arg_in(e, 2);
}

/* ---- groups ---- */

/* Rows of x, and the sides of the weight [groups][out][in]. */
static void arg_groups(struct cl_emit *e, const struct sct_desc *x, const struct sct_desc *w)
{
    cl_arg_u64(e, sct_desc_rows(x));
    for (uint32_t i = 0; i < 3; i++)
        cl_arg_u32(e, w->dim[i]);
}

static void emit_linear_grouped(struct cl_emit *e)
{
    cl_launch(e, file, "linear_grouped", NULL);
    arg_forward(e);
    arg_groups(e, &e->d->in[0], &e->d->in[1]);
    cl_arg_u32(e, e->d->n_in > 2);
    element_grid(e);
}

static void emit_linear_grouped_dx(struct cl_emit *e)
{
    cl_launch(e, file, "linear_grouped_dx", NULL);
    arg_backward(e);
    arg_groups(e, &e->d->in[0], &e->d->in[1]);
    element_grid(e);
}

static void emit_linear_grouped_dw(struct cl_emit *e)
{
    cl_launch(e, file, "linear_grouped_dw", NULL);
    arg_weight(e);
    arg_groups(e, &e->d->in[1], &e->d->out[0]);
    rows_group_grid(e, sct_desc_count(&e->d->out[0]));
}

/* ---- convolution ---- */

/* CONV_ARGS of conv.cl. */
static void arg_conv(struct cl_emit *e, const struct sct_desc *x, const struct sct_desc *w)
{
    const struct sct_grid_params *p = e->d->params;
    cl_arg_u32(e, x->dim[0]);
    cl_arg_u32(e, x->dim[1]);
    cl_arg_u32(e, p->h);
    cl_arg_u32(e, p->w);
    for (uint32_t i = 0; i < 4; i++)
        cl_arg_u32(e, w->dim[i]);
}

static void emit_conv_grid(struct cl_emit *e)
{
    cl_launch(e, file, "conv_grid", NULL);
    arg_forward(e);
    arg_conv(e, &e->d->in[0], &e->d->in[1]);
    cl_arg_u32(e, e->d->n_in > 2);
    element_grid(e);
}

static void emit_conv_grid_dx(struct cl_emit *e)
{
    cl_launch(e, file, "conv_grid_dx", NULL);
    arg_backward(e);
    arg_conv(e, &e->d->in[0], &e->d->in[1]);
    element_grid(e);
}

static void emit_conv_grid_dw(struct cl_emit *e)
{
    cl_launch(e, file, "conv_grid_dw", NULL);
    arg_weight(e);
    arg_conv(e, &e->d->in[1], &e->d->out[0]);
    rows_group_grid(e, sct_desc_count(&e->d->out[0]));
}

#define ROW(OP, NAME)                                                                          \
    {                                                                                          \
        .op = SCT_OP_##OP, .name = #NAME "/plain", .order = 1, .accepts = rows_accept,         \
        .emit = emit_##NAME                                                                    \
    }

const struct cl_row cl_rows_conv[] = {
    ROW(LINEAR_GROUPED, linear_grouped),       ROW(LINEAR_GROUPED_DX, linear_grouped_dx),
    ROW(LINEAR_GROUPED_DW, linear_grouped_dw), ROW(CONV_GRID, conv_grid),
    ROW(CONV_GRID_DX, conv_grid_dx),           ROW(CONV_GRID_DW, conv_grid_dw),
};
