/* SPDX-License-Identifier: MIT
 * fuse_test.c - groups of nodes that look like a fused op but are not one must stay as they
 * are; beside each, the group that it is mistaken for. */
#include "core/fuse/fuse.h"
#include "tests/unit/unit_suite.h"

enum { B = 2, N = 3, C = 6, K = 4 };

struct made {
    struct sct_graph *g;
    struct sct_builder *b;
    struct sct_tensor w, square, idx, idx2, row;
    sct_val x, z; /* [B][N][C] */
};

static const int32_t channels[2][K] = {{0, 2, 3, 5}, {1, 2, 3, 5}};

static struct sct_tensor tensor(const char *name, uint32_t dtype, uint32_t nd, uint32_t d0,
                                uint32_t d1)
{
    const uint32_t dim[2] = {d0, d1};
    struct sct_tensor t = {.name = name, .desc = sct_desc_make(dtype, nd, dim)};
    t.load = sct_tensor_load_data;
    return t;
}

static void start(struct made *m)
{
    const uint32_t dim[3] = {B, N, C};
    m->g = sct_graph_create(B, B);
    m->b = sct_graph_builder(m->g);
    m->w = tensor("w", SCT_F32, 2, K, K);
    m->square = tensor("square", SCT_F32, 2, C, C);
    m->row = tensor("row", SCT_F32, 2, N, C);
    m->idx = tensor("idx", SCT_I32, 1, K, 0);
    m->idx2 = tensor("idx2", SCT_I32, 1, K, 0);
    m->idx.data = channels[0];
    m->idx2.data = channels[1];
    m->x = sct_feed(m->b, sct_graph_input(m->g, "x", SCT_F32, 3, dim));
    m->z = sct_feed(m->b, sct_graph_input(m->g, "z", SCT_F32, 3, dim));
}

static bool anything(void *ctx, const struct sct_gnode *node)
{
    (void)ctx, (void)node;
    return true;
}

/* Fuses what leads to the outputs; returns how many nodes of op there are then. */
static uint32_t fused(struct made *m, uint32_t op)
{
    sct_error err = SCT_ERROR_INIT;
    uint32_t n = 0;
    ck_assert_int_eq(sct_graph_status(m->g, &err), SCT_OK);
    ck_assert_int_eq(sct_graph_sort(m->g, &err), SCT_OK);
    ck_assert_int_eq(sct_graph_prune(m->g, &err), SCT_OK);
    ck_assert_msg(sct_fuse(m->g, anything, NULL, &err) == SCT_OK, "%s", err.msg);
    ck_assert_msg(sct_graph_verify(m->g, &err) == SCT_OK, "%s", err.msg);
    for (uint32_t k = 0; k < m->g->n_node; k++)
        n += m->g->node[k].op == op;
    sct_graph_destroy(&m->g);
    return n;
}

static uint32_t finish(struct made *m, sct_val y, uint32_t op)
{
    sct_graph_output(m->g, sct_emit_rows(m->b, y), "y");
    return fused(m, op);
}

/* x with x[put] += w from[get] */
static uint32_t sct_modules(bool other_channels, bool other_value)
{
    struct made m;
    start(&m);
    const sct_val put = sct_graph_tensor(m.g, &m.idx);
    const sct_val get = other_channels ? sct_graph_tensor(m.g, &m.idx2) : put;
    const sct_val h = sct_gather_ch(m.b, other_value ? m.z : m.x, get);
    const sct_val y = sct_linear(m.b, h, sct_graph_tensor(m.g, &m.w), sct_none());
    return finish(&m, sct_scatter_add_ch(m.b, m.x, put, y), SCT_OP_SCT_MODULE);
}

START_TEST(test_sct_module)
{
    ck_assert_uint_eq(sct_modules(false, false), 1);
    ck_assert_uint_eq(sct_modules(true, false), 0);
    ck_assert_uint_eq(sct_modules(false, true), 0);
}

END_TEST

/* Its gradient: dy + scatter(linear_dx(scale dy[get])) at put. */
static uint32_t sct_gradients(bool other_channels, bool other_value, bool other_use)
{
    struct made m;
    start(&m);
    const sct_val put = sct_graph_tensor(m.g, &m.idx);
    const sct_val get = other_channels ? sct_graph_tensor(m.g, &m.idx2) : put;
    const sct_val h = sct_gather_ch(m.b, other_value ? m.z : m.x, get);
    const sct_val dl = sct_scale(m.b, h, 0.5f, 0.0f);
    const sct_val d = sct_linear_dx(m.b, dl, sct_graph_tensor(m.g, &m.w));
    sct_val y = sct_add(m.b, m.x, sct_scatter_ch(m.b, d, put, C));
    if (other_use)
        y = sct_add(m.b, y, sct_scatter_ch(m.b, h, put, C));
    return finish(&m, y, SCT_OP_SCT_MODULE_DX);
}

START_TEST(test_sct_module_dx)
{
    ck_assert_uint_eq(sct_gradients(false, false, false), 1);
    ck_assert_uint_eq(sct_gradients(true, false, false), 0);
    ck_assert_uint_eq(sct_gradients(false, true, false), 0);
    ck_assert_uint_eq(sct_gradients(false, false, true), 0); /* dy[get] is needed elsewhere */
}

END_TEST

/* linear + what repeats over images is no residual. */
START_TEST(test_linear_add)
{
    for (int repeats = 0; repeats < 2; repeats++) {
        struct made m;
        start(&m);
        const sct_val y = sct_linear(m.b, m.x, sct_graph_tensor(m.g, &m.square), sct_none());
        const sct_val add = repeats ? sct_graph_tensor(m.g, &m.row) : m.z;
        ck_assert_uint_eq(finish(&m, sct_add(m.b, y, add), SCT_OP_LINEAR_ADD), !repeats);
    }
}

END_TEST

/* The sum of two layers, and a layer that is added to itself. */
START_TEST(test_linear_add_operands)
{
    struct made m;
    start(&m);
    sct_val w = sct_graph_tensor(m.g, &m.square);
    const sct_val a = sct_linear(m.b, m.x, w, sct_none());
    const sct_val c = sct_linear(m.b, m.z, w, sct_none());
    ck_assert_uint_eq(finish(&m, sct_add(m.b, a, c), SCT_OP_LINEAR_ADD), 1);
    start(&m);
    w = sct_graph_tensor(m.g, &m.square);
    const sct_val d = sct_linear(m.b, m.x, w, sct_none());
    ck_assert_uint_eq(finish(&m, sct_add(m.b, d, d), SCT_OP_LINEAR_ADD), 0);
}

END_TEST

/* The gradient of a weight [C][C], of which the lists idx and idx2 are wanted. */
static uint32_t gradient_of_some(bool all_too, bool two_products, uint32_t op)
{
    struct made m;
    start(&m);
    sct_val acc = sct_zero(m.b, 2, m.square.desc.dim);
    if (two_products)
        acc = sct_linear_dw(m.b, acc, m.z, m.z);
    const sct_val dw = sct_slot_sum(m.b, sct_linear_dw(m.b, acc, m.z, m.x));
    const sct_val a = sct_gather_el(m.b, dw, sct_graph_tensor(m.g, &m.idx));
    sct_graph_output(m.g, a, "a");
    sct_graph_output(m.g, sct_gather_el(m.b, dw, sct_graph_tensor(m.g, &m.idx2)), "b");
    if (all_too)
        sct_graph_output(m.g, dw, "all");
    return fused(&m, op);
}

START_TEST(test_gradient_of_some)
{
    ck_assert_uint_eq(gradient_of_some(false, false, SCT_OP_LINEAR_DW_EL), 2);
    ck_assert_uint_eq(gradient_of_some(false, false, SCT_OP_LINEAR_DW), 0);
    ck_assert_uint_eq(gradient_of_some(false, false, SCT_OP_GATHER_EL), 0);
    ck_assert_uint_eq(gradient_of_some(true, false, SCT_OP_LINEAR_DW_EL), 0);
    ck_assert_uint_eq(gradient_of_some(true, false, SCT_OP_LINEAR_DW), 1);
    ck_assert_uint_eq(gradient_of_some(false, true, SCT_OP_LINEAR_DW_EL), 0);
}

END_TEST

Suite *fuse_suite(void)
{
    Suite *s = suite_create("fuse");
    TCase *tc = tcase_create("groups");
    tcase_add_test(tc, test_sct_module);
    tcase_add_test(tc, test_sct_module_dx);
    tcase_add_test(tc, test_linear_add);
    tcase_add_test(tc, test_linear_add_operands);
    tcase_add_test(tc, test_gradient_of_some);
    suite_add_tcase(s, tc);
    return s;
}
