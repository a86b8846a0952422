/* SPDX-License-Identifier: MIT
 * order_test.c - sorting, pruning and inferring whole graphs. */
#include <string.h>

#include "core/ir/graph.h"
#include "core/ir/random.h"
#include "tests/unit/unit_suite.h"

enum { BATCH = 8, N = 4, C = 6 };

static struct sct_graph *start(sct_val *x)
{
    struct sct_graph *g = sct_graph_create(1, BATCH);
    const uint32_t dim[3] = {BATCH, N, C};
    *x = sct_feed(sct_graph_builder(g), sct_graph_input(g, "x", SCT_F32, 3, dim));
    return g;
}

START_TEST(test_prune)
{
    sct_val x;
    struct sct_graph *g = start(&x);
    struct sct_builder *b = sct_graph_builder(g);
    const uint32_t dim[1] = {C};
    struct sct_tensor t = {.name = "unused", .desc = sct_desc_make(SCT_F32, 1, dim)};
    const sct_val used = sct_gelu(b, x, SCT_GELU_ERF);
    const sct_val idle = sct_scale(b, x, 2.0f, 0.0f);
    const sct_val idler = sct_add(b, idle, idle);
    const sct_val tensor = sct_graph_tensor(g, &t);
    sct_graph_output(g, sct_emit_rows(b, used), "y");
    ck_assert_uint_eq(g->n_node, 5);
    ck_assert_int_eq(sct_graph_prune(g, NULL), SCT_OK);
    ck_assert_uint_eq(g->n_node, 3); /* feed, gelu, emit */
    ck_assert(g->value[idle.id].removed && g->value[idler.id].removed);
    ck_assert(g->value[tensor.id].removed && !g->value[used.id].removed);
    ck_assert_int_eq(sct_graph_verify(g, NULL), SCT_OK);
    ck_assert_uint_eq(sct_graph_tensor(g, &t).id, tensor.id); /* asked for again: it is back */
    ck_assert(!g->value[tensor.id].removed);
    sct_graph_destroy(&g);
}

END_TEST

/* An optimiser's node is a root although nobody reads it. */
START_TEST(test_prune_keeps_updates)
{
    struct sct_graph *g = sct_graph_create(1, BATCH);
    struct sct_builder *b = sct_graph_builder(g);
    const uint32_t dim[1] = {C};
    struct sct_tensor t[3] = {
        {.name = "p", .mutable = true}, {.name = "m", .mutable = true}, {.name = "g"}};
    sct_val v[3];
    for (int i = 0; i < 3; i++) {
        t[i].desc = sct_desc_make(SCT_F32, 1, dim);
        t[i].load = sct_tensor_load_data;
        v[i] = sct_graph_tensor(g, &t[i]);
    }
    const struct sct_sgd_params p = {1.0f, 0.0f, 0.9f, 0};
    (void)b->emit(b, SCT_OP_SGD, v, 3, NULL, &p, sizeof p);
    ck_assert_int_eq(sct_graph_status(g, NULL), SCT_OK);
    ck_assert_int_eq(sct_graph_prune(g, NULL), SCT_OK);
    ck_assert_uint_eq(g->n_node, 1);
    sct_graph_destroy(&g);
}

END_TEST

static int in_order(const struct sct_graph *g)
{
    for (uint32_t n = 0; n < g->n_node; n++)
        for (uint32_t i = 0; i < g->node[n].n_in; i++) {
            const uint32_t p = g->value[g->node[n].in[i]].node;
            if (p != SCT_NO_NODE && p >= n)
                return 0;
        }
    return 1;
}

/* As after an edit: new nodes stand at the end, older ones read them. */
START_TEST(test_sort)
{
    sct_val x;
    struct sct_graph *g = start(&x);
    struct sct_builder *b = sct_graph_builder(g);
    const sct_val h = sct_gelu(b, x, SCT_GELU_ERF);
    const sct_val y = sct_scale(b, h, 2.0f, 0.0f), z = sct_scale(b, h, 3.0f, 0.0f);
    const sct_val out = sct_emit_rows(b, sct_add(b, y, z));
    sct_graph_output(g, out, "y");
    const uint32_t mark = g->n_node;
    const sct_val k = sct_scale(b, h, 0.5f, 1.0f), edited = sct_add(b, h, k);
    sct_graph_redirect(g, h.id, edited.id, mark);
    ck_assert(!in_order(g));
    ck_assert_int_eq(sct_graph_verify(g, NULL), SCT_EINVAL);
    ck_assert_int_eq(sct_graph_sort(g, NULL), SCT_OK);
    ck_assert(in_order(g));
    ck_assert_int_eq(sct_graph_verify(g, NULL), SCT_OK);
    /* y before z as it was; the new nodes read the old value */
    ck_assert_uint_lt(g->value[y.id].node, g->value[z.id].node);
    ck_assert_uint_eq(g->node[g->value[k.id].node].in[0], h.id);
    ck_assert_uint_eq(g->node[g->value[y.id].node].in[0], edited.id);
    char *once = sct_graph_dump(g);
    ck_assert_int_eq(sct_graph_sort(g, NULL), SCT_OK);
    char *twice = sct_graph_dump(g);
    ck_assert_str_eq(once, twice); /* a sorted graph stays as it is */
    sct_free(once);
    sct_free(twice);
    sct_graph_destroy(&g);
}

END_TEST

START_TEST(test_cycle)
{
    sct_val x;
    struct sct_graph *g = start(&x);
    struct sct_builder *b = sct_graph_builder(g);
    const sct_val h = sct_gelu(b, x, SCT_GELU_ERF);
    sct_graph_label(g, "block[1]");
    const sct_val y = sct_scale(b, h, 2.0f, 0.0f);
    sct_graph_redirect(g, x.id, y.id, g->n_node - 1); /* gelu reads what it makes */
    sct_error err = SCT_ERROR_INIT;
    ck_assert_int_eq(sct_graph_sort(g, &err), SCT_EINVAL);
    ck_assert_msg(strstr(err.msg, "cycle"), "%s", err.msg);
    sct_graph_destroy(&g);
}

END_TEST

/* Long chains must not need a deep stack. */
START_TEST(test_deep)
{
    enum { DEPTH = 200000 };

    sct_val x;
    struct sct_graph *g = start(&x);
    struct sct_builder *b = sct_graph_builder(g);
    sct_val h = x;
    for (int i = 0; i < DEPTH; i++)
        h = sct_scale(b, h, 1.0f, 0.0f);
    sct_graph_output(g, sct_emit_rows(b, h), "y");
    /* turned round, so that the sort walks the whole chain at once */
    for (uint32_t lo = 0, hi = g->n_node - 1; lo < hi; lo++, hi--) {
        const struct sct_gnode t = g->node[lo];
        g->node[lo] = g->node[hi];
        g->node[hi] = t;
    }
    for (uint32_t n = 0; n < g->n_node; n++)
        g->value[g->node[n].out[0]].node = n;
    ck_assert_int_eq(sct_graph_sort(g, NULL), SCT_OK);
    ck_assert(in_order(g));
    ck_assert_uint_eq(g->n_node, DEPTH + 2);
    sct_graph_destroy(&g);
}

END_TEST

START_TEST(test_infer_another_b)
{
    sct_val x;
    struct sct_graph *g = start(&x);
    struct sct_builder *b = sct_graph_builder(g);
    const sct_val h = sct_gelu(b, x, SCT_GELU_ERF), y = sct_emit_rows(b, h);
    sct_graph_output(g, y, "y");
    for (uint32_t n = 1; n <= BATCH; n += 3) {
        ck_assert_int_eq(sct_graph_infer(g, n, NULL), SCT_OK);
        ck_assert_uint_eq(g->b, n);
        ck_assert_uint_eq(g->value[h.id].desc.dim[0], n);
        ck_assert_uint_eq(g->value[y.id].desc.dim[0], BATCH); /* whole batch */
        ck_assert_int_eq(sct_graph_verify(g, NULL), SCT_OK);
    }
    sct_graph_destroy(&g);
}

END_TEST

START_TEST(test_strip_random)
{
    sct_val x;
    struct sct_graph *g = start(&x);
    struct sct_builder *b = sct_graph_builder(g);
    const sct_val d = sct_dropout(b, x, 0.5f, 1), p = sct_droppath(b, d, 0.5f, 2);
    const sct_val h = sct_gelu(b, p, SCT_GELU_ERF);
    sct_graph_output(g, sct_emit_rows(b, h), "y");
    sct_graph_strip_random(g);
    ck_assert_uint_eq(g->node[g->value[h.id].node].in[0], x.id);
    ck_assert_int_eq(sct_graph_prune(g, NULL), SCT_OK);
    ck_assert_uint_eq(g->n_node, 3); /* feed, gelu, emit */
    sct_graph_destroy(&g);
}

END_TEST

Suite *order_suite(void)
{
    Suite *s = suite_create("order");
    TCase *t = tcase_create("order");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_prune);
    tcase_add_test(t, test_prune_keeps_updates);
    tcase_add_test(t, test_sort);
    tcase_add_test(t, test_cycle);
    tcase_add_test(t, test_deep);
    tcase_add_test(t, test_infer_another_b);
    tcase_add_test(t, test_strip_random);
    suite_add_tcase(s, t);
    return s;
}
