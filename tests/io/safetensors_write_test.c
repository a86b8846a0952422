/* SPDX-License-Identifier: MIT
 * safetensors_write_test.c - the writer: the reference's bytes, conversions, a full disk.
 * A failing write must leave the old file and no temp file. */
#include "core/checkpoint/safetensors.h"
#include "tests/io/io_suite.h"
#include "tests/io/st_golden.h"

#include "core/checkpoint/half.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>

static const uint32_t d1[] = {1}, d2[] = {2}, d3[] = {3}, d23[] = {2, 3}, d04[] = {0, 4};

START_TEST(writes_the_bytes_of_the_reference)
{
    /* Deliberately not in the order of the file. */
    const unsigned char *g = st_golden_data;
    static const float a[] = {0, 0.25f, 0.5f, 0.75f, 1, 1.25f};
    const struct sct_st_item items[] = {
        {"a", d23, NULL, a, SCT_ST_F32, 2},
        {"z", NULL, g + 40, NULL, SCT_ST_I32, 0},
        {"e", d04, NULL, NULL, SCT_ST_F32, 2},
        {"h", d3, g + 48, NULL, SCT_ST_F16, 1},
        {"w", d2, g + 44, NULL, SCT_ST_BF16, 1},
        {"p\xc3\xa4th \"q\"\\\n", d1, g, NULL, SCT_ST_I64, 1},
        {"u", d3, g + 54, NULL, SCT_ST_U8, 1},
        {"d", d1, g + 8, NULL, SCT_ST_F64, 1},
        {"b", d2, g + 57, NULL, SCT_ST_BOOL, 1},
    };
    sct_error err;
    check_ok(sct_st_write(scratch("w"), items, 9, NULL, 0, &err));
    size_t n;
    char *got = scratch_get("w", &n);
    const size_t h = strlen(ST_GOLDEN_HEADER);
    ck_assert_uint_eq(n, 8 + h + sizeof st_golden_data);
    ck_assert_uint_eq((unsigned char)got[0] | (unsigned)(unsigned char)got[1] << 8, h);
    ck_assert_mem_eq(got + 8, ST_GOLDEN_HEADER, h);
    ck_assert_mem_eq(got + 8 + h, st_golden_data, sizeof st_golden_data);
    free(got);
    ck_assert_uint_eq(scratch_count(), 1);
}

END_TEST

/* More elements than the writer's piece, so that its seams are inside. */
START_TEST(converts_on_the_way)
{
    enum { N = 20000 };

    static const uint32_t dim[] = {N};
    static float v[N], back[N];
    for (size_t i = 0; i < N; i++)
        v[i] = (float)i * 0.37f - 3000.0f;
    const struct sct_st_item items[] = {
        {"f", dim, NULL, v, SCT_ST_F32, 1},
        {"h", dim, NULL, v, SCT_ST_F16, 1},
        {"b", dim, NULL, v, SCT_ST_BF16, 1},
    };
    const struct sct_st_meta meta[] = {{"made by", "a test"}, {"format", "np"}};
    sct_error err;
    struct sct_st *st;
    check_ok(sct_st_write(scratch("c"), items, 3, meta, 2, &err));
    check_ok(sct_st_open(&st, scratch("c"), &err));
    ck_assert_str_eq(sct_st_metadata(st, "format"), "np");
    ck_assert_str_eq(sct_st_metadata(st, "made by"), "a test");
    check_ok(sct_st_read_f32(st, sct_st_find(st, "f"), back, &err));
    ck_assert_mem_eq(v, back, sizeof v);
    check_ok(sct_st_read_f32(st, sct_st_find(st, "h"), back, &err));
    for (size_t i = 0; i < N; i++)
        ck_assert(back[i] == sct_f16_get(sct_f16_put(v[i])));
    sct_st_drop(st, sct_st_find(st, "b"));
    check_ok(sct_st_read_f32(st, sct_st_find(st, "b"), back, &err));
    for (size_t i = 0; i < N; i++)
        ck_assert(back[i] == sct_bf16_get(sct_bf16_put(v[i])));
    sct_st_close(&st);
}

END_TEST

START_TEST(refuses_bad_items)
{
    static const float v[6] = {0};
    static const uint32_t huge[] = {UINT32_MAX, UINT32_MAX, UINT32_MAX}, odd[] = {3};
    const struct sct_st_item good = {"a", d1, NULL, v, SCT_ST_F32, 1};

    const struct {
        struct sct_st_item item;
        const char *words;
    } rows[] = {
        {{NULL, d1, NULL, v, SCT_ST_F32, 1}, "found none"},
        {{"__metadata__", d1, NULL, v, SCT_ST_F32, 1}, "reserved"},
        {{"\xff", d1, NULL, v, SCT_ST_F32, 1}, "not UTF-8"},
        {{"a", d1, NULL, v, SCT_ST_F32, 1}, "two tensors have the name 'a'"},
        {{"x", d1, NULL, v, SCT_ST_DTYPE_COUNT, 1}, "unknown dtype"},
        {{"x", d1, NULL, v, SCT_ST_I32, 1}, "floats cannot be written as I32"},
        {{"x", d1, v, v, SCT_ST_F32, 1}, "exactly one of data and f32"},
        {{"x", d1, NULL, NULL, SCT_ST_F32, 1}, "exactly one of data and f32"},
        {{"x", huge, NULL, v, SCT_ST_F32, 3}, "overflows"},
        {{"x", odd, v, NULL, SCT_ST_F4, 1}, "whole number of bytes"},
    };

    sct_error err;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct sct_st_item items[] = {good, rows[i].item};
        check_fails(sct_st_write(scratch("x"), items, 2, NULL, 0, &err), SCT_EINVAL,
                    rows[i].words);
    }
    const struct sct_st_meta meta = {"k", "\xff"};
    check_fails(sct_st_write(scratch("x"), &good, 1, &meta, 1, &err), SCT_EINVAL, "not UTF-8");
    check_fails(sct_st_write(scratch("no/x"), &good, 1, NULL, 0, &err), SCT_EFAIL,
                "No such file");
    ck_assert_uint_eq(scratch_count(), 0);
}

END_TEST

/* A limit on the size of files stands in for a full disk: write() stops half-way with an errno.
 */
START_TEST(full_disk_leaves_the_old_file)
{
    enum { N = 100000 };

    static const uint32_t dim[] = {N};
    static float v[N];
    const struct sct_st_item item = {"big", dim, NULL, v, SCT_ST_F32, 1};
    const struct rlimit small = {50000, RLIM_INFINITY};
    struct rlimit old;
    sct_error err;
    scratch_put("w", "old", 3);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &old), 0);
    (void)signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
    check_fails(sct_st_write(scratch("w"), &item, 1, NULL, 0, &err), SCT_EFAIL,
                "cannot write: File too large");
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &old), 0);
    ck_assert_uint_eq(scratch_count(), 1);
    char *kept = scratch_get("w", NULL);
    ck_assert_str_eq(kept, "old");
    free(kept);
    check_ok(sct_st_write(scratch("w"), &item, 1, NULL, 0, &err));
    ck_assert_uint_eq(scratch_count(), 1);
}

END_TEST

/* A file that is mapped keeps its bytes while a new one takes its name. */
START_TEST(replacing_spares_the_reader)
{
    static const float one[] = {1}, two[] = {2};
    struct sct_st_item item = {"x", d1, NULL, one, SCT_ST_F32, 1};
    sct_error err;
    struct sct_st *st;
    float got;
    check_ok(sct_st_write(scratch("r"), &item, 1, NULL, 0, &err));
    check_ok(sct_st_open(&st, scratch("r"), &err));
    item.f32 = two;
    check_ok(sct_st_write(scratch("r"), &item, 1, NULL, 0, &err));
    check_ok(sct_st_read_f32(st, sct_st_at(st, 0), &got, &err));
    ck_assert(got == 1);
    sct_st_close(&st);
    check_ok(sct_st_open(&st, scratch("r"), &err));
    check_ok(sct_st_read_f32(st, sct_st_at(st, 0), &got, &err));
    ck_assert(got == 2);
    sct_st_close(&st);
}

END_TEST

Suite *safetensors_write_suite(void)
{
    Suite *s = suite_create("safetensors_write");
    TCase *tc = scratch_case(s, "writer");
    tcase_add_test(tc, writes_the_bytes_of_the_reference);
    tcase_add_test(tc, converts_on_the_way);
    tcase_add_test(tc, refuses_bad_items);
    tcase_add_test(tc, full_disk_leaves_the_old_file);
    tcase_add_test(tc, replacing_spares_the_reader);
    return s;
}
