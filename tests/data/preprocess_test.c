/* SPDX-License-Identifier: MIT
 * preprocess_test.c - modes are the resize and crop they name; the table is torchvision's.
 * The constants of the tables come from torchvision 0.28 (ToTensor, Normalize). */
#include "tests/data/data_suite.h"

#include <string.h>

#include "core/data/preprocess.h"

static struct sct_image stripes(uint32_t w, uint32_t h)
{
    struct sct_image img;
    ck_assert_int_eq(sct_image_init(&img, w, h, NULL), SCT_OK);
    for (uint32_t i = 0; i < w * h * 3; i++)
        img.rgb[i] = (uint8_t)(i * 37u + (i >> 5) * 11u);
    return img;
}

START_TEST(test_squash)
{
    static uint8_t a[64 * 64 * 3], b[64 * 64 * 3];
    struct sct_image img = stripes(90, 41);
    struct sct_preprocess p;
    sct_preprocess_default(&p);
    p.size = 64;
    for (int bicubic = 0; bicubic < 2; bicubic++) {
        sct_preprocess_set_mode(&p, bicubic ? SCT_RESIZE_SQUASH_BICUBIC
                                            : SCT_RESIZE_SQUASH_BILINEAR);
        ck_assert_int_eq(sct_preprocess_apply(&p, &img, a, NULL), SCT_OK);
        ck_assert_int_eq(sct_resize(b, &img, 64, 64, NULL,
                                    bicubic ? SCT_FILTER_BICUBIC : SCT_FILTER_BILINEAR,
                                    SCT_PASS_HORIZONTAL, NULL),
                         SCT_OK);
        ck_assert_mem_eq(a, b, sizeof a);
    }
    sct_image_fini(&img);
}

END_TEST

/* 64 / 0.9 = 71.1: short side 71, long side 71 * 90 / 41 = 155, offsets round(91 / 2 = 45.5) =
 * 46 and round(7 / 2 = 3.5) = 4. */
START_TEST(test_crop)
{
    static uint8_t a[64 * 64 * 3], whole[155 * 71 * 3];
    struct sct_image img = stripes(90, 41);
    struct sct_preprocess p;
    sct_preprocess_default(&p);
    p.size = 64;
    sct_preprocess_set_mode(&p, SCT_RESIZE_CROP_BICUBIC);
    ck_assert_int_eq(sct_preprocess_apply(&p, &img, a, NULL), SCT_OK);
    ck_assert_int_eq(
        sct_resize(whole, &img, 155, 71, NULL, SCT_FILTER_BICUBIC, SCT_PASS_HORIZONTAL, NULL),
        SCT_OK);
    for (uint32_t y = 0; y < 64; y++)
        ck_assert_mem_eq(a + (size_t)y * 64 * 3, whole + ((size_t)(y + 4) * 155 + 46) * 3,
                         64 * 3);
    sct_image_fini(&img);
}

END_TEST

/* CRC-32 of the floats as little-endian bytes. */
static uint32_t table_crc(float t[3][256])
{
    uint8_t bytes[3 * 256 * 4];
    for (size_t i = 0; i < 3 * 256; i++) {
        uint32_t v;
        memcpy(&v, &t[i / 256][i % 256], sizeof v);
        for (size_t b = 0; b < 4; b++)
            bytes[4 * i + b] = (uint8_t)(v >> (8 * b));
    }
    return test_crc32(bytes, sizeof bytes);
}

START_TEST(test_table)
{
    float t[3][256];
    struct sct_preprocess p;
    sct_preprocess_default(&p);
    sct_preprocess_table(&p, t);
    ck_assert(t[0][0] == -0x1.0f177ap+1f && t[1][128] == 0x1.a43690p-3f);
    ck_assert_uint_eq(table_crc(t), 0xbd18b1b8u);
    ck_assert_int_eq(sct_preprocess_stats(&p, "half", NULL), SCT_OK);
    sct_preprocess_table(&p, t);
    ck_assert(t[0][0] == -1.0f && t[1][255] == 1.0f && t[2][51] == -0x1.333334p-1f);
    ck_assert_uint_eq(table_crc(t), 0x958a2463u);
}

END_TEST

START_TEST(test_names)
{
    struct sct_preprocess p;
    sct_error err = SCT_ERROR_INIT;
    enum sct_resize_mode mode = SCT_RESIZE_MODE_COUNT;
    enum sct_pass_order order;
    sct_preprocess_default(&p);
    for (int i = 0; i < SCT_RESIZE_MODE_COUNT; i++) {
        const char *name = sct_resize_mode_name((enum sct_resize_mode)i);
        ck_assert_int_eq(sct_resize_mode_parse(&mode, name, NULL), SCT_OK);
        ck_assert_int_eq((int)mode, i);
    }
    for (int i = 0; i < 3; i++) {
        const char *name = sct_pass_order_name((enum sct_pass_order)i);
        ck_assert_int_eq(sct_pass_order_parse(&order, name, NULL), SCT_OK);
        ck_assert_int_eq((int)order, i);
    }
    ck_assert_int_eq(sct_resize_mode_parse(&mode, "stretch", &err), SCT_EUSAGE);
    ck_assert_ptr_nonnull(strstr(err.msg, "crop-bilinear"));
    ck_assert_int_eq(sct_preprocess_stats(&p, "clip", NULL), SCT_EUSAGE);
}

END_TEST

START_TEST(test_check)
{
    uint8_t out[3];
    struct sct_image img = stripes(4, 4);
    struct sct_preprocess p;
    sct_error err = SCT_ERROR_INIT;
    sct_preprocess_default(&p);
    p.std[1] = 0.0f;
    ck_assert_int_eq(sct_preprocess_apply(&p, &img, out, &err), SCT_EUSAGE);
    ck_assert_ptr_nonnull(strstr(err.msg, "channel 1"));
    sct_preprocess_default(&p);
    p.crop_pct = 1.5;
    ck_assert_int_eq(sct_preprocess_check(&p, NULL), SCT_EUSAGE);
    sct_preprocess_default(&p);
    p.size = 0;
    ck_assert_int_eq(sct_preprocess_check(&p, NULL), SCT_EUSAGE);
    sct_image_fini(&img);
}

END_TEST

START_TEST(test_hash)
{
    struct sct_preprocess a, b;
    sct_preprocess_default(&a);
    b = a;
    b.crop_pct = 0.875; /* not read by squash modes */
    b.std[0] = 1.0f;    /* not in the pixels */
    ck_assert(sct_preprocess_hash(&a) == sct_preprocess_hash(&b));
    sct_preprocess_set_mode(&a, SCT_RESIZE_CROP_BICUBIC);
    sct_preprocess_set_mode(&b, SCT_RESIZE_CROP_BICUBIC);
    ck_assert(sct_preprocess_hash(&a) != sct_preprocess_hash(&b));
    b = a;
    b.size = 384;
    ck_assert(sct_preprocess_hash(&a) != sct_preprocess_hash(&b));
}

END_TEST

Suite *preprocess_suite(void)
{
    Suite *s = suite_create("preprocess");
    TCase *t = tcase_create("preprocess");
    tcase_add_test(t, test_squash);
    tcase_add_test(t, test_crop);
    tcase_add_test(t, test_table);
    tcase_add_test(t, test_names);
    tcase_add_test(t, test_check);
    tcase_add_test(t, test_hash);
    suite_add_tcase(s, t);
    return s;
}
