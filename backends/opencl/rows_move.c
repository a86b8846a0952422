/* SPDX-License-Identifier: MIT
 * rows_move.c - rows that move data: feed, emit, image, index maps, casts, constants, packing.
 * All index maps are one kernel, move6: six nested strides and a window outside of which is
 * zero. */
#include "backends/opencl/rows.h"

static const char file[] = "move.cl";

static uint64_t image_bytes(const struct sct_desc *d)
{
    return d->dim[0] ? sct_desc_count(d) / d->dim[0] * sct_dtype_bytes(d->dtype) : 0;
}

static void emit_batch(struct cl_emit *e, const char *kernel, const struct sct_desc *micro)
{
    const uint64_t bytes = image_bytes(micro);
    cl_launch(e, file, kernel, NULL);
    cl_arg_in(e, 0);
    cl_arg_out(e, 0);
    cl_arg_state(e);
    cl_arg_u32(e, sct_dtype_bytes(micro->dtype));
    cl_arg_u64(e, bytes);
    cl_arg_u64(e, micro->dim[0]);
    rows_grid(e, micro->dim[0], bytes % 4 ? bytes : bytes / 4, 1);
}

static void emit_feed(struct cl_emit *e)
{
    emit_batch(e, "feed", &e->d->out[0]);
}

static void emit_emit(struct cl_emit *e)
{
    emit_batch(e, "emit_rows", &e->d->in[0]);
}

/* A byte row longer than 32 bits count would not fit the kernel's column index. */
static bool accept_batch(const struct cl_caps *c, const struct sct_opdesc *d)
{
    (void)c;
    return image_bytes(&d->in[0]) < UINT32_MAX;
}

static bool accept_image(const struct cl_caps *c, const struct sct_opdesc *d)
{
    (void)c;
    return d->in[0].dtype == SCT_U8 && d->in[1].dtype == SCT_F32 && d->out[0].dtype == SCT_F32;
}

static void emit_image(struct cl_emit *e)
{
    const struct sct_desc *x = &e->d->in[0];
    cl_launch(e, file, "image", NULL);
    cl_arg_in(e, 0);
    cl_arg_in(e, 1);
    cl_arg_out(e, 0);
    for (uint32_t i = 0; i < 3; i++)
        cl_arg_u32(e, x->dim[i]);
    rows_grid(e, UINT64_C(3) * x->dim[0] * x->dim[1], x->dim[2], 1);
}

/* ---- index maps ---- */

struct move {
    uint64_t rows;
    uint32_t e[4], cols;       /* extents 1 to 4; extent 0 follows from rows */
    uint64_t s[5], base;       /* strides 0 to 4, in elements */
    uint32_t first[3], len[3]; /* window in dimension 1, in dimension 2, in the columns */
};

/* Every extent 1, every window open. */
static struct move move_of(uint64_t rows, uint32_t cols)
{
    return (struct move){.rows = rows,
                         .e = {1, 1, 1, 1},
                         .cols = cols,
                         .len = {UINT32_MAX, UINT32_MAX, UINT32_MAX}};
}

static void emit_move(struct cl_emit *e, const struct move *m)
{
    cl_launch(e, file, "move6", NULL);
    cl_arg_in(e, 0);
    cl_arg_out(e, 0);
    cl_arg_u64(e, m->rows);
    for (int i = 0; i < 4; i++)
        cl_arg_u32(e, m->e[i]);
    cl_arg_u32(e, m->cols);
    for (int i = 0; i < 5; i++)
        cl_arg_u64(e, m->s[i]);
    cl_arg_u64(e, m->base);
    for (int i = 0; i < 3; i++) {
        cl_arg_u32(e, m->first[i]);
        cl_arg_u32(e, m->len[i]);
    }
    rows_grid(e, m->rows, m->cols, 1);
}

/* out (b, gy, gx, c, py, px) <- in (b, c, gy, py, gx, px) */
static void emit_patchify(struct cl_emit *e)
{
    const struct sct_patchify_params *p = e->d->params;
    const uint32_t *x = e->d->in[0].dim;
    const uint32_t gh = x[2] / p->patch, gw = x[3] / p->patch;
    const uint64_t w = x[3], plane = (uint64_t)x[2] * w;
    struct move m = move_of((uint64_t)x[0] * gh * gw * x[1] * p->patch, p->patch);
    const uint32_t ext[4] = {gh, gw, x[1], p->patch};
    const uint64_t s[5] = {x[1] * plane, p->patch * w, p->patch, plane, w};
    for (int i = 0; i < 4; i++)
        m.e[i] = ext[i];
    for (int i = 0; i < 5; i++)
        m.s[i] = s[i];
    emit_move(e, &m);
}

/* out (b, c, gy, py, gx, px) <- in (b, gy, gx, c, py, px) */
static void emit_unpatchify(struct cl_emit *e)
{
    const struct sct_patchify_params *p = e->d->params;
    const uint32_t *y = e->d->out[0].dim;
    const uint32_t gh = y[2] / p->patch, gw = y[3] / p->patch;
    const uint64_t one = (uint64_t)p->patch * p->patch, cell = y[1] * one;
    struct move m = move_of((uint64_t)y[0] * y[1] * y[2] * gw, p->patch);
    const uint32_t ext[4] = {y[1], gh, p->patch, gw};
    const uint64_t s[5] = {gh * gw * cell, one, gw * cell, p->patch, cell};
    for (int i = 0; i < 4; i++)
        m.e[i] = ext[i];
    for (int i = 0; i < 5; i++)
        m.s[i] = s[i];
    emit_move(e, &m);
}

static void emit_slice_tokens(struct cl_emit *e)
{
    const struct sct_range_params *p = e->d->params;
    const uint32_t *x = e->d->in[0].dim, *y = e->d->out[0].dim;
    struct move m = move_of((uint64_t)y[0] * y[1], y[2]);
    m.e[3] = y[1];
    m.s[0] = (uint64_t)x[1] * x[2];
    m.s[4] = x[2];
    m.base = (uint64_t)p->first * x[2];
    emit_move(e, &m);
}

static void emit_pad_tokens(struct cl_emit *e)
{
    const struct sct_range_params *p = e->d->params;
    const uint32_t *x = e->d->in[0].dim, *y = e->d->out[0].dim;
    struct move m = move_of((uint64_t)y[0] * y[1], y[2]);
    m.e[0] = y[1];
    m.s[0] = (uint64_t)x[1] * x[2];
    m.s[1] = x[2];
    m.base = 0 - (uint64_t)p->first * x[2];
    m.first[0] = p->first;
    m.len[0] = x[1];
    emit_move(e, &m);
}

/* out (b, y/2, x/2, column parity, row parity, c) <- in (b, y, x, c) */
static void emit_patch_merge(struct cl_emit *e)
{
    const struct sct_grid_params *p = e->d->params;
    const uint64_t c = e->d->in[0].dim[2], line = p->w * c;
    struct move m = move_of((uint64_t)e->d->in[0].dim[0] * p->h * p->w, (uint32_t)c);
    const uint32_t ext[4] = {p->h / 2, p->w / 2, 2, 2};
    const uint64_t s[5] = {p->h * line, 2 * line, 2 * c, c, line};
    for (int i = 0; i < 4; i++)
        m.e[i] = ext[i];
    for (int i = 0; i < 5; i++)
        m.s[i] = s[i];
    emit_move(e, &m);
}

/* out (b, y/2, row parity, x/2, column parity, c) <- in (b, y/2, x/2, column p., row p., c) */
static void emit_patch_split(struct cl_emit *e)
{
    const struct sct_grid_params *p = e->d->params;
    const uint64_t c = e->d->out[0].dim[2], cell = 4 * c;
    struct move m = move_of((uint64_t)e->d->out[0].dim[0] * p->h * p->w, (uint32_t)c);
    const uint32_t ext[4] = {p->h / 2, 2, p->w / 2, 2};
    const uint64_t s[5] = {(uint64_t)p->h * p->w * c, p->w / 2 * cell, c, cell, 2 * c};
    for (int i = 0; i < 4; i++)
        m.e[i] = ext[i];
    for (int i = 0; i < 5; i++)
        m.s[i] = s[i];
    emit_move(e, &m);
}

/* PAD_GRID and CROP_GRID: zero where the input has no such place. */
static void emit_grid(struct cl_emit *e)
{
    const struct sct_grid_params *p = e->d->params;
    const uint32_t *y = e->d->out[0].dim;
    const uint64_t rows = (uint64_t)y[0] * y[1];
    cl_launch(e, file, "resize_grid", NULL);
    cl_arg_in(e, 0);
    cl_arg_out(e, 0);
    cl_arg_u64(e, rows);
    cl_arg_u32(e, y[2]);
    cl_arg_u32(e, p->h);
    cl_arg_u32(e, p->w);
    cl_arg_u32(e, p->out_h);
    cl_arg_u32(e, p->out_w);
    cl_arg_u32(e, p->roll_h);
    cl_arg_u32(e, p->roll_w);
    rows_grid(e, rows, y[2], 1);
}

static void emit_slice_ch(struct cl_emit *e)
{
    const struct sct_range_params *p = e->d->params;
    struct move m = move_of(sct_desc_rows(&e->d->out[0]), sct_desc_last(&e->d->out[0]));
    m.s[0] = sct_desc_last(&e->d->in[0]);
    m.base = p->first;
    emit_move(e, &m);
}

static void emit_pad_ch(struct cl_emit *e)
{
    const struct sct_range_params *p = e->d->params;
    struct move m = move_of(sct_desc_rows(&e->d->out[0]), sct_desc_last(&e->d->out[0]));
    m.s[0] = sct_desc_last(&e->d->in[0]);
    m.base = 0 - (uint64_t)p->first;
    m.first[2] = p->first;
    m.len[2] = sct_desc_last(&e->d->in[0]);
    emit_move(e, &m);
}

/* [B][N1][C] and [B][N2][C]; one of them may be [N][C]. */
static void emit_concat(struct cl_emit *e)
{
    const struct sct_desc *x = &e->d->in[0], *y = &e->d->in[1], *z = &e->d->out[0];
    const uint32_t na = x->dim[x->nd - 2], nb = y->dim[y->nd - 2], c = z->dim[2];
    cl_launch(e, file, "concat", NULL);
    cl_arg_in(e, 0);
    cl_arg_in(e, 1);
    cl_arg_out(e, 0);
    cl_arg_u32(e, z->dim[0]);
    cl_arg_u32(e, na);
    cl_arg_u32(e, nb);
    cl_arg_u32(e, c);
    cl_arg_u64(e, x->nd == 3 ? (uint64_t)na * c : 0);
    cl_arg_u64(e, y->nd == 3 ? (uint64_t)nb * c : 0);
    rows_grid(e, (uint64_t)z->dim[0] * z->dim[1], c, 1);
}

/* ---- copies, casts, constants, packing ---- */

static void emit_copy(struct cl_emit *e)
{
    cl_copy(e, 0, 0);
}

static bool accept_cast(const struct cl_caps *c, const struct sct_opdesc *d)
{
    (void)c;
    const uint32_t a = d->in[0].dtype, b = d->out[0].dtype;
    return a == b || (a == SCT_F32 && (b == SCT_BF16 || b == SCT_F16)) ||
           (b == SCT_F32 && (a == SCT_BF16 || a == SCT_F16));
}

static void emit_cast(struct cl_emit *e)
{
    const uint32_t a = e->d->in[0].dtype, b = e->d->out[0].dtype;
    if (a == b) {
        cl_copy(e, 0, 0);
        return;
    }
    cl_launch(e, file,
              a == SCT_BF16   ? "cast_bf16_f32"
              : a == SCT_F16  ? "cast_f16_f32"
              : b == SCT_BF16 ? "cast_f32_bf16"
                              : "cast_f32_f16",
              NULL);
    cl_arg_in(e, 0);
    cl_arg_out(e, 0);
    rows_arg_shape(e, &e->d->in[0]);
    rows_grid(e, sct_desc_rows(&e->d->in[0]), sct_desc_last(&e->d->in[0]), 1);
}

static bool accept_f32_out(const struct cl_caps *c, const struct sct_opdesc *d)
{
    (void)c;
    return d->out[0].dtype == SCT_F32;
}

static void emit_fill(struct cl_emit *e)
{
    const struct sct_fill_params *p = e->d->params;
    cl_launch(e, file, "fill", NULL);
    cl_arg_out(e, 0);
    rows_arg_shape(e, &e->d->out[0]);
    cl_arg_f32(e, p->value);
    rows_grid(e, sct_desc_rows(&e->d->out[0]), sct_desc_last(&e->d->out[0]), 1);
}

static void emit_zero(struct cl_emit *e)
{
    cl_zero_out(e, 0);
}

static bool accept_pack(const struct cl_caps *c, const struct sct_opdesc *d)
{
    (void)c;
    const struct sct_pack_params *p = d->params;
    return p->layout == CL_DENSE ||
           ((p->layout == CL_PANEL || p->layout == CL_PANEL_T) && d->in[0].nd == 2 &&
            d->in[0].dtype == SCT_F32 && !d->in[0].layout);
}

static void emit_pack(struct cl_emit *e)
{
    const struct sct_pack_params *p = e->d->params;
    const uint32_t out = e->d->in[0].dim[0], in = e->d->in[0].dim[1];
    if (p->layout == CL_DENSE) {
        cl_copy(e, 0, 0);
        return;
    }
    const bool t = p->layout == CL_PANEL_T;
    const uint32_t n = t ? in : out, k = t ? out : in;
    cl_launch(e, file, "pack32", NULL);
    cl_arg_in(e, 0);
    cl_arg_out(e, 0);
    cl_arg_u32(e, n);
    cl_arg_u32(e, k);
    cl_arg_u64(e, t ? 1 : in);
    cl_arg_u64(e, t ? in : 1);
    rows_grid(e, rows_ceil(n, CL_PANEL_COLS) * k, CL_PANEL_COLS, 1);
}

#define MOVE(OP, NAME, ACCEPT, EMIT)                                                           \
    {                                                                                          \
        .op = SCT_OP_##OP, .name = NAME "/plain", .order = 1, .accepts = ACCEPT, .emit = EMIT  \
    }

const struct cl_row cl_rows_move[] = {
    MOVE(FEED, "feed", accept_batch, emit_feed),
    MOVE(EMIT, "emit", accept_batch, emit_emit),
    MOVE(IMAGE, "image", accept_image, emit_image),
    MOVE(PATCHIFY, "patchify", rows_accept_move, emit_patchify),
    MOVE(UNPATCHIFY, "unpatchify", rows_accept_move, emit_unpatchify),
    MOVE(COPY, "copy", NULL, emit_copy),
    MOVE(CAST, "cast", accept_cast, emit_cast),
    MOVE(FILL, "fill", accept_f32_out, emit_fill),
    MOVE(ZERO, "zero", NULL, emit_zero),
    MOVE(PACK, "pack", accept_pack, emit_pack),
    MOVE(CONCAT_TOKENS, "concat_tokens", rows_accept_move, emit_concat),
    MOVE(SLICE_TOKENS, "slice_tokens", rows_accept_move, emit_slice_tokens),
    MOVE(PAD_TOKENS, "pad_tokens", rows_accept_move, emit_pad_tokens),
    MOVE(PATCH_MERGE, "patch_merge", rows_accept_move, emit_patch_merge),
    MOVE(PATCH_SPLIT, "patch_split", rows_accept_move, emit_patch_split),
    MOVE(PAD_GRID, "pad_grid", rows_accept_move, emit_grid),
    MOVE(CROP_GRID, "crop_grid", rows_accept_move, emit_grid),
    MOVE(SLICE_CH, "slice_ch", rows_accept_move, emit_slice_ch),
    MOVE(PAD_CH, "pad_ch", rows_accept_move, emit_pad_ch),
};
