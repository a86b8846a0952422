/* SPDX-License-Identifier: MIT
 * stats_test.c - the statistics of tables against scipy's (tools/golden/make_stats.py), and by
 * hand where a figure is not there. */
#include <jansson.h>
#include <math.h>

#include "core/ablate/plot.h"
#include "core/ablate/stats.h"
#include "tests/unit/unit_suite.h"

enum { MOST = 256 };

static json_t *golden(void)
{
    json_error_t why;
    json_t *file = json_load_file(SCT_TEST_GOLDEN "/stats.json", 0, &why);
    ck_assert_msg(file != NULL, "%s:%d: %s", SCT_TEST_GOLDEN "/stats.json", why.line, why.text);
    return file;
}

static double number(const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);
    ck_assert_msg(json_is_number(v), "no %s", key);
    return json_number_value(v);
}

static uint32_t numbers(const json_t *o, const char *key, double *out)
{
    const json_t *list = json_object_get(o, key), *v;
    size_t i;
    ck_assert_uint_gt(json_array_size(list), 0);
    ck_assert_uint_le(json_array_size(list), MOST);
    json_array_foreach(list, i, v) out[i] = json_number_value(v);
    return (uint32_t)json_array_size(list);
}

static void near(double have, double want, double rel, const char *what, size_t i)
{
    ck_assert_msg(fabs(have - want) <= rel * fabs(want) + 1e-300,
                  "%s %zu: %.17g, expected %.17g", what, i, have, want);
}

START_TEST(test_pairs)
{
    json_t *file = golden();
    const json_t *c;
    size_t i;
    json_array_foreach(json_object_get(file, "pairs"), i, c)
    {
        double a[MOST], b[MOST], mean, deviation;
        const uint32_t n = numbers(c, "a", a);
        ck_assert_uint_eq(numbers(c, "b", b), n);
        for (uint32_t k = 0; k < n; k++)
            a[k] -= b[k];
        sct_stats_mean(a, n, &mean, &deviation);
        const struct sct_paired r = sct_stats_paired(a, n);
        near(mean, number(c, "mean"), 1e-9, "mean", i);
        near(deviation, number(c, "deviation"), 1e-9, "deviation", i);
        near(r.mean, number(c, "mean"), 1e-9, "mean of pairs", i);
        near(r.t, number(c, "t"), 1e-8, "t", i);
        near(r.p, number(c, "p"), 1e-7, "p", i);
        ck_assert_uint_eq(r.n, n);
    }
    ck_assert_uint_eq(i, 18);
    json_decref(file);
}

END_TEST

START_TEST(test_functions)
{
    json_t *file = golden();
    const json_t *c;
    size_t i;
    json_array_foreach(json_object_get(file, "beta"), i, c)
        near(sct_stats_beta(number(c, "a"), number(c, "b"), number(c, "x")), number(c, "value"),
             1e-10, "beta", i);
    ck_assert_uint_eq(i, 40);
    json_array_foreach(json_object_get(file, "student"), i, c) near(
        sct_stats_student(number(c, "t"), number(c, "df")), number(c, "p"), 1e-9, "student", i);
    ck_assert_uint_eq(i, 25);
    ck_assert(sct_stats_beta(2, 3, -1) <= 0);
    ck_assert(sct_stats_beta(2, 3, 2) >= 1);
    ck_assert(isnan(sct_stats_student(1, 0)));
    ck_assert(isnan(sct_stats_student((double)NAN, 3)));
    json_decref(file);
}

END_TEST

START_TEST(test_holm)
{
    json_t *file = golden();
    const json_t *c;
    size_t i;
    json_array_foreach(json_object_get(file, "families"), i, c)
    {
        double p[MOST], want[MOST], have[MOST];
        const uint32_t n = numbers(c, "p", p);
        ck_assert_uint_eq(numbers(c, "holm", want), n);
        sct_stats_holm(p, have, n);
        for (uint32_t k = 0; k < n; k++)
            near(have[k], want[k], 1e-12, "holm", i);
    }
    ck_assert_uint_eq(i, 4);
    json_decref(file);
    /* what is not there does not count */
    const double p[3] = {0.02, (double)NAN, 0.03};
    double have[3];
    sct_stats_holm(p, have, 3);
    near(have[0], 0.04, 1e-12, "holm", 0);
    ck_assert(isnan(have[1]));
    near(have[2], 0.04, 1e-12, "holm", 2);
}

END_TEST

START_TEST(test_little)
{
    const double one[1] = {3}, same[3] = {2, 2, 2}, none[3] = {0, 0, 0};
    double mean, deviation;
    sct_stats_mean(one, 0, &mean, &deviation);
    ck_assert(isnan(mean) && isnan(deviation));
    sct_stats_mean(one, 1, &mean, &deviation);
    ck_assert_double_eq(mean, 3);
    ck_assert(isnan(deviation));
    struct sct_paired r = sct_stats_paired(one, 1);
    ck_assert(isnan(r.p) && isnan(r.t));
    r = sct_stats_paired(same, 3); /* t would be infinite */
    ck_assert(isnan(r.p) && isnan(r.t));
    ck_assert_double_eq(r.mean, 2);
    r = sct_stats_paired(none, 3);
    ck_assert_double_eq(r.p, 1);
}

END_TEST

START_TEST(test_range)
{
    static const struct {
        double low, high, from, to, step;
    } c[] = {{3, 47, 0, 50, 10}, {0, 1, 0, 1, 0.2},     {61.2, 61.9, 61.2, 62, 0.2},
             {-7, 3, -8, 4, 2},  {5, 5, 4.4, 5.6, 0.2}, {0, 86, 0, 100, 20}};

    double from, to, step;
    for (size_t i = 0; i < sizeof c / sizeof c[0]; i++) {
        sct_plot_range(c[i].low, c[i].high, &from, &to, &step);
        ck_assert_double_eq_tol(from, c[i].from, 1e-9);
        ck_assert_double_eq_tol(to, c[i].to, 1e-9);
        ck_assert_double_eq_tol(step, c[i].step, 1e-9);
        ck_assert(from <= c[i].low && to >= c[i].high);
    }
    sct_plot_range((double)INFINITY, (double)-INFINITY, &from, &to,
                   &step); /* nothing to show */
    ck_assert(from <= 0 && to >= 1 && step > 0);
}

END_TEST

Suite *stats_suite(void)
{
    Suite *s = suite_create("stats");
    TCase *t = tcase_create("stats");
    tcase_add_test(t, test_pairs);
    tcase_add_test(t, test_functions);
    tcase_add_test(t, test_holm);
    tcase_add_test(t, test_little);
    tcase_add_test(t, test_range);
    suite_add_tcase(s, t);
    return s;
}
