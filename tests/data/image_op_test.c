/* SPDX-License-Identifier: MIT
 * image_op_test.c - operations on pictures equal Pillow's, byte for byte.
 * Goldens: tools/golden/make_image_ops.py. */
#include <stdio.h>
#include <string.h>

#include "core/base/mem.h"
#include "tests/data/data_suite.h"
#include "tests/data/image_ops.h"

enum { CASES = 680 };

static struct sct_image noise(uint32_t w, uint32_t h, uint32_t seed, int narrow)
{
    struct sct_image img;
    ck_assert_int_eq(sct_image_init(&img, w, h, NULL), SCT_OK);
    for (size_t i = 0; i < (size_t)w * h * 3; i++) {
        seed = seed * 1664525u + 1013904223u;
        const uint32_t v = seed >> 24;
        img.rgb[i] = (uint8_t)(narrow ? 30 + v / 2 : v);
    }
    return img;
}

START_TEST(test_equals_pillow)
{
    FILE *f = fopen(SCT_TEST_GOLDEN "/image_ops/pillow.txt", "r");
    char line[160], name[32];
    double a, b;
    unsigned w, h, crc, last = 0;
    int narrow, cases = 0;
    uint32_t seed = UINT32_MAX;
    ck_assert_ptr_nonnull(f);
    while (fgets(line, sizeof line, f)) {
        if (line[0] == '#')
            continue;
        ck_assert_int_eq(
            sscanf(line, "%31s %lf %lf %u %u %d %x", name, &a, &b, &w, &h, &narrow, &crc), 7);
        seed += w * h != last;
        last = w * h;
        struct sct_image img = noise(w, h, seed, narrow);
        ck_assert_int_eq(test_image_op(&img, name, a, b, NULL), SCT_OK);
        ck_assert_msg(test_crc32(img.rgb, (size_t)w * h * 3) == crc, "differs from Pillow: %s",
                      line);
        sct_image_fini(&img);
        cases++;
    }
    (void)fclose(f);
    ck_assert_int_eq(cases, CASES);
}

END_TEST

/* Zero bits are black; what Pillow 13 refuses. */
START_TEST(test_no_bits)
{
    struct sct_image img = noise(5, 4, 3, 0);
    sct_image_posterize(&img, 0);
    for (size_t i = 0; i < 60; i++)
        ck_assert_uint_eq(img.rgb[i], 0);
    sct_image_fini(&img);
}

END_TEST

START_TEST(test_failures)
{
    static const uint8_t fill[3] = {1, 2, 3};
    static const double m[6] = {1, 0, 0, 0, 1, 0};
    struct sct_image img = noise(8, 8, 3, 0);
    const uint32_t before = test_crc32(img.rgb, 192);
    sct_error err = SCT_ERROR_INIT;
    ck_assert_int_eq(sct_image_affine(&img, m, SCT_FILTER_LANCZOS, fill, &err), SCT_EINVAL);
    ck_assert_ptr_nonnull(strstr(err.msg, "bilinear or bicubic"));
    (void)sct_mem_fail_at(1, 1);
    ck_assert_int_eq(sct_image_affine(&img, m, SCT_FILTER_BICUBIC, fill, NULL), SCT_ENOMEM);
    ck_assert_int_eq(sct_image_rotate(&img, 3, SCT_FILTER_BICUBIC, fill, NULL), SCT_ENOMEM);
    ck_assert_int_eq(sct_image_sharpness(&img, 0.5f, NULL), SCT_ENOMEM);
    (void)sct_mem_fail_at(0, 0);
    ck_assert_uint_eq(test_crc32(img.rgb, 192), before);
    sct_image_fini(&img);
}

END_TEST

Suite *image_op_suite(void)
{
    Suite *s = suite_create("image_op");
    TCase *t = tcase_create("image_op");
    tcase_add_test(t, test_equals_pillow);
    tcase_add_test(t, test_no_bits);
    tcase_add_test(t, test_failures);
    suite_add_tcase(s, t);
    return s;
}
