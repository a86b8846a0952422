/* SPDX-License-Identifier: MIT
 * rows_channel.c - channels and elements picked by an index list or a range.
 * What is replaced or added to is copied first, unless the result has the storage of the input.
 */
#include "backends/opencl/rows.h"

static const char file[] = "channel.cl";

/* in[0] by in[1] -> out[0]; GATHER_EL takes its input as one row. */
static void emit_gather(struct cl_emit *e)
{
    const struct sct_desc *x = &e->d->in[0], *y = &e->d->out[0];
    const bool flat = e->d->op == SCT_OP_GATHER_EL;
    const uint64_t rows = flat ? 1 : sct_desc_rows(y);
    const uint32_t k = sct_desc_last(y);
    cl_launch(e, file, "gather", NULL);
    cl_arg_in(e, 0);
    cl_arg_in(e, 1);
    cl_arg_out(e, 0);
    cl_arg_u64(e, rows);
    cl_arg_u32(e, flat ? 0 : sct_desc_last(x));
    cl_arg_u32(e, k);
    cl_arg_f32(e, 1.0f);
    rows_grid(e, rows, k, 1);
}

enum how { SET, ADD, CLEAR };

/* Values in[from] into out[0] at the places of in[1]. */
static void launch_scatter(struct cl_emit *e, uint32_t from, enum how how)
{
    const struct sct_desc *z = &e->d->out[0];
    const bool flat = e->d->op == SCT_OP_SCATTER_ADD_EL;
    const uint64_t rows = flat ? 1 : sct_desc_rows(z);
    const uint32_t k = sct_desc_last(&e->d->in[1]);
    cl_launch(e, file, "scatter", NULL);
    cl_arg_in(e, from);
    cl_arg_in(e, 1);
    cl_arg_out(e, 0);
    cl_arg_u64(e, rows);
    cl_arg_u32(e, flat ? 0 : sct_desc_last(z));
    cl_arg_u32(e, k);
    cl_arg_u32(e, how);
    rows_grid(e, rows, k, 1);
}

static void emit_scatter(struct cl_emit *e)
{
    cl_zero_out(e, 0);
    launch_scatter(e, 0, SET);
}

static void emit_scatter_add(struct cl_emit *e)
{
    cl_copy(e, 0, 0);
    launch_scatter(e, 2, ADD);
}

static void emit_scatter_set(struct cl_emit *e)
{
    cl_copy(e, 0, 0);
    launch_scatter(e, 2, SET);
}

static void emit_mask(struct cl_emit *e)
{
    cl_copy(e, 0, 0);
    launch_scatter(e, ROWS_NONE, CLEAR);
}

static void emit_add_ch(struct cl_emit *e)
{
    const struct sct_range_params *p = e->d->params;
    const uint64_t rows = sct_desc_rows(&e->d->in[1]);
    const uint32_t k = sct_desc_last(&e->d->in[1]);
    cl_copy(e, 0, 0);
    cl_launch(e, file, "add_range", NULL);
    cl_arg_in(e, 1);
    cl_arg_out(e, 0);
    cl_arg_u64(e, rows);
    cl_arg_u32(e, sct_desc_last(&e->d->out[0]));
    cl_arg_u32(e, k);
    cl_arg_u32(e, p->first);
    rows_grid(e, rows, k, 1);
}

#define ROW(OP, NAME, EMIT)                                                                    \
    {                                                                                          \
        .op = SCT_OP_##OP, .name = NAME "/plain", .order = 1, .accepts = rows_accept,          \
        .emit = EMIT                                                                           \
    }

const struct cl_row cl_rows_channel[] = {
    ROW(GATHER_CH, "gather_ch", emit_gather),
    ROW(SCATTER_CH, "scatter_ch", emit_scatter),
    ROW(SCATTER_ADD_CH, "scatter_add_ch", emit_scatter_add),
    ROW(SCATTER_SET_CH, "scatter_set_ch", emit_scatter_set),
    ROW(MASK_CH, "mask_ch", emit_mask),
    ROW(ADD_CH, "add_ch", emit_add_ch),
    ROW(GATHER_EL, "gather_el", emit_gather),
    ROW(SCATTER_ADD_EL, "scatter_add_el", emit_scatter_add),
};
