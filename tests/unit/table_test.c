/* SPDX-License-Identifier: MIT
 * table_test.c - tables of strategies from and to JSON, plain values in PyTorch's container. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/mem.h"
#include "core/checkpoint/torch_values.h"
#include "core/io/file.h"
#include "core/peft/table.h"
#include "tests/unit/unit_suite.h"

static json_t *tree(const char *text)
{
    json_t *v = json_loads(text, 0, NULL);
    ck_assert_ptr_nonnull(v);
    return v;
}

static const char all_kinds[] =
    "{\"n\": 3, \"x\": 0.25, \"s\": \"a \\\"b\\\"\", \"t\": true, \"z\": null, "
    "\"names\": [\"p\", \"q\"], \"none\": [], \"empty\": {}, "
    "\"rows\": [[1, 2], [3, 4]], \"big\": [1, 4294967296], \"mixed\": [1, \"a\"], "
    "\"in\": {\"a.b\": [0, -7], \"c\": {\"d\": 1}}}";

/* Opened up as strategy.h says. */
START_TEST(test_open_up)
{
    json_t *v = tree(all_kinds);
    struct sct_adapter *t = NULL;
    sct_error err = SCT_ERROR_INIT;

    static const struct {
        const char *key, *json;
    } keys[] = {{"n", "3"},           {"x", "0.25"},        {"s", "\"a \\\"b\\\"\""},
                {"t", "true"},        {"z", "null"},        {"names/0", "\"p\""},
                {"names/1", "\"q\""}, {"none", "[]"},       {"empty", "{}"},
                {"mixed/0", "1"},     {"mixed/1", "\"a\""}, {"in/c/d", "1"}};

    static const struct {
        const char *name;
        int32_t v[2];
    } lists[] = {{"rows/0", {1, 2}}, {"rows/1", {3, 4}}, {"in/a.b", {0, -7}}};

    ck_assert_msg(sct_table_from_json(v, "test", &t, &err) == SCT_OK, "%s", err.msg);
    ck_assert_uint_eq(t->n_key, sizeof keys / sizeof *keys);
    for (size_t i = 0; i < t->n_key; i++) {
        ck_assert_str_eq(sct_adapter_key_name(t, i), keys[i].key);
        ck_assert_str_eq(sct_adapter_get_key(t, keys[i].key), keys[i].json);
    }
    ck_assert_ptr_null(sct_adapter_key_name(t, t->n_key));
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        const struct sct_adapter_tensor *x = sct_adapter_find(t, lists[i].name);
        ck_assert(x && x->desc.dtype == SCT_I32 && x->desc.nd == 1 && x->desc.dim[0] == 2);
        ck_assert_mem_eq(x->data, lists[i].v, 8);
    }
    ck_assert_uint_eq(sct_adapter_find(t, "big")->desc.dtype, SCT_F32);
    sct_adapter_destroy(&t);
    json_decref(v);
}

END_TEST

START_TEST(test_there_and_back)
{
    json_t *v = tree(all_kinds), *back = NULL;
    struct sct_adapter *t = NULL;
    sct_error err = SCT_ERROR_INIT;
    json_object_del(v, "big"); /* comes back rounded */
    ck_assert_msg(sct_table_from_json(v, "test", &t, &err) == SCT_OK, "%s", err.msg);
    ck_assert_msg(sct_table_to_json(t, &back, &err) == SCT_OK, "%s", err.msg);
    ck_assert(json_equal(v, back));
    json_decref(v);
    json_decref(back);
    sct_adapter_destroy(&t);
}

END_TEST

START_TEST(test_clashes)
{
    static const char *const pairs[][2] = {
        {"a", "a/b"}, {"a/b", "a"}, {"a/0", "a/2"}, {"a/0", "a/x"}, {"a", "a/0/1"}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        struct sct_adapter *t = sct_adapter_create("test");
        sct_error err = SCT_ERROR_INIT;
        json_t *out = NULL;
        for (unsigned k = 0; k < 2; k++)
            ck_assert_int_eq(sct_adapter_put_key(t, pairs[i][k], "1", &err), SCT_OK);
        ck_assert_int_eq(sct_table_to_json(t, &out, &err), SCT_EINVAL);
        ck_assert_ptr_null(out);
        ck_assert_msg(strstr(err.msg, pairs[i][1]) != NULL, "%s", err.msg);
        sct_adapter_destroy(&t);
    }
}

END_TEST

START_TEST(test_limits)
{
    json_t *many = json_object(), *deep = json_object(), *v = deep;
    struct sct_adapter *t = NULL;
    char name[700];
    sct_error err = SCT_ERROR_INIT;
    for (unsigned i = 0; i <= SCT_TABLE_MAX_ITEMS; i++) {
        (void)snprintf(name, sizeof name, "k%u", i);
        json_object_set_new(many, name, json_integer(1));
    }
    ck_assert_int_eq(sct_table_from_json(many, "test", &t, &err), SCT_EFILE);
    ck_assert_ptr_null(t);
    err.code = SCT_OK;
    for (unsigned i = 0; i < 80; i++) {
        json_t *inner = json_object();
        json_object_set_new(v, "a", inner);
        v = inner;
    }
    json_object_set_new(v, "a", json_integer(1));
    ck_assert_int_eq(sct_table_from_json(deep, "test", &t, &err), SCT_EFILE);
    err.code = SCT_OK;
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = 0;
    json_object_clear(many);
    json_object_set_new(many, name, json_integer(1));
    ck_assert_int_eq(sct_table_from_json(many, "test", &t, &err), SCT_EFILE);
    json_decref(many);
    json_decref(deep);
}

END_TEST

/* ---- PyTorch's container ---- */

static enum sct_values_form form(const void *ctx, const char *key)
{
    (void)ctx;
    return key[0] == 'T'   ? SCT_VALUES_TENSOR
           : key[0] == 'S' ? SCT_VALUES_SIZES
           : key[0] == 'N' ? SCT_VALUES_NUMPY
                           : SCT_VALUES_PLAIN;
}

static const char path[] = "sctrun-table-test.pth";

START_TEST(test_torch)
{
    json_t *v = tree(all_kinds), *back = NULL;
    sct_error err = SCT_ERROR_INIT;
    json_object_set_new(v, "T0", json_real(0.375));
    json_object_set_new(v, "T1", tree("{\"a\": [0, 5, 2147483647]}"));
    json_object_set(v, "T1", json_object_get(json_object_get(v, "T1"), "a"));
    json_object_set_new(v, "T2", json_array());
    json_object_set_new(v, "S", tree("{\"w\": [768, 3072], \"b\": [768], \"s\": []}"));
    json_object_set_new(v, "N",
                        tree("{\"a\": 0, \"b\": 128, \"c\": -129, \"d\": "
                             "1099511627775}"));
    ck_assert_msg(sct_torch_values_write(path, v, form, NULL, &err) == SCT_OK, "%s", err.msg);
    ck_assert_msg(sct_torch_values_read(path, &back, &err) == SCT_OK, "%s", err.msg);
    ck_assert(json_equal(v, back));
    json_decref(v);
    json_decref(back);
    (void)unlink(path);
}

END_TEST

START_TEST(test_torch_refuses)
{
    static const char *const bad[] = {"{\"T\": \"x\"}",      "{\"T\": [0.5]}",
                                      "{\"S\": {\"a\": 1}}", "{\"S\": {\"a\": [0.5]}}",
                                      "{\"S\": 1}",          "{\"N\": {\"a\": 0.5}}",
                                      "{\"N\": [1]}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        json_t *v = tree(bad[i]);
        sct_error err = SCT_ERROR_INIT;
        ck_assert_msg(sct_torch_values_write(path, v, form, NULL, &err) == SCT_EINVAL, "%s",
                      bad[i]);
        ck_assert(access(path, F_OK) != 0);
        json_decref(v);
    }
}

END_TEST

/* Every byte of a file changed, and every length of it: an error or another tree, never more.
 */
START_TEST(test_torch_damage)
{
    static const char golden[] = SCT_TEST_GOLDEN "/spt/param_req_toy.pth";
    char *data = NULL;
    size_t n = 0;
    sct_error err = SCT_ERROR_INIT;
    ck_assert_int_eq(sct_file_read(golden, 1 << 20, SCT_EFILE, &data, &n, &err), SCT_OK);
    for (size_t i = 0; i < n; i += 3)
        for (unsigned cut = 0; cut < 2; cut++) {
            json_t *out = NULL;
            err.code = SCT_OK;
            char *copy = malloc(n);
            memcpy(copy, data, n);
            copy[i] = (char)(copy[i] ^ (cut ? 0 : 0x55));
            const sct_status rc =
                sct_torch_values_parse(copy, cut ? i : n, "damaged", &out, &err);
            ck_assert((rc == SCT_OK) == (out != NULL) && err.code == rc);
            ck_assert(rc == SCT_OK || rc == SCT_EFILE);
            json_decref(out);
            free(copy);
        }
    sct_free(data);
}

END_TEST

Suite *table_suite(void)
{
    Suite *s = suite_create("table");
    TCase *c = tcase_create("table");
    tcase_set_timeout(c, 60);
    tcase_add_test(c, test_open_up);
    tcase_add_test(c, test_there_and_back);
    tcase_add_test(c, test_clashes);
    tcase_add_test(c, test_limits);
    tcase_add_test(c, test_torch);
    tcase_add_test(c, test_torch_refuses);
    tcase_add_test(c, test_torch_damage);
    suite_add_tcase(s, c);
    return s;
}
