/* SPDX-License-Identifier: MIT
 * base_test.c - heap with failure injection, arena, growing arrays and strings, statuses. */
#include <stdlib.h>
#include <string.h>

#include "core/base/hash.h"
#include "core/base/mem.h"
#include "core/base/status.h"
#include "core/base/str.h"
#include "tests/unit/unit_suite.h"

START_TEST(test_alloc_edges)
{
    ck_assert_ptr_null(sct_alloc(0));
    ck_assert_ptr_null(sct_calloc(0, 8));
    ck_assert_ptr_null(sct_calloc(8, 0));
    ck_assert_ptr_null(sct_calloc(SIZE_MAX / 2, 3));
    void *p = sct_calloc(4, 4);
    ck_assert_ptr_nonnull(p);
    memset(p, 7, 16);
    ck_assert_ptr_null(sct_realloc(p, SIZE_MAX / 2, 3)); /* p stays valid */
    ck_assert_uint_eq(((const unsigned char *)p)[15], 7);
    void *q = sct_realloc(p, 1000, 4);
    ck_assert_ptr_nonnull(q);
    ck_assert_uint_eq(((const unsigned char *)q)[15], 7);
    sct_free(q);
    sct_free(NULL);
}

END_TEST

START_TEST(test_alloc_fails_when_told)
{
    (void)sct_mem_fail_at(2, 0);
    void *a = sct_alloc(8), *b = sct_alloc(8), *c = sct_alloc(8);
    ck_assert(a && !b && c);
    ck_assert_uint_eq(sct_mem_fail_at(2, 1), 3); /* allocations seen */
    void *d = sct_alloc(8), *e = sct_alloc(8), *f = sct_calloc(1, 8);
    (void)sct_mem_fail_at(0, 0);
    ck_assert(d && !e && !f);
    void *g = sct_alloc(8);
    ck_assert_ptr_nonnull(g);
    sct_free(a);
    sct_free(c);
    sct_free(d);
    sct_free(g);
}

END_TEST

START_TEST(test_arena)
{
    enum { N = 400 };
    struct sct_arena a = {0};
    char *text[N];
    size_t dirty = 0;
    for (int i = 0; i < N; i++) {
        text[i] = sct_arena_printf(&a, "entry %d of %s", i, "many");
        unsigned char *raw = sct_arena_alloc(&a, (size_t)i * 17 + 1);
        ck_assert(text[i] && raw);
        ck_assert_uint_eq((uintptr_t)raw % 16, 0);
        for (int k = 0; k < i * 17 + 1; k++)
            dirty += raw[k] != 0;
        memset(raw, 0xff, (size_t)i * 17 + 1);
    }
    ck_assert_uint_eq(dirty, 0);
    for (int i = 0; i < N; i++) {
        char want[64];
        (void)snprintf(want, sizeof want, "entry %d of many", i);
        ck_assert_str_eq(text[i], want); /* later blocks left it alone */
    }
    unsigned char *large = sct_arena_alloc(&a, 1u << 20); /* more than a block */
    ck_assert_ptr_nonnull(large);
    memset(large, 1, 1u << 20);
    ck_assert_str_eq(sct_arena_strdup(&a, "copy"), "copy");
    ck_assert_ptr_null(sct_arena_alloc(&a, SIZE_MAX));
    sct_arena_free(&a);
    ck_assert_ptr_null(a.head);
    sct_arena_free(&a); /* empty is fine */
}

END_TEST

START_TEST(test_grow)
{
    uint32_t *p = NULL, cap = 0;
    for (uint32_t n = 0; n < 5000; n++) {
        ck_assert_int_eq(sct_grow((void **)&p, &cap, n + 1u, sizeof *p, NULL), SCT_OK);
        ck_assert_uint_gt(cap, n);
        p[n] = n * 3;
    }
    for (uint32_t n = 0; n < 5000; n++)
        ck_assert_uint_eq(p[n], n * 3);
    const uint32_t before = cap;
    uint32_t *const same = p;
    sct_error err = SCT_ERROR_INIT;
    (void)sct_mem_fail_at(1, 0);
    ck_assert_int_eq(sct_grow((void **)&p, &cap, before + 1u, sizeof *p, &err), SCT_ENOMEM);
    (void)sct_mem_fail_at(0, 0);
    ck_assert(p == same && cap == before);
    ck_assert_ptr_nonnull(strstr(err.msg, "out of memory"));
    ck_assert_int_eq(sct_grow((void **)&p, &cap, UINT64_MAX, sizeof *p, NULL), SCT_ENOMEM);
    ck_assert(p == same && cap == before);
    sct_free(p);
}

END_TEST

START_TEST(test_str)
{
    struct sct_str s = {0};
    for (int i = 0; i < 1000; i++)
        sct_str_add(&s, "%d,", i);
    ck_assert_uint_eq(s.n, 10 * 2 + 90 * 3 + 900 * 4);
    char *text = sct_str_take(&s);
    ck_assert_uint_eq(strlen(text), 10 * 2 + 90 * 3 + 900 * 4);
    ck_assert_int_eq(strncmp(text, "0,1,2,", 6), 0);
    ck_assert_ptr_null(s.s);
    sct_free(text);
    text = sct_str_take(&s);
    ck_assert_str_eq(text, ""); /* nothing added is the empty string, not NULL */
    sct_free(text);
}

END_TEST

START_TEST(test_str_remembers_failure)
{
    struct sct_str s = {0};
    sct_str_add(&s, "%s", "before");
    (void)sct_mem_fail_at(1, 0);
    sct_str_add(&s, "%01000d", 7); /* needs to grow, cannot */
    (void)sct_mem_fail_at(0, 0);
    sct_str_add(&s, "after");
    ck_assert_ptr_null(sct_str_take(&s));
    ck_assert_ptr_null(s.s);
}

END_TEST

START_TEST(test_status)
{
    ck_assert_str_eq(sct_status_text(SCT_OK), "ok");
    ck_assert_str_eq(sct_status_text(SCT_ENONFINITE), "loss is not finite");
    ck_assert_str_eq(sct_status_text(77), "unknown status");
    for (sct_status s = SCT_OK; s <= SCT_EPLUGIN; s++)
        ck_assert_int_eq(sct_status_exit(s), s);
    ck_assert_int_eq(sct_status_exit(SCT_EUNSUP), SCT_EDEVICE);
    ck_assert_int_eq(sct_status_exit(SCT_EINVAL), SCT_EFAIL);
    ck_assert_int_eq(sct_status_exit(SCT_EIO), SCT_EFAIL);
}

END_TEST

START_TEST(test_error)
{
    sct_error err = SCT_ERROR_INIT;
    ck_assert_int_eq(sct_error_prefix(&err, "nothing yet"), SCT_OK);
    ck_assert_int_eq(sct_fail(&err, SCT_EFILE, "tensor %s", "w"), SCT_EFILE);
    ck_assert_int_eq(sct_fail(&err, SCT_EDATA, "later"), SCT_EDATA); /* the first one stays */
    ck_assert_int_eq(err.code, SCT_EFILE);
    ck_assert_int_eq(sct_error_prefix(&err, "%s", "a.safetensors"), SCT_EFILE);
    ck_assert_str_eq(err.msg, "a.safetensors: tensor w");
    ck_assert_int_eq(sct_fail(NULL, SCT_EUSAGE, "nobody listens"), SCT_EUSAGE);
    for (int i = 0; i < 200; i++)
        (void)sct_error_prefix(&err, "context %d", i); /* never overflows */
    ck_assert_uint_lt(strlen(err.msg), sizeof err.msg);
    ck_assert_int_eq(strncmp(err.msg, "context 199", 11), 0);
}

END_TEST

/* FNV-1a of published vectors: keys of random ops depend on it, so it may never change. */
START_TEST(test_hash)
{
    ck_assert_uint_eq(sct_hash(SCT_HASH_INIT, "", 0), 0xcbf29ce484222325u);
    ck_assert_uint_eq(sct_hash(SCT_HASH_INIT, "a", 1), 0xaf63dc4c8601ec8cu);
    ck_assert_uint_eq(sct_hash(SCT_HASH_INIT, "foobar", 6), 0x85944171f73967e8u);
    ck_assert_uint_ne(sct_hash_str(sct_hash_str(SCT_HASH_INIT, "ab"), "c"),
                      sct_hash_str(sct_hash_str(SCT_HASH_INIT, "a"), "bc"));
}

END_TEST

Suite *base_suite(void)
{
    Suite *s = suite_create("base");
    TCase *t = tcase_create("base");
    tcase_add_test(t, test_alloc_edges);
    tcase_add_test(t, test_alloc_fails_when_told);
    tcase_add_test(t, test_arena);
    tcase_add_test(t, test_grow);
    tcase_add_test(t, test_str);
    tcase_add_test(t, test_str_remembers_failure);
    tcase_add_test(t, test_status);
    tcase_add_test(t, test_error);
    tcase_add_test(t, test_hash);
    suite_add_tcase(s, t);
    return s;
}
