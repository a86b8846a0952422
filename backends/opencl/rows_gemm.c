/* SPDX-License-Identifier: MIT
 * rows_gemm.c - matrix products and what is made of them: linear and its gradients with fused
 * ends, the SCT module, the LoRA pair. An op is a list of products (struct mm); each of the
 * three engines - wide (CPU devices), simt (others), plain - can run any product. wide and simt
 * read weights in panels. */
#include "backends/opencl/rows.h"

static const char plain_file[] = "gemm.cl", wide_file[] = "gemm_wide.cl";
static const char simt_file[] = "gemm_simt.cl";

/* As in common.clh. */
enum epi {
    EPI_BIAS = 1,
    EPI_GELU = 2,
    EPI_ADD = 4,
    EPI_GELU_GRAD = 8,
    EPI_RANGE = 16,
    EPI_SCATTER = 32
};

/* Index of an input, or of an output plus OUT. */
enum { OUT = 16 };

/* result = end(a [rows][k] w); `t`: w is [k][n] (the gradient of a linear), else [n][k]. */
struct mm {
    uint32_t a, w, bias, extra, idx, out, out2;
    bool t;
    uint64_t rows;
    uint32_t n, k, ld, first;
    float mul;
    uint32_t flags, kind;
};

typedef void mm_fn(struct cl_emit *e, const struct mm *m);

static void arg(struct cl_emit *e, uint32_t ref)
{
    if (ref >= OUT)
        cl_arg_out(e, ref - OUT);
    else
        cl_arg_in(e, ref);
}

/* The arguments that all product kernels begin with (EPI_ARGS of common.clh). */
static void mm_args(struct cl_emit *e, const struct mm *m)
{
    arg(e, m->a);
    arg(e, m->w);
    arg(e, m->bias);
    arg(e, m->extra);
    arg(e, m->idx);
    arg(e, m->out);
    arg(e, m->out2);
    cl_arg_u64(e, m->rows);
    cl_arg_u32(e, m->n);
    cl_arg_u32(e, m->k);
    cl_arg_u32(e, m->ld);
    cl_arg_u32(e, m->first);
    cl_arg_f32(e, m->mul);
    cl_arg_u32(e, m->flags);
    cl_arg_u32(e, m->kind);
}

/* ---- engines ---- */

static void mm_plain(struct cl_emit *e, const struct mm *m)
{
    cl_launch(e, plain_file, "gemm", NULL);
    mm_args(e, m);
    cl_arg_u64(e, m->t ? 1 : m->k);
    cl_arg_u64(e, m->t ? m->n : 1);
    rows_grid_cost(e, m->rows, m->n, 1, m->k);
}

/* Rows a work-item of the wide kernels takes: as many as stay in a core's cache (w is read once
 * for each such block), few enough that all threads have some. */
static uint32_t wide_block(const struct cl_caps *c, uint64_t rows, uint64_t col_tiles,
                           uint64_t k)
{
    const uint32_t tile = c->simd == 16 ? 12 : 6;
    const uint64_t tiles = rows_ceil(rows, tile),
                   tile_bytes = sizeof(float) * tile * (k ? k : 1);
    const uint64_t by_cache = (UINT64_C(2) << 20) / tile_bytes;
    const uint64_t groups = (uint64_t)c->units * 8;
    const uint64_t by_threads = rows_ceil(tiles * col_tiles, groups);
    uint64_t n = rows_min(by_cache, by_threads);
    n = n ? n : 1;
    return tile * (uint32_t)rows_min(rows_ceil(tiles, rows_ceil(tiles, n)), UINT32_MAX / 16);
}

static void mm_wide(struct cl_emit *e, const struct mm *m)
{
    const uint64_t cols = rows_ceil(m->n, 2 * e->caps->simd);
    const uint32_t block = wide_block(e->caps, m->rows, cols, m->k);
    cl_launch(e, wide_file, "gemm_wide", NULL);
    mm_args(e, m);
    cl_arg_u32(e, block);
    cl_grid(e, cols, rows_ceil(m->rows, block), 1, 1, 1, 1);
}

/* Tiles of 128 x 128 where they keep every compute unit busy, else of 64 x 64. vec: rows of
 * dense operands are whole float4s. */
static uint32_t simt_side(const struct cl_caps *c, uint64_t rows, uint64_t cols)
{
    return rows_ceil(rows, 128) * rows_ceil(cols, 128) >= c->units ? 128 : 64;
}

static const char *simt_options(uint32_t side, bool vec)
{
    if (side == 128)
        return vec ? "-DPER=8 -DVEC=1" : "-DPER=8";
    return vec ? "-DPER=4 -DVEC=1" : "-DPER=4";
}

static void mm_simt(struct cl_emit *e, const struct mm *m)
{
    const uint32_t side = simt_side(e->caps, m->rows, m->n);
    const uint64_t rows = rows_ceil(m->rows, side), cols = rows_ceil(m->n, side);
    cl_launch(e, simt_file, "gemm_simt", simt_options(side, m->k % 4 == 0));
    mm_args(e, m);
    cl_arg_u32(e, (uint32_t)rows);
    cl_arg_u32(e, (uint32_t)cols);
    cl_grid(e, rows * cols, 1, 1, 256, 1, 1);
}

/* ---- ops ---- */

static struct mm mm_of(uint64_t rows, uint32_t n, uint32_t k)
{
    return (struct mm){.a = ROWS_NONE,
                       .w = ROWS_NONE,
                       .bias = ROWS_NONE,
                       .extra = ROWS_NONE,
                       .idx = ROWS_NONE,
                       .out = OUT,
                       .out2 = OUT,
                       .rows = rows,
                       .n = n,
                       .k = k,
                       .ld = n,
                       .mul = 1.0f};
}

/* LINEAR, LINEAR_GELU: (x, w, bias?); LINEAR_ADD: (res, x, w, bias?). */
static void op_linear(struct cl_emit *e, mm_fn *run)
{
    const struct sct_opdesc *d = e->d;
    const uint32_t x = d->op == SCT_OP_LINEAR_ADD ? 1 : 0;
    struct mm m = mm_of(sct_desc_rows(&d->in[x]), d->in[x + 1].dim[0], d->in[x + 1].dim[1]);
    m.a = x;
    m.w = x + 1;
    if (d->n_in > x + 2) {
        m.bias = x + 2;
        m.flags |= EPI_BIAS;
    }
    if (x) {
        m.extra = 0;
        m.flags |= EPI_ADD;
    }
    if (d->op == SCT_OP_LINEAR_GELU) {
        m.flags |= EPI_GELU;
        m.out2 = OUT + 1;
        m.kind = ((const struct sct_gelu_params *)d->params)->kind;
    }
    run(e, &m);
}

/* LINEAR_DX: (dy, w); LINEAR_DX_GELU: (dy, w, pre); LINEAR_DX_ADD: (res, dy, w). */
static void op_linear_dx(struct cl_emit *e, mm_fn *run)
{
    const struct sct_opdesc *d = e->d;
    const uint32_t x = d->op == SCT_OP_LINEAR_DX_ADD ? 1 : 0;
    struct mm m = mm_of(sct_desc_rows(&d->in[x]), d->in[x + 1].dim[1], d->in[x + 1].dim[0]);
    m.a = x;
    m.w = x + 1;
    m.t = true;
    if (x) {
        m.extra = 0;
        m.flags = EPI_ADD;
    } else if (d->op == SCT_OP_LINEAR_DX_GELU) {
        m.extra = 2;
        m.flags = EPI_GELU_GRAD;
        m.kind = ((const struct sct_gelu_params *)d->params)->kind;
    }
    run(e, &m);
}

/* (h, idx, w [K][K], bias?) -> h', h[idx]. The second output is the product's input. */
static void op_sct(struct cl_emit *e, mm_fn *run)
{
    const struct sct_opdesc *d = e->d;
    const struct sct_module_params *p = d->params;
    const bool dx = d->op == SCT_OP_SCT_MODULE_DX;
    const uint64_t rows = sct_desc_rows(&d->in[0]);
    const uint32_t c = sct_desc_last(&d->in[0]), k = d->in[2].dim[0];
    cl_launch(e, "channel.cl", "gather", NULL);
    cl_arg_in(e, 0);
    cl_arg_in(e, 1);
    cl_arg_out(e, 1);
    cl_arg_u64(e, rows);
    cl_arg_u32(e, c);
    cl_arg_u32(e, k);
    cl_arg_f32(e, dx ? p->scale : 1.0f);
    rows_grid(e, rows, k, 1);
    cl_copy(e, 0, 0);
    struct mm m = mm_of(rows, k, k);
    m.a = OUT + 1;
    m.w = 2;
    m.t = dx;
    m.idx = 1;
    m.flags = EPI_SCATTER;
    m.ld = c;
    if (!dx) {
        m.mul = p->scale;
        if (d->n_in > 3) {
            m.bias = 3;
            m.flags |= EPI_BIAS;
        }
    }
    run(e, &m);
}

/* (y, x, a [R][in], b [k][R]) -> y with scale (x a^T) b^T in channels first..; t = x a^T. */
static void op_lora(struct cl_emit *e, mm_fn *run)
{
    const struct sct_opdesc *d = e->d;
    const struct sct_module_params *p = d->params;
    const uint64_t rows = sct_desc_rows(&d->in[1]);
    const uint32_t rank = d->in[2].dim[0];
    struct mm m = mm_of(rows, rank, d->in[2].dim[1]);
    m.a = 1;
    m.w = 2;
    m.out = OUT + 1;
    run(e, &m);
    cl_copy(e, 0, 0);
    m = mm_of(rows, d->in[3].dim[0], rank);
    m.a = OUT + 1;
    m.w = 3;
    m.ld = sct_desc_last(&d->in[0]);
    m.first = p->first;
    m.mul = p->scale;
    m.flags = EPI_RANGE;
    run(e, &m);
}

/* (dx, dy, a, b) -> dx + dt a; dt = du b; du = scale dy[first..]. */
static void op_lora_dx(struct cl_emit *e, mm_fn *run)
{
    const struct sct_opdesc *d = e->d;
    const struct sct_module_params *p = d->params;
    const uint64_t rows = sct_desc_rows(&d->in[1]);
    const uint32_t rank = d->in[2].dim[0], k = d->in[3].dim[0];
    cl_launch(e, "channel.cl", "slice_scaled", NULL);
    cl_arg_in(e, 1);
    cl_arg_out(e, 2);
    cl_arg_u64(e, rows);
    cl_arg_u32(e, sct_desc_last(&d->in[1]));
    cl_arg_u32(e, k);
    cl_arg_u32(e, p->first);
    cl_arg_f32(e, p->scale);
    rows_grid(e, rows, k, 1);
    struct mm m = mm_of(rows, rank, k);
    m.a = OUT + 2;
    m.w = 3;
    m.t = true;
    m.out = OUT + 1;
    run(e, &m);
    m = mm_of(rows, d->in[2].dim[1], rank);
    m.a = OUT + 1;
    m.w = 2;
    m.t = true;
    m.extra = 0;
    m.flags = EPI_ADD;
    run(e, &m);
}

/* ---- which inputs are weights ---- */

/* Bits of the inputs that the wide and simt engines read in panels. */
static uint32_t weights_of(uint32_t op)
{
    switch (op) {
    case SCT_OP_LINEAR:
    case SCT_OP_LINEAR_GELU:
    case SCT_OP_LINEAR_DX:
    case SCT_OP_LINEAR_DX_GELU:
        return 1u << 1;
    case SCT_OP_LORA_MODULE:
    case SCT_OP_LORA_MODULE_DX:
        return 1u << 2 | 1u << 3;
    default: /* LINEAR_ADD, LINEAR_DX_ADD, SCT_MODULE, SCT_MODULE_DX */
        return 1u << 2;
    }
}

static uint32_t layout_of(uint32_t op)
{
    return op == SCT_OP_LINEAR_DX || op == SCT_OP_LINEAR_DX_GELU ||
                   op == SCT_OP_LINEAR_DX_ADD || op == SCT_OP_SCT_MODULE_DX ||
                   op == SCT_OP_LORA_MODULE_DX
               ? CL_PANEL_T
               : CL_PANEL;
}

/* Weights must be known before the body, dense now or in the layout that was asked for. */
static bool accept_packed(const struct cl_caps *c, const struct sct_opdesc *d)
{
    struct sct_opdesc dense = *d;
    const uint32_t w = weights_of(d->op), layout = layout_of(d->op);
    for (uint32_t i = 0; i < d->n_in; i++) {
        if (!(w >> i & 1u))
            continue;
        if (d->cls[i] > SCT_SEG_PROLOGUE || d->in[i].nd != 2 ||
            (d->in[i].layout && d->in[i].layout != layout))
            return false;
        dense.in[i].layout = CL_DENSE;
    }
    return rows_accept(c, &dense);
}

static void choose_packed(const struct cl_caps *c, const struct sct_opdesc *d,
                          struct sct_choice *ch)
{
    (void)c;
    for (uint32_t i = 0; i < d->n_in; i++)
        if (weights_of(d->op) >> i & 1u)
            ch->pack_in[i] = layout_of(d->op);
}

/* ---- the weight's gradient: (acc [out][in], dy [..][out], x [..][in]) ---- */

static void emit_dw_plain(struct cl_emit *e)
{
    const uint32_t out = e->d->in[0].dim[0], in = e->d->in[0].dim[1];
    cl_launch(e, plain_file, "gemm_dw", NULL);
    cl_arg_acc(e);
    cl_arg_state(e);
    cl_arg_in(e, 1);
    cl_arg_in(e, 2);
    cl_arg_u64(e, sct_desc_rows(&e->d->in[1]));
    cl_arg_u32(e, out);
    cl_arg_u32(e, in);
    rows_grid_cost(e, out, in, 1, sct_desc_rows(&e->d->in[1]));
}

/* (acc [K], dy, x, idx [K]): these elements alone. */
static void emit_dw_el(struct cl_emit *e)
{
    const uint64_t rows = sct_desc_rows(&e->d->in[1]);
    const uint32_t k = e->d->in[3].dim[0];
    cl_launch(e, plain_file, "gemm_dw_el", NULL);
    cl_arg_acc(e);
    cl_arg_state(e);
    cl_arg_in(e, 1);
    cl_arg_in(e, 2);
    cl_arg_in(e, 3);
    cl_arg_u64(e, rows);
    cl_arg_u32(e, sct_desc_last(&e->d->in[1]));
    cl_arg_u32(e, sct_desc_last(&e->d->in[2]));
    cl_arg_u32(e, k);
    rows_grid_cost(e, 1, k, e->caps->simd, rows);
}

static bool accept_dw_wide(const struct cl_caps *c, const struct sct_opdesc *d)
{
    const uint32_t cols = 2 * c->simd;
    return rows_accept(c, d) && (d->in[0].dim[0] >= cols || d->in[0].dim[1] >= cols) &&
           sct_desc_rows(&d->in[1]) <= UINT32_MAX;
}

/* Vectors lie along `in`, or along `out` where the former is too narrow. */
static void emit_dw_wide(struct cl_emit *e)
{
    const uint32_t out = e->d->in[0].dim[0], in = e->d->in[0].dim[1];
    const bool along_in = in >= 2 * e->caps->simd;
    const uint32_t m = along_in ? out : in, n = along_in ? in : out;
    const uint64_t rows = sct_desc_rows(&e->d->in[1]), cols = rows_ceil(n, 2 * e->caps->simd);
    /* m is cut only as far as threads need it: every block brings together y's rows anew */
    const uint64_t blocks = rows_ceil((uint64_t)e->caps->units * 4, cols);
    const uint32_t tile = e->caps->simd == 16 ? 12 : 6;
    const uint32_t block = (uint32_t)rows_ceil(rows_ceil(m, blocks), tile) * tile;
    cl_launch(e, wide_file, "gemm_dw_wide", NULL);
    cl_arg_acc(e);
    cl_arg_state(e);
    cl_arg_in(e, along_in ? 1 : 2);
    cl_arg_in(e, along_in ? 2 : 1);
    cl_arg_u64(e, rows);
    cl_arg_u32(e, m);
    cl_arg_u32(e, n);
    cl_arg_u32(e, along_in ? in : 1);
    cl_arg_u32(e, along_in ? 1 : in);
    cl_arg_u32(e, block);
    cl_grid(e, rows_ceil(m, block), cols, 1, 1, 1, 1);
}

/* Runs of rows so that there are about two groups for each compute unit, none shorter than 256.
 */
struct splits {
    uint32_t side, run, n;
    uint64_t tiles, cols;
};

static struct splits splits_of(const struct cl_caps *c, const struct sct_opdesc *d)
{
    const uint32_t out = d->in[0].dim[0], in = d->in[0].dim[1];
    const uint64_t rows = sct_desc_rows(&d->in[1]);
    struct splits s = {.side = simt_side(c, out, in)};
    s.cols = rows_ceil(in, s.side);
    s.tiles = s.cols * rows_ceil(out, s.side);
    const uint64_t most = rows_ceil(rows, 256),
                   want = rows_ceil(2 * (uint64_t)c->units, s.tiles);
    s.run = (uint32_t)(rows_ceil(rows_ceil(rows, rows_min(want, most)), 16) * 16);
    s.n = (uint32_t)rows_ceil(rows, s.run);
    return s;
}

static void choose_dw_simt(const struct cl_caps *c, const struct sct_opdesc *d,
                           struct sct_choice *ch)
{
    ch->scratch = splits_of(c, d).n * sct_desc_count(&d->in[0]) * sizeof(float);
}

static bool accept_dw_simt(const struct cl_caps *c, const struct sct_opdesc *d)
{
    return rows_accept(c, d) && sct_desc_rows(&d->in[1]) < UINT32_MAX / 2;
}

static void emit_dw_simt(struct cl_emit *e)
{
    const uint32_t out = e->d->in[0].dim[0], in = e->d->in[0].dim[1];
    const struct splits s = splits_of(e->caps, e->d);
    cl_launch(e, simt_file, "gemm_dw_simt", simt_options(s.side, out % 4 == 0 && in % 4 == 0));
    cl_arg_in(e, 1);
    cl_arg_in(e, 2);
    cl_arg_scratch(e, 0);
    cl_arg_u64(e, sct_desc_rows(&e->d->in[1]));
    cl_arg_u32(e, out);
    cl_arg_u32(e, in);
    cl_arg_u32(e, s.run);
    cl_arg_u32(e, (uint32_t)s.cols);
    cl_grid(e, s.tiles, s.n, 1, 256, 1, 1);
    cl_launch(e, simt_file, "add_splits", simt_options(s.side, out % 4 == 0 && in % 4 == 0));
    cl_arg_acc(e);
    cl_arg_state(e);
    cl_arg_scratch(e, 0);
    cl_arg_u64(e, out);
    cl_arg_u32(e, in);
    cl_arg_u32(e, s.n);
    rows_grid(e, out, in, 1);
}

/* ---- self-tests of the simt and wide engines ---- */

/* Rows, out, in: small tiles and large ones, whole float4s and not. */
static const uint32_t test_sizes[][3] = {
    {1, 5, 7},      {17, 33, 65},     {197, 192, 192},
    {394, 575, 96}, {12608, 200, 64}, {12608, 129, 37},
};

static bool tests_linear(uint32_t i, struct cl_test *t)
{
    if (i >= sizeof test_sizes / sizeof test_sizes[0])
        return false;
    const uint32_t m = test_sizes[i][0], n = test_sizes[i][1], k = test_sizes[i][2];
    const uint32_t x[2] = {m, k}, w[2] = {n, k}, y[2] = {m, n};
    t->d.n_in = 3;
    t->d.n_out = 1;
    t->d.in[0] = sct_desc_make(SCT_F32, 2, x);
    t->d.in[1] = sct_desc_make(SCT_F32, 2, w);
    t->d.in[2] = sct_desc_make(SCT_F32, 1, &n);
    t->d.out[0] = sct_desc_make(SCT_F32, 2, y);
    t->d.cls[0] = SCT_SEG_BODY;
    return true;
}

/* The long ones are there for tiles of 128 x 128. */
static bool tests_linear_wide(uint32_t i, struct cl_test *t)
{
    return i < 4 && tests_linear(i, t);
}

static bool tests_dw(uint32_t i, struct cl_test *t)
{
    static const uint32_t sizes[][3] = {
        {1, 5, 39}, {197, 96, 96}, {600, 33, 130}, {260, 45, 7}, {530, 1536, 1540}};
    if (i >= sizeof sizes / sizeof sizes[0])
        return false;
    const uint32_t m = sizes[i][0], n = sizes[i][1], k = sizes[i][2];
    const uint32_t x[2] = {m, k}, w[2] = {n, k}, y[2] = {m, n};
    t->d.n_in = 3;
    t->d.n_out = 1;
    t->d.in[0] = sct_desc_make(SCT_F32, 2, w);
    t->d.in[1] = sct_desc_make(SCT_F32, 2, y);
    t->d.in[2] = sct_desc_make(SCT_F32, 2, x);
    t->d.out[0] = t->d.in[0];
    t->d.cls[1] = t->d.cls[2] = SCT_SEG_BODY;
    return true;
}

/* Vectors along both sides, more rows than go together, a last tile that is moved back. */
static bool tests_dw_wide(uint32_t i, struct cl_test *t)
{
    return i < 4 && tests_dw(i, t);
}

/* ---- the table ---- */

#define PRODUCTS(DO)                                                                           \
    DO(linear, LINEAR, op_linear)                                                              \
    DO(linear_gelu, LINEAR_GELU, op_linear)                                                    \
    DO(linear_add, LINEAR_ADD, op_linear)                                                      \
    DO(linear_dx, LINEAR_DX, op_linear_dx)                                                     \
    DO(linear_dx_gelu, LINEAR_DX_GELU, op_linear_dx)                                           \
    DO(linear_dx_add, LINEAR_DX_ADD, op_linear_dx)                                             \
    DO(sct_module, SCT_MODULE, op_sct)                                                         \
    DO(sct_module_dx, SCT_MODULE_DX, op_sct)                                                   \
    DO(lora_module, LORA_MODULE, op_lora)                                                      \
    DO(lora_module_dx, LORA_MODULE_DX, op_lora_dx)

#define EMITS(OP)                                                                              \
    static void emit_##OP##_plain(struct cl_emit *e)                                           \
    {                                                                                          \
        OP(e, mm_plain);                                                                       \
    }                                                                                          \
    static void emit_##OP##_wide(struct cl_emit *e)                                            \
    {                                                                                          \
        OP(e, mm_wide);                                                                        \
    }                                                                                          \
    static void emit_##OP##_simt(struct cl_emit *e)                                            \
    {                                                                                          \
        OP(e, mm_simt);                                                                        \
    }
EMITS(op_linear)
EMITS(op_linear_dx)
EMITS(op_sct)
EMITS(op_lora)
EMITS(op_lora_dx)
#undef EMITS

/* One chain of fma in the order of k, then the end: all three engines give the same bits. */
#define WIDE(NAME, OP, FN)                                                                     \
    {.op = SCT_OP_##OP,                                                                        \
     .name = #NAME "/wide",                                                                    \
     .order = 1,                                                                               \
     .needs = CL_NEED_CPU,                                                                     \
     .candidate = true,                                                                        \
     .accepts = accept_packed,                                                                 \
     .choose = choose_packed,                                                                  \
     .emit = emit_##FN##_wide,                                                                 \
     .tests = SCT_OP_##OP == SCT_OP_LINEAR ? tests_linear_wide : NULL,                         \
     .verdict_of = SCT_OP_##OP == SCT_OP_LINEAR ? NULL : "linear/wide"},
#define SIMT_NEEDS (CL_NEED_GPU | CL_NEED_GROUP_256 | CL_NEED_LOCAL_32K)
#define SIMT(NAME, OP, FN)                                                                     \
    {.op = SCT_OP_##OP,                                                                        \
     .name = #NAME "/simt",                                                                    \
     .order = 1,                                                                               \
     .needs = SIMT_NEEDS,                                                                      \
     .candidate = true,                                                                        \
     .accepts = accept_packed,                                                                 \
     .choose = choose_packed,                                                                  \
     .emit = emit_##FN##_simt,                                                                 \
     .tests = SCT_OP_##OP == SCT_OP_LINEAR ? tests_linear : NULL,                              \
     .verdict_of = SCT_OP_##OP == SCT_OP_LINEAR ? NULL : "linear/simt"},
#define PLAIN(NAME, OP, FN)                                                                    \
    {.op = SCT_OP_##OP,                                                                        \
     .name = #NAME "/plain",                                                                   \
     .order = 1,                                                                               \
     .accepts = rows_accept,                                                                   \
     .emit = emit_##FN##_plain},

const struct cl_row cl_rows_gemm[] = {
    PRODUCTS(WIDE){.op = SCT_OP_LINEAR_DW,
                   .name = "linear_dw/wide",
                   .order = 1,
                   .needs = CL_NEED_CPU,
                   .candidate = true,
                   .accepts = accept_dw_wide,
                   .emit = emit_dw_wide,
                   .tests = tests_dw_wide},
    PRODUCTS(SIMT){.op = SCT_OP_LINEAR_DW,
                   .name = "linear_dw/simt",
                   .order = 2,
                   .needs = SIMT_NEEDS,
                   .candidate = true,
                   .accepts = accept_dw_simt,
                   .choose = choose_dw_simt,
                   .emit = emit_dw_simt,
                   .tests = tests_dw},
    PRODUCTS(PLAIN){.op = SCT_OP_LINEAR_DW,
                    .name = "linear_dw/plain",
                    .order = 1,
                    .accepts = rows_accept,
                    .emit = emit_dw_plain},
    {.op = SCT_OP_LINEAR_DW_EL,
     .name = "linear_dw_el/plain",
     .order = 1,
     .accepts = rows_accept,
     .emit = emit_dw_el},
};
