/* SPDX-License-Identifier: MIT
 * rows_attention.c - attention over whole images and over shifted windows, and its gradients.
 */
#include <math.h>
#include <string.h>

#include "backends/opencl/rows.h"

static const char plain_file[] = "attention.cl", wide_file[] = "attention_wide.cl";
static const char simt_file[] = "attention_simt.cl";

/* Positions of the inputs; an absent table is ROWS_NONE. */
struct refs {
    uint32_t qkv, table, out, lse, dout;
};

struct shape {
    uint32_t b, n, heads, d, wn;
    float scale;
    struct sct_wattention_params w; /* grid_w 0: whole images */
};

static bool windowed(uint32_t op)
{
    return op == SCT_OP_WATTENTION || op == SCT_OP_WATTENTION_DX || op == SCT_OP_WATTENTION_DT;
}

static struct refs refs_of(const struct sct_opdesc *d)
{
    const uint32_t q = d->op == SCT_OP_WATTENTION_DT ? 1 : 0;
    if (windowed(d->op))
        return (struct refs){q, q + 1, q + 2, q + 3, q + 4};
    return (struct refs){0, ROWS_NONE, 1, 2, 3};
}

static struct shape shape_of(const struct sct_opdesc *d)
{
    const struct sct_desc *qkv = &d->in[refs_of(d).qkv];
    struct shape s = {.b = qkv->dim[0], .n = qkv->dim[1], .wn = qkv->dim[1]};
    if (windowed(d->op)) {
        s.w = *(const struct sct_wattention_params *)d->params;
        s.heads = s.w.heads;
        s.scale = s.w.scale;
        s.wn = s.w.win_h * s.w.win_w;
    } else {
        const struct sct_attention_params *p = d->params;
        s.heads = p->heads;
        s.scale = p->scale;
    }
    s.d = qkv->dim[2] / 3 / s.heads;
    if (s.scale == 0.0f)
        s.scale = (float)(1.0 / sqrt((double)s.d));
    return s;
}

static void arg_shape(struct cl_emit *e, const struct shape *s)
{
    cl_arg_u32(e, s->b);
    cl_arg_u32(e, s->n);
    cl_arg_u32(e, s->heads);
    cl_arg_u32(e, s->d);
    cl_arg_f32(e, s->scale);
    cl_arg_u32(e, s->wn);
    cl_arg_u32(e, s->w.grid_h);
    cl_arg_u32(e, s->w.grid_w);
    cl_arg_u32(e, s->w.win_h);
    cl_arg_u32(e, s->w.win_w);
    cl_arg_u32(e, s->w.shift_h);
    cl_arg_u32(e, s->w.shift_w);
}

static void emit_forward(struct cl_emit *e)
{
    const struct refs r = refs_of(e->d);
    const struct shape s = shape_of(e->d);
    cl_launch(e, plain_file, "attention", NULL);
    cl_arg_in(e, r.qkv);
    cl_arg_in(e, r.table);
    cl_arg_out(e, 0);
    cl_arg_out(e, 1);
    arg_shape(e, &s);
    rows_item_grid(e, (uint64_t)s.b * s.heads * s.n);
}

static void arg_inputs(struct cl_emit *e, const struct refs *r)
{
    cl_arg_in(e, r->qkv);
    cl_arg_in(e, r->table);
    cl_arg_in(e, r->out);
    cl_arg_in(e, r->lse);
    cl_arg_in(e, r->dout);
}

static void emit_backward(struct cl_emit *e)
{
    static const char *const kernel[2] = {"attention_dq", "attention_dkv"};
    const struct refs r = refs_of(e->d);
    const struct shape s = shape_of(e->d);
    for (int i = 0; i < 2; i++) {
        cl_launch(e, plain_file, kernel[i], NULL);
        arg_inputs(e, &r);
        cl_arg_out(e, 0);
        arg_shape(e, &s);
        rows_item_grid(e, (uint64_t)s.b * s.heads * s.n);
    }
}

static void emit_table(struct cl_emit *e)
{
    const struct refs r = refs_of(e->d);
    const struct shape s = shape_of(e->d);
    cl_launch(e, plain_file, "attention_dt", NULL);
    cl_arg_acc(e);
    cl_arg_state(e);
    arg_inputs(e, &r);
    arg_shape(e, &s);
    rows_item_grid(e, sct_desc_count(&e->d->in[0]));
}

/* ---- wide: a work-item takes a run of units (head, image, window) ---- */

struct runs {
    uint32_t total, parts, items;
    uint64_t room; /* floats of scratch of an item */
};

static uint64_t to_tiles(const struct cl_caps *c, uint64_t n)
{
    return rows_ceil(n, 2 * c->simd) * 2 * c->simd;
}

/* Units are shared out evenly over at most two items a thread (each has its own scratch, which
 * should still be in cache when its next unit comes); where there are too few, the
 * queries of a unit are cut into parts (forward only: the gradient needs a unit whole). */
static struct runs runs_of(const struct cl_caps *c, const struct sct_opdesc *d)
{
    const struct shape s = shape_of(d);
    const bool forward = d->op == SCT_OP_ATTENTION || d->op == SCT_OP_WATTENTION;
    const uint64_t dp = to_tiles(c, s.d), wp = to_tiles(c, s.wn);
    const uint64_t most = (uint64_t)c->units * 2;
    const uint64_t units = (uint64_t)s.b * s.heads * (s.n / s.wn);
    struct runs r = {.parts = 1};
    if (forward && units < most)
        r.parts = (uint32_t)rows_min(rows_ceil(most, units), rows_ceil(s.wn, 48));
    r.total = (uint32_t)(units * r.parts);
    r.items = (uint32_t)rows_min(r.total, most);
    /* tokens, regions, bias, k^T; then q, v, scores of a tile - or v^T, q, k, dout, P, ds */
    r.room = (s.w.grid_w ? s.wn + 2 : 3) * wp + wp * s.d;
    r.room += forward ? 2 * s.wn * dp + 12 * wp : wp * s.d + 3 * s.wn * dp + 2 * s.wn * wp;
    r.room = rows_ceil(r.room, 32) * 32;
    return r;
}

static bool accept_wide(const struct cl_caps *c, const struct sct_opdesc *d)
{
    const struct shape s = shape_of(d);
    return rows_accept(c, d) && (uint64_t)s.b * s.heads * (s.n / s.wn) <= UINT32_MAX / 64;
}

static void choose_wide(const struct cl_caps *c, const struct sct_opdesc *d,
                        struct sct_choice *ch)
{
    const struct runs r = runs_of(c, d);
    ch->scratch = r.room * r.items * sizeof(float);
}

static void emit_wide(struct cl_emit *e)
{
    const struct refs r = refs_of(e->d);
    const struct shape s = shape_of(e->d);
    const struct runs n = runs_of(e->caps, e->d);
    const bool forward = e->d->op == SCT_OP_ATTENTION || e->d->op == SCT_OP_WATTENTION;
    cl_launch(e, wide_file, forward ? "attention_wide" : "attention_dx_wide", NULL);
    if (forward) {
        cl_arg_in(e, r.qkv);
        cl_arg_in(e, r.table);
        cl_arg_out(e, 0);
        cl_arg_out(e, 1);
    } else {
        arg_inputs(e, &r);
        cl_arg_out(e, 0);
    }
    cl_arg_scratch(e, 0);
    arg_shape(e, &s);
    cl_arg_u32(e, n.total);
    if (forward)
        cl_arg_u32(e, n.parts);
    cl_arg_u64(e, n.room);
    cl_grid(e, n.items, 1, 1, 1, 1, 1);
}

/* ---- simt: one item for each query or key, a group has up to 64 of one window ---- */

/* HD floats of three rows must fit the registers of an item. */
static bool accept_simt(const struct cl_caps *c, const struct sct_opdesc *d)
{
    const struct shape s = shape_of(d);
    return rows_accept(c, d) && s.d % 16 == 0 && s.d <= 64 &&
           (uint64_t)s.b * s.heads * (s.n / s.wn) * rows_ceil(s.wn, 64) <= UINT32_MAX / 64;
}

static void launch_simt(struct cl_emit *e, const char *kernel, const struct shape *s)
{
    char options[24];
    (void)snprintf(options, sizeof options, "-DHD=%u", s->d);
    cl_launch(e, simt_file, kernel, options);
}

static uint64_t simt_groups(const struct shape *s)
{
    return (uint64_t)s->b * s->heads * (s->n / s->wn) * rows_ceil(s->wn, 64);
}

static void emit_forward_simt(struct cl_emit *e)
{
    const struct refs r = refs_of(e->d);
    const struct shape s = shape_of(e->d);
    launch_simt(e, "attention_simt", &s);
    cl_arg_in(e, r.qkv);
    cl_arg_in(e, r.table);
    cl_arg_out(e, 0);
    cl_arg_out(e, 1);
    arg_shape(e, &s);
    cl_grid(e, simt_groups(&s), 1, 1, 64, 1, 1);
}

/* Scratch: dout . out of every query. */
static void choose_dx_simt(const struct cl_caps *c, const struct sct_opdesc *d,
                           struct sct_choice *ch)
{
    (void)c;
    const struct shape s = shape_of(d);
    ch->scratch = (uint64_t)s.b * s.heads * s.n * sizeof(float);
}

static void emit_backward_simt(struct cl_emit *e)
{
    static const char *const kernel[3] = {"attention_dq_simt", "attention_dk_simt",
                                          "attention_dv_simt"};
    const struct refs r = refs_of(e->d);
    const struct shape s = shape_of(e->d);
    launch_simt(e, "attention_own", &s);
    cl_arg_in(e, r.out);
    cl_arg_in(e, r.dout);
    cl_arg_scratch(e, 0);
    cl_arg_u32(e, s.b);
    cl_arg_u32(e, s.n);
    cl_arg_u32(e, s.heads);
    cl_grid(e, rows_ceil((uint64_t)s.b * s.heads * s.n, 64), 1, 1, 64, 1, 1);
    for (int i = 0; i < 3; i++) {
        launch_simt(e, kernel[i], &s);
        cl_arg_in(e, r.qkv);
        cl_arg_in(e, r.table);
        cl_arg_scratch(e, 0);
        cl_arg_in(e, r.lse);
        cl_arg_in(e, r.dout);
        cl_arg_out(e, 0);
        arg_shape(e, &s);
        cl_grid(e, simt_groups(&s), 1, 1, 64, 1, 1);
    }
}

/* Inputs and outputs from those of attention, (qkv, table?) -> (out, lse), for the gradient,
 * too. */
static void test_values(struct cl_test *t, const struct sct_desc v[4], bool table, bool dx)
{
    uint32_t n = 0;
    t->d.in[n++] = v[0];
    if (table)
        t->d.in[n++] = v[1];
    if (dx) {
        t->d.in[n++] = v[2];
        t->d.in[n++] = v[3];
        t->d.in[n++] = v[2];
    }
    t->d.n_in = n;
    t->d.n_out = dx ? 1 : 2;
    t->d.out[0] = dx ? v[0] : v[2];
    t->d.out[1] = v[3];
}

/* Windows, a shift and a ragged last block in every case. The simt kernels do the same for
 * whole images. */
static bool test_windows(uint32_t i, struct cl_test *t, bool dx)
{
    static const struct sct_wattention_params cases[] = {
        {.heads = 2, .grid_h = 14, .grid_w = 7, .win_h = 7, .win_w = 7, .shift_h = 3},
        {.heads = 3, .grid_h = 9, .grid_w = 18, .win_h = 9, .win_w = 9, .shift_w = 4},
    };
    static const uint32_t size[] = {32, 64};
    if (i >= sizeof cases / sizeof cases[0])
        return false;
    const struct sct_wattention_params *p = &cases[i];
    const uint32_t n = p->grid_h * p->grid_w, c = p->heads * size[i];
    const uint32_t qkv[3] = {2, n, 3 * c}, out[3] = {2, n, c}, lse[3] = {2, p->heads, n};
    const uint32_t table[2] = {(2 * p->win_h - 1) * (2 * p->win_w - 1), p->heads};
    const struct sct_desc v[4] = {
        sct_desc_make(SCT_F32, 3, qkv), sct_desc_make(SCT_F32, 2, table),
        sct_desc_make(SCT_F32, 3, out), sct_desc_make(SCT_F32, 3, lse)};
    memcpy(t->params, p, sizeof *p);
    test_values(t, v, true, dx);
    return true;
}

/* Whole images: more units than items, and one, whose queries are cut. */
static bool test_images(uint32_t i, struct cl_test *t, bool dx)
{
    static const struct {
        uint32_t b, n, heads, d;
    } cases[] = {{2, 17, 3, 20}, {1, 197, 1, 64}};

    if (i >= sizeof cases / sizeof cases[0])
        return false;
    const uint32_t b = cases[i].b, n = cases[i].n, heads = cases[i].heads;
    const uint32_t c = heads * cases[i].d;
    const uint32_t qkv[3] = {b, n, 3 * c}, out[3] = {b, n, c}, lse[3] = {b, heads, n};
    const struct sct_desc v[4] = {
        sct_desc_make(SCT_F32, 3, qkv), [2] = sct_desc_make(SCT_F32, 3, out),
        [3] = sct_desc_make(SCT_F32, 3, lse)};
    const struct sct_attention_params p = {.heads = heads};
    memcpy(t->params, &p, sizeof p);
    test_values(t, v, false, dx);
    return true;
}

static bool tests_forward(uint32_t i, struct cl_test *t)
{
    return test_windows(i, t, false);
}

static bool tests_backward(uint32_t i, struct cl_test *t)
{
    return test_windows(i, t, true);
}

static bool tests_image_forward(uint32_t i, struct cl_test *t)
{
    return test_images(i, t, false);
}

static bool tests_image_backward(uint32_t i, struct cl_test *t)
{
    return test_images(i, t, true);
}

#define SIMT_NEEDS (CL_NEED_GPU | CL_NEED_LOCAL_32K)
#define WIDE(OP, NAME, TESTS)                                                                  \
    {                                                                                          \
        .op = SCT_OP_##OP, .name = NAME "/wide", .order = 2, .needs = CL_NEED_CPU,             \
        .candidate = true, .accepts = accept_wide, .choose = choose_wide, .emit = emit_wide,   \
        .tests = TESTS                                                                         \
    }
#define PLAIN(OP, NAME, EMIT)                                                                  \
    {                                                                                          \
        .op = SCT_OP_##OP, .name = NAME "/plain", .order = 1, .accepts = rows_accept,          \
        .emit = EMIT                                                                           \
    }

const struct cl_row cl_rows_attention[] = {
    WIDE(ATTENTION, "attention", tests_image_forward),
    WIDE(ATTENTION_DX, "attention_dx", tests_image_backward),
    WIDE(WATTENTION, "wattention", tests_forward),
    WIDE(WATTENTION_DX, "wattention_dx", tests_backward),
    {.op = SCT_OP_WATTENTION,
     .name = "wattention/simt",
     .order = 3,
     .needs = SIMT_NEEDS,
     .candidate = true,
     .accepts = accept_simt,
     .emit = emit_forward_simt,
     .tests = tests_forward},
    {.op = SCT_OP_WATTENTION_DX,
     .name = "wattention_dx/simt",
     .order = 3,
     .needs = SIMT_NEEDS,
     .candidate = true,
     .accepts = accept_simt,
     .choose = choose_dx_simt,
     .emit = emit_backward_simt,
     .tests = tests_backward},
    {.op = SCT_OP_ATTENTION,
     .name = "attention/simt",
     .order = 3,
     .needs = SIMT_NEEDS,
     .candidate = true,
     .accepts = accept_simt,
     .emit = emit_forward_simt,
     .verdict_of = "wattention/simt"},
    {.op = SCT_OP_ATTENTION_DX,
     .name = "attention_dx/simt",
     .order = 3,
     .needs = SIMT_NEEDS,
     .candidate = true,
     .accepts = accept_simt,
     .choose = choose_dx_simt,
     .emit = emit_backward_simt,
     .verdict_of = "wattention_dx/simt"},
    PLAIN(ATTENTION, "attention", emit_forward),
    PLAIN(ATTENTION_DX, "attention_dx", emit_backward),
    PLAIN(WATTENTION, "wattention", emit_forward),
    PLAIN(WATTENTION_DX, "wattention_dx", emit_backward),
    PLAIN(WATTENTION_DT, "wattention_dt", emit_table),
};
