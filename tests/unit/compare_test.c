/* SPDX-License-Identifier: MIT
 * compare_test.c - two adapters compared; pictures as text. */
#include <math.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/peft/adapter_diff.h"
#include "core/report/svg.h"
#include "tests/unit/unit_suite.h"

START_TEST(lists_have_entries_in_common)
{
    static const struct {
        int32_t a[4], b[4];
        uint32_t n_a, n_b, both, either;
    } row[] = {
        {{1, 2, 3}, {2, 3, 4}, 3, 3, 2, 4},
        {{3, 1, 2}, {4, 3, 2}, 3, 3, 2, 4}, /* any order */
        {{5, 5, 7, 7}, {7, 5}, 4, 2, 2, 2}, /* repeats count once */
        {{0}, {1, 2}, 0, 2, 0, 2},          /* empty */
        {{-2147483647 - 1, 2147483647}, {2147483647}, 2, 1, 1, 2},
    };

    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        uint32_t both, either;
        ck_assert_int_eq(
            sct_index_both(row[i].a, row[i].n_a, row[i].b, row[i].n_b, &both, &either, NULL),
            SCT_OK);
        ck_assert_uint_eq(both, row[i].both);
        ck_assert_uint_eq(either, row[i].either);
    }
}

END_TEST

static void put(struct sct_adapter *a, const char *name, uint32_t dtype, uint32_t n,
                const void *data)
{
    const struct sct_desc d = sct_desc_make(dtype, 1, &n);
    ck_assert_int_eq(sct_adapter_put(a, name, &d, data, NULL), SCT_OK);
}

START_TEST(tensors_are_compared_by_name)
{
    const float x[] = {3, 4}, y[] = {3, 4.5f}, nan[] = {3, NAN};
    const int32_t i[] = {1, 2}, k[] = {2, 3, 4};
    struct sct_adapter *a = sct_adapter_create("a"), *b = sct_adapter_create("b");
    put(a, "z", SCT_F32, 2, x);
    put(a, "index", SCT_I32, 2, i);
    put(a, "a", SCT_F32, 2, nan);
    put(a, "same", SCT_F32, 2, nan);
    put(b, "same", SCT_F32, 2, nan);
    put(b, "b", SCT_F32, 1, x);
    put(b, "index", SCT_I32, 3, k);
    put(b, "z", SCT_F32, 2, y);
    put(b, "a", SCT_F32, 2, x);
    struct sct_tensor_diff *d;
    uint32_t n;
    ck_assert_int_eq(sct_adapter_diff(&d, &n, a, b, NULL), SCT_OK);
    ck_assert_uint_eq(n, 5);
    static const char *const names[] = {"a", "b", "index", "same", "z"};
    static const uint32_t kinds[] = {SCT_DIFF_VALUES, SCT_DIFF_ONLY_B, SCT_DIFF_SHAPE,
                                     SCT_DIFF_EQUAL, SCT_DIFF_VALUES};
    for (uint32_t j = 0; j < n; j++) {
        ck_assert_str_eq(d[j].name, names[j]);
        ck_assert_uint_eq(d[j].kind, kinds[j]);
    }
    ck_assert(isinf(d[0].max_abs) && isinf(d[0].norm_diff));
    ck_assert(d[2].index && d[2].both == 1 && d[2].either == 4);
    ck_assert_double_eq(sct_tensor_diff_overlap(&d[2]), 0.5);
    ck_assert_double_eq(sct_tensor_diff_jaccard(&d[2]), 0.25);
    ck_assert_double_eq(d[4].norm_a, 5);
    ck_assert_double_eq(d[4].max_abs, 0.5);
    ck_assert_double_eq_tol(sct_tensor_diff_relative(&d[4]), 0.5 / sqrt(9 + 4.5 * 4.5), 1e-15);
    sct_free(d);
    sct_adapter_destroy(&a);
    sct_adapter_destroy(&b);
}

END_TEST

START_TEST(pictures_are_text)
{
    struct sct_svg svg = {{0}};
    sct_svg_begin(&svg, 10, 20.5, "a<b> & \"c\"\n\xc3\xa9\xff\xe2\x82");
    sct_svg_rect(&svg, 0.25, 1, 2, 3, 0xff00ff01, "cell");
    sct_svg_text(&svg, 1, 2, 3, SCT_SVG_RIGHT, 0x123456, "50%s");
    char *text = sct_svg_take(&svg);
    ck_assert(strstr(text, "width=\"10\" height=\"20.5\"") != NULL);
    ck_assert(strstr(text, "<title>a&lt;b&gt; &amp; &quot;c&quot;\xc3\xa9??"
                           "?</title>") != NULL);
    ck_assert(strstr(text, "<rect x=\"0.25\" y=\"1\" width=\"2\" height=\"3\" fill=\"#00ff01\" "
                           "class=\"cell\"/>\n") != NULL);
    ck_assert(strstr(text, "text-anchor=\"end\" fill=\"#123456\">50%s</text>\n</svg>\n") !=
              NULL);
    sct_free(text);
    (void)sct_mem_fail_at(1, 1);
    sct_svg_begin(&svg, 1, 1, "no memory");
    text = sct_svg_take(&svg);
    (void)sct_mem_fail_at(0, 0);
    ck_assert(text == NULL);
}

END_TEST

START_TEST(heat_gets_darker)
{
    double before = 1e9;
    for (int i = 0; i <= 100; i++) {
        const uint32_t c = sct_svg_heat(i / 100.0);
        const double light = 0.2126 * (c >> 16) + 0.7152 * (c >> 8 & 255) + 0.0722 * (c & 255);
        ck_assert(light < before);
        before = light;
    }
    ck_assert_uint_eq(sct_svg_heat(-1), sct_svg_heat(0));
    ck_assert_uint_eq(sct_svg_heat(2), sct_svg_heat(1));
    ck_assert_uint_eq(sct_svg_heat(NAN), sct_svg_heat(0));
}

END_TEST

Suite *compare_suite(void)
{
    Suite *s = suite_create("compare");
    TCase *t = tcase_create("compare");
    tcase_add_test(t, lists_have_entries_in_common);
    tcase_add_test(t, tensors_are_compared_by_name);
    tcase_add_test(t, pictures_are_text);
    tcase_add_test(t, heat_gets_darker);
    suite_add_tcase(s, t);
    return s;
}
