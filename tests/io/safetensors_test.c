/* SPDX-License-Identifier: MIT
 * safetensors_test.c - the reader: a file of the reference library, every hostile file we know.
 * Headers are given as text; the length in front of them is made here unless a case says its
 * own. */
#include "core/checkpoint/safetensors.h"
#include "tests/io/io_suite.h"
#include "tests/io/st_golden.h"

#include "core/checkpoint/half.h"

#include <math.h>
#include <stdlib.h>

struct bytes {
    unsigned char *p;
    size_t n;
};

/* Heap of exactly n bytes: the address sanitizer then sees the first byte beyond. */
static struct bytes make_n(uint64_t length, const char *header, size_t h, const void *data,
                           size_t d)
{
    struct bytes b = {malloc(8 + h + d), 8 + h + d};
    ck_assert_ptr_nonnull(b.p);
    for (unsigned i = 0; i < 8; i++)
        b.p[i] = (unsigned char)(length >> 8 * i);
    memcpy(b.p + 8, header, h);
    if (data)
        memcpy(b.p + 8 + h, data, d);
    else
        memset(b.p + 8 + h, 0, d);
    return b;
}

static struct bytes make(const char *header, const void *data, size_t d)
{
    return make_n(strlen(header), header, strlen(header), data, d);
}

static struct bytes golden(void)
{
    return make(ST_GOLDEN_HEADER, st_golden_data, sizeof st_golden_data);
}

static void check_golden(const struct sct_st *st)
{
    sct_error err;
    float f[6];
    int32_t v[3];
    ck_assert_uint_eq(sct_st_count(st), 9);
    ck_assert_str_eq(sct_st_metadata(st, "format"), "pt");
    ck_assert_ptr_null(sct_st_metadata(st, "other"));
    const char *value;
    ck_assert_str_eq(sct_st_metadata_at(st, 0, &value), "format");
    ck_assert_str_eq(value, "pt");
    ck_assert_ptr_null(sct_st_metadata_at(st, 1, &value));
    ck_assert_ptr_null(sct_st_find(st, "missing"));
    ck_assert_ptr_null(sct_st_find(st, ""));
    const struct sct_st_tensor *t = sct_st_find(st, "a");
    ck_assert(t && t->dtype == SCT_ST_F32 && t->nd == 2 && t->dim[0] == 2 && t->dim[1] == 3);
    ck_assert(t->count == 6 && t->size == 24);
    check_ok(sct_st_read_f32(st, t, f, &err));
    for (int i = 0; i < 6; i++)
        ck_assert(f[i] == (float)i / 4);
    check_ok(sct_st_expect(st, t, (const uint32_t[]){2, 3}, 2, &err));
    check_fails(sct_st_expect(st, t, (const uint32_t[]){3, 2}, 2, &err), SCT_EFILE,
                "tensor 'a': expected shape [3, 2], found [2, 3]");
    t = sct_st_find(st, "e");
    ck_assert(t && t->count == 0 && t->size == 0 && t->nd == 2);
    check_ok(sct_st_read_f32(st, t, NULL, &err));
    t = sct_st_find(st, "z");
    ck_assert(t && t->nd == 0 && t->count == 1);
    check_ok(sct_st_read_i32(st, t, v, &err));
    ck_assert_int_eq(v[0], 7);
    check_fails(sct_st_read_f32(st, t, f, &err), SCT_EFILE,
                "tensor 'z' has dtype I32, expected F32");
    t = sct_st_find(st, "h");
    check_ok(sct_st_read_f32(st, t, f, &err));
    ck_assert(f[0] == 1 && f[1] == -2.5f && f[2] == 65504);
    check_fails(sct_st_read_i32(st, t, v, &err), SCT_EFILE,
                "expected I32, I64, I16, I8, U8 or BOOL");
    check_ok(sct_st_read_f32(st, sct_st_find(st, "w"), f, &err));
    ck_assert(f[0] == 1 && f[1] == 3.140625f);
    check_ok(sct_st_read_f32(st, sct_st_find(st, "d"), f, &err));
    ck_assert(f[0] == 0.1f);
    check_ok(sct_st_read_i32(st, sct_st_find(st, "u"), v, &err));
    ck_assert(v[0] == 1 && v[1] == 2 && v[2] == 255);
    check_ok(sct_st_read_i32(st, sct_st_find(st, "p\xc3\xa4th \"q\"\\\n"), v, &err));
    ck_assert_int_eq(v[0], -5);
    ck_assert_str_eq(sct_st_at(st, 0)->name, "p\xc3\xa4th \"q\"\\\n");
    ck_assert_str_eq(sct_st_at(st, 8)->name, "b");
}

START_TEST(reads_the_reference)
{
    sct_error err;
    struct sct_st *st;
    const struct bytes b = golden();
    scratch_put("g.safetensors", b.p, b.n);
    check_ok(sct_st_open(&st, scratch("g.safetensors"), &err));
    check_golden(st);
    for (size_t i = 0; i < sct_st_count(st); i++)
        sct_st_drop(st, sct_st_at(st, i));
    check_golden(st);
    sct_st_close(&st);
    ck_assert_ptr_null(st);
    sct_st_close(&st);
    check_ok(sct_st_open_memory(&st, b.p, b.n, "memory", &err));
    check_golden(st);
    sct_st_drop(st, sct_st_at(st, 0));
    sct_st_close(&st);
    free(b.p);
}

END_TEST

/* Tensors at odd offsets, as old writers left them: the undefined-behaviour sanitizer watches.
 */
START_TEST(reads_unaligned)
{
    static const char header[] =
        " {\"u\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
        "\"f\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[1,9]},"
        "\"d\":{\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[9,17]},"
        "\"i\":{\"dtype\":\"I64\",\"shape\":[1],\"data_offsets\":[17,25]},"
        "\"h\":{\"dtype\":\"F16\",\"shape\":[1],\"data_offsets\":[25,27]},"
        "\"x\":{\"dtype\":\"I32\",\"shape\":[1],\"data_offsets\":[27,31],\"extra\":[1,{}]}}\t\n ";
    static const unsigned char data[31] = {
        9,    0,    0,    128,  63,   0,    0,    0,    192,  0, 0,    0, 0, 0, 0, 0xf8,
        0x3f, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0xbc, 3, 0, 0, 0};
    sct_error err;
    struct sct_st *st;
    float f[2];
    int32_t v;
    const struct bytes b = make(header, data, sizeof data);
    check_ok(sct_st_open_memory(&st, b.p, b.n, "odd", &err));
    check_ok(sct_st_read_f32(st, sct_st_find(st, "f"), f, &err));
    ck_assert(f[0] == 1 && f[1] == -2);
    check_ok(sct_st_read_f32(st, sct_st_find(st, "d"), f, &err));
    ck_assert(f[0] == 1.5f);
    check_ok(sct_st_read_i32(st, sct_st_find(st, "i"), &v, &err));
    ck_assert_int_eq(v, -2);
    check_ok(sct_st_read_f32(st, sct_st_find(st, "h"), f, &err));
    ck_assert(f[0] == -1);
    check_ok(sct_st_read_i32(st, sct_st_find(st, "x"), &v, &err));
    ck_assert_int_eq(v, 3);
    sct_st_close(&st);
    free(b.p);
}

END_TEST

START_TEST(values_out_of_range)
{
    static const char header[] =
        "{\"d\":{\"dtype\":\"F64\",\"shape\":[3],\"data_offsets\":[0,24]},"
        "\"i\":{\"dtype\":\"I64\",\"shape\":[2],\"data_offsets\":[24,40]}}";
    sct_error err;
    struct sct_st *st;
    float f[3];
    int32_t v[2];

    struct {
        double d[3];
        int64_t i[2];
    } data = {{(double)-INFINITY, 0x1.fffffefffffffp+127, (double)NAN},
              {INT32_MIN, (int64_t)INT32_MAX + 1}};
    struct bytes b = make(header, &data, sizeof data);
    check_ok(sct_st_open_memory(&st, b.p, b.n, "wide", &err));
    check_ok(sct_st_read_f32(st, sct_st_find(st, "d"), f, &err));
    ck_assert(isinf(f[0]) && f[1] == 0x1.fffffep+127f && isnan(f[2]));
    check_fails(sct_st_read_i32(st, sct_st_find(st, "i"), v, &err), SCT_EFILE,
                "wide: tensor 'i': element 1 is 2147483648");
    sct_st_close(&st);
    free(b.p);
    data.d[1] = -0x1.ffffffp+127; /* half a unit above FLT_MAX rounds to infinity */
    b = make(header, &data, sizeof data);
    check_ok(sct_st_open_memory(&st, b.p, b.n, "wide", &err));
    check_fails(sct_st_read_f32(st, sct_st_find(st, "d"), f, &err), SCT_EFILE,
                "tensor 'd': element 1 is -3.4");
    sct_st_close(&st);
    free(b.p);
}

END_TEST

#define T(DTYPE, SHAPE, OFFSETS)                                                               \
    "{\"dtype\":\"" DTYPE "\",\"shape\":[" SHAPE "],\"data_offsets\":[" OFFSETS "]}"

/* Files that must be refused, with words of the message. */
static const struct {
    const char *header;
    size_t data;
    const char *words;
} hostile[] = {
    {"", 0, "header at byte"},
    {"{", 0, "header at byte"},
    {"[]", 0, "expected an object"},
    {"{}", 1, "found 1 bytes more"},
    {"{} x", 0, "header at byte"},
    {"{\"a\":" T("F32", "1", "0,4") "}", 5, "expected the file to end"},
    {"{\"a\":" T("F32", "1", "0,4") "}", 2,
     "tensor 'a' ends at byte 4 of the data, but the file has only 2"},
    {"{\"a\":" T("F32", "1", "4,8") "}", 8, "a hole before it"},
    {"{\"a\":" T("F32", "1", "0,4") ",\"b\":" T("F32", "1", "8,12") "}", 12,
     "tensor 'b': data_offsets begin at 8, expected 4"},
    {"{\"a\":" T("F32", "2", "0,8") ",\"b\":" T("F32", "2", "4,12") "}", 12, "tensors overlap"},
    {"{\"a\":" T("F32", "2", "0,4") "}", 4, "expected 8 bytes for its shape and F32"},
    {"{\"a\":" T("F32", "1", "4,0") "}", 4, "begin at 4, expected 0"},
    {"{\"a\":" T("U8", "0", "0,0") ",\"b\":" T("U8", "1", "0,1") ",\"c\":" T(
         "U8", "0", "0,0") ",\"d\":" T("U8", "1", "1,0") "}",
     1, "tensor 'd'"},
    {"{\"a\":" T("F32", "4294967296,4294967296", "0,4") "}", 4,
     "product of the shape overflows at shape[1]"},
    {"{\"a\":" T("F32", "4611686018427387904,2", "0,0") "}", 0, "not a whole number of bytes"},
    {"{\"a\":" T("F32", "9223372036854775808", "0,0") "}", 0, "header at byte"},
    {"{\"a\":" T("F4", "3", "0,1") "}", 1, "3 elements of F4 are not a whole number"},
    {"{\"a\":" T("F32", "-1", "0,4") "}", 4, "shape[0]: expected an integer of at least 0"},
    {"{\"a\":" T("F32", "1.0", "0,4") "}", 4, "shape[0]"},
    {"{\"a\":" T("F32", "1", "-4,0") "}", 4, "data_offsets[0]"},
    {"{\"a\":" T("F32", "1", "0.0,4.0") "}", 4, "data_offsets[0]"},
    {"{\"a\":" T("F32", "1", "0,4e0") "}", 4, "data_offsets[1]"},
    {"{\"a\":" T("F32", "1", "0,\\\"4\\\"") "}", 4, "header at byte"},
    {"{\"a\":" T("F32", "1", "0") "}", 4, "expected [begin, end]"},
    {"{\"a\":" T("F32", "1", "0,4,8") "}", 4, "expected [begin, end]"},
    {"{\"a\":" T("Q7", "1", "0,4") "}", 4, "unknown dtype 'Q7'"},
    {"{\"a\":{\"dtype\":7,\"shape\":[1],\"data_offsets\":[0,4]}}", 4,
     "expected a string at dtype"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":1,\"data_offsets\":[0,4]}}", 4,
     "expected an array at shape"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, "expected [begin, end]"},
    {"{\"a\":{\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "expected a string at dtype"},
    {"{\"a\":[]}", 0, "expected an object {dtype"},
    {"{\"a\":" T("F32", "1", "0,4") ",\"a\":" T("F32", "1", "4,8") "}", 8,
     "duplicate object key near '\"a\"'"},
    {"{\"a\":" T("F32", "1", "0,4") ",\"a\":" T("F32", "1", "0,4") "}", 4,
     "duplicate object key"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"shape\":[1],\"data_offsets\":[0,4]}}", 4,
     "duplicate object key"},
    {"{\"__metadata__\":{\"k\":1}}", 0, "__metadata__: expected a string at key 'k'"},
    {"{\"__metadata__\":[]}", 0, "__metadata__: expected an object"},
    {"{\"a\xff\":1}", 0, "not UTF-8 at byte 11"},
    {"{\"a\xc0\x80\":1}", 0, "not UTF-8"},
    {"{\"a\xed\xa0\x80\":1}", 0, "not UTF-8"},
    {"{\"a\\u0000b\":1}", 0, "header at byte"},
    {"{\"a\":[[[[[[[[[[1]]]]]]]]]]}", 0, "nested deeper than 8 levels at byte 22"},
};

START_TEST(refuses_hostile)
{
    sct_error err;
    struct sct_st *st;
    const struct bytes b = make(hostile[_i].header, NULL, hostile[_i].data);
    check_fails(sct_st_open_memory(&st, b.p, b.n, "bad", &err), SCT_EFILE, hostile[_i].words);
    ck_assert_ptr_null(st);
    ck_assert_int_eq(strncmp(err.msg, "bad: ", 5), 0);
    free(b.p);
}

END_TEST

START_TEST(refuses_lengths)
{
    static const struct {
        uint64_t length;
        const char *words;
    } rows[] = {
        {UINT64_C(1) << 63, "the limit is 100000000"},
        {UINT64_MAX, "the limit is 100000000"},
        {UINT64_MAX - 7, "the limit is 100000000"}, /* 8 + N wraps to 0 */
        {100000001, "the limit is 100000000"},
        {100000000, "only 2 bytes follow"},
        {3, "only 2 bytes follow"},
        {1, "header at byte"},
        {0, "header at byte"},
    };

    sct_error err;
    struct sct_st *st;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct bytes b = make_n(rows[i].length, "{}", 2, NULL, 0);
        check_fails(sct_st_open_memory(&st, b.p, b.n, "bad", &err), SCT_EFILE, rows[i].words);
        ck_assert_ptr_null(st);
        free(b.p);
    }
    check_fails(sct_st_open_memory(&st, "1234567", 7, "bad", &err), SCT_EFILE, "found 7");
    const struct bytes b = make("{}", NULL, 0);
    check_ok(sct_st_open_memory(&st, b.p, b.n, "empty", &err));
    ck_assert_uint_eq(sct_st_count(st), 0);
    ck_assert_ptr_null(sct_st_find(st, "a"));
    sct_st_close(&st);
    free(b.p);
}

END_TEST

/* Ten tensors that all claim the same 16 bytes. */
START_TEST(refuses_shared_bytes)
{
    sct_error err;
    struct sct_st *st;
    char header[2048] = "{";
    for (int i = 0; i < 10; i++)
        (void)snprintf(header + strlen(header), sizeof header - strlen(header),
                       "%s\"t%d\":" T("F32", "2,2", "0,16"), i ? "," : "", i);
    strcat(header, "}");
    const struct bytes b = make(header, NULL, 16);
    check_fails(sct_st_open_memory(&st, b.p, b.n, "bad", &err), SCT_EFILE, "tensors overlap");
    free(b.p);
}

END_TEST

/* Ten million entries in 90 MB: refused on the text, before a tree is built. */
START_TEST(refuses_ten_million_entries)
{
    enum { N = 10000000, EACH = 9 };

    sct_error err;
    struct sct_st *st;
    char *header = malloc(N * EACH + 1);
    ck_assert_ptr_nonnull(header);
    header[0] = '{';
    for (size_t i = 0; i < N; i++)
        memcpy(header + 1 + i * EACH, "\"aaaa\":0,", EACH);
    header[N * EACH] = '}';
    const struct bytes b = make_n(N * EACH + 1, header, N * EACH + 1, NULL, 0);
    free(header);
    check_fails(sct_st_open_memory(&st, b.p, b.n, "bad", &err), SCT_EFILE,
                "at most 65536 tensors are supported");
    free(b.p);
}

END_TEST

START_TEST(refuses_one_tensor_too_many)
{
    enum { N = SCT_ST_MAX_TENSORS + 1, EACH = 11 };

    sct_error err;
    struct sct_st *st;
    char *text = malloc(N * EACH + 2);
    ck_assert_ptr_nonnull(text);
    for (size_t i = 0; i < N; i++)
        (void)snprintf(text + i * EACH, EACH + 1, "%c\"%05zx\":{}", i ? ',' : '{', i);
    text[N * EACH] = '}';
    const struct bytes b = make_n(N * EACH + 1, text, N * EACH + 1, NULL, 0);
    free(text);
    check_fails(sct_st_open_memory(&st, b.p, b.n, "bad", &err), SCT_EFILE, "65537 tensors");
    free(b.p);
}

END_TEST

/* Every shorter file, and a longer one, is refused; no byte beyond the end is read. */
START_TEST(refuses_every_truncation)
{
    sct_error err;
    struct sct_st *st;
    const struct bytes b = golden();
    for (size_t n = 0; n < b.n; n++) {
        unsigned char *part = malloc(n ? n : 1);
        memcpy(part, b.p, n);
        check_fails(sct_st_open_memory(&st, part, n, "cut", &err), SCT_EFILE, "cut: ");
        free(part);
    }
    unsigned char *more = calloc(1, b.n + 1);
    memcpy(more, b.p, b.n);
    check_fails(sct_st_open_memory(&st, more, b.n + 1, "long", &err), SCT_EFILE,
                "expected the file to end at byte 611, found 1 bytes more");
    free(more);
    free(b.p);
}

END_TEST

static void read_everything(const struct sct_st *st)
{
    for (size_t i = 0; i < sct_st_count(st); i++) {
        const struct sct_st_tensor *t = sct_st_at(st, i);
        ck_assert_ptr_eq(sct_st_find(st, t->name), t);
        float *f = malloc(4 * (size_t)t->count + 1);
        int32_t *v = malloc(4 * (size_t)t->count + 1);
        (void)sct_st_read_f32(st, t, f, NULL);
        (void)sct_st_read_i32(st, t, v, NULL);
        free(f);
        free(v);
    }
}

/* Any byte of the header changed: accepted or refused, never out of bounds. */
START_TEST(survives_flipped_bytes)
{
    static const unsigned char values[] = {0,   '"', '\\', '0',  '9', '-',
                                           ',', '{', ']',  0x80, 0xff};
    const struct bytes b = golden();
    size_t refused = 0;
    for (size_t i = 0; i < b.n; i++)
        for (size_t k = 0; k < sizeof values; k++) {
            struct sct_st *st;
            const unsigned char keep = b.p[i];
            b.p[i] = values[k];
            const sct_status rc = sct_st_open_memory(&st, b.p, b.n, "flip", NULL);
            ck_assert(rc == SCT_OK || rc == SCT_EFILE);
            refused += rc != SCT_OK;
            if (rc == SCT_OK)
                read_everything(st);
            sct_st_close(&st);
            b.p[i] = keep;
        }
    ck_assert_uint_gt(refused, b.n);
    free(b.p);
}

END_TEST

START_TEST(refuses_what_is_no_file)
{
    sct_error err;
    struct sct_st *st;
    check_fails(sct_st_open(&st, scratch("none"), &err), SCT_EFILE, "No such file");
    ck_assert_ptr_null(st);
    check_fails(sct_st_open(&st, scratch("."), &err), SCT_EFILE, "found a directory");
    scratch_put("empty", "", 0);
    check_fails(sct_st_open(&st, scratch("empty"), &err), SCT_EFILE,
                "at least 8 bytes, found 0");
}

END_TEST

/* Against the definition: sign, exponent and mantissa through ldexp. */
START_TEST(f16_is_exact)
{
    for (uint32_t h = 0; h < 0x10000; h++) {
        const int exp = (int)(h >> 10 & 31), man = (int)(h & 1023);
        const float got = sct_f16_get((uint16_t)h);
        if (exp == 31 && man) {
            ck_assert(isnan(got) && isnan(sct_f16_get(sct_f16_put(got))));
            continue;
        }
        double want = exp == 31 ? (double)INFINITY
                      : exp     ? ldexp(1024 + man, exp - 25)
                                : ldexp(man, -24);
        want = h & 0x8000 ? -want : want;
        ck_assert_msg((double)got == want && !signbit(got) == !(h & 0x8000), "0x%04x", h);
        ck_assert_uint_eq(sct_f16_put(got), h);
    }
}

END_TEST

/* Between neighbours: below the middle down, above it up, in the middle to the even one. */
START_TEST(halves_round_to_nearest_even)
{
    for (uint32_t h = 0; h < 0x7c00; h++) {
        const float lo = sct_f16_get((uint16_t)h);
        const float hi = h == 0x7bff ? 65536.0f : sct_f16_get((uint16_t)(h + 1));
        const float mid = lo + (hi - lo) / 2; /* exact: both have 11 bits */
        ck_assert_uint_eq(sct_f16_put(mid), h & 1 ? h + 1 : h);
        ck_assert_uint_eq(sct_f16_put(nextafterf(mid, -1)), h);
        ck_assert_uint_eq(sct_f16_put(nextafterf(mid, INFINITY)), h + 1);
        ck_assert_uint_eq(sct_f16_put(-nextafterf(mid, INFINITY)), (h + 1) | 0x8000);
    }
    for (uint32_t h = 0; h < 0x7f80; h++) {
        const float mid = sct_half_float(h << 16 | 0x8000);
        ck_assert_uint_eq(sct_bf16_put(sct_bf16_get((uint16_t)h)), h);
        ck_assert_uint_eq(sct_bf16_put(mid), h & 1 ? h + 1 : h);
        ck_assert_uint_eq(sct_bf16_put(sct_half_float(h << 16 | 0x7fff)), h);
        ck_assert_uint_eq(sct_bf16_put(-sct_half_float(h << 16 | 0x8001)), (h + 1) | 0x8000);
    }
    ck_assert(isnan(sct_bf16_get(sct_bf16_put(sct_half_float(0x7f800001)))));
    ck_assert(isnan(sct_f16_get(sct_f16_put(sct_half_float(0xff800001)))));
    ck_assert_uint_eq(sct_f16_put(INFINITY), 0x7c00);
    ck_assert_uint_eq(sct_bf16_put(-INFINITY), 0xff80);
    ck_assert_uint_eq(sct_f16_put(0x1p-149f), 0);
}

END_TEST

Suite *safetensors_suite(void)
{
    Suite *s = suite_create("safetensors");
    TCase *tc = scratch_case(s, "reader");
    tcase_add_test(tc, reads_the_reference);
    tcase_add_test(tc, reads_unaligned);
    tcase_add_test(tc, values_out_of_range);
    tcase_add_loop_test(tc, refuses_hostile, 0, sizeof hostile / sizeof *hostile);
    tcase_add_test(tc, refuses_lengths);
    tcase_add_test(tc, refuses_shared_bytes);
    tcase_add_test(tc, refuses_ten_million_entries);
    tcase_add_test(tc, refuses_one_tensor_too_many);
    tcase_add_test(tc, refuses_every_truncation);
    tcase_add_test(tc, survives_flipped_bytes);
    tcase_add_test(tc, refuses_what_is_no_file);
    tcase_add_test(tc, f16_is_exact);
    tcase_add_test(tc, halves_round_to_nearest_even);
    return s;
}
