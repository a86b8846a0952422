/* SPDX-License-Identifier: MIT
 * json_test.c - JSON files: positions, typed access, floats that survive. */
#include "core/io/json.h"
#include "tests/io/io_suite.h"

#include "core/base/mem.h"
#include "core/checkpoint/half.h"
#include "core/io/text.h"

#include <math.h>
#include <stdlib.h>

static sct_status parse(json_t **out, const char *text, sct_error *err)
{
    return sct_json_parse(text, strlen(text), "c.json", SCT_EFILE, out, err);
}

START_TEST(refuses_with_position)
{
    static const struct {
        const char *text, *words;
    } bad[] = {
        {"{\n \"a\": 1,\n}", "c.json:3:1: "},
        {"{\"a\": 1, \"a\": 2}", "duplicate object key near '\"a\"'"},
        {"", "c.json:1:0: "},
        {"{} {}", "c.json:1:4: end of file expected"},
        {"[1]", "expected an object {...}, found an array"},
        {"{\"a\": \"\xff\"}", "unable to decode byte 0xff"},
        {"{\"a\": 1e999}", "real number overflow"},
        {"{\"a\": nan}", "invalid token near 'nan'"},
    };

    sct_error err;
    json_t *tree;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        check_fails(parse(&tree, bad[i].text, &err), SCT_EFILE, bad[i].words);
        ck_assert_ptr_null(tree);
    }
    char deep[300] = "{\"a\":";
    memset(deep + 5, '[', 64);
    memset(deep + 69, ']', 64);
    strcpy(deep + 133, "}");
    check_fails(parse(&tree, deep, &err), SCT_EFILE,
                "c.json: nested deeper than 64 levels at byte 68");
    check_ok(parse(&tree, "{\"a\":\"[[[[[[[[\\\"[[[[[[\"}", &err));
    json_decref(tree);
}

END_TEST

START_TEST(measures)
{
    static const char text[] = "{\"a[{\\\"\": [1, [2]], \"b\": {}}";
    const struct sct_json_cost c = sct_json_measure(text, strlen(text));
    ck_assert_uint_eq(c.depth, 3);
    ck_assert_uint_eq(c.deepest, 14);
    ck_assert_uint_ge(c.values, 6); /* root, two values, 1, [2], 2 */
    /* Text that ends inside a string or an escape is not read beyond its end. */
    ck_assert_uint_eq(sct_json_measure("{\"", 2).depth, 1);
    ck_assert_uint_eq(sct_json_measure("\"\\", 2).depth, 0);
}

END_TEST

START_TEST(loads_files)
{
    sct_error err;
    json_t *tree;
    scratch_put("a.json", "{\"a\": 1}", 8);
    check_ok(sct_json_load(scratch("a.json"), SCT_EUSAGE, &tree, &err));
    json_decref(tree);
    check_fails(sct_json_load(scratch("b.json"), SCT_EUSAGE, &tree, &err), SCT_EUSAGE,
                "b.json: cannot open: No such file");
    ck_assert_ptr_null(tree);
}

END_TEST

START_TEST(typed_values)
{
    static const char text[] =
        "{\"s\": \"x\", \"i\": 12, \"neg\": -1, \"r\": 0.5, \"t\": true, \"n\": null,"
        " \"l\": [\"a\", \"b\"], \"mixed\": [\"a\", 1], \"o\": {}}";
    sct_error err;
    json_t *tree;
    check_ok(parse(&tree, text, &err));
    const struct sct_json_at at = {tree, "c.json", "model", SCT_EFILE};
    const char *s = "default";
    const json_t *v = NULL;
    uint64_t u = 7;
    uint32_t w = 7;
    int b = 7;
    double d = 7;
    size_t n = 7;
    check_ok(sct_json_get_str(&at, "none", SCT_JSON_OPTIONAL, &s, &err));
    check_ok(sct_json_get_str(&at, "n", SCT_JSON_OPTIONAL, &s, &err));
    check_ok(sct_json_get_u64(&at, "n", SCT_JSON_OPTIONAL, 0, 1, &u, &err));
    check_ok(sct_json_get_f64(&at, "n", SCT_JSON_OPTIONAL, &d, &err));
    check_ok(sct_json_get_bool(&at, "n", SCT_JSON_OPTIONAL, &b, &err));
    check_ok(sct_json_get_strings(&at, "n", SCT_JSON_OPTIONAL, &v, &n, &err));
    ck_assert_str_eq(s, "default");
    ck_assert(u == 7 && d == 7 && b == 7 && v == NULL && n == 7);
    check_ok(sct_json_get_str(&at, "s", SCT_JSON_REQUIRED, &s, &err));
    check_ok(sct_json_get_u64(&at, "i", SCT_JSON_REQUIRED, 12, 12, &u, &err));
    check_ok(sct_json_get_u32(&at, "i", SCT_JSON_REQUIRED, 1, 99, &w, &err));
    check_ok(sct_json_get_bool(&at, "t", SCT_JSON_REQUIRED, &b, &err));
    check_ok(sct_json_get_f64(&at, "i", SCT_JSON_REQUIRED, &d, &err));
    ck_assert(d == 12);
    check_ok(sct_json_get_f64(&at, "r", SCT_JSON_REQUIRED, &d, &err));
    check_ok(sct_json_get_strings(&at, "l", SCT_JSON_REQUIRED, &v, &n, &err));
    ck_assert(u == 12 && w == 12 && b == 1 && d == 0.5 && n == 2);
    ck_assert_str_eq(s, "x");
    check_ok(sct_json_get_object(&at, "o", SCT_JSON_REQUIRED, &v, &err));
    check_fails(sct_json_get_str(&at, "none", SCT_JSON_REQUIRED, &s, &err), SCT_EFILE,
                "c.json: expected a string at model.none, found nothing");
    check_fails(sct_json_get_str(&at, "n", SCT_JSON_REQUIRED, &s, &err), SCT_EFILE,
                "found null");
    check_fails(sct_json_get_str(&at, "i", SCT_JSON_OPTIONAL, &s, &err), SCT_EFILE, "found 12");
    check_fails(sct_json_get_u64(&at, "s", SCT_JSON_OPTIONAL, 0, UINT64_MAX, &u, &err),
                SCT_EFILE, "expected an integer of at least 0 at model.s, found \"x\"");
    check_fails(sct_json_get_u64(&at, "neg", SCT_JSON_OPTIONAL, 0, UINT64_MAX, &u, &err),
                SCT_EFILE, "found -1");
    check_fails(sct_json_get_u64(&at, "r", SCT_JSON_OPTIONAL, 0, 9, &u, &err), SCT_EFILE,
                "expected an integer from 0 to 9 at model.r, found 0.5");
    check_fails(sct_json_get_u32(&at, "i", SCT_JSON_OPTIONAL, 13, 99, &w, &err), SCT_EFILE,
                "from 13 to 99");
    check_fails(sct_json_get_bool(&at, "i", SCT_JSON_OPTIONAL, &b, &err), SCT_EFILE,
                "expected true or false");
    check_fails(sct_json_get_f64(&at, "t", SCT_JSON_OPTIONAL, &d, &err), SCT_EFILE,
                "expected a number at model.t, found true");
    check_fails(sct_json_get_array(&at, "o", SCT_JSON_OPTIONAL, &v, &err), SCT_EFILE,
                "expected an array at model.o, found an object");
    check_fails(sct_json_get_object(&at, "l", SCT_JSON_OPTIONAL, &v, &err), SCT_EFILE,
                "found an array of 2");
    check_fails(sct_json_get_strings(&at, "mixed", SCT_JSON_OPTIONAL, &v, &n, &err), SCT_EFILE,
                "expected an array of strings at model.mixed, found 1");
    json_decref(tree);
}

END_TEST

/* Floats of all exponents, through text and back, bit for bit; and the text is short. */
START_TEST(floats_survive)
{
    sct_error err;
    uint32_t x = 12345;
    for (int i = 0; i < 20000; i++) {
        x = x * 1664525u + 1013904223u;
        const float v = sct_half_float(x);
        if (!isfinite(v))
            continue;
        json_t *tree = json_object(), *back;
        char *text;
        size_t n;
        ck_assert_int_eq(json_object_set_new(tree, "v", sct_json_f32(v)), 0);
        check_ok(sct_json_text(tree, 0, &text, &n, &err));
        check_ok(parse(&back, text, &err));
        const float got = (float)json_number_value(json_object_get(back, "v"));
        ck_assert_msg(memcmp(&got, &v, 4) == 0, "0x%08x: %s", x, text);
        sct_free(text);
        json_decref(tree);
        json_decref(back);
    }
    json_t *tree = json_object();
    (void)json_object_set_new(tree, "b", sct_json_f32(0.1f));
    (void)json_object_set_new(tree, "a", sct_json_f32(1e-5f));
    (void)json_object_set_new(tree, "nan", sct_json_f32(NAN));
    (void)json_object_set_new(tree, "e", json_object());
    check_ok(sct_json_save(scratch("t.json"), tree, &err));
    char *text = scratch_get("t.json", NULL);
    ck_assert_str_eq(text,
                     "{\n  \"b\": 0.1,\n  \"a\": 1e-5,\n  \"nan\": null,\n  \"e\": {}\n}\n");
    free(text);
    json_decref(tree);
}

END_TEST

START_TEST(text_helpers)
{
    static const struct {
        const char *a, *b;
        uint32_t d;
    } rows[] = {{"", "", 0},           {"a", "", 1},     {"", "abc", 3},
                {"k_", "k", 1},        {"ab", "ba", 1},  {"kitten", "sitting", 3},
                {"wheer", "where", 1}, {"abc", "xyz", 3}};

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ck_assert_uint_eq(sct_edit_distance(rows[i].a, rows[i].b), rows[i].d);
        ck_assert_uint_eq(sct_edit_distance(rows[i].b, rows[i].a), rows[i].d);
    }
    char word[100];
    memset(word, 'a', 63);
    word[63] = 0;
    ck_assert_uint_eq(sct_edit_distance(word, ""), 63);
    strcat(word, "a");
    ck_assert_uint_eq(sct_edit_distance(word, word), 64);
    size_t len;
    for (uint32_t cp = 1; cp < 0x110000; cp += 13) {
        char u[4];
        size_t n;
        if (cp < 0x80) {
            u[0] = (char)cp, n = 1;
        } else if (cp < 0x800) {
            u[0] = (char)(0xc0 | cp >> 6), u[1] = (char)(0x80 | (cp & 63)), n = 2;
        } else if (cp < 0x10000) {
            u[0] = (char)(0xe0 | cp >> 12), u[1] = (char)(0x80 | (cp >> 6 & 63));
            u[2] = (char)(0x80 | (cp & 63)), n = 3;
        } else {
            u[0] = (char)(0xf0 | cp >> 18), u[1] = (char)(0x80 | (cp >> 12 & 63));
            u[2] = (char)(0x80 | (cp >> 6 & 63)), u[3] = (char)(0x80 | (cp & 63)), n = 4;
        }
        if (cp >= 0xd800 && cp < 0xe000) {
            ck_assert_uint_eq(sct_utf8_valid(u, n), 0);
            continue;
        }
        ck_assert_uint_eq(sct_utf8_valid(u, n), n);
        ck_assert_uint_eq(sct_utf8_decode(u, &len), cp);
        ck_assert_uint_eq(len, n);
        ck_assert_uint_eq(sct_utf8_valid(u, n - 1), 0);
    }
    ck_assert_uint_eq(sct_utf8_valid("a\xf4\x90\x80\x80", 5), 1);
    ck_assert_uint_eq(sct_utf8_valid("\xe0\x80\x80", 3), 0);
    ck_assert_uint_eq(sct_utf8_valid("\xf0\x80\x80\x80", 4), 0);
}

END_TEST

Suite *json_suite(void)
{
    Suite *s = suite_create("json");
    TCase *tc = scratch_case(s, "json");
    tcase_add_test(tc, refuses_with_position);
    tcase_add_test(tc, measures);
    tcase_add_test(tc, loads_files);
    tcase_add_test(tc, typed_values);
    tcase_add_test(tc, floats_survive);
    tcase_add_test(tc, text_helpers);
    return s;
}
