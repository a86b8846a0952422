/* SPDX-License-Identifier: MIT
 * graph_test.c - building: shapes as inferred, errors that stick, copies, text. */
#include <string.h>

#include "core/ir/graph.h"
#include "tests/unit/unit_suite.h"

static struct sct_tensor tensor(const char *name, uint32_t nd, uint32_t d0, uint32_t d1)
{
    const uint32_t dim[2] = {d0, d1};
    struct sct_tensor t = {.name = name, .desc = sct_desc_make(SCT_F32, nd, dim)};
    t.load = sct_tensor_load_data;
    return t;
}

static sct_val input(struct sct_graph *g, uint32_t n, uint32_t c)
{
    const uint32_t dim[3] = {g->batch, n, c};
    return sct_graph_input(g, "x", SCT_F32, 3, dim);
}

START_TEST(test_shapes)
{
    struct sct_graph *g = sct_graph_create(2, 8);
    struct sct_builder *b = sct_graph_builder(g);
    struct sct_tensor w = tensor("w", 2, 5, 3), bias = tensor("b", 1, 5, 0);
    const sct_val x = sct_feed(b, input(g, 4, 3));
    const sct_val y = sct_linear(b, x, sct_graph_tensor(g, &w), sct_graph_tensor(g, &bias));
    const struct sct_desc *d = b->desc(b, y);
    ck_assert_ptr_nonnull(d);
    ck_assert_uint_eq(d->nd, 3);
    ck_assert(d->dim[0] == 2 && d->dim[1] == 4 && d->dim[2] == 5);
    ck_assert_uint_eq(sct_graph_tensor(g, &w).id, sct_graph_tensor(g, &w).id);
    ck_assert_ptr_eq(sct_graph_of(b), g);
    ck_assert_ptr_null(b->desc(b, sct_none()));
    sct_graph_output(g, sct_emit_rows(b, y), "y");
    ck_assert_int_eq(sct_graph_verify(g, NULL), SCT_OK);
    ck_assert_uint_eq(sct_graph_find(g, "x").id, 1);
    ck_assert_uint_ne(sct_graph_find(g, "y").id, 0);
    ck_assert_uint_eq(sct_graph_find(g, "z").id, 0);
    sct_graph_destroy(&g);
    ck_assert_ptr_null(g);
}

END_TEST

START_TEST(test_sticky_error)
{
    struct sct_graph *g = sct_graph_create(1, 4);
    struct sct_builder *b = sct_graph_builder(g);
    struct sct_tensor w = tensor("w", 2, 5, 7);
    const sct_val x = sct_feed(b, input(g, 2, 3));
    const uint32_t nodes = g->n_node;
    sct_graph_label(g, "block[%u].attn.qkv", 3);
    const sct_val bad = sct_linear(b, x, sct_graph_tensor(g, &w), sct_none());
    ck_assert_uint_eq(bad.id, 0);
    sct_error err = SCT_ERROR_INIT;
    ck_assert_int_eq(sct_graph_status(g, &err), SCT_EINVAL);
    /* who, what was expected, what was found */
    ck_assert_ptr_nonnull(strstr(err.msg, "block[3].attn.qkv"));
    ck_assert_ptr_nonnull(strstr(err.msg, "linear"));
    ck_assert_ptr_nonnull(strstr(err.msg, "[5][7]"));
    const sct_error first = g->err;
    ck_assert_uint_eq(sct_gelu(b, x, SCT_GELU_ERF).id, 0); /* nothing is built after it */
    ck_assert_uint_eq(sct_add(b, bad, x).id, 0);
    ck_assert_uint_eq(g->n_node, nodes);
    ck_assert_str_eq(g->err.msg, first.msg);
    ck_assert_int_eq(sct_graph_verify(g, NULL), SCT_EINVAL);
    sct_graph_destroy(&g);
}

END_TEST

START_TEST(test_refused)
{
    static const struct {
        uint32_t op, n_in;
        sct_status want;
        const char *words;
    } cases[] = {
        {SCT_OP_COUNT, 1, SCT_EUNSUP, "newer ops.def"},
        {SCT_OP_NONE, 1, SCT_EUNSUP, "unknown"},
        {0xffffffffu, 1, SCT_EUNSUP, "unknown"},
        {SCT_OP_ADD, 1, SCT_EINVAL, "takes 2 to 2 inputs"},
        {SCT_OP_GELU, 2, SCT_EINVAL, "takes 1 to 1 inputs"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sct_graph *g = sct_graph_create(1, 4);
        struct sct_builder *b = sct_graph_builder(g);
        const sct_val x = sct_feed(b, input(g, 2, 3)), in[2] = {x, x};
        sct_val outs[SCT_MAX_OUT];
        memset(outs, 0xff, sizeof outs);
        ck_assert_uint_eq(b->emit(b, cases[i].op, in, cases[i].n_in, outs, NULL, 0).id, 0);
        for (int o = 0; o < SCT_MAX_OUT; o++)
            ck_assert_uint_eq(outs[o].id, 0);
        sct_error err = SCT_ERROR_INIT;
        ck_assert_int_eq(sct_graph_status(g, &err), cases[i].want);
        ck_assert_msg(strstr(err.msg, cases[i].words), "%s", err.msg);
        sct_graph_destroy(&g);
    }
}

END_TEST

/* x [1][7][6] with a weight and a bias that do not fit it, or a grid that does not. */
static const struct {
    uint32_t op, nd, w[4], bias, h, width;
    const char *words;
} misfits[] = {
    {SCT_OP_LINEAR_GROUPED, 2, {4, 6}, 0, 0, 0, "expected [groups][out/groups][in/groups]"},
    {SCT_OP_LINEAR_GROUPED, 3, {2, 4, 2}, 0, 0, 0, "[2][4][2] f32 does not fit input"},
    {SCT_OP_LINEAR_GROUPED, 3, {2, 4, 3}, 4, 0, 0, "bias is [4] f32, expected [8]"},
    {SCT_OP_LINEAR_GROUPED, 3, {65536, 65536, 1}, 0, 0, 0, "does not fit input"},
    {SCT_OP_LINEAR_GROUPED_DX, 3, {2, 2, 5}, 0, 0, 0, "does not fit gradient"},
    {SCT_OP_CONV_GRID, 3, {6, 6, 3}, 0, 2, 3, "expected [out][in][kh][kw]"},
    {SCT_OP_CONV_GRID, 4, {6, 6, 3, 2}, 0, 2, 3, "expected a kernel with odd sides"},
    {SCT_OP_CONV_GRID, 4, {6, 5, 3, 3}, 0, 2, 3, "does not fit input"},
    {SCT_OP_CONV_GRID, 4, {5, 6, 3, 3}, 6, 2, 3, "bias is [6] f32, expected [5]"},
    {SCT_OP_CONV_GRID, 4, {6, 6, 3, 3}, 0, 2, 4, "the tokens of its grid, 2 x 4"},
    {SCT_OP_CONV_GRID, 4, {6, 6, 3, 3}, 0, 0, 3, "the tokens of its grid, 0 x 3"},
    {SCT_OP_CONV_GRID, 4, {6, 6, 3, 3}, 0, 65536, 65536, "the tokens of its grid"},
    {SCT_OP_CONV_GRID_DX, 4, {5, 6, 3, 3}, 0, 2, 3, "does not fit gradient"},
};

START_TEST(test_misfits)
{
    struct sct_graph *g = sct_graph_create(1, 4);
    struct sct_builder *b = sct_graph_builder(g);
    struct sct_tensor w = tensor("w", 0, 0, 0), bias = tensor("b", 1, misfits[_i].bias, 0);
    w.desc = sct_desc_make(SCT_F32, misfits[_i].nd, misfits[_i].w);
    const struct sct_grid_params p = {misfits[_i].h, misfits[_i].width, 0, 0, 0, 0};
    const sct_val in[3] = {sct_feed(b, input(g, 7, 6)), sct_graph_tensor(g, &w),
                           misfits[_i].bias ? sct_graph_tensor(g, &bias) : sct_none()};
    const int grid = misfits[_i].op >= SCT_OP_CONV_GRID;
    ck_assert_uint_eq(sct_emit_(b, misfits[_i].op, in, misfits[_i].bias ? 3 : 2,
                                grid ? &p : NULL, grid ? sizeof p : 0)
                          .id,
                      0);
    sct_error err = SCT_ERROR_INIT;
    ck_assert_int_eq(sct_graph_status(g, &err), SCT_EINVAL);
    ck_assert_msg(strstr(err.msg, misfits[_i].words), "%s", err.msg);
    sct_graph_destroy(&g);
}

END_TEST

START_TEST(test_foreign_values)
{
    struct sct_graph *g = sct_graph_create(1, 4);
    const sct_val far = {1000};
    ck_assert_uint_eq(sct_gelu(sct_graph_builder(g), far, SCT_GELU_ERF).id, 0);
    ck_assert_int_eq(sct_graph_status(g, NULL), SCT_EINVAL);
    ck_assert_ptr_null(sct_graph_value(g, far));
    sct_graph_destroy(&g);

    g = sct_graph_create(1, 4);
    const uint32_t dim[2] = {5, 3}; /* the batch is 4 */
    ck_assert_uint_eq(sct_graph_input(g, "x", SCT_F32, 2, dim).id, 0);
    sct_error err = SCT_ERROR_INIT;
    ck_assert_int_eq(sct_graph_status(g, &err), SCT_EINVAL);
    ck_assert_ptr_nonnull(strstr(err.msg, "first dimension must be the batch, 4"));
    sct_graph_destroy(&g);
}

END_TEST

START_TEST(test_huge_shapes)
{
    struct sct_graph *g = sct_graph_create(1, 1);
    struct sct_builder *b = sct_graph_builder(g);
    const uint32_t dim[6] = {65535, 65535, 65535, 65535, 65535, 65535};
    ck_assert_uint_eq(sct_zero(b, 6, dim).id, 0);
    sct_error err = SCT_ERROR_INIT;
    ck_assert_int_eq(sct_graph_status(g, &err), SCT_EINVAL);
    ck_assert_ptr_nonnull(strstr(err.msg, "2^48"));
    sct_graph_destroy(&g);
}

END_TEST

/* Parameters of an older plugin are shorter: what is missing is zero; of a newer one longer. */
START_TEST(test_parameter_sizes)
{
    struct sct_graph *g = sct_graph_create(1, 4);
    struct sct_builder *b = sct_graph_builder(g);
    const sct_val x = sct_feed(b, input(g, 2, 3));
    const struct sct_scale_params p[2] = {{2.0f, 5.0f}, {9.0f, 9.0f}};
    (void)b->emit(b, SCT_OP_SCALE, &x, 1, NULL, p, sizeof p[0].mul);
    (void)b->emit(b, SCT_OP_SCALE, &x, 1, NULL, p, sizeof p);
    ck_assert_int_eq(sct_graph_status(g, NULL), SCT_OK);
    const struct sct_scale_params *older = g->node[g->n_node - 2].params;
    const struct sct_scale_params *newer = g->node[g->n_node - 1].params;
    ck_assert(older->mul == 2.0f && older->add == 0.0f);
    ck_assert(newer->mul == 2.0f && newer->add == 5.0f);
    sct_graph_destroy(&g);
}

END_TEST

static struct sct_graph *small(struct sct_tensor *w)
{
    struct sct_graph *g = sct_graph_create(2, 4);
    struct sct_builder *b = sct_graph_builder(g);
    *w = tensor("head.weight", 2, 5, 3);
    sct_graph_label(g, "head");
    const sct_val x = sct_feed(b, input(g, 2, 3));
    const sct_val y = sct_linear(b, x, sct_graph_tensor(g, w), sct_none());
    sct_graph_output(g, sct_emit_rows(b, y), "logits");
    return g;
}

START_TEST(test_dump)
{
    struct sct_tensor w;
    struct sct_graph *g = small(&w);
    char *text = sct_graph_dump(g);
    ck_assert_str_eq(text, "graph b=2 batch=4 nodes=3\n"
                           "input %1:[4][2][3] f32 \"x\"\n"
                           "const %3:[5][3] f32 \"head.weight\"\n"
                           "%2:[2][2][3] f32 = feed(%1)  ; head\n"
                           "%4:[2][2][5] f32 = linear(%2, %3)  ; head\n"
                           "%5:[4][2][5] f32 \"logits\" = emit(%4)  ; head\n");
    sct_free(text);
    text = sct_graph_dot(g);
    ck_assert_int_eq(strncmp(text, "digraph sctrun {", 16), 0);
    ck_assert_ptr_nonnull(strstr(text, "n0 -> n1"));
    ck_assert_ptr_nonnull(strstr(text, "v3 -> n1"));
    sct_free(text);
    sct_graph_destroy(&g);
}

END_TEST

START_TEST(test_clone)
{
    struct sct_tensor w;
    struct sct_graph *g = small(&w);
    struct sct_graph *c = sct_graph_clone(g);
    char *a = sct_graph_dump(g), *b = sct_graph_dump(c);
    ck_assert_str_eq(a, b);
    sct_graph_destroy(&g); /* the copy needs nothing of it */
    char *again = sct_graph_dump(c);
    ck_assert_str_eq(again, b);
    ck_assert_int_eq(sct_graph_verify(c, NULL), SCT_OK);
    sct_free(a);
    sct_free(b);
    sct_free(again);
    sct_graph_destroy(&c);
}

END_TEST

/* Every allocation of building, copying and printing may fail; nothing leaks, nothing crashes.
 */
START_TEST(test_out_of_memory)
{
    uint64_t n = 0;
    for (int done = 0; !done; n++) {
        struct sct_tensor w;
        (void)sct_mem_fail_at(n + 1, 0);
        struct sct_graph *g = sct_graph_create(2, 4);
        (void)sct_mem_fail_at(0, 0);
        if (!g)
            continue;
        sct_graph_destroy(&g);
        g = small(&w);
        (void)sct_mem_fail_at(n + 1, 0);
        struct sct_graph *c = sct_graph_clone(g);
        (void)sct_mem_fail_at(n + 1, 0);
        char *text = sct_graph_dump(g);
        (void)sct_mem_fail_at(0, 0);
        done = c && text;
        sct_free(text);
        sct_graph_destroy(&c);
        sct_graph_destroy(&g);
        ck_assert_uint_lt(n, 1000);
    }
    ck_assert_uint_gt(n, 3);
}

END_TEST

Suite *graph_suite(void)
{
    Suite *s = suite_create("graph");
    TCase *t = tcase_create("graph");
    tcase_add_test(t, test_shapes);
    tcase_add_test(t, test_sticky_error);
    tcase_add_test(t, test_refused);
    tcase_add_loop_test(t, test_misfits, 0, sizeof misfits / sizeof misfits[0]);
    tcase_add_test(t, test_foreign_values);
    tcase_add_test(t, test_huge_shapes);
    tcase_add_test(t, test_parameter_sizes);
    tcase_add_test(t, test_dump);
    tcase_add_test(t, test_clone);
    tcase_add_test(t, test_out_of_memory);
    suite_add_tcase(s, t);
    return s;
}
