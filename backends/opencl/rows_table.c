/* SPDX-License-Identifier: MIT
 * rows_table.c - all row tables in order, bytes of private layouts, grids and common answers.
 */
#include "backends/opencl/rows.h"

const struct cl_row_table cl_row_tables[] = {
    {cl_rows_gemm, ROWS_GEMM},       {cl_rows_attention, ROWS_ATTENTION},
    {cl_rows_norm, ROWS_NORM},       {cl_rows_elementwise, ROWS_ELEMENTWISE},
    {cl_rows_channel, ROWS_CHANNEL}, {cl_rows_move, ROWS_MOVE},
    {cl_rows_reduce, ROWS_REDUCE},   {cl_rows_conv, ROWS_CONV},
};
const size_t cl_row_tables_count = sizeof cl_row_tables / sizeof cl_row_tables[0];

uint64_t cl_value_bytes(const struct sct_desc *d)
{
    if (d->layout == CL_PANEL || d->layout == CL_PANEL_T) {
        const uint32_t cols = d->layout == CL_PANEL ? d->dim[0] : d->dim[1];
        const uint32_t depth = d->layout == CL_PANEL ? d->dim[1] : d->dim[0];
        return rows_ceil(cols, CL_PANEL_COLS) * CL_PANEL_COLS * depth * sizeof(float);
    }
    return sct_desc_count(d) * sct_dtype_bytes(d->dtype);
}

void rows_grid(struct cl_emit *e, uint64_t rows, uint64_t cols, uint32_t per)
{
    rows_grid_cost(e, rows, cols, per, 1);
}

void rows_grid_cost(struct cl_emit *e, uint64_t rows, uint64_t cols, uint32_t per,
                    uint64_t cost)
{
    if (!rows_cpu(e->caps)) {
        cl_grid(e, rows_ceil(cols, (uint64_t)ROWS_LANES * per), rows_min(rows, 32768), 1,
                ROWS_LANES, 1, 1);
        return;
    }
    /* few, large groups: starting one costs as much as a few hundred elements */
    const uint64_t want = (uint64_t)e->caps->units * 8;
    const uint64_t by_size = rows_ceil(rows * cols * cost, 4096);
    const uint64_t groups = rows_min(want, by_size ? by_size : 1);
    const uint64_t gy = rows_min(rows, groups);
    const uint64_t gx = gy ? rows_min(rows_ceil(cols, 64), rows_ceil(groups, gy)) : 1;
    cl_grid(e, gx, gy, 1, 1, 1, 1);
}

void rows_group_grid(struct cl_emit *e, uint64_t rows)
{
    if (rows_cpu(e->caps))
        cl_grid(e, 1, rows_min(rows, (uint64_t)e->caps->units * 8), 1, 1, 1, 1);
    else
        cl_grid(e, 1, rows_min(rows, 32768), 1, ROWS_LANES, 1, 1);
}

void rows_item_grid(struct cl_emit *e, uint64_t n)
{
    if (rows_cpu(e->caps))
        cl_grid(e, 1, rows_min(n, (uint64_t)e->caps->units * 8), 1, 1, 1, 1);
    else
        cl_grid(e, 1, rows_min(rows_ceil(n, ROWS_LANES), 32768), 1, ROWS_LANES, 1, 1);
}

void rows_arg_shape(struct cl_emit *e, const struct sct_desc *d)
{
    cl_arg_u64(e, sct_desc_rows(d));
    cl_arg_u32(e, sct_desc_last(d));
}

bool rows_accept(const struct cl_caps *c, const struct sct_opdesc *d)
{
    (void)c;
    for (uint32_t i = 0; i < d->n_in; i++)
        if ((d->in[i].dtype != SCT_F32 && d->in[i].dtype != SCT_I32) || d->in[i].layout)
            return false;
    for (uint32_t i = 0; i < d->n_out; i++)
        if (d->out[i].dtype != SCT_F32 || d->out[i].layout)
            return false;
    return true;
}

bool rows_accept_move(const struct cl_caps *c, const struct sct_opdesc *d)
{
    (void)c;
    return sct_dtype_bytes(d->in[0].dtype) == 4 && sct_dtype_bytes(d->out[0].dtype) == 4 &&
           !d->in[0].layout && !d->out[0].layout;
}
