/* SPDX-License-Identifier: MIT
 * zip_test.c - archives made here byte by byte, so that they can lie: sizes, methods,
 * checksums, names, ZIP64. Layout and field names: PKWARE's APPNOTE. */
#include "core/checkpoint/zip.h"
#include "tests/io/io_suite.h"

#include "core/checkpoint/checkpoint.h"

#include <stdlib.h>
#include <sys/resource.h>

#include <zlib.h>

struct archive {
    unsigned char b[1 << 16];
    size_t n, directory, end; /* where the central directory and its end record begin */
    uint64_t base;            /* place of b in the file, when other bytes are in front */
};

struct member {
    const char *name;
    const void *data;
    size_t n;
    bool deflate, zip64;
};

static void put(struct archive *z, unsigned bytes, uint64_t v)
{
    for (unsigned i = 0; i < bytes; i++)
        z->b[z->n++] = (unsigned char)(v >> 8 * i);
}

static void put_bytes(struct archive *z, const void *p, size_t n)
{
    memcpy(z->b + z->n, p, n);
    z->n += n;
}

/* Raw deflate, as zip wants it. */
static size_t squeeze(const struct member *m, unsigned char *to, size_t room)
{
    z_stream s;
    unsigned char *in = malloc(m->n);
    ck_assert_ptr_nonnull(in);
    memcpy(in, m->data, m->n);
    memset(&s, 0, sizeof s);
    ck_assert_int_eq(deflateInit2(&s, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), Z_OK);
    s.next_in = in;
    s.avail_in = (uInt)m->n;
    s.next_out = to;
    s.avail_out = (uInt)room;
    ck_assert_int_eq(deflate(&s, Z_FINISH), Z_STREAM_END);
    const size_t n = s.total_out;
    ck_assert_int_eq(deflateEnd(&s), Z_OK);
    free(in);
    return n;
}

/* Where it is, for the directory. */
struct placed {
    uint64_t at, packed;
    uint32_t crc;
};

/* Local header as PyTorch writes it: sizes 0, a data descriptor behind the data, an extra field
 * of a length that the directory does not tell. */
static void put_local(struct archive *z, const struct member *m)
{
    put(z, 4, 0x04034b50);
    put(z, 2, 20);
    put(z, 2, 0x0808);
    put(z, 2, m->deflate ? 8 : 0);
    put(z, 4, 0x00210000);
    put(z, 4, 0);
    put(z, 4, 0);
    put(z, 4, 0);
    put(z, 2, strlen(m->name));
    put(z, 2, 4 + 5);
    put_bytes(z, m->name, strlen(m->name));
    put(z, 2, 0x4246);
    put(z, 2, 5);
    put_bytes(z, "ZZZZZ", 5);
}

static struct placed put_member(struct archive *z, const struct member *m)
{
    struct placed p = {.at = z->base + z->n};
    p.crc = (uint32_t)crc32(0, m->data, (uInt)m->n);
    put_local(z, m);
    const size_t from = z->n;
    if (m->deflate)
        z->n += squeeze(m, z->b + z->n, sizeof z->b - z->n);
    else
        put_bytes(z, m->data, m->n);
    p.packed = z->n - from;
    put(z, 4, 0x08074b50);
    put(z, 4, p.crc);
    put(z, 4, p.packed);
    put(z, 4, m->n);
    return p;
}

static void put_entry(struct archive *z, const struct member *m, const struct placed *p)
{
    put(z, 4, 0x02014b50);
    put(z, 2, 45);
    put(z, 2, 45);
    put(z, 2, 0x0808);
    put(z, 2, m->deflate ? 8 : 0);
    put(z, 4, 0x00210000);
    put(z, 4, p->crc);
    put(z, 4, m->zip64 ? UINT32_MAX : p->packed);
    put(z, 4, m->zip64 ? UINT32_MAX : m->n);
    put(z, 2, strlen(m->name));
    put(z, 2, m->zip64 ? 4 + 24 : 0);
    put(z, 2, 0);
    put(z, 2, 0);
    put(z, 2, 0);
    put(z, 4, 0);
    put(z, 4, m->zip64 ? UINT32_MAX : p->at);
    put_bytes(z, m->name, strlen(m->name));
    if (m->zip64) {
        put(z, 2, 1);
        put(z, 2, 24);
        put(z, 8, m->n);
        put(z, 8, p->packed);
        put(z, 8, p->at);
    }
}

static void put_end64(struct archive *z, size_t members)
{
    const size_t at = z->n;
    const uint64_t size = at - z->directory;
    put(z, 4, 0x06064b50);
    put(z, 8, 44);
    put(z, 2, 45);
    put(z, 2, 45);
    put(z, 4, 0);
    put(z, 4, 0);
    put(z, 8, members);
    put(z, 8, members);
    put(z, 8, size);
    put(z, 8, z->base + z->directory);
    put(z, 4, 0x07064b50);
    put(z, 4, 0);
    put(z, 8, z->base + at);
    put(z, 4, 1);
}

static void put_directory(struct archive *z, const struct member *m, const struct placed *p,
                          size_t n)
{
    z->directory = z->n;
    for (size_t i = 0; i < n; i++)
        put_entry(z, &m[i], &p[i]);
    const size_t size = z->n - z->directory;
    const bool zip64 = m[0].zip64;
    if (zip64)
        put_end64(z, n);
    z->end = z->n;
    put(z, 4, 0x06054b50);
    put(z, 4, 0);
    put(z, 2, zip64 ? UINT16_MAX : n);
    put(z, 2, zip64 ? UINT16_MAX : n);
    put(z, 4, zip64 ? UINT32_MAX : size);
    put(z, 4, zip64 ? UINT32_MAX : z->directory);
    put(z, 2, 0);
}

static void build(struct archive *z, const struct member *m, size_t n)
{
    struct placed p[8];
    ck_assert_uint_le(n, 8);
    z->n = 0;
    z->base = 0;
    for (size_t i = 0; i < n; i++)
        p[i] = put_member(z, &m[i]);
    put_directory(z, m, p, n);
}

static const char text[] = "the quick brown fox, the quick brown fox, the quick brown fox";

static const struct member two[] = {{"top/a", text, sizeof text, false, false},
                                    {"top/b", text, sizeof text, true, false},
                                    {"top/none", text, 0, false, false}};
static const struct member big[] = {{"top/a", text, sizeof text, false, true},
                                    {"top/b", text, sizeof text, true, true}};

static void check_members(struct sct_zip *z)
{
    sct_error err;
    char buf[sizeof text];
    size_t got;
    const uint32_t a = sct_zip_find(z, "top/a", 5), b = sct_zip_find(z, "top/b?", 5);
    ck_assert_uint_eq(a, 0);
    ck_assert_uint_eq(b, 1);
    ck_assert_uint_eq(sct_zip_find(z, "top/", 4), SCT_ZIP_NONE);
    ck_assert_uint_eq(sct_zip_find(z, "top/aa", 6), SCT_ZIP_NONE);
    ck_assert_uint_eq(sct_zip_find(z, "top/a\0", 6), SCT_ZIP_NONE);
    ck_assert(sct_zip_at(z, a)->data && !sct_zip_at(z, b)->data);
    ck_assert(memcmp(sct_zip_at(z, a)->data, text, sizeof text) == 0);
    ck_assert_uint_lt(sct_zip_at(z, b)->packed, sizeof text);
    for (uint32_t i = 0; i < 2; i++) {
        memset(buf, 0, sizeof buf);
        ck_assert_uint_eq(sct_zip_at(z, i)->size, sizeof text);
        check_ok(sct_zip_read(z, i, buf, &err));
        ck_assert(memcmp(buf, text, sizeof text) == 0);
        check_ok(sct_zip_head(z, i, buf, 9, &got, &err));
        ck_assert(got == 9 && memcmp(buf, text, 9) == 0);
        check_ok(sct_zip_head(z, i, buf, sizeof buf, &got, &err));
        ck_assert_uint_eq(got, sizeof text);
    }
    check_ok(sct_zip_check(z, a, &err));
}

START_TEST(reads_members)
{
    sct_error err;
    struct archive z;
    struct sct_zip *zip;
    size_t got;
    char c;
    build(&z, two, 3);
    check_ok(sct_zip_open(&zip, z.b, z.n, "z", &err));
    ck_assert_uint_eq(sct_zip_count(zip), 3);
    check_members(zip);
    const uint32_t none = sct_zip_find(zip, "top/none", 8);
    ck_assert(none == 2 && sct_zip_at(zip, none)->size == 0);
    check_ok(sct_zip_read(zip, none, NULL, &err));
    check_ok(sct_zip_head(zip, none, &c, 1, &got, &err));
    ck_assert_uint_eq(got, 0);
    sct_zip_close(&zip);
    ck_assert_ptr_null(zip);
    sct_zip_close(&zip);
}

END_TEST

START_TEST(reads_zip64)
{
    sct_error err;
    struct archive z;
    struct sct_zip *zip;
    build(&z, big, 2);
    check_ok(sct_zip_open(&zip, z.b, z.n, "z", &err));
    check_members(zip);
    sct_zip_close(&zip);
}

END_TEST

START_TEST(refuses_a_name_twice)
{
    const struct member m[] = {two[0], two[1], two[0]};
    sct_error err;
    struct archive z;
    struct sct_zip *zip;
    build(&z, m, 3);
    check_fails(sct_zip_open(&zip, z.b, z.n, "z", &err), SCT_EFILE,
                "z: two members have the name 'top/a'");
    ck_assert_ptr_null(zip);
}

END_TEST

/* Fields of the directory's first entry (stored), of its second (deflated) or of the end
 * record, changed; words of the message from opening or from reading. */
enum { FIRST, SECOND, END };

static const struct {
    unsigned where, at, bytes;
    uint64_t value;
    const char *words;
} lies[] = {
    {FIRST, 8, 2, 1, "member 'top/a' is encrypted"},
    {FIRST, 10, 2, 14, "compressed by method 14, expected 0 (stored) or 8 (deflate)"},
    {FIRST, 10, 2, 8, "member 'top/a'"},
    {FIRST, 16, 4, 7, "member 'top/a': its checksum is"},
    {FIRST, 20, 4, 5, "cannot be"},
    {FIRST, 24, 4, 5, "62 (stored)"},
    {FIRST, 42, 4, 1, "member 'top/a'"},
    {FIRST, 42, 4, 0xfffffff0, "z: "},
    {SECOND, 16, 4, 7, "member 'top/b'"},
    {SECOND, 20, 4, 1 << 30, "cannot be"},
    {SECOND, 24, 4, 61, "member 'top/b'"},
    {SECOND, 24, 4, 63, "member 'top/b'"},
    {SECOND, 24, 4, 0xfffffff0, "(deflated) in an archive of"}, /* a bomb */
    {SECOND, 24, 4, 0xffffffff, "z: "},                         /* ZIP64 without its field */
    {END, 8, 2, 0, "zip directory"},
    {END, 10, 2, 3, "zip directory"},
    {END, 12, 4, 0xffffff, "zip directory"},
    {END, 16, 4, 0xfffffff0, "zip directory"},
    {END, 0, 4, 0, "zip directory"},
};

START_TEST(refuses_lies)
{
    sct_error err = SCT_ERROR_INIT;
    struct archive z;
    struct sct_zip *zip;
    char buf[2 * sizeof text];
    build(&z, two, 2);
    const size_t entry = 46 + 5;
    size_t at = lies[_i].where == END ? z.end : z.directory;
    at += lies[_i].at + (lies[_i].where == SECOND ? entry : 0);
    const size_t n = z.n;
    z.n = at;
    put(&z, lies[_i].bytes, lies[_i].value);
    sct_status rc = sct_zip_open(&zip, z.b, n, "z", &err);
    for (uint32_t i = 0; rc == SCT_OK && i < sct_zip_count(zip); i++) {
        ck_assert_uint_le(sct_zip_at(zip, i)->size, sizeof buf);
        rc = sct_zip_read(zip, i, buf, &err);
    }
    ck_assert_msg(rc == SCT_EFILE && strstr(err.msg, lies[_i].words),
                  "lie %d: %d: expected \"%s\" in \"%s\"", _i, rc, lies[_i].words, err.msg);
    sct_zip_close(&zip);
}

END_TEST

/* 8 MiB of zeros in 8 KiB: honest, so it opens, and its head costs no more than a head. */
START_TEST(reads_the_head_of_a_bomb)
{
    enum { SIZE = 8 << 20 };

    sct_error err;
    struct archive z;
    struct sct_zip *zip;
    char head[64];
    size_t got;
    char *zeros = calloc(1, SIZE);
    ck_assert_ptr_nonnull(zeros);
    const struct member m = {"zeros", zeros, SIZE, true, false};
    build(&z, &m, 1);
    check_ok(sct_zip_open(&zip, z.b, z.n, "z", &err));
    ck_assert_uint_eq(sct_zip_at(zip, 0)->size, SIZE);
    check_ok(sct_zip_head(zip, 0, head, sizeof head, &got, &err));
    ck_assert_uint_eq(got, sizeof head);
    check_ok(sct_zip_read(zip, 0, zeros, &err));
    sct_zip_close(&zip);
    free(zeros);
}

END_TEST

enum { NPY_HEAD = 128 };

/* The head of an array of floats of one dimension. */
static void npy_head(void *to, const char *count)
{
    char text[NPY_HEAD - 10 + 1];
    const int n = snprintf(text, sizeof text,
                           "{'descr': '<f4', 'fortran_order': False, 'shape': (%s,), }", count);
    memcpy(to, "\x93NUMPY\1\0\x76\0", 10);
    memset((char *)to + 10, ' ', NPY_HEAD - 10);
    memcpy((char *)to + 10, text, (size_t)n);
}

/* An array of 5 GiB, a hole in the file, and a small one behind it: what is beyond 4 GiB is
 * found, and opening touches a few pages, not the elements. */
START_TEST(opens_a_giant)
{
    static const unsigned char half_and_two[] = {0, 0, 0, 0x3f, 0, 0, 0, 0x40};
    sct_error err;
    struct archive front = {.n = 0}, back = {.n = 0};
    struct sct_ckpt *ck;
    struct rusage before, after;
    unsigned char array[NPY_HEAD + sizeof half_and_two];
    float f[2];
    const struct member m[] = {{"big.npy", "", NPY_HEAD + (UINT64_C(5) << 30), false, true},
                               {"small.npy", array, sizeof array, false, true}};
    put_local(&front, &m[0]);
    npy_head(front.b + front.n, "1342177280");
    npy_head(array, "2");
    memcpy(array + NPY_HEAD, half_and_two, sizeof half_and_two);
    back.base = front.n + m[0].n;
    const struct placed p[] = {{0, m[0].n, 1}, put_member(&back, &m[1])};
    put_directory(&back, m, p, 2);

    FILE *out = fopen(scratch("giant.npz"), "wb");
    ck_assert_ptr_nonnull(out);
    ck_assert_uint_eq(fwrite(front.b, 1, front.n + NPY_HEAD, out), front.n + NPY_HEAD);
    ck_assert_int_eq(fseeko(out, (off_t)back.base, SEEK_SET), 0);
    ck_assert_uint_eq(fwrite(back.b, 1, back.n, out), back.n);
    ck_assert_int_eq(fclose(out), 0);

    ck_assert_int_eq(getrusage(RUSAGE_SELF, &before), 0);
    check_ok(sct_ckpt_open(&ck, scratch("giant.npz"), &err));
    ck_assert_int_eq(getrusage(RUSAGE_SELF, &after), 0);
    ck_assert_int_lt(after.ru_minflt + after.ru_majflt - before.ru_minflt - before.ru_majflt,
                     2000);
    const struct sct_ckpt_tensor *big_one = sct_ckpt_find(ck, "big"),
                                 *small = sct_ckpt_find(ck, "small");
    ck_assert(big_one && big_one->count == 1342177280 && small && small->count == 2);
    check_ok(sct_ckpt_read_f32(ck, small, f, &err));
    ck_assert(f[0] == 0.5f && f[1] == 2);
    sct_ckpt_close(&ck);
}

END_TEST

/* Every beginning of an archive is refused, whatever lies in it. */
START_TEST(refuses_beginnings)
{
    sct_error err;
    struct archive z;
    struct sct_zip *zip;
    build(&z, _i ? big : two, 2);
    for (size_t n = 0; n < z.n; n++) {
        unsigned char *cut = malloc(n ? n : 1);
        ck_assert_ptr_nonnull(cut);
        memcpy(cut, z.b, n);
        check_fails(sct_zip_open(&zip, cut, n, "z", &err), SCT_EFILE,
                    n ? "z: zip directory" : "z: a zip archive of 0 members");
        free(cut);
    }
}

END_TEST

Suite *zip_suite(void)
{
    Suite *s = suite_create("zip");
    TCase *tc = scratch_case(s, "members");
    tcase_add_test(tc, reads_members);
    tcase_add_test(tc, reads_zip64);
    tcase_add_test(tc, refuses_a_name_twice);
    tcase_add_loop_test(tc, refuses_lies, 0, sizeof lies / sizeof *lies);
    tcase_add_test(tc, reads_the_head_of_a_bomb);
    tcase_add_test(tc, opens_a_giant);
    tcase_add_loop_test(tc, refuses_beginnings, 0, 2);
    return s;
}
