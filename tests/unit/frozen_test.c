/* SPDX-License-Identifier: MIT
 * frozen_test.c - where a graph is cut: values a picture alone decides, made by enough of the
 * work, and no cheap ones that can be made again. */
#include <string.h>

#include "core/ir/frozen.h"
#include "tests/unit/unit_suite.h"

enum { B = 2, BATCH = 4, SIDE = 4, C = 6, BLOCKS = 4 };

/* Blocks of attention on patches: x + proj(attention(qkv(norm(x)))), then a head. */
struct made {
    struct sct_graph *g;
    struct sct_builder *b;
    struct sct_tensor table, patch, gamma, beta, qkv[BLOCKS], proj[BLOCKS], head;
    sct_val x[BLOCKS + 1], loss;
};

static struct sct_tensor tensor(const char *name, uint32_t nd, uint32_t d0, uint32_t d1)
{
    const uint32_t dim[2] = {d0, d1};
    struct sct_tensor t = {.name = name, .desc = sct_desc_make(SCT_F32, nd, dim)};
    t.load = sct_tensor_load_data;
    return t;
}

static sct_val block(struct made *m, uint32_t i, sct_val x)
{
    struct sct_builder *b = m->b;
    m->qkv[i] = tensor("qkv", 2, 3 * C, C);
    m->proj[i] = tensor("proj", 2, C, C);
    const sct_val y = sct_layernorm(b, x, sct_graph_tensor(m->g, &m->gamma),
                                    sct_graph_tensor(m->g, &m->beta), 1e-6f);
    const sct_val qkv = sct_linear(b, y, sct_graph_tensor(m->g, &m->qkv[i]), sct_none());
    const sct_val a = sct_attention(b, qkv, 1, 1.0f);
    return sct_add(b, x, sct_linear(b, a, sct_graph_tensor(m->g, &m->proj[i]), sct_none()));
}

static void start(struct made *m)
{
    const uint32_t dim[4] = {BATCH, SIDE, SIDE, 3};
    memset(m, 0, sizeof *m);
    m->g = sct_graph_create(B, BATCH);
    m->b = sct_graph_builder(m->g);
    m->table = tensor("table", 2, 3, 256);
    m->patch = tensor("patch", 2, C, 12);
    m->gamma = tensor("gamma", 1, C, 0);
    m->beta = tensor("beta", 1, C, 0);
    m->head = tensor("head", 2, 3, C);
    m->head.mutable = true;
    const sct_val bytes = sct_feed(m->b, sct_graph_input(m->g, "images", SCT_U8, 4, dim));
    const sct_val image = sct_image(m->b, bytes, sct_graph_tensor(m->g, &m->table));
    m->x[0] = sct_linear(m->b, sct_patchify(m->b, image, 2), sct_graph_tensor(m->g, &m->patch),
                         sct_none());
}

/* All blocks from first on, the head, the gradient of its weight. */
static void finish(struct made *m, uint32_t first)
{
    for (uint32_t i = first; i < BLOCKS; i++)
        m->x[i + 1] = block(m, i, m->x[i]);
    const sct_val pooled = sct_mean_tokens(m->b, m->x[BLOCKS], 0);
    const sct_val y = sct_linear(m->b, pooled, sct_graph_tensor(m->g, &m->head), sct_none());
    const sct_val sum =
        sct_slot_sum(m->b, sct_sum_to(m->b, sct_zero(m->b, 1, (uint32_t[1]){3}), y));
    const sct_val total = sct_sum_all(m->b, sum);
    sct_graph_output(m->g, total, "loss");
    sct_error err = SCT_ERROR_INIT;
    ck_assert_msg(sct_graph_status(m->g, &err) == SCT_OK, "%s", err.msg);
    ck_assert_int_eq(sct_graph_sort(m->g, &err), SCT_OK);
    ck_assert_int_eq(sct_graph_prune(m->g, &err), SCT_OK);
}

static uint32_t count(const struct sct_graph *g, uint32_t op)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < g->n_node; i++)
        n += g->node[i].op == op;
    return n;
}

/* Cuts; both halves verify; the front has `front` attentions and the back the others. */
static void cut(struct made *m, uint32_t n, uint64_t floats, uint32_t front)
{
    struct sct_frozen f;
    sct_error err = SCT_ERROR_INIT;
    ck_assert_msg(sct_frozen_find(&f, m->g, &err) == SCT_OK, "%s", err.msg);
    ck_assert_uint_eq(f.n, n);
    ck_assert_uint_eq(f.image, floats);
    const uint32_t all = count(m->g, SCT_OP_ATTENTION), nodes = m->g->n_node;
    if (n) {
        ck_assert_msg(sct_graph_verify(f.g, &err) == SCT_OK, "%s", err.msg);
        ck_assert_uint_eq(count(f.g, SCT_OP_ATTENTION), front);
        ck_assert_uint_eq(count(f.g, SCT_OP_EMIT), n);
        ck_assert_uint_ne(sct_graph_find(f.g, "images").id, 0);
        ck_assert_uint_eq(sct_graph_find(f.g, "loss").id, 0);
        const struct sct_value *v = sct_graph_value(f.g, sct_graph_find(f.g, "feature.0"));
        ck_assert_uint_eq(v->desc.dim[0], BATCH);
    }
    ck_assert_msg(sct_frozen_cut(m->g, &f, &err) == SCT_OK, "%s", err.msg);
    ck_assert_msg(sct_graph_verify(m->g, &err) == SCT_OK, "%s", err.msg);
    ck_assert_uint_eq(count(m->g, SCT_OP_ATTENTION), all - front);
    ck_assert_int_eq(sct_graph_find(m->g, "images").id != 0, n == 0);
    ck_assert_uint_ne(sct_graph_find(m->g, "loss").id, 0);
    if (!n)
        ck_assert_uint_eq(m->g->n_node, nodes);
    sct_frozen_fini(&f);
    sct_graph_destroy(&m->g);
}

/* The head alone is trained: one vector a picture. */
START_TEST(test_head)
{
    struct made m;
    start(&m);
    finish(&m, 0);
    cut(&m, 1, C, BLOCKS);
}

END_TEST

/* A block's qkv is trained: the stream is kept; its norm, which is cheap, is made again. */
START_TEST(test_block)
{
    for (uint32_t at = 0; at < BLOCKS; at++) {
        struct made m;
        start(&m);
        for (uint32_t i = 0; i < BLOCKS; i++)
            m.x[i + 1] = block(&m, i, m.x[i]);
        m.qkv[at].mutable = true;
        finish(&m, BLOCKS);
        cut(&m, at ? 1 : 0, at ? SIDE * C : 0, at);
    }
}

END_TEST

/* proj is trained: what it reads and the stream beside it, both kept. */
START_TEST(test_two)
{
    struct made m;
    start(&m);
    for (uint32_t i = 0; i < BLOCKS; i++)
        m.x[i + 1] = block(&m, i, m.x[i]);
    m.proj[1].mutable = true;
    finish(&m, BLOCKS);
    cut(&m, 2, 2 * SIDE * C, 2);
}

END_TEST

/* Random ops end it, whatever their rate. */
START_TEST(test_random)
{
    struct made m;
    start(&m);
    m.x[1] = block(&m, 0, m.x[0]);
    m.x[2] = block(&m, 1, m.x[1]);
    m.x[2] = sct_dropout(m.b, m.x[2], 0.0f, 7);
    m.x[3] = block(&m, 2, m.x[2]);
    m.x[4] = block(&m, 3, m.x[3]);
    finish(&m, BLOCKS);
    cut(&m, 1, SIDE * C, 2);
}

END_TEST

/* Less than a quarter of the attention is not worth it. */
START_TEST(test_little)
{
    struct made m;
    start(&m);
    for (uint32_t i = 0; i < BLOCKS; i++)
        m.x[i + 1] = block(&m, i, m.x[i]);
    m.x[BLOCKS] = block(&m, 3, block(&m, 2, m.x[BLOCKS]));
    m.qkv[1].mutable = true;
    finish(&m, BLOCKS);
    cut(&m, 0, 0, 0);
}

END_TEST

/* A failed allocation leaves the graph and nothing else. */
START_TEST(test_memory)
{
    for (uint64_t n = 1, rc = SCT_ENOMEM; rc != SCT_OK; n++) {
        struct made m;
        struct sct_frozen f;
        start(&m);
        finish(&m, 0);
        (void)sct_mem_fail_at(n, 0);
        rc = (uint64_t)sct_frozen_find(&f, m.g, NULL);
        (void)sct_mem_fail_at(0, 0);
        ck_assert(rc == SCT_OK || rc == SCT_ENOMEM);
        ck_assert(rc == SCT_OK || (!f.g && !f.value && !f.n));
        ck_assert_int_eq(sct_graph_verify(m.g, NULL), SCT_OK);
        sct_frozen_fini(&f);
        sct_graph_destroy(&m.g);
    }
}

END_TEST

Suite *frozen_suite(void)
{
    Suite *s = suite_create("frozen");
    TCase *t = tcase_create("frozen");
    tcase_add_test(t, test_head);
    tcase_add_test(t, test_block);
    tcase_add_test(t, test_two);
    tcase_add_test(t, test_random);
    tcase_add_test(t, test_little);
    tcase_add_test(t, test_memory);
    suite_add_tcase(s, t);
    return s;
}
