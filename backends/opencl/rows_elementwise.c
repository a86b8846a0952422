/* SPDX-License-Identifier: MIT
 * rows_elementwise.c - add, mul, scale, gelu, relu, dropout, droppath, optimisers. */
#include <math.h>

#include "backends/opencl/rows.h"

static const char file[] = "elementwise.cl";

static void emit_binary(struct cl_emit *e, const char *kernel)
{
    const uint64_t n = sct_desc_count(&e->d->in[0]), m = sct_desc_count(&e->d->in[1]);
    uint64_t rows = sct_desc_rows(&e->d->in[0]);
    uint32_t cols = sct_desc_last(&e->d->in[0]), stride = cols;
    if (m < n) { /* a row is one copy of y */
        rows = n / m;
        cols = (uint32_t)m;
        stride = 0;
    }
    cl_launch(e, file, kernel, NULL);
    cl_arg_in(e, 0);
    cl_arg_in(e, 1);
    cl_arg_out(e, 0);
    cl_arg_u64(e, rows);
    cl_arg_u32(e, cols);
    cl_arg_u32(e, stride);
    rows_grid(e, rows, cols, e->caps->simd);
}

static void emit_add(struct cl_emit *e)
{
    emit_binary(e, "add");
}

static void emit_mul(struct cl_emit *e)
{
    emit_binary(e, "mul");
}

static bool accept_binary(const struct cl_caps *c, const struct sct_opdesc *d)
{
    return rows_accept(c, d) && (sct_desc_count(&d->in[1]) <= UINT32_MAX ||
                                 sct_desc_count(&d->in[1]) == sct_desc_count(&d->in[0]));
}

static void emit_scale(struct cl_emit *e)
{
    const struct sct_scale_params *p = e->d->params;
    cl_launch(e, file, "scale", NULL);
    cl_arg_in(e, 0);
    cl_arg_out(e, 0);
    rows_arg_shape(e, &e->d->in[0]);
    cl_arg_f32(e, p->mul);
    cl_arg_f32(e, p->add);
    rows_grid(e, sct_desc_rows(&e->d->in[0]), sct_desc_last(&e->d->in[0]), e->caps->simd);
}

/* GELU and GELU_DX. */
static void emit_gelu(struct cl_emit *e)
{
    const struct sct_gelu_params *p = e->d->params;
    const bool dx = e->d->op == SCT_OP_GELU_DX;
    cl_launch(e, file, dx ? "gelu_dx" : "gelu", NULL);
    cl_arg_in(e, 0);
    if (dx)
        cl_arg_in(e, 1);
    cl_arg_out(e, 0);
    rows_arg_shape(e, &e->d->in[0]);
    cl_arg_u32(e, p->kind);
    rows_grid(e, sct_desc_rows(&e->d->in[0]), sct_desc_last(&e->d->in[0]), e->caps->simd);
}

/* RELU and RELU_DX. */
static void emit_relu(struct cl_emit *e)
{
    const bool dx = e->d->op == SCT_OP_RELU_DX;
    cl_launch(e, file, dx ? "relu_dx" : "relu", NULL);
    cl_arg_in(e, 0);
    if (dx)
        cl_arg_in(e, 1);
    cl_arg_out(e, 0);
    rows_arg_shape(e, &e->d->in[0]);
    rows_grid(e, sct_desc_rows(&e->d->in[0]), sct_desc_last(&e->d->in[0]), e->caps->simd);
}

static void arg_key(struct cl_emit *e, const struct sct_random_params *p)
{
    cl_arg_u32(e, (uint32_t)p->key);
    cl_arg_u32(e, (uint32_t)(p->key >> 32));
    cl_arg_f32(e, p->rate);
}

static void emit_dropout(struct cl_emit *e)
{
    const struct sct_random_params *p = e->d->params;
    const uint64_t n = sct_desc_count(&e->d->in[0]);
    if (p->off) {
        cl_copy(e, 0, 0);
        return;
    }
    const uint64_t runs = n / (4 * e->caps->simd) + 2; /* the first need not begin a run */
    cl_launch(e, "random.cl", "dropout", NULL);
    cl_arg_in(e, 0);
    cl_arg_out(e, 0);
    cl_arg_state(e);
    cl_arg_u64(e, n);
    cl_arg_u64(e, e->d->in[0].nd ? n / e->d->in[0].dim[0] : n);
    cl_arg_u32(e, (uint32_t)runs);
    arg_key(e, p);
    rows_grid_cost(e, 1, runs, 1, 8 * (uint64_t)e->caps->simd);
}

static void emit_droppath(struct cl_emit *e)
{
    const struct sct_random_params *p = e->d->params;
    const struct sct_desc *x = &e->d->in[0];
    if (p->off) {
        cl_copy(e, 0, 0);
        return;
    }
    const uint64_t each = sct_desc_count(x) / x->dim[0];
    cl_launch(e, "random.cl", "droppath", NULL);
    cl_arg_in(e, 0);
    cl_arg_out(e, 0);
    cl_arg_state(e);
    cl_arg_u64(e, x->dim[0]);
    cl_arg_u32(e, (uint32_t)each);
    arg_key(e, p);
    rows_grid(e, x->dim[0], each, 1);
}

static bool accept_dropout(const struct cl_caps *c, const struct sct_opdesc *d)
{
    return rows_accept(c, d) && sct_desc_count(&d->in[0]) / 16 + 2 <= UINT32_MAX;
}

static bool accept_droppath(const struct cl_caps *c, const struct sct_opdesc *d)
{
    return rows_accept(c, d) && d->in[0].nd > 0 &&
           sct_desc_count(&d->in[0]) / d->in[0].dim[0] <= UINT32_MAX;
}

static void emit_adamw(struct cl_emit *e)
{
    const struct sct_adamw_params *p = e->d->params;
    const double b1 = (double)p->beta1, b2 = (double)p->beta2;
    cl_launch(e, "optim.cl", "adamw", NULL);
    for (uint32_t i = 0; i < 3; i++)
        cl_arg_out(e, i);
    cl_arg_in(e, 3);
    cl_arg_in(e, 4);
    cl_arg_state(e);
    rows_arg_shape(e, &e->d->in[0]);
    cl_arg_f32(e, p->lr_mult);
    cl_arg_f32(e, p->weight_decay);
    cl_arg_f32(e, p->beta1);
    cl_arg_f32(e, (float)(1.0 - b1));
    cl_arg_f32(e, (float)log(b1));
    cl_arg_f32(e, p->beta2);
    cl_arg_f32(e, (float)(1.0 - b2));
    cl_arg_f32(e, (float)log(b2));
    cl_arg_f32(e, p->eps);
    cl_arg_u32(e, e->d->n_in > 4);
    rows_grid(e, sct_desc_rows(&e->d->in[0]), sct_desc_last(&e->d->in[0]), 1);
}

static void emit_sgd(struct cl_emit *e)
{
    const struct sct_sgd_params *p = e->d->params;
    cl_launch(e, "optim.cl", "sgd", NULL);
    cl_arg_out(e, 0);
    cl_arg_out(e, 1);
    cl_arg_in(e, 2);
    cl_arg_in(e, 3);
    cl_arg_state(e);
    rows_arg_shape(e, &e->d->in[0]);
    cl_arg_f32(e, p->lr_mult);
    cl_arg_f32(e, p->weight_decay);
    cl_arg_f32(e, p->momentum);
    cl_arg_u32(e, p->nesterov != 0);
    cl_arg_u32(e, e->d->n_in > 3);
    rows_grid(e, sct_desc_rows(&e->d->in[0]), sct_desc_last(&e->d->in[0]), 1);
}

static void emit_ema(struct cl_emit *e)
{
    const struct sct_ema_params *p = e->d->params;
    cl_launch(e, "optim.cl", "ema", NULL);
    cl_arg_out(e, 0);
    cl_arg_in(e, 1);
    cl_arg_state(e);
    rows_arg_shape(e, &e->d->in[0]);
    cl_arg_f32(e, p->weight);
    cl_arg_u32(e, p->warmup != 0);
    rows_grid(e, sct_desc_rows(&e->d->in[0]), sct_desc_last(&e->d->in[0]), 1);
}

#define ROW(OP, NAME, ACCEPT, EMIT)                                                            \
    {                                                                                          \
        .op = SCT_OP_##OP, .name = NAME "/plain", .order = 1, .accepts = ACCEPT, .emit = EMIT  \
    }

const struct cl_row cl_rows_elementwise[] = {
    ROW(ADD, "add", accept_binary, emit_add),
    ROW(MUL, "mul", accept_binary, emit_mul),
    ROW(SCALE, "scale", rows_accept, emit_scale),
    ROW(GELU, "gelu", rows_accept, emit_gelu),
    ROW(GELU_DX, "gelu_dx", rows_accept, emit_gelu),
    ROW(RELU, "relu", rows_accept, emit_relu),
    ROW(RELU_DX, "relu_dx", rows_accept, emit_relu),
    ROW(DROPOUT, "dropout", accept_dropout, emit_dropout),
    ROW(DROPPATH, "droppath", accept_droppath, emit_droppath),
    ROW(ADAMW, "adamw", rows_accept, emit_adamw),
    ROW(SGD, "sgd", rows_accept, emit_sgd),
    ROW(EMA, "ema", rows_accept, emit_ema),
};
