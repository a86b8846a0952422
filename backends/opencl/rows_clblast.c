/* SPDX-License-Identifier: MIT
 * rows_clblast.c - linear and linear_dx by CLBlast's SGEMM (--gemm clblast), dense f32 only.
 * It is asked for by name and never chosen by itself: the order of its sums is its tuning's,
 * which differs from device to device and from version to version. */
#include "backends/opencl/rows.h"

/* CLBlast casts sizes to int. */
static bool fits(uint64_t rows, uint64_t cols)
{
    return rows <= INT32_MAX && cols <= INT32_MAX;
}

static bool accept(const struct cl_caps *c, const struct sct_opdesc *d)
{
    const uint64_t rows = sct_desc_rows(&d->in[0]);
    return rows_accept(c, d) && fits(rows, sct_desc_last(&d->in[0])) &&
           fits(rows, sct_desc_last(&d->out[0]));
}

/* y = x w^T + bias: the bias is added in a second launch, in place. */
static void emit_linear(struct cl_emit *e)
{
    const uint32_t rows = (uint32_t)sct_desc_rows(&e->d->in[0]);
    const uint32_t n = sct_desc_last(&e->d->out[0]), k = sct_desc_last(&e->d->in[0]);
    cl_sgemm(e, rows, n, k, 0, 1, true, 0);
    if (e->d->n_in < 3)
        return;
    cl_launch(e, "elementwise.cl", "add", NULL);
    cl_arg_out(e, 0);
    cl_arg_in(e, 2);
    cl_arg_out(e, 0);
    cl_arg_u64(e, rows);
    cl_arg_u32(e, n);
    cl_arg_u32(e, 0); /* one row of bias for all */
    rows_grid(e, rows, n, e->caps->simd);
}

/* dx = dy w. */
static void emit_linear_dx(struct cl_emit *e)
{
    cl_sgemm(e, (uint32_t)sct_desc_rows(&e->d->in[0]), sct_desc_last(&e->d->out[0]),
             sct_desc_last(&e->d->in[0]), 0, 1, false, 0);
}

/* Sizes on both sides of CLBlast's switch between its direct and its indirect kernel. */
static const uint32_t sizes[][3] = {{1, 5, 7}, {17, 33, 65}, {197, 192, 192}, {394, 576, 96}};

static bool next_size(uint32_t i, struct cl_test *t, bool dx)
{
    if (i >= sizeof sizes / sizeof sizes[0])
        return false;
    const uint32_t m = sizes[i][0], n = sizes[i][1], k = sizes[i][2];
    const uint32_t x[2] = {m, dx ? n : k}, w[2] = {n, k}, y[2] = {m, dx ? k : n};
    t->d.n_in = dx ? 2 : 3;
    t->d.n_out = 1;
    t->d.in[0] = sct_desc_make(SCT_F32, 2, x);
    t->d.in[1] = sct_desc_make(SCT_F32, 2, w);
    t->d.in[2] = sct_desc_make(SCT_F32, 1, &n);
    t->d.out[0] = sct_desc_make(SCT_F32, 2, y);
    return true;
}

static bool tests_linear(uint32_t i, struct cl_test *t)
{
    return next_size(i, t, false);
}

static bool tests_linear_dx(uint32_t i, struct cl_test *t)
{
    return next_size(i, t, true);
}

const struct cl_row cl_rows_clblast[CL_ROWS_CLBLAST] = {
    {.op = SCT_OP_LINEAR,
     .name = "linear/clblast",
     .order = 90,
     .needs = CL_NEED_CLBLAST,
     .candidate = true,
     .accepts = accept,
     .emit = emit_linear,
     .tests = tests_linear},
    {.op = SCT_OP_LINEAR_DX,
     .name = "linear_dx/clblast",
     .order = 90,
     .needs = CL_NEED_CLBLAST,
     .candidate = true,
     .accepts = accept,
     .emit = emit_linear_dx,
     .tests = tests_linear_dx},
};
