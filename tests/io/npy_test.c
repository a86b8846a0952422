/* SPDX-License-Identifier: MIT
 * npy_test.c - heads of NumPy arrays: what is understood and what is refused. */
#include "core/checkpoint/npy.h"
#include "tests/io/io_suite.h"

#include "core/checkpoint/safetensors.h"

#include <stdlib.h>

/* A head of this version with the dict as it is; on the heap, exactly. */
static sct_status parse(struct sct_npy_head *h, unsigned version, const char *dict,
                        size_t length, sct_error *err)
{
    const size_t n = strlen(dict), begin = version == 1 ? 10 : 12;
    unsigned char *b = malloc(begin + n);
    ck_assert_ptr_nonnull(b);
    memcpy(b, "\x93NUMPY", 6);
    b[6] = (unsigned char)version;
    b[7] = 0;
    for (size_t i = 8; i < begin; i++)
        b[i] = (unsigned char)(length >> 8 * (i - 8));
    memcpy(b + begin, dict, n);
    const sct_status rc = sct_npy_parse(h, b, begin + n, "a", err);
    free(b);
    return rc;
}

#define HEAD(DESCR, ORDER, SHAPE)                                                              \
    "{'descr': " DESCR ", 'fortran_order': " ORDER ", 'shape': " SHAPE ", }   \n"

static const struct {
    unsigned version;
    const char *dict;
    uint32_t dtype, nd;
    uint64_t dim[3];
    bool fortran;
} good[] = {
    {1, HEAD("'<f4'", "False", "(2, 3)"), SCT_ST_F32, 2, {2, 3}, false},
    {2, HEAD("'<f2'", "True", "(7,)"), SCT_ST_F16, 1, {7}, true},
    {3, HEAD("'<f8'", "False", "()"), SCT_ST_F64, 0, {0}, false},
    {1,
     HEAD("'|b1'", "False", "(0, 18446744073709551615)"),
     SCT_ST_BOOL,
     2,
     {0, UINT64_MAX},
     false},
    {1, HEAD("'>u1'", "False", "(1,)"), SCT_ST_U8, 1, {1}, false},
    {1, HEAD("'|V2'", "False", "(1,)"), SCT_ST_BF16, 1, {1}, false},
    {1,
     "{\"shape\":(4L,5L,6L),\"descr\":\"<i8\",\"fortran_order\":False}",
     SCT_ST_I64,
     3,
     {4, 5, 6},
     false},
};

START_TEST(reads_heads)
{
    sct_error err;
    struct sct_npy_head h;
    const char *dict = good[_i].dict;
    check_ok(parse(&h, good[_i].version, dict, strlen(dict), &err));
    ck_assert(h.dtype == good[_i].dtype && h.nd == good[_i].nd &&
              h.fortran == good[_i].fortran);
    ck_assert(memcmp(h.dim, good[_i].dim, h.nd * sizeof *h.dim) == 0);
    ck_assert_uint_eq(h.data_at, (good[_i].version == 1 ? 10u : 12u) + strlen(dict));
}

END_TEST

static const struct {
    unsigned version;
    long more; /* the length says so many bytes more than there are */
    const char *dict, *words;
} bad[] = {
    {0, 0, HEAD("'<f4'", "False", "(2,)"), "format version 0.0, expected 1 to 3"},
    {4, 0, HEAD("'<f4'", "False", "(2,)"), "format version 4.0"},
    {1, 1, HEAD("'<f4'", "False", "(2,)"), "there are only"},
    {1, 16384, HEAD("'<f4'", "False", "(2,)"), "at most 16374 are read"},
    {2, 0x7fffff00, HEAD("'<f4'", "False", "(2,)"), "at most 16372 are read"},
    {1, 0, "", "expected a dict"},
    {1, 0, "{", "expected a key and a colon"},
    {1, 0, "{}", "expected the keys descr, fortran_order and shape"},
    {1, 0, "{'descr': '<f4', 'descr': '<f4'}", "'descr' is unknown or there twice"},
    {1, 0, "{'other': 1}", "'other' is unknown"},
    {1, 0, HEAD("'<f4'", "0", "(2,)"), "expected True or False"},
    {1, 0, HEAD("'<f4", "False", "(2,)"), "element type"},
    {1, 0, HEAD("'\\x3cf4'", "False", "(2,)"), "expected an element type"},
    {1, 0, HEAD("'f4'", "False", "(2,)"), "element type '|f4'"},
    {1, 0, HEAD("'=f4'", "False", "(2,)"), "element type '=f4'"},
    {1, 0, HEAD("'>f8'", "False", "(2,)"), "big-endian elements ('>f8'), expected '<f8'"},
    {1, 0, HEAD("'|O'", "False", "(2,)"), "an array of Python objects"},
    {1, 0, HEAD("'|O8'", "False", "(2,)"), "an array of Python objects"},
    {1, 0, HEAD("'<c16'", "False", "(2,)"), "element type '<c16'"},
    {1, 0, HEAD("''", "False", "(2,)"), "element type '|'"},
    {1, 0, HEAD("[('a', '<f4')]", "False", "(2,)"), "arrays of structures are not read"},
    {1, 0, HEAD("'<f4'", "False", "2"), "expected a tuple"},
    {1, 0, HEAD("'<f4'", "False", "(2 3)"), "expected , or )"},
    {1, 0, HEAD("'<f4'", "False", "(-2,)"), "expected a dimension"},
    {1, 0, HEAD("'<f4'", "False", "(2.0,)"), "expected , or )"},
    {1, 0, HEAD("'<f4'", "False", "(18446744073709551616,)"), "expected a dimension"},
    {1, 0, HEAD("'<f4'", "False", "(,)"), "expected a dimension"},
    {1, 0, "{'descr': '<f4', 'fortran_order': False, 'shape': (2,)} x", "expected its end"},
    {1, 0, "{'descr': '<f4' 'fortran_order': False, 'shape': (2,)}", "expected , or }"},
    {1, 0,
     "{'shape': (1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,"
     "1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1)}",
     "more than 64 dimensions"},
};

START_TEST(refuses_heads)
{
    sct_error err;
    struct sct_npy_head h;
    const char *dict = bad[_i].dict;
    const size_t length = strlen(dict) + (size_t)bad[_i].more;
    check_fails(parse(&h, bad[_i].version, dict, length, &err), SCT_EFILE, bad[_i].words);
    ck_assert_msg(strncmp(err.msg, "a: ", 3) == 0, "%s", err.msg);
}

END_TEST

START_TEST(refuses_beginnings)
{
    static const char dict[] = HEAD("'<f4'", "False", "(2,)");
    sct_error err;
    struct sct_npy_head h;
    check_fails(sct_npy_parse(&h, "\x93NUMPX\1\0\0\0", 10, "a", &err), SCT_EFILE,
                "not a NumPy array");
    check_fails(sct_npy_parse(&h, "\x93NUMPY\1\0\0", 9, "a", &err), SCT_EFILE,
                "not a NumPy array");
    check_fails(sct_npy_parse(&h, "\x93NUMPY\2\0\0\0", 10, "a", &err), SCT_EFILE,
                "there are only 10 bytes");
    for (size_t n = 0; n < sizeof dict - 1; n++) {
        char part[sizeof dict] = {0};
        memcpy(part, dict, n);
        const sct_status rc = parse(&h, 1, part, n, &err);
        ck_assert(rc == SCT_EFILE || strchr(part, '}'));
    }
}

END_TEST

Suite *npy_suite(void)
{
    Suite *s = suite_create("npy");
    TCase *tc = scratch_case(s, "heads");
    tcase_add_loop_test(tc, reads_heads, 0, sizeof good / sizeof *good);
    tcase_add_loop_test(tc, refuses_heads, 0, sizeof bad / sizeof *bad);
    tcase_add_test(tc, refuses_beginnings);
    return s;
}
