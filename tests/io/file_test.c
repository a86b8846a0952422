/* SPDX-License-Identifier: MIT
 * file_test.c - whole files, directories, .npy, SHA-256.
 * Expected bytes come from numpy.save and from Python's hashlib. */
#include "core/io/file.h"
#include "tests/io/io_suite.h"

#include "core/base/mem.h"
#include "core/checkpoint/npy.h"
#include "core/io/sha256.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

START_TEST(joins_paths)
{
    static const char *const rows[][3] = {
        {"a", "b", "a/b"}, {"a/", "b", "a/b"}, {"", "b", "b"},  {NULL, "b", "b"},
        {"/", "b", "/b"},  {"a", "/b", "/b"},  {"a", "", "a/"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *p = sct_path_join(rows[i][0], rows[i][1]);
        ck_assert_str_eq(p, rows[i][2]);
        sct_free(p);
    }
    ck_assert_str_eq(sct_path_base("a/b.c"), "b.c");
    ck_assert_str_eq(sct_path_base("b.c"), "b.c");
    ck_assert_str_eq(sct_path_base("a/"), "");
}

END_TEST

START_TEST(reads_with_a_limit)
{
    sct_error err;
    char *data;
    size_t n;
    scratch_put("f", "a\0b", 3);
    check_ok(sct_file_read(scratch("f"), 3, SCT_EDATA, &data, &n, &err));
    ck_assert_uint_eq(n, 3);
    ck_assert_mem_eq(data, "a\0b\0", 4);
    sct_free(data);
    check_fails(sct_file_read(scratch("f"), 2, SCT_EDATA, &data, &n, &err), SCT_EDATA,
                "f: has 3 bytes, more than the limit of 2");
    ck_assert(data == NULL && n == 0);
    check_fails(sct_file_read(scratch("g"), 2, SCT_EUSAGE, &data, &n, &err), SCT_EUSAGE,
                "g: cannot open: No such file or directory");
    check_fails(sct_file_read(scratch("."), 2, SCT_EFILE, &data, &n, &err), SCT_EFILE,
                "expected a regular file, found a directory");
    ck_assert_int_eq(mkfifo(scratch("pipe"), 0600), 0);
    check_fails(sct_file_read(scratch("pipe"), 2, SCT_EFILE, &data, &n, &err), SCT_EFILE,
                "found a special file");
    scratch_put("empty", "", 0);
    check_ok(sct_file_read(scratch("empty"), 0, SCT_EFILE, &data, &n, &err));
    ck_assert(n == 0 && data[0] == 0);
    sct_free(data);
    ck_assert(sct_file_exists(scratch("f")) && !sct_file_exists(scratch("g")) &&
              !sct_file_exists(scratch(".")));
    ck_assert(sct_dir_exists(scratch(".")) && !sct_dir_exists(scratch("f")));
}

END_TEST

START_TEST(writes_all_or_nothing)
{
    sct_error err;
    struct sct_file_out *f, *g;
    check_ok(sct_file_write(scratch("f"), "one", 3, &err));
    struct stat st;
    const mode_t mask = umask(022);
    (void)umask(mask);
    ck_assert_int_eq(stat(scratch("f"), &st), 0);
    ck_assert_uint_eq(st.st_mode & 0777, 0666 & ~mask);
    check_ok(sct_file_begin(&f, scratch("f"), &err));
    check_ok(sct_file_begin(&g, scratch("f"), &err));
    check_ok(sct_file_put(f, "two", 3, &err));
    char *now = scratch_get("f", NULL);
    ck_assert_str_eq(now, "one");
    free(now);
    ck_assert_uint_eq(scratch_count(), 3);
    sct_file_abort(&g);
    ck_assert_ptr_null(g);
    sct_file_abort(&g);
    check_ok(sct_file_commit(&f, &err));
    ck_assert_ptr_null(f);
    now = scratch_get("f", NULL);
    ck_assert_str_eq(now, "two");
    free(now);
    ck_assert_uint_eq(scratch_count(), 1);
    check_fails(sct_file_write(scratch("none/f"), "", 0, &err), SCT_EFAIL,
                "none/f: cannot create: No such file");
    /* A directory in the place of the file: the rename fails, the temp file goes. */
    check_ok(sct_dir_make(scratch("d"), &err));
    check_fails(sct_file_write(scratch("d"), "x", 1, &err), SCT_EFAIL, "cannot rename");
    ck_assert_uint_eq(scratch_count(), 2);
}

END_TEST

START_TEST(makes_directories)
{
    sct_error err;
    check_ok(sct_dir_make(scratch("a/b//c/"), &err));
    ck_assert(sct_dir_exists(scratch("a/b/c")));
    check_ok(sct_dir_make(scratch("a/b"), &err));
    check_ok(sct_dir_make_new(scratch("a/b/c"), &err));
    check_ok(sct_dir_make_new(scratch("x/y"), &err));
    check_fails(sct_dir_make_new(scratch("a"), &err), SCT_EUSAGE,
                "expected a new or empty directory for the output, found files in it");
    scratch_put("f", "", 0);
    check_fails(sct_dir_make_new(scratch("f"), &err), SCT_EUSAGE, "found a file");
    check_fails(sct_dir_make(scratch("f/g"), &err), SCT_EFAIL, "cannot make the directory");
    check_fails(sct_dir_make(scratch("f"), &err), SCT_EFAIL,
                "cannot make the directory: File exists");
}

END_TEST

START_TEST(replaces_directories)
{
    sct_error err;
    check_ok(sct_dir_make(scratch("new1"), &err));
    scratch_put("new1/a", "1", 1);
    check_ok(sct_dir_replace(scratch("new1"), scratch("d"), &err));
    ck_assert_uint_eq(scratch_count(), 1);
    scratch_put("d/note", "keep", 4);
    check_ok(sct_dir_make(scratch("d/sub"), &err));
    check_ok(sct_dir_make(scratch("new2"), &err));
    scratch_put("new2/a", "2", 1);
    check_ok(sct_dir_replace(scratch("new2"), scratch("d"), &err));
    ck_assert_uint_eq(scratch_count(), 1);
    char *a = scratch_get("d/a", NULL), *note = scratch_get("d/note", NULL);
    ck_assert_str_eq(a, "2");
    ck_assert_str_eq(note, "keep");
    ck_assert(sct_dir_exists(scratch("d/sub")));
    free(a);
    free(note);
    /* A file where the folder should go: refused, and the temp folder goes. */
    scratch_put("f", "", 0);
    check_ok(sct_dir_make(scratch("new3"), &err));
    scratch_put("new3/a", "3", 1);
    check_fails(sct_dir_replace(scratch("new3"), scratch("f"), &err), SCT_EFAIL,
                "cannot put the finished folder there");
    ck_assert_uint_eq(scratch_count(), 2);
}

END_TEST

static void check_npy(uint32_t dtype, const uint32_t *dim, uint32_t nd, const void *data,
                      const char *dict, size_t bytes)
{
    sct_error err;
    check_ok(sct_npy_write(scratch("a.npy"), dtype, dim, nd, data, &err));
    size_t n;
    char *got = scratch_get("a.npy", &n);
    char head[129];
    (void)snprintf(head, sizeof head, "%.10s%-117s\n", "\x93NUMPY\x01_v_", dict);
    head[7] = head[9] = 0;
    ck_assert_uint_eq(n, 128 + bytes);
    ck_assert_mem_eq(got, head, 128);
    if (bytes)
        ck_assert_mem_eq(got + 128, data, bytes);
    free(got);
}

START_TEST(npy_is_numpys)
{
    static const float f[6] = {0, 1, 2, 3, 4, 5};
    static const int32_t v[2] = {1, -1};
    sct_error err;
    check_npy(SCT_F32, (const uint32_t[]){2, 3}, 2, f,
              "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", 24);
    check_npy(SCT_I32, (const uint32_t[]){2}, 1, v,
              "{'descr': '<i4', 'fortran_order': False, 'shape': (2,), }", 8);
    check_npy(SCT_F32, NULL, 0, f, "{'descr': '<f4', 'fortran_order': False, 'shape': (), }",
              4);
    check_npy(SCT_F32, (const uint32_t[]){3, 0, 2}, 3, NULL,
              "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 0, 2), }", 0);
    check_fails(sct_npy_write(scratch("b"), SCT_U8, NULL, 0, f, &err), SCT_EINVAL,
                "expected dtype f32 or i32");
    const uint32_t huge[] = {UINT32_MAX, UINT32_MAX, UINT32_MAX};
    check_fails(sct_npy_write(scratch("b"), SCT_F32, huge, 3, f, &err), SCT_EINVAL,
                "overflows");
    check_fails(sct_npy_write(scratch("b"), SCT_F32, huge, 7, f, &err), SCT_EINVAL,
                "at most 6 dims");
    check_fails(sct_npy_write(scratch("no/b"), SCT_F32, NULL, 0, f, &err), SCT_EFAIL,
                "No such file");
}

END_TEST

START_TEST(hashes)
{
    static const float cls[] = {1, 2, 3}, bias[] = {-0.0f, 0.5f}, s[] = {2.5f};
    char hex[SCT_SHA256_HEX];
    sct_error err;
    struct sct_sha256 h;
    sct_sha256_init(&h);
    sct_sha256_add(&h, "ab", 2);
    sct_sha256_add(&h, NULL, 0);
    sct_sha256_add(&h, "c", 1);
    sct_sha256_end(&h, hex);
    ck_assert_str_eq(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    sct_sha256_end(&h, hex);
    ck_assert_str_eq(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    struct sct_base_hash b;
    sct_base_hash_init(&b);
    check_ok(sct_base_hash_add(&b, "cls_token", (const uint32_t[]){1, 1, 3}, 3, cls, &err));
    check_fails(sct_base_hash_add(&b, "cls_token", NULL, 0, cls, &err), SCT_EINVAL,
                "expected a name after 'cls_token', found 'cls_token'");
    check_fails(sct_base_hash_add(&b, "blocks", NULL, 0, cls, &err), SCT_EINVAL,
                "found 'blocks'");
    check_ok(sct_base_hash_add(&b, "norm.bias", (const uint32_t[]){2}, 1, bias, &err));
    check_ok(sct_base_hash_add(&b, "s", NULL, 0, s, &err));
    sct_base_hash_end(&b, hex);
    ck_assert_str_eq(hex, "d6909c97d652f22a77081533bde4345f99f3667f8541500c243b32d175d65c5b");
}

END_TEST

Suite *file_suite(void)
{
    Suite *s = suite_create("file");
    TCase *tc = scratch_case(s, "file");
    tcase_add_test(tc, joins_paths);
    tcase_add_test(tc, reads_with_a_limit);
    tcase_add_test(tc, writes_all_or_nothing);
    tcase_add_test(tc, makes_directories);
    tcase_add_test(tc, replaces_directories);
    tcase_add_test(tc, npy_is_numpys);
    tcase_add_test(tc, hashes);
    return s;
}
