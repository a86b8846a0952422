/* SPDX-License-Identifier: MIT
 * rows.h - what the row tables share: shapes, grids, the usual answers of accepts.
 * Kernels of common.clh's ROWS/COLS/VECS family have one work-item a group on a CPU device and
 * 64 items elsewhere; the grids below are their host side. */
#ifndef SCT_CL_ROWS_H
#define SCT_CL_ROWS_H

#include "backends/opencl/cl.h"
#include "backends/opencl/cl_layout.h"

enum { ROWS_LANES = 64, ROWS_NONE = SCT_MAX_IN /* cl_arg_in of an absent value */ };

static inline bool rows_cpu(const struct cl_caps *c)
{
    return (c->has & CL_NEED_CPU) != 0;
}

static inline uint64_t rows_ceil(uint64_t n, uint64_t by)
{
    return (n + by - 1) / by;
}

static inline uint64_t rows_min(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Ends a launch over rows x cols; `per` columns for each item (1: COLS, caps->simd: VECS). */
void rows_grid(struct cl_emit *e, uint64_t rows, uint64_t cols, uint32_t per);
/* The same where a column costs as much as `cost` elements. */
void rows_grid_cost(struct cl_emit *e, uint64_t rows, uint64_t cols, uint32_t per,
                    uint64_t cost);
/* Ends a launch with one group for each row (or for many rows, in a loop). */
void rows_group_grid(struct cl_emit *e, uint64_t rows);
/* Ends a launch with one item for each of n. */
void rows_item_grid(struct cl_emit *e, uint64_t n);

/* Rows and columns of a value as arguments `ulong rows, uint cols`. */
void rows_arg_shape(struct cl_emit *e, const struct sct_desc *d);

/* All inputs f32 or i32, all outputs f32, all dense. */
bool rows_accept(const struct cl_caps *c, const struct sct_opdesc *d);
/* in[0] and out[0] have elements of 4 bytes and are dense. */
bool rows_accept_move(const struct cl_caps *c, const struct sct_opdesc *d);

/* The tables, one for each family. A table whose length is not the one here does not compile.
 */
enum {
    ROWS_MOVE = 19,
    ROWS_ELEMENTWISE = 12,
    ROWS_CHANNEL = 8,
    ROWS_GEMM = 34,
    ROWS_NORM = 6,
    ROWS_ATTENTION = 13,
    ROWS_REDUCE = 10,
    ROWS_CONV = 6
};
extern const struct cl_row cl_rows_move[ROWS_MOVE], cl_rows_elementwise[ROWS_ELEMENTWISE],
    cl_rows_channel[ROWS_CHANNEL], cl_rows_gemm[ROWS_GEMM], cl_rows_norm[ROWS_NORM],
    cl_rows_attention[ROWS_ATTENTION], cl_rows_reduce[ROWS_REDUCE], cl_rows_conv[ROWS_CONV];

#endif
