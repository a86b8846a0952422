/* SPDX-License-Identifier: MIT
 * data_main.c - runs the data suites.
 * One suite can be picked by name: data_test loader. */
#include "tests/data/data_suite.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

uint32_t test_crc32(const void *bytes, size_t size)
{
    const uint8_t *p = bytes;
    uint32_t c = 0xffffffffu;
    for (size_t i = 0; i < size; i++) {
        c ^= p[i];
        for (int b = 0; b < 8; b++)
            c = (c >> 1) ^ (0xedb88320u & (0u - (c & 1u)));
    }
    return ~c;
}

char *test_folder(void)
{
    const char *base = getenv("TMPDIR");
    char name[512];
    (void)snprintf(name, sizeof name, "%s/sct-data-XXXXXX", base ? base : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(name));
    return strdup(name);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(path);
}

void test_folder_end(char *folder)
{
    ck_assert_int_eq(nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
    free(folder);
}

void test_write(const char *folder, const char *name, const void *bytes, size_t size)
{
    char path[1024];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    for (char *p = strchr(path + strlen(folder) + 1, '/'); p; p = strchr(p + 1, '/')) {
        *p = 0;
        ck_assert(mkdir(path, 0777) == 0 || errno == EEXIST);
        *p = '/';
    }
    FILE *f = fopen(path, "wb");
    ck_assert_ptr_nonnull(f);
    if (size == (size_t)-1)
        size = strlen(bytes);
    ck_assert_uint_eq(fwrite(bytes, 1, size, f), size);
    ck_assert_int_eq(fclose(f), 0);
}

int main(int argc, char **argv)
{
    SRunner *sr = srunner_create(image_suite());
    srunner_add_suite(sr, resize_suite());
    srunner_add_suite(sr, preprocess_suite());
    srunner_add_suite(sr, list_suite());
    srunner_add_suite(sr, layout_suite());
    srunner_add_suite(sr, classes_suite());
    srunner_add_suite(sr, sprites_suite());
    srunner_add_suite(sr, loader_suite());
    srunner_run(sr, argc > 1 ? argv[1] : NULL, NULL, CK_ENV);
    const int failed = srunner_ntests_failed(sr);
    const int ran = srunner_ntests_run(sr);
    srunner_free(sr);
    return failed == 0 && ran > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
