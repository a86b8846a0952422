/* SPDX-License-Identifier: MIT
 * resize_test.c - resampling equals Pillow's, byte for byte, on every instruction set.
 * Goldens: tools/golden/make_resize.py. */
#include "tests/data/data_suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/data/resize.h"

static const char *const filter_names[] = {"box", "bilinear", "hamming", "bicubic", "lanczos"};
static const char *const order_names[] = {"horizontal", "pillow12", "pillow13"};

static int find(const char *const *names, int n, const char *name)
{
    for (int i = 0; i < n; i++)
        if (strcmp(names[i], name) == 0)
            return i;
    ck_abort_msg("golden file: unknown word %s", name);
    return 0;
}

static struct sct_image noise(uint32_t w, uint32_t h, uint32_t seed)
{
    struct sct_image img;
    ck_assert_int_eq(sct_image_init(&img, w, h, NULL), SCT_OK);
    for (size_t i = 0; i < (size_t)w * h * 3; i++) {
        seed = seed * 1664525u + 1013904223u;
        img.rgb[i] = (uint8_t)(seed >> 24);
    }
    return img;
}

/* Every line of the golden file with one table of row operations. */
static int check_goldens(const struct sct_resize_rows *rows)
{
    FILE *f = fopen(SCT_TEST_GOLDEN "/resize/pillow.txt", "r");
    char line[160], filter[16], order[16];
    unsigned w, h, ow, oh, crc, last_w = 0, last_h = 0, last_ow = 0, last_oh = 0;
    uint32_t seed = UINT32_MAX;
    int lines = 0;
    ck_assert_ptr_nonnull(f);
    while (fgets(line, sizeof line, f)) {
        if (line[0] == '#')
            continue;
        ck_assert_int_eq(
            sscanf(line, "%u %u %u %u %15s %15s %x", &w, &h, &ow, &oh, filter, order, &crc), 7);
        if (w != last_w || h != last_h || ow != last_ow || oh != last_oh)
            seed++;
        last_w = w, last_h = h, last_ow = ow, last_oh = oh;
        struct sct_image img = noise(w, h, seed);
        uint8_t *dst = malloc((size_t)ow * oh * 3);
        ck_assert_int_eq(sct_resize_with(rows, dst, &img, ow, oh, NULL,
                                         (enum sct_filter)find(filter_names, 5, filter),
                                         (enum sct_pass_order)find(order_names, 3, order),
                                         NULL),
                         SCT_OK);
        ck_assert_msg(test_crc32(dst, (size_t)ow * oh * 3) == crc, "%s differs from Pillow: %s",
                      rows->name, line);
        free(dst);
        sct_image_fini(&img);
        lines++;
    }
    (void)fclose(f);
    return lines;
}

START_TEST(test_equals_pillow)
{
    ck_assert_int_eq(check_goldens(&sct_resize_rows_c), 450);
    ck_assert_int_eq(check_goldens(sct_resize_rows_best()), 450);
}

END_TEST

/* The vector rows against the plain ones where goldens are thin: every small width. */
START_TEST(test_rows_agree)
{
    const uint32_t size = 1 + (uint32_t)_i;
    for (uint32_t out = 1; out < 70; out += 3) {
        struct sct_image img = noise(size, 41, size * 100 + out);
        uint8_t a[70 * 19 * 3], b[70 * 19 * 3];
        ck_assert_int_eq(sct_resize_with(&sct_resize_rows_c, a, &img, out, 19, NULL,
                                         SCT_FILTER_BICUBIC, SCT_PASS_HORIZONTAL, NULL),
                         SCT_OK);
        ck_assert_int_eq(
            sct_resize(b, &img, out, 19, NULL, SCT_FILTER_BICUBIC, SCT_PASS_HORIZONTAL, NULL),
            SCT_OK);
        ck_assert_mem_eq(a, b, out * 19 * 3);
        sct_image_fini(&img);
    }
}

END_TEST

/* A window is the same part of the whole, in both pass orders. */
START_TEST(test_window)
{
    const struct sct_window wins[] = {
        {0, 0, 1, 1}, {16, 9, 224, 224}, {75, 23, 1, 224}, {297, 246, 1, 1}, {0, 0, 298, 247}};
    struct sct_image img = noise(211, 640, 7);
    static uint8_t whole[298 * 247 * 3], part[298 * 247 * 3];
    for (int order = 0; order < 3; order++) {
        ck_assert_int_eq(sct_resize(whole, &img, 298, 247, NULL, SCT_FILTER_BICUBIC,
                                    (enum sct_pass_order)order, NULL),
                         SCT_OK);
        for (size_t i = 0; i < sizeof wins / sizeof wins[0]; i++) {
            const struct sct_window *v = &wins[i];
            ck_assert_int_eq(sct_resize(part, &img, 298, 247, v, SCT_FILTER_BICUBIC,
                                        (enum sct_pass_order)order, NULL),
                             SCT_OK);
            for (uint32_t y = 0; y < v->h; y++)
                ck_assert_mem_eq(part + (size_t)y * v->w * 3,
                                 whole + ((size_t)(v->y + y) * 298 + v->x) * 3, v->w * 3);
        }
    }
    const struct sct_window outside = {75, 24, 224, 224};
    sct_error err = SCT_ERROR_INIT;
    ck_assert_int_eq(sct_resize(part, &img, 298, 247, &outside, SCT_FILTER_BICUBIC,
                                SCT_PASS_HORIZONTAL, &err),
                     SCT_EINVAL);
    ck_assert_ptr_nonnull(strstr(err.msg, "224 x 224 at (75, 24)"));
    sct_image_fini(&img);
}

END_TEST

START_TEST(test_windows_of_one_axis)
{
    /* Only one side changes, or none: the window still counts. */
    const uint32_t sizes[][2] = {{40, 30}, {40, 21}, {17, 30}};
    const struct sct_window win = {3, 5, 11, 13};
    struct sct_image img = noise(40, 30, 3);
    for (size_t i = 0; i < 3; i++) {
        uint8_t whole[40 * 30 * 3], part[11 * 13 * 3];
        const uint32_t w = sizes[i][0], h = sizes[i][1];
        ck_assert_int_eq(
            sct_resize(whole, &img, w, h, NULL, SCT_FILTER_BILINEAR, SCT_PASS_HORIZONTAL, NULL),
            SCT_OK);
        ck_assert_int_eq(
            sct_resize(part, &img, w, h, &win, SCT_FILTER_BILINEAR, SCT_PASS_HORIZONTAL, NULL),
            SCT_OK);
        for (uint32_t y = 0; y < win.h; y++)
            ck_assert_mem_eq(part + (size_t)y * win.w * 3,
                             whole + ((size_t)(win.y + y) * w + win.x) * 3, win.w * 3);
    }
    sct_image_fini(&img);
}

END_TEST

/* Values of torchvision 0.28. */
START_TEST(test_short_side_and_crop)
{
    static const uint32_t offset[9] = {0, 0, 1, 2, 2, 2, 3, 4, 4};
    uint32_t w, h;
    for (uint32_t d = 0; d < 9; d++)
        ck_assert_uint_eq(sct_center_offset(224 + d, 224), offset[d]);
    sct_resize_short_side(500, 375, 248, &w, &h);
    ck_assert_uint_eq(w, 330);
    ck_assert_uint_eq(h, 248);
    sct_resize_short_side(375, 500, 256, &w, &h);
    ck_assert_uint_eq(w, 256);
    ck_assert_uint_eq(h, 341);
    sct_resize_short_side(33, 33, 256, &w, &h);
    ck_assert_uint_eq(w, 256);
    ck_assert_uint_eq(h, 256);
}

END_TEST

Suite *resize_suite(void)
{
    Suite *s = suite_create("resize");
    TCase *t = tcase_create("resize");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_equals_pillow);
    tcase_add_loop_test(t, test_rows_agree, 0, 70);
    tcase_add_test(t, test_window);
    tcase_add_test(t, test_windows_of_one_axis);
    tcase_add_test(t, test_short_side_and_crop);
    suite_add_tcase(s, t);
    return s;
}
