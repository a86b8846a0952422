/* SPDX-License-Identifier: MIT
 * io_main.c - runs the tests of core/io.
 * Every test that touches the disk has a scratch folder of its own. */
#include "tests/io/io_suite.h"

#include <dirent.h>
#include <ftw.h>
#include <stdlib.h>
#include <unistd.h>

static char folder[256];

void scratch_make(void)
{
    const char *tmp = getenv("TMPDIR");
    (void)snprintf(folder, sizeof folder, "%s/sctrun-io-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static int delete_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

void scratch_delete(void)
{
    ck_assert_int_eq(nftw(folder, delete_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

const char *scratch(const char *name)
{
    static char buf[4][512];
    static unsigned next;
    char *p = buf[next++ % 4];
    (void)snprintf(p, sizeof buf[0], "%s/%s", folder, name);
    return p;
}

size_t scratch_count(void)
{
    DIR *d = opendir(folder);
    ck_assert_ptr_nonnull(d);
    size_t n = 0;
    for (const struct dirent *e = readdir(d); e; e = readdir(d))
        n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    (void)closedir(d);
    return n;
}

void scratch_put(const char *name, const void *data, size_t n)
{
    FILE *f = fopen(scratch(name), "wb");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(data, 1, n, f), n);
    ck_assert_int_eq(fclose(f), 0);
}

char *scratch_get(const char *name, size_t *n)
{
    FILE *f = fopen(scratch(name), "rb");
    ck_assert_msg(f != NULL, "%s is missing", name);
    ck_assert_int_eq(fseek(f, 0, SEEK_END), 0);
    const size_t size = (size_t)ftell(f);
    rewind(f);
    char *buf = malloc(size + 1);
    ck_assert_ptr_nonnull(buf);
    ck_assert_uint_eq(fread(buf, 1, size, f), size);
    (void)fclose(f);
    buf[size] = 0;
    if (n)
        *n = size;
    return buf;
}

TCase *scratch_case(Suite *s, const char *name)
{
    TCase *tc = tcase_create(name);
    tcase_add_checked_fixture(tc, scratch_make, scratch_delete);
    tcase_set_timeout(tc, 60);
    suite_add_tcase(s, tc);
    return tc;
}

int main(void)
{
    SRunner *r = srunner_create(safetensors_suite());
    srunner_add_suite(r, safetensors_write_suite());
    srunner_add_suite(r, file_suite());
    srunner_add_suite(r, json_suite());
    srunner_add_suite(r, option_suite());
    srunner_add_suite(r, config_suite());
    srunner_add_suite(r, adapter_suite());
    srunner_add_suite(r, peft_suite());
    srunner_add_suite(r, zip_suite());
    srunner_add_suite(r, npy_suite());
    srunner_add_suite(r, pickle_suite());
    srunner_add_suite(r, checkpoint_suite());
    srunner_add_suite(r, oom_suite());
    srunner_run_all(r, CK_NORMAL);
    const int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
