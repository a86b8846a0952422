/* SPDX-License-Identifier: MIT
 * image_test.c - decoding equals Pillow's; what is not a whole picture is refused by name.
 * Files and checksums: tools/golden/make_images.py. */
#include "tests/data/data_suite.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/data/image.h"

#define FOLDER SCT_TEST_GOLDEN "/images/"

static void check_refused(const char *path, const char *words)
{
    struct sct_image img;
    sct_error err = SCT_ERROR_INIT;
    ck_assert_int_eq(sct_image_read(&img, path, NULL, &err), SCT_EDATA);
    ck_assert_msg(strstr(err.msg, words) != NULL, "no \"%s\" in: %s", words, err.msg);
    ck_assert_ptr_nonnull(strstr(err.msg, path));
    ck_assert_ptr_null(img.rgb);
}

static void check_line(const char *line)
{
    static const struct sct_image_opts pillow = {.deep = SCT_DEEP_PILLOW};
    char name[64], kind[16], path[1024];
    unsigned w = 0, h = 0, crc = 0;
    struct sct_image img;
    sct_error err = SCT_ERROR_INIT;
    ck_assert_int_eq(sscanf(line, "%63s %15s", name, kind), 2);
    (void)snprintf(path, sizeof path, "%s%s", FOLDER, name);
    const bool deep = strcmp(kind, "deep") == 0;
    if (strcmp(kind, "refused") == 0) {
        check_refused(path, strstr(line, "refused ") + 8);
        return;
    }
    if (strcmp(kind, "webp") == 0 && !sct_image_has_webp()) {
        check_refused(path, "-Dwebp=enabled");
        return;
    }
    if (deep)
        check_refused(path, "--deep-png pillow");
    ck_assert_int_eq(sscanf(line, "%*s %*s %u %u %x", &w, &h, &crc), 3);
    const sct_status rc = sct_image_read(&img, path, deep ? &pillow : NULL, &err);
    ck_assert_msg(rc == SCT_OK, "%s", err.msg);
    ck_assert_uint_eq(img.w, w);
    ck_assert_uint_eq(img.h, h);
    ck_assert_msg(test_crc32(img.rgb, (size_t)w * h * 3) == crc, "%s differs from Pillow",
                  name);
    sct_image_fini(&img);
    ck_assert_ptr_null(img.rgb);
}

START_TEST(test_goldens)
{
    FILE *f = fopen(FOLDER "images.txt", "r");
    char line[160];
    int n = 0;
    ck_assert_ptr_nonnull(f);
    while (fgets(line, sizeof line, f)) {
        if (line[0] == '#')
            continue;
        line[strcspn(line, "\n")] = 0;
        check_line(line);
        n++;
    }
    (void)fclose(f);
    ck_assert_int_eq(n, 86);
}

END_TEST

START_TEST(test_other_kinds)
{
    static const struct {
        const char *bytes;
        size_t size;
        const char *words;
    } cases[] = {
        {"", 0, "empty file"},
        {"GIF89a....", 10, "GIF"},
        {"RIFF\x10\0\0\0WEBPVP8 ", 16, "WebP"},
        {"version https://git-lfs.github.com/spec/v1", 42, "git lfs pull"},
        {"<!DOCTYPE html>", 15, "HTML"},
        {"hello", 5, "68 65 6c 6c 6f"},
        {"\xff\xd8\xff", 3, "truncated"},
        {"\x89PNG\r\n\x1a\n", 8, "truncated"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sct_image img;
        sct_error err = SCT_ERROR_INIT;
        ck_assert_int_eq(
            sct_image_decode(&img, cases[i].bytes, cases[i].size, "some/name.jpg", NULL, &err),
            SCT_EDATA);
        ck_assert_ptr_null(img.rgb);
        ck_assert_msg(strstr(err.msg, cases[i].words) != NULL, "case %zu: %s", i, err.msg);
        ck_assert_ptr_nonnull(strstr(err.msg, "some/name.jpg"));
    }
}

END_TEST

/* Sizes come from the header, before any pixel: a small file must not take gigabytes. */
START_TEST(test_limits)
{
    uint8_t png[33] = {0x89, 'P', 'N', 'G', 13, 10, 26, 10, 0, 0, 0, 13, 'I', 'H', 'D', 'R'};
    struct sct_image img;
    sct_error err = SCT_ERROR_INIT;
    png[18] = 0x40, png[19] = 0x01; /* 16385 x 1 */
    png[23] = 1;
    png[24] = 8, png[25] = 2;
    const uint32_t crc = test_crc32(png + 12, 17);
    for (int i = 0; i < 4; i++)
        png[29 + i] = (uint8_t)(crc >> (24 - 8 * i));
    ck_assert_int_eq(sct_image_decode(&img, png, sizeof png, "wide.png", NULL, &err),
                     SCT_EDATA);
    ck_assert_ptr_null(img.rgb);
    ck_assert_int_eq(sct_image_init(&img, 16384, 16385, NULL), SCT_EDATA);
    static const char *const files[] = {FOLDER "420.jpg", FOLDER "rgb.png",
                                        FOLDER "lossless.webp"};
    for (size_t i = 0; i < sizeof files / sizeof files[0] - !sct_image_has_webp(); i++) {
        struct sct_image_opts o = {.max_pixels = 37 * 29 - 1};
        memset(&err, 0, sizeof err);
        ck_assert_int_eq(sct_image_read(&img, files[i], &o, &err), SCT_EDATA);
        ck_assert_ptr_nonnull(strstr(err.msg, "found 37 x 29"));
        ck_assert_ptr_null(img.rgb);
        o.max_pixels++;
        ck_assert_int_eq(sct_image_read(&img, files[i], &o, NULL), SCT_OK);
        sct_image_fini(&img);
    }
    ck_assert_int_eq(sct_image_init(&img, 0, 5, NULL), SCT_EDATA);
}

END_TEST

START_TEST(test_missing_file)
{
    struct sct_image img;
    sct_error err = SCT_ERROR_INIT;
    ck_assert_int_eq(sct_image_read(&img, FOLDER "nothing.jpg", NULL, &err), SCT_EDATA);
    ck_assert_ptr_nonnull(strstr(err.msg, "nothing.jpg"));
    ck_assert_ptr_null(img.rgb);
}

END_TEST

/* Every allocation may fail: a status, no leak, nothing left behind. */
START_TEST(test_out_of_memory)
{
    static const char *const files[] = {FOLDER "420p.jpg", FOLDER "cmyk.jpg", FOLDER "rgba.png",
                                        FOLDER "c0d16i.png"};
    static const struct sct_image_opts pillow = {.deep = SCT_DEEP_PILLOW};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        struct sct_image img;
        uint64_t n = 0;
        sct_status rc;
        do {
            (void)sct_mem_fail_at(++n, 0);
            rc = sct_image_read(&img, files[i], &pillow, NULL);
            (void)sct_mem_fail_at(0, 0);
            ck_assert(rc == SCT_OK || (rc == SCT_ENOMEM && !img.rgb));
        } while (rc != SCT_OK);
        ck_assert_uint_gt(n, 3);
        sct_image_fini(&img);
    }
}

END_TEST

Suite *image_suite(void)
{
    Suite *s = suite_create("image");
    TCase *t = tcase_create("image");
    tcase_add_test(t, test_goldens);
    tcase_add_test(t, test_other_kinds);
    tcase_add_test(t, test_limits);
    tcase_add_test(t, test_missing_file);
    tcase_add_test(t, test_out_of_memory);
    suite_add_tcase(s, t);
    return s;
}
