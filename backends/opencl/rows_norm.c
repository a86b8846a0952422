/* SPDX-License-Identifier: MIT
 * rows_norm.c - layernorm, its gradients, sums over rows, norms of rows. One kernel text serves
 * CPU and GPU.
 */
#include "backends/opencl/rows.h"

static const char file[] = "norm.cl";

static void emit_layernorm(struct cl_emit *e)
{
    const struct sct_norm_params *p = e->d->params;
    cl_launch(e, file, "layernorm", NULL);
    for (uint32_t i = 0; i < 3; i++)
        cl_arg_in(e, i);
    for (uint32_t i = 0; i < 3; i++)
        cl_arg_out(e, i);
    rows_arg_shape(e, &e->d->in[0]);
    cl_arg_f32(e, p->eps);
    rows_group_grid(e, sct_desc_rows(&e->d->in[0]));
}

/* LAYERNORM_DX and, with the residual in front, LAYERNORM_DX_ADD. */
static void emit_layernorm_dx(struct cl_emit *e)
{
    const uint32_t x = e->d->op == SCT_OP_LAYERNORM_DX_ADD ? 1 : 0;
    cl_launch(e, file, "layernorm_dx", NULL);
    cl_arg_in(e, x ? 0 : ROWS_NONE);
    for (uint32_t i = 0; i < 5; i++)
        cl_arg_in(e, x + i);
    cl_arg_out(e, 0);
    rows_arg_shape(e, &e->d->in[x]);
    cl_arg_u32(e, x);
    rows_group_grid(e, sct_desc_rows(&e->d->in[x]));
}

static void emit_layernorm_dg(struct cl_emit *e)
{
    cl_launch(e, file, "layernorm_dg", NULL);
    cl_arg_acc(e);
    cl_arg_state(e);
    for (uint32_t i = 1; i < 5; i++)
        cl_arg_in(e, i);
    rows_arg_shape(e, &e->d->in[1]);
    rows_grid_cost(e, 1, sct_desc_last(&e->d->in[1]), e->caps->simd,
                   sct_desc_rows(&e->d->in[1]));
}

static void emit_sum_to(struct cl_emit *e)
{
    const uint64_t cols = sct_desc_count(&e->d->in[0]);
    cl_launch(e, file, "sum_to", NULL);
    cl_arg_acc(e);
    cl_arg_state(e);
    cl_arg_in(e, 1);
    cl_arg_u64(e, sct_desc_count(&e->d->in[1]) / cols);
    cl_arg_u64(e, cols);
    rows_grid_cost(e, 1, cols, e->caps->simd, sct_desc_count(&e->d->in[1]) / cols);
}

static void emit_dora_scale(struct cl_emit *e)
{
    const struct sct_module_params *p = e->d->params;
    const bool pair = e->d->n_in > 2;
    const uint64_t rows = sct_desc_count(&e->d->in[0]);
    cl_launch(e, file, "dora_scale", NULL);
    for (uint32_t i = 0; i < 4; i++)
        cl_arg_in(e, i < 2 || pair ? i : ROWS_NONE);
    cl_arg_out(e, 0);
    cl_arg_out(e, 1);
    cl_arg_u64(e, rows);
    cl_arg_u32(e, sct_desc_last(&e->d->in[1]));
    cl_arg_u32(e, pair ? e->d->in[2].dim[0] : 0);
    cl_arg_f32(e, p->scale);
    cl_arg_u32(e, p->first);
    rows_group_grid(e, rows);
}

static bool accept_sum_to(const struct cl_caps *c, const struct sct_opdesc *d)
{
    return rows_accept(c, d) && sct_desc_count(&d->in[0]) <= UINT32_MAX;
}

#define ROW(OP, NAME, ACCEPT, EMIT)                                                            \
    {                                                                                          \
        .op = SCT_OP_##OP, .name = NAME "/plain", .order = 1, .accepts = ACCEPT, .emit = EMIT  \
    }

const struct cl_row cl_rows_norm[] = {
    ROW(LAYERNORM, "layernorm", rows_accept, emit_layernorm),
    ROW(LAYERNORM_DX, "layernorm_dx", rows_accept, emit_layernorm_dx),
    ROW(LAYERNORM_DX_ADD, "layernorm_dx_add", rows_accept, emit_layernorm_dx),
    ROW(LAYERNORM_DG, "layernorm_dg", rows_accept, emit_layernorm_dg),
    ROW(SUM_TO, "sum_to", accept_sum_to, emit_sum_to),
    ROW(DORA_SCALE, "dora_scale", rows_accept, emit_dora_scale),
};
