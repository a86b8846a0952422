/* SPDX-License-Identifier: MIT
 * init_test.c - initialisers: known numbers, distributions, independence, refusals. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/hash.h"
#include "core/ir/model.h"
#include "core/model/build.h"
#include "kernels/philox.h"
#include "tests/unit/unit_suite.h"

enum { ROWS = 300, COLS = 200, COUNT = ROWS * COLS };

static struct sct_desc matrix(void)
{
    const uint32_t dim[2] = {ROWS, COLS};
    return sct_desc_make(SCT_F32, 2, dim);
}

static float *fill(const char *init, uint64_t seed, const char *name)
{
    const struct sct_desc d = matrix();
    float *v = malloc(COUNT * sizeof *v);
    sct_error err = SCT_ERROR_INIT;
    ck_assert_msg(sct_init_fill(init, seed, name, &d, v, &err) == SCT_OK, "%s", err.msg);
    return v;
}

/* Vectors of the Random123 distribution (kat_vectors, philox4x32 10). */
START_TEST(test_philox)
{
    static const struct {
        uint32_t counter[4], key[2], want[4];
    } kat[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };

    for (size_t i = 0; i < sizeof kat / sizeof kat[0]; i++) {
        uint32_t out[4];
        philox4x32_10(kat[i].counter, kat[i].key, out);
        ck_assert_mem_eq(out, kat[i].want, sizeof out);
    }
    ck_assert(philox_unit(0) == 0.0f && philox_unit(0xffffffff) == 1.0f - 0x1p-24f);
}

END_TEST

START_TEST(test_constants)
{
    static const struct {
        const char *init;
        float want;
    } cases[] = {{"zeros", 0}, {"ones", 1}, {"constant(-0.25)", -0.25f}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        float *v = fill(cases[i].init, 1, "w");
        for (int e = 0; e < COUNT; e++)
            ck_assert(v[e] == cases[i].want);
        free(v);
    }
}

END_TEST

struct moments {
    double mean, std, least, most;
};

static struct moments measure(const float *v)
{
    struct moments m = {0, 0, (double)v[0], (double)v[0]};
    for (int e = 0; e < COUNT; e++) {
        m.mean += (double)v[e] / COUNT;
        m.least = fmin(m.least, (double)v[e]);
        m.most = fmax(m.most, (double)v[e]);
    }
    for (int e = 0; e < COUNT; e++)
        m.std += ((double)v[e] - m.mean) * ((double)v[e] - m.mean) / COUNT;
    m.std = sqrt(m.std);
    return m;
}

START_TEST(test_distributions)
{
    /* limits: five standard errors of COUNT draws */
    const double part = 5 / sqrt(COUNT), bound = sqrt(6.0 / (6.0 * COLS)); /* a^2 = 5 */
    float *v = fill("normal(0.5, 0.02)", 3, "head.weight");
    struct moments m = measure(v);
    ck_assert_double_eq_tol(m.mean, 0.5, 0.02 * part);
    ck_assert_double_eq_tol(m.std, 0.02, 0.02 * part);
    ck_assert(m.most > 0.5 + 0.02 * 3.5 && m.least < 0.5 - 0.02 * 3.5); /* it has tails */
    int inside = 0;
    for (int e = 0; e < COUNT; e++)
        inside += fabs((double)v[e] - 0.5) < 0.02;
    ck_assert_double_eq_tol(inside / (double)COUNT, 0.6826894921370859, part);
    free(v);
    v = fill("uniform(-1, 3)", 3, "w");
    m = measure(v);
    ck_assert(m.least >= -1 && m.most <= 3 && m.least < -0.99 && m.most > 2.99);
    ck_assert_double_eq_tol(m.mean, 1, 4 / sqrt(12) * part);
    ck_assert_double_eq_tol(m.std, 4 / sqrt(12), 4 / sqrt(12) * part);
    free(v);
    v = fill("kaiming_uniform(2.2360679775)", 3, "w"); /* fan-in is the columns */
    m = measure(v);
    ck_assert(m.most <= bound * 1.0000001 && m.least >= -bound * 1.0000001);
    ck_assert(m.most > bound * 0.999 && m.least < -bound * 0.999);
    free(v);
    v = fill("xavier_uniform", 3, "w"); /* rows and columns count */
    m = measure(v);
    const double both = sqrt(6.0 / (ROWS + COLS));
    ck_assert(m.most <= both * 1.0000001 && m.least >= -both * 1.0000001);
    ck_assert(m.most > both * 0.999 && m.least < -both * 0.999);
    free(v);
    v = fill("trunc_normal(1.5)", 3, "w"); /* cut at -2 and 2, not at two deviations */
    m = measure(v);
    ck_assert(m.most <= 2 && m.least >= -2 && m.most > 1.99 && m.least < -1.99);
    ck_assert_double_eq_tol(m.mean, 0, part);
    free(v);
}

END_TEST

/* Weights of convolutions: the kernel's elements count on both sides; a channel's own centre.
 */
START_TEST(test_convolution)
{
    const uint32_t dim[4] = {5, 3, 3, 5}, wide[4] = {20, 10, 3, 3};
    const struct sct_desc d = sct_desc_make(SCT_F32, 4, dim),
                          e = sct_desc_make(SCT_F32, 4, wide);
    float v[5 * 3 * 15], x[1800], most = 0;
    ck_assert_int_eq(sct_init_fill("dirac", 1, "w", &d, v, NULL), SCT_OK);
    for (int o = 0; o < 5; o++)
        for (int i = 0; i < 3; i++)
            for (int k = 0; k < 15; k++) /* row 1, column 2 */
                ck_assert(v[(o * 3 + i) * 15 + k] == (float)(o == i && k == 7));
    ck_assert_int_eq(sct_init_fill("xavier_uniform", 1, "w", &e, x, NULL), SCT_OK);
    for (int k = 0; k < 1800; k++)
        most = fmaxf(most, fabsf(x[k]));
    ck_assert(most <= sqrtf(6.0f / 270) && most > 0.99f * sqrtf(6.0f / 270));
}

END_TEST

/* The first numbers, computed here from the documented rule: a file format by another name. */
START_TEST(test_rule)
{
    float *v = fill("normal(0, 1)", 7, "w");
    for (uint64_t e = 0; e < 100; e++) {
        uint32_t word[4];
        philox_block(7, sct_hash_str(SCT_HASH_INIT, "w"), 0, e, word);
        const double a = ((double)word[0] + 0.5) / 4294967296.0;
        const double b = ((double)word[1] + 0.5) / 4294967296.0;
        const double want = sqrt(-2 * log(a)) * cos(2 * 3.14159265358979323846 * b);
        ck_assert_double_eq_tol((double)v[e], want, 1e-6 * fabs(want) + 1e-7);
    }
    free(v);
}

END_TEST

START_TEST(test_independence)
{
    float *a = fill("normal(0, 1)", 1, "blocks.0.w"),
          *same = fill("normal(0, 1)", 1, "blocks.0.w");
    float *name = fill("normal(0, 1)", 1, "blocks.1.w"),
          *seed = fill("normal(0, 1)", 2, "blocks.0.w");
    ck_assert_mem_eq(a, same, COUNT * sizeof *a);
    double with_name = 0, with_seed = 0;
    for (int e = 0; e < COUNT; e++) {
        with_name += (double)a[e] * (double)name[e] / COUNT;
        with_seed += (double)a[e] * (double)seed[e] / COUNT;
    }
    ck_assert_double_eq_tol(with_name, 0, 5 / sqrt(COUNT));
    ck_assert_double_eq_tol(with_seed, 0, 5 / sqrt(COUNT));
    /* a prefix of a larger tensor is the same: values depend on the element, not the shape */
    const uint32_t dim[1] = {11};
    const struct sct_desc d = sct_desc_make(SCT_F32, 1, dim);
    float few[11];
    ck_assert_int_eq(sct_init_fill("normal(0, 1)", 1, "blocks.0.w", &d, few, NULL), SCT_OK);
    ck_assert_mem_eq(few, a, sizeof few);
    free(a);
    free(same);
    free(name);
    free(seed);
}

END_TEST

/* Of torch.nn.Linear: kaiming_uniform_(a = sqrt(5)) of the weight, which is the bias's bound,
 * too.
 */
START_TEST(test_head)
{
    static const uint32_t in[] = {1, 768, 4096};
    struct sct_head_init h;
    sct_head_init(&h, "normal(0, 0.02)", 768);
    ck_assert_str_eq(h.weight, "normal(0, 0.02)");
    ck_assert_str_eq(h.bias, "zeros");
    for (size_t i = 0; i < sizeof in / sizeof in[0]; i++) {
        const struct sct_desc d = sct_desc_make(SCT_F32, 2, (uint32_t[]){2, in[i]});
        float *v = malloc(2 * in[i] * sizeof *v), *w = malloc(2 * in[i] * sizeof *w);
        sct_head_init(&h, "torch_linear", in[i]);
        ck_assert_str_eq(h.weight, h.bias);
        ck_assert_int_eq(sct_init_fill(h.weight, 3, "w", &d, v, NULL), SCT_OK);
        ck_assert_int_eq(sct_init_fill("kaiming_uniform(2.2360679775)", 3, "w", &d, w, NULL),
                         SCT_OK);
        for (uint32_t e = 0; e < 2 * in[i]; e++)
            ck_assert_double_eq_tol((double)v[e], (double)w[e], 1e-7);
        free(v);
        free(w);
    }
}

END_TEST

START_TEST(test_refused)
{
    static const char *const bad[] = {
        "",
        "normal",
        "normal(1)",
        "normal(0, 1",
        "normal(0, 1)x",
        "zeros(0)",
        "Zeros",
        "uniform(a, b)",
        "constant()",
        "glorot",
        "normal(0, 1, 2)",
        "trunc_normal(0, 1)",
        "dirac", /* of a matrix */
        "xavier_uniform(1)",
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const struct sct_desc d = matrix();
        float *v = malloc(COUNT * sizeof *v);
        v[0] = 9;
        sct_error err = SCT_ERROR_INIT;
        ck_assert_msg(sct_init_fill(bad[i], 0, "head.weight", &d, v, &err) == SCT_EINVAL,
                      "accepted \"%s\"", bad[i]);
        ck_assert(strstr(err.msg, "head.weight") && strstr(err.msg, "trunc_normal(std)"));
        ck_assert(v[0] == 9); /* nothing was written */
        free(v);
    }
}

END_TEST

Suite *init_suite(void)
{
    Suite *s = suite_create("init");
    TCase *t = tcase_create("init");
    tcase_add_test(t, test_philox);
    tcase_add_test(t, test_constants);
    tcase_add_test(t, test_distributions);
    tcase_add_test(t, test_convolution);
    tcase_add_test(t, test_rule);
    tcase_add_test(t, test_independence);
    tcase_add_test(t, test_head);
    tcase_add_test(t, test_refused);
    suite_add_tcase(s, t);
    return s;
}
