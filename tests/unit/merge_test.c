/* SPDX-License-Identifier: MIT
 * merge_test.c - which branches beside a linear layer are a matrix times its input, and which
 * matrix. */
#include <math.h>
#include <string.h>

#include "core/export/merge.h"
#include "core/model/build.h"
#include "core/peft/host.h"
#include "tests/unit/unit_suite.h"

enum { C = 8, R = 3, TOKENS = 5 }; /* four patches and the class token */

static const struct sct_model_config tiny = {.name = "tiny",
                                             .head_init = "zeros",
                                             .image = 8,
                                             .patch = 4,
                                             .dim = C,
                                             .depth = 1,
                                             .heads = 2,
                                             .mlp = 16,
                                             .classes = 3,
                                             .class_token = 1,
                                             .eps = 1e-6f};

/* What is built beside proj from its input; u [R][C / 2], v [C][R], bias [C], all [TOKENS C]
 * [TOKENS C]. */
struct beside {
    struct sct_builder *b;
    sct_val x, out, u, v, bias, all;
};

static const uint32_t halves[4] = {0, 0, 2, C / 2}, flat[3] = {0, 0, 2 * R};

static sct_val linear(const struct beside *k, sct_val x, sct_val w)
{
    return sct_linear(k->b, x, w, sct_none());
}

/* U of both halves of x, [B][N][2 R]. */
static sct_val down(const struct beside *k)
{
    return sct_reshape(k->b, linear(k, sct_reshape(k->b, k->x, 4, halves), k->u), 3, flat);
}

/* 0.5 V (U x of the second half + U x of the first). */
static sct_val matrix(const struct beside *k)
{
    const sct_val u = down(k), first = sct_slice_ch(k->b, u, 0, R);
    const sct_val sum = sct_add(k->b, sct_slice_ch(k->b, u, R, R), first);
    return sct_scale(k->b, linear(k, sum, k->v), 0.5f, 0.0f);
}

static sct_val with_bias(const struct beside *k)
{
    return sct_linear(k->b, sct_slice_ch(k->b, down(k), 0, R), k->v, k->bias);
}

static sct_val with_shift(const struct beside *k)
{
    return sct_scale(k->b, matrix(k), 1.0f, 0.1f);
}

static sct_val with_gelu(const struct beside *k)
{
    return linear(k, sct_gelu(k->b, sct_slice_ch(k->b, down(k), 0, R), SCT_GELU_ERF), k->v);
}

/* Of the layer's output. */
static sct_val behind(const struct beside *k)
{
    return linear(k, linear(k, sct_slice_ch(k->b, k->out, 0, C / 2), k->u), k->v);
}

/* Every token from all tokens. */
static sct_val across_tokens(const struct beside *k)
{
    const uint32_t row[3] = {0, 1, TOKENS * C}, tokens[3] = {0, TOKENS, C};
    return sct_reshape(k->b, linear(k, sct_reshape(k->b, k->x, 3, row), k->all), 3, tokens);
}

struct made {
    struct sct_weights *w;
    struct sct_model *adapted, *plain;
};

static void make(struct made *m, sct_val (*build)(const struct beside *))
{
    const struct sct_strategy_host *h = sct_strategy_host_table();
    const struct sct_build_opts o = {2, 1, false};
    const uint32_t du[2] = {R, C / 2}, dv[2] = {C, R}, da[2] = {TOKENS * C, TOKENS * C};
    struct sct_site site;
    sct_error err = SCT_ERROR_INIT;
    *m = (struct made){.w = sct_weights_create("random", true, 1)};
    ck_assert_int_eq(sct_model_build(&m->adapted, &tiny, m->w, &o, &err), SCT_OK);
    ck_assert_int_eq(sct_model_build(&m->plain, &tiny, m->w, &o, &err), SCT_OK);
    ck_assert_uint_eq(h->sites(m->adapted, "**.attn.proj", &site, 1), 1);
    struct beside k = {.b = h->edit_begin(m->adapted, &site), .x = site.in, .out = site.out};
    k.u = h->new_param(m->adapted, "u", du, 2, "normal(0, 1)", NULL);
    k.v = h->new_param(m->adapted, "v", dv, 2, "normal(0, 1)", NULL);
    k.bias = h->new_param(m->adapted, "bias", dv, 1, "normal(0, 1)", NULL);
    k.all = h->new_param(m->adapted, "all", da, 2, "normal(0, 1)", NULL);
    const sct_val y = sct_add(k.b, site.out, build(&k));
    ck_assert_msg(h->edit_commit(m->adapted, y, &err) == SCT_OK, "%s", err.msg);
}

static void drop(struct made *m)
{
    sct_model_destroy(&m->adapted);
    sct_model_destroy(&m->plain);
    sct_weights_destroy(&m->w);
}

static void values(const struct made *m, const char *name, float *v)
{
    const struct sct_param *p = sct_model_find(m->adapted, name);
    sct_error err = SCT_ERROR_INIT;
    ck_assert_ptr_nonnull(p);
    ck_assert_int_eq(p->t->load(p->t, v, &err), SCT_OK);
}

START_TEST(a_matrix_is_folded)
{
    struct made m;
    struct sct_merge merge;
    sct_error err = SCT_ERROR_INIT;
    float w[C][C], found[C][C], u[R][C / 2], v[C][R];
    make(&m, matrix);
    ck_assert_msg(sct_merge_find(&merge, m.adapted, m.plain, &err) == SCT_OK, "%s", err.msg);
    ck_assert_uint_eq(merge.n, 1);
    values(&m, "blocks.0.attn.proj.weight", &w[0][0]);
    values(&m, "u", &u[0][0]);
    values(&m, "v", &v[0][0]);
    ck_assert_int_eq(sct_merge_load(&merge, "blocks.0.attn.proj.weight", &found[0][0], &err),
                     SCT_OK);
    for (uint32_t o = 0; o < C; o++)
        for (uint32_t i = 0; i < C; i++) {
            double d = 0;
            for (uint32_t r = 0; r < R; r++)
                d += (double)v[o][r] * (double)u[r][i % (C / 2)];
            ck_assert_double_eq_tol((double)found[o][i], (double)w[o][i] + 0.5 * d, 1e-6);
            ck_assert(fabs(d) > 0);
        }
    sct_merge_fini(&merge);
    drop(&m);
}

END_TEST

static sct_val (*const others[])(const struct beside *) = {with_bias, with_shift, with_gelu,
                                                           behind, across_tokens};

START_TEST(anything_else_is_refused)
{
    struct made m;
    struct sct_merge merge;
    sct_error err = SCT_ERROR_INIT;
    make(&m, others[_i]);
    ck_assert_int_eq(sct_merge_find(&merge, m.adapted, m.plain, &err), SCT_EUSAGE);
    ck_assert_ptr_nonnull(strstr(err.msg, "add cannot be merged"));
    drop(&m);
}

END_TEST

Suite *merge_suite(void)
{
    Suite *s = suite_create("merge");
    TCase *t = tcase_create("branch");
    tcase_add_test(t, a_matrix_is_folded);
    tcase_add_loop_test(t, anything_else_is_refused, 0, sizeof others / sizeof others[0]);
    suite_add_tcase(s, t);
    return s;
}
