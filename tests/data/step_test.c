/* SPDX-License-Identifier: MIT
 * step_test.c - the table of steps, text to it and from it. */
#include <string.h>

#include "core/data/step.h"
#include "tests/data/data_suite.h"

static const char *const names[] = {
    "resize", "center-crop",  "random-crop", "random-resized-crop",
    "hflip",  "color-jitter", "randaugment", "random-erasing",
    "mix"};

START_TEST(test_table)
{
    for (int k = 0; k <= SCT_STEP_MIX; k++) {
        struct sct_step s;
        const struct sct_step_info *i = sct_step_info((enum sct_step_kind)k);
        ck_assert_str_eq(i->name, names[k]);
        ck_assert_int_eq(sct_step_init(&s, names[k], NULL), SCT_OK);
        ck_assert_int_eq((int)s.kind, k);
        ck_assert_int_eq(sct_step_check(&s, NULL), SCT_OK);
        for (uint32_t p = 0; p < i->n; p++) {
            const uint32_t at = sct_step_at(s.kind, p);
            ck_assert_uint_lt(at, SCT_STEP_VALUES);
            ck_assert(s.v[at] == i->param[p].def[0]);
        }
    }
    ck_assert_uint_eq(sct_step_at(SCT_STEP_RANDOM_RESIZED_CROP, 3), RRC_FILTER);
    ck_assert_uint_eq(sct_step_at(SCT_STEP_RANDOM_ERASING, 4), ERASE_COUNT);
    ck_assert_uint_eq(sct_step_at(SCT_STEP_MIX, 4), MIX_PER);
}

END_TEST

START_TEST(test_set)
{
    static const struct {
        const char *step, *key, *text;
        uint32_t part;
        int at;
        double v;
    } good[] = {
        {"resize", "mode", "short", 0, RESIZE_MODE, RESIZE_SHORT},
        {"resize", "size", "256", 0, RESIZE_SIZE, 256},
        {"resize", "crop_pct", "model", 0, RESIZE_CROP_PCT, 0},
        {"resize", "crop_pct", "0.875", 0, RESIZE_CROP_PCT, 0.875},
        {"resize", "filter", "lanczos", 0, RESIZE_FILTER, 4},
        {"random-resized-crop", "scale", "0.5", 1, RRC_SCALE + 1, 0.5},
        {"random-resized-crop", "filter", "random", 0, RRC_FILTER, SCT_FILTER_RANDOM},
        {"random-erasing", "mode", "const", 0, ERASE_MODE, ERASE_CONST},
        {"random-erasing", "ratio", "0.33333333333333331", 0, ERASE_RATIO, 0.333333333333333},
        {"mix", "per", "image", 0, MIX_PER, MIX_PER_IMAGE},
    };

    static const struct {
        const char *step, *key, *text, *says;
    } wrong[] = {
        {"resize", "mode", "stretch", "mode: expected squash|short, found \"stretch\""},
        {"resize", "filter", "random", "box|bilinear|hamming|bicubic|lanczos"},
        {"resize", "size", "2.5", "size: expected a whole number from 0 to 16384"},
        {"resize", "width", "3", "mode, size, crop_pct, filter"},
        {"hflip", "p", "1.5", "p: expected a number from 0 to 1, found 1.5"},
        {"hflip", "p", "often", "expected a number, found \"often\""},
        {"hflip", "p", "", "expected a number"},
        {"hflip", "p", "nan", "found nan"},
        {"hflip", "p", "0.5 ", "expected a number"},
        {"color-jitter", "hue", "0.6", "0 to 0.5"},
    };
    struct sct_step s;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        ck_assert_int_eq(sct_step_init(&s, good[i].step, NULL), SCT_OK);
        ck_assert_int_eq(sct_step_set(&s, good[i].key, good[i].part, good[i].text, NULL),
                         SCT_OK);
        ck_assert_msg(s.v[good[i].at] == good[i].v, "%s.%s", good[i].step, good[i].key);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        sct_error err = SCT_ERROR_INIT;
        ck_assert_int_eq(sct_step_init(&s, wrong[i].step, NULL), SCT_OK);
        ck_assert_int_eq(sct_step_set(&s, wrong[i].key, 0, wrong[i].text, &err), SCT_EUSAGE);
        ck_assert_msg(strstr(err.msg, wrong[i].says) != NULL, "%s", err.msg);
    }
    sct_error err = SCT_ERROR_INIT;
    ck_assert_int_eq(sct_step_init(&s, "flip", &err), SCT_EUSAGE);
    ck_assert_ptr_nonnull(strstr(err.msg, "hflip, color-jitter"));
    ck_assert_int_eq(sct_step_init(&s, "random-resized-crop", NULL), SCT_OK);
    s.v[RRC_SCALE] = 0.9;
    s.v[RRC_SCALE + 1] = 0.8;
    sct_error other = SCT_ERROR_INIT;
    ck_assert_int_eq(sct_step_check(&s, &other), SCT_EUSAGE);
    ck_assert_ptr_nonnull(strstr(other.msg, "smaller number first, found 0.9, 0.8"));
}

END_TEST

START_TEST(test_policy)
{
    static const char *const wrong[] = {"",
                                        "rand",
                                        "rand-m9-mstd0.5",
                                        "rand-m9-mstd0.5-inc0",
                                        "augmix-m3-inc1",
                                        "random-m9-inc1",
                                        "rand--m9-inc1",
                                        "rand-m9-inc1-",
                                        "rand-m9-w0-inc1",
                                        "rand-m5.5-inc1",
                                        "rand-m11-inc1",
                                        "rand-mstd101-inc1",
                                        "rand-m-inc1",
                                        "rand-m999999999999999999999999999999999999-inc1"};
    struct sct_step s;
    ck_assert_int_eq(sct_step_init(&s, "randaugment", NULL), SCT_OK);
    ck_assert_int_eq(sct_step_policy(&s, "rand-m9-mstd0.5-inc1", NULL), SCT_OK);
    ck_assert(s.v[RAND_MAGNITUDE] == 9 && s.v[RAND_STD] == 0.5 && s.v[RAND_OPS] == 2 &&
              s.v[RAND_P] == 0.5);
    ck_assert_int_eq(sct_step_policy(&s, "rand-inc1-m7-n3-p0.25", NULL), SCT_OK);
    ck_assert(s.v[RAND_MAGNITUDE] == 7 && s.v[RAND_OPS] == 3 && s.v[RAND_P] == 0.25);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        sct_error err = SCT_ERROR_INIT;
        ck_assert_msg(sct_step_policy(&s, wrong[i], &err) == SCT_EUSAGE, "%s", wrong[i]);
        ck_assert_msg(strstr(err.msg, "randaugment: ") == err.msg, "%s", err.msg);
    }
}

END_TEST

START_TEST(test_text)
{
    struct sct_steps list = {.n = 3};
    char buf[200], small[20];
    ck_assert_int_eq(sct_step_init(&list.step[0], "resize", NULL), SCT_OK);
    ck_assert_int_eq(sct_step_init(&list.step[1], "center-crop", NULL), SCT_OK);
    ck_assert_int_eq(sct_step_init(&list.step[2], "random-resized-crop", NULL), SCT_OK);
    sct_steps_text(&list, buf, sizeof buf);
    ck_assert_str_eq(buf, "resize, center-crop, random-resized-crop");
    ck_assert_int_eq(sct_step_set(&list.step[0], "mode", 0, "short", NULL), SCT_OK);
    ck_assert_int_eq(sct_step_set(&list.step[0], "crop_pct", 0, "model", NULL), SCT_OK);
    ck_assert_int_eq(sct_step_set(&list.step[1], "size", 0, "96", NULL), SCT_OK);
    ck_assert_int_eq(sct_step_set(&list.step[2], "scale", 0, "0.25", NULL), SCT_OK);
    sct_steps_text(&list, buf, sizeof buf);
    ck_assert_str_eq(buf, "resize(mode=short, crop_pct=model), center-crop(size=96), "
                          "random-resized-crop(scale=0.25..1)");
    sct_steps_text(&list, small, sizeof small);
    ck_assert_str_eq(small, "resize(mode=short, ");
}

END_TEST

Suite *step_suite(void)
{
    Suite *s = suite_create("step");
    TCase *t = tcase_create("step");
    tcase_add_test(t, test_table);
    tcase_add_test(t, test_set);
    tcase_add_test(t, test_policy);
    tcase_add_test(t, test_text);
    suite_add_tcase(s, t);
    return s;
}
