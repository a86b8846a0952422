/* SPDX-License-Identifier: MIT
 * augment_test.c - every step does what its numbers say, and the numbers are drawn as promised.
 * Goldens of RandAugment: tools/golden/make_randaugment.py. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/data/augment.h"
#include "core/data/image_op.h"
#include "tests/data/data_suite.h"

static const float mean[3] = {0.485f, 0.456f, 0.406f}, dev[3] = {0.229f, 0.224f, 0.225f};
static const uint8_t fill[3] = {124, 116, 104}; /* 255 mean */

/* (x, y, x + y), so that a pixel says where it comes from. */
static struct sct_image places(uint32_t w, uint32_t h)
{
    struct sct_image img;
    ck_assert_int_eq(sct_image_init(&img, w, h, NULL), SCT_OK);
    for (uint32_t i = 0; i < w * h; i++) {
        img.rgb[3 * i] = (uint8_t)(i % w);
        img.rgb[3 * i + 1] = (uint8_t)(i / w);
        img.rgb[3 * i + 2] = (uint8_t)(i % w + i / w);
    }
    return img;
}

static struct sct_steps one(const char *name, const char *const (*set)[2], size_t n)
{
    struct sct_steps list = {.n = 1};
    ck_assert_int_eq(sct_step_init(&list.step[0], name, NULL), SCT_OK);
    for (size_t i = 0; i < n; i++) {
        const char *comma = strchr(set[i][1], ',');
        char first[16];
        (void)snprintf(first, sizeof first, "%.*s", (int)strcspn(set[i][1], ","), set[i][1]);
        ck_assert_int_eq(sct_step_set(&list.step[0], set[i][0], 0, first, NULL), SCT_OK);
        if (comma)
            ck_assert_int_eq(sct_step_set(&list.step[0], set[i][0], 1, comma + 1, NULL),
                             SCT_OK);
    }
    return list;
}

#define ONE(NAME, ...)                                                                         \
    one(NAME, (const char *const[][2]){__VA_ARGS__},                                           \
        sizeof(const char *const[][2]){__VA_ARGS__} / (2 * sizeof(char *)))

static sct_status run(const struct sct_steps *list, struct sct_image *img, uint32_t size,
                      uint32_t item, sct_error *err)
{
    const struct sct_augment a = {size, 0.9, SCT_PASS_HORIZONTAL, mean, dev};
    struct sct_draw d;
    sct_draw_init(&d, 7, 3, item, SCT_DRAW_SAMPLE);
    return sct_augment_run(&a, list, 0, list->n, img, &d, err);
}

/* ---- numbers ---- */

/* The first words are Philox's of counter (0, epoch, item, tag) and key (seed): the format. */
START_TEST(test_stream)
{
    struct sct_draw a, b;
    sct_draw_init(&a, 0, 0, 0, 0);
    static const uint32_t known[4] = {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8};
    for (int i = 0; i < 4; i++)
        ck_assert_uint_eq(sct_draw_word(&a), known[i]);
    for (int change = 0; change < 6; change++) {
        int same = 0;
        sct_draw_init(&a, UINT64_C(5) << 32 | 9, 2, 3, SCT_DRAW_SAMPLE);
        sct_draw_init(&b,
                      (UINT64_C(5) << 32 | 9) + (change == 1) + ((uint64_t)(change == 2) << 40),
                      2 + (change == 3), 3 + (change == 4),
                      change == 5 ? SCT_DRAW_BATCH : SCT_DRAW_SAMPLE);
        for (int i = 0; i < 64; i++)
            same += sct_draw_word(&a) == sct_draw_word(&b);
        ck_assert_int_eq(same == 64, change == 0);
        ck_assert(change == 0 || same < 2);
    }
}

END_TEST

/* Moments within five deviations of the mean of n draws. */
static void moments(double sum, double squares, double n, double mean_, double var,
                    double fourth)
{
    const double m = sum / n, v = squares / n - m * m;
    ck_assert_msg(fabs(m - mean_) < 5 * sqrt(var / n), "mean %g, expected %g", m, mean_);
    ck_assert_msg(fabs(v - var) < 5 * sqrt(fourth / n) + 1e-3 * var, "variance %g, expected %g",
                  v, var);
}

START_TEST(test_distributions)
{
    enum { N = 40000 };

    static const double alpha[] = {0.1, 0.2, 0.8, 1, 3};
    struct sct_draw d;
    double sum = 0, squares = 0;
    uint32_t seen[7] = {0};
    sct_draw_init(&d, 1, 2, 3, SCT_DRAW_SAMPLE);
    for (int i = 0; i < N; i++) {
        const double u = sct_draw_unit(&d);
        ck_assert(u >= 0 && u < 1);
        sum += u, squares += u * u;
        seen[sct_draw_below(&d, 7)]++;
    }
    moments(sum, squares, N, 0.5, 1.0 / 12, 1.0 / 80);
    for (int i = 0; i < 7; i++)
        ck_assert(fabs(seen[i] - N / 7.0) < 5 * sqrt(N / 7.0));
    sum = squares = 0;
    for (int i = 0; i < N; i++) {
        const double z = sct_draw_normal(&d);
        sum += z, squares += z * z;
    }
    moments(sum, squares, N, 0, 1, 3);
    for (size_t k = 0; k < sizeof alpha / sizeof alpha[0]; k++) {
        sum = squares = 0;
        for (int i = 0; i < N; i++) {
            const double b = sct_draw_beta(&d, alpha[k]);
            ck_assert(b >= 0 && b <= 1);
            sum += b, squares += b * b;
        }
        moments(sum, squares, N, 0.5, 1 / (4 * (2 * alpha[k] + 1)), 1.0 / 16);
    }
}

END_TEST

/* ---- geometry ---- */

START_TEST(test_center_crop)
{
    static const struct {
        uint32_t w, h, crop;
        int x, y; /* of the first pixel */
    } cases[] = {
        {20, 30, 10, 5, 10}, {21, 23, 10, 6, 6}, {5, 30, 10, -2, 10}, {6, 4, 9, -1, -2}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sct_image img = places(cases[i].w, cases[i].h);
        const struct sct_steps list = ONE("center-crop", {"size", "0"});
        const uint32_t c = cases[i].crop;
        ck_assert_int_eq(run(&list, &img, c, 0, NULL), SCT_OK);
        ck_assert(img.w == c && img.h == c);
        for (int y = 0; y < (int)c; y++)
            for (int x = 0; x < (int)c; x++) {
                const int sx = x + cases[i].x, sy = y + cases[i].y;
                const int in =
                    sx >= 0 && sx < (int)cases[i].w && sy >= 0 && sy < (int)cases[i].h;
                const uint8_t *p = img.rgb + 3 * (y * (int)c + x);
                ck_assert_int_eq(p[0], in ? sx : 0);
                ck_assert_int_eq(p[1], in ? sy : 0);
            }
        sct_image_fini(&img);
    }
}

END_TEST

/* Every offset comes, the padding shows, and a picture that is too small is refused. */
START_TEST(test_random_crop)
{
    const struct sct_steps plain = ONE("random-crop", {"size", "0"});
    const struct sct_steps padded = ONE("random-crop", {"padding", "2"}, {"fill", "99"});
    int seen[4][3] = {{0}}, corner = 0;
    for (uint32_t item = 0; item < 300; item++) {
        struct sct_image img = places(13, 12);
        ck_assert_int_eq(run(&plain, &img, 10, item, NULL), SCT_OK);
        ck_assert(img.rgb[0] < 4 && img.rgb[1] < 3);
        ck_assert_int_eq(img.rgb[3 * 99], img.rgb[0] + 9);
        seen[img.rgb[0]][img.rgb[1]]++;
        sct_image_fini(&img);
        img = places(8, 8);
        ck_assert_int_eq(run(&padded, &img, 8, item, NULL), SCT_OK);
        corner += img.rgb[0] == 99 && img.rgb[1] == 99;
        sct_image_fini(&img);
    }
    for (int i = 0; i < 12; i++)
        ck_assert_int_gt(seen[i / 3][i % 3], 5);
    /* the first pixel is padding unless both offsets are 2 or more: 1 - (3 / 5)^2 = 0.64 */
    ck_assert(corner > 150 && corner < 235);
    struct sct_image img = places(9, 40);
    sct_error err = SCT_ERROR_INIT;
    ck_assert_int_eq(run(&plain, &img, 10, 0, &err), SCT_EDATA);
    ck_assert_ptr_nonnull(strstr(err.msg, "at least 10 x 10 pixels, found 9 x 40"));
    sct_image_fini(&img);
}

END_TEST

/* A quarter of the area as a square is a crop that needs no resize. */
START_TEST(test_random_resized_crop)
{
    const struct sct_steps quarter =
        ONE("random-resized-crop", {"scale", "0.25,0.25"}, {"ratio", "1,1"});
    const struct sct_steps any = ONE("random-resized-crop", {"filter", "random"});
    uint32_t crcs[2] = {0};
    int lo = 255, hi = 0;
    for (uint32_t item = 0; item < 200; item++) {
        struct sct_image img = places(200, 200);
        ck_assert_int_eq(run(&quarter, &img, 100, item, NULL), SCT_OK);
        const int x = img.rgb[0], y = img.rgb[1];
        ck_assert(x <= 100 && y <= 100 && img.w == 100 && img.h == 100);
        ck_assert_int_eq(img.rgb[3 * 9999], x + 99);
        ck_assert_int_eq(img.rgb[3 * 9999 + 1], y + 99);
        lo = x < lo ? x : lo;
        hi = x > hi ? x : hi;
        sct_image_fini(&img);
    }
    ck_assert(lo < 5 && hi > 95);
    for (uint32_t item = 0; item < 8; item++) { /* the middle when nothing fits */
        struct sct_image img = places(3, 250);
        ck_assert_int_eq(run(&any, &img, 16, item, NULL), SCT_OK);
        ck_assert(img.w == 16 && img.h == 16);
        ck_assert(img.rgb[1] >= 100 || img.rgb[1] < 250);
        sct_image_fini(&img);
    }
    for (int k = 0; k < 2; k++) { /* the filter has an effect */
        const struct sct_steps list =
            ONE("random-resized-crop", {"filter", k ? "bicubic" : "bilinear"});
        struct sct_image img = places(90, 70);
        ck_assert_int_eq(run(&list, &img, 32, 1, NULL), SCT_OK);
        crcs[k] = test_crc32(img.rgb, 32 * 32 * 3);
        sct_image_fini(&img);
    }
    ck_assert_uint_ne(crcs[0], crcs[1]);
}

END_TEST

/* Resize and crop in one are the same as one after the other. */
START_TEST(test_fused_crop)
{
    struct sct_steps both = ONE("resize", {"mode", "short"}, {"crop_pct", "model"});
    const struct sct_steps resize = both, crop = ONE("center-crop", {"size", "0"});
    both.step[both.n++] = crop.step[0];
    struct sct_image a = places(90, 41), b = places(90, 41);
    ck_assert_int_eq(run(&both, &a, 64, 0, NULL), SCT_OK);
    ck_assert_int_eq(run(&resize, &b, 64, 0, NULL), SCT_OK);
    ck_assert(b.w == 155 && b.h == 71); /* floor(64 / 0.9) */
    ck_assert_int_eq(run(&crop, &b, 64, 0, NULL), SCT_OK);
    ck_assert_mem_eq(a.rgb, b.rgb, 64 * 64 * 3);
    sct_image_fini(&a);
    sct_image_fini(&b);
    struct sct_steps small = ONE("resize", {"size", "40"}, {"filter", "box"});
    small.step[small.n++] = crop.step[0];
    a = places(90, 41);
    ck_assert_int_eq(run(&small, &a, 64, 0, NULL), SCT_OK); /* smaller than the crop: padded */
    ck_assert(a.w == 64 && a.rgb[3 * (11 * 64 + 32)] == 0 && a.rgb[3 * (12 * 64 + 32)] != 0);
    sct_image_fini(&a);
}

END_TEST

/* ---- colours ---- */

START_TEST(test_hflip)
{
    static const char *const p[] = {"0", "0.3", "1"};
    static const int least[] = {0, 60, 300}, most[] = {0, 120, 300};
    for (int k = 0; k < 3; k++) {
        const struct sct_steps list = ONE("hflip", {"p", p[k]});
        int flipped = 0;
        for (uint32_t item = 0; item < 300; item++) {
            struct sct_image img = places(5, 2);
            ck_assert_int_eq(run(&list, &img, 5, item, NULL), SCT_OK);
            ck_assert(img.rgb[0] == 0 || img.rgb[0] == 4);
            ck_assert_int_eq(img.rgb[0] + img.rgb[3 * 4], 4);
            flipped += img.rgb[0] == 4;
            sct_image_fini(&img);
        }
        ck_assert(flipped >= least[k] && flipped <= most[k]);
    }
}

END_TEST

/* Brightness alone shows its factor on a gray picture: [0.6, 1.4], all of it. */
START_TEST(test_color_jitter)
{
    static const char *const keys[] = {"brightness", "contrast", "saturation", "hue"};
    const struct sct_steps none = ONE("color-jitter", {"hue", "0"});
    const struct sct_steps bright = ONE("color-jitter", {"brightness", "0.4"});
    int lo = 255, hi = 0;
    for (uint32_t item = 0; item < 300; item++) {
        struct sct_image img = places(1, 1);
        memset(img.rgb, 100, 3);
        ck_assert_int_eq(run(&bright, &img, 1, item, NULL), SCT_OK);
        lo = img.rgb[0] < lo ? img.rgb[0] : lo;
        hi = img.rgb[0] > hi ? img.rgb[0] : hi;
        sct_image_fini(&img);
    }
    ck_assert(lo >= 60 && lo <= 62 && hi <= 140 && hi >= 138);
    struct sct_image plain = places(40, 30);
    for (int k = 0; k < 4; k++) {
        const struct sct_steps list = ONE("color-jitter", {keys[k], "0.4"});
        struct sct_image a = places(40, 30), b = places(40, 30), c = places(40, 30);
        ck_assert_int_eq(run(&list, &a, 1, 1, NULL), SCT_OK);
        ck_assert_int_eq(run(&list, &b, 1, 2, NULL), SCT_OK);
        ck_assert_int_eq(run(&none, &c, 1, 1, NULL), SCT_OK);
        ck_assert_mem_ne(a.rgb, b.rgb, 3600);
        ck_assert_mem_ne(a.rgb, plain.rgb, 3600);
        ck_assert_mem_eq(c.rgb, plain.rgb, 3600);
        sct_image_fini(&a);
        sct_image_fini(&b);
        sct_image_fini(&c);
    }
    sct_image_fini(&plain);
}

END_TEST

static struct sct_image noise(uint32_t w, uint32_t h, uint32_t seed, int narrow)
{
    struct sct_image img;
    ck_assert_int_eq(sct_image_init(&img, w, h, NULL), SCT_OK);
    for (size_t i = 0; i < (size_t)w * h * 3; i++) {
        seed = seed * 1664525u + 1013904223u;
        img.rgb[i] = (uint8_t)(narrow ? 30 + (seed >> 24) / 2 : seed >> 24);
    }
    return img;
}

START_TEST(test_randaugment_ops)
{
    FILE *f = fopen(SCT_TEST_GOLDEN "/image_ops/randaugment.txt", "r");
    char line[160];
    unsigned op, w, h, crc;
    int negate, filter, cases = 0;
    double m;
    ck_assert_ptr_nonnull(f);
    while (fgets(line, sizeof line, f)) {
        if (line[0] == '#')
            continue;
        ck_assert_int_eq(
            sscanf(line, "%u %lf %d %d %u %u %x", &op, &m, &negate, &filter, &w, &h, &crc), 7);
        struct sct_image img = noise(w, h, w == 24, w == 24);
        ck_assert_int_eq(
            sct_randaugment_op(&img, op, m, negate != 0, (enum sct_filter)filter, fill, NULL),
            SCT_OK);
        ck_assert_msg(test_crc32(img.rgb, (size_t)w * h * 3) == crc, "differs from timm: %s",
                      line);
        sct_image_fini(&img);
        cases++;
    }
    (void)fclose(f);
    ck_assert_int_eq(cases, 960);
    struct sct_image img = places(2, 2);
    ck_assert_int_eq(sct_randaugment_op(&img, 15, 1, false, SCT_FILTER_BICUBIC, fill, NULL),
                     SCT_EINVAL);
    sct_image_fini(&img);
}

END_TEST

/* With one operation of certain application at magnitude 10 the results are the fifteen, each
 * about as often; p and ops are seen in how many pictures stay. */
START_TEST(test_randaugment_draws)
{
    static const char *const p[] = {"0", "0.5", "1"}, *const ops[] = {"1", "3"};
    struct sct_image plain = noise(40, 40, 3, 1);
    for (int n = 0; n < 2; n++)
        for (int k = 0; k < 3; k++) {
            const struct sct_steps list =
                ONE("randaugment", {"magnitude", "10"}, {"ops", ops[n]}, {"p", p[k]});
            int same = 0;
            for (uint32_t item = 0; item < 400; item++) {
                struct sct_image img = noise(40, 40, 3, 1);
                ck_assert_int_eq(run(&list, &img, 40, item, NULL), SCT_OK);
                same += memcmp(img.rgb, plain.rgb, 4800) == 0;
                sct_image_fini(&img);
            }
            /* nothing of magnitude 10 leaves this picture as it is */
            const double stay = pow(1 - k * 0.5, n ? 3 : 1);
            ck_assert(fabs(same - 400 * stay) <= 5 * sqrt(400 * stay * (1 - stay)));
        }
    /* deviation, filter */
    static const char *const other[][2] = {
        {"std", "3"}, {"filter", "bilinear"}, {"filter", "random"}, {"magnitude", "5"}};
    const struct sct_steps base = ONE("randaugment", {"p", "1"});
    for (size_t o = 0; o < 4; o++) {
        const struct sct_steps list =
            ONE("randaugment", {"p", "1"}, {other[o][0], other[o][1]});
        int same = 0;
        for (uint32_t item = 0; item < 60; item++) {
            struct sct_image a = noise(40, 40, 3, 1), b = noise(40, 40, 3, 1);
            ck_assert_int_eq(run(&base, &a, 40, item, NULL), SCT_OK);
            ck_assert_int_eq(run(&list, &b, 40, item, NULL), SCT_OK);
            same += memcmp(a.rgb, b.rgb, 4800) == 0;
            sct_image_fini(&a);
            sct_image_fini(&b);
        }
        ck_assert_msg(same > 0 && same < 58, "%s=%s: %d the same", other[o][0], other[o][1],
                      same);
    }
    sct_image_fini(&plain);
}

END_TEST

/* What differs is one box of the wanted area and ratio; const is the mean, rand one colour. */
START_TEST(test_random_erasing)
{
    static const char *const modes[] = {"const", "rand", "pixel"};
    for (int k = 0; k < 3; k++) {
        const struct sct_steps list = ONE("random-erasing", {"p", "1"}, {"mode", modes[k]},
                                          {"scale", "0.1,0.2"}, {"ratio", "0.5,2"});
        for (uint32_t item = 0; item < 100; item++) {
            struct sct_image img;
            ck_assert_int_eq(sct_image_init(&img, 50, 40, NULL), SCT_OK);
            memset(img.rgb, 1, 6000);
            ck_assert_int_eq(run(&list, &img, 1, item, NULL), SCT_OK);
            int x0 = 50, x1 = -1, y0 = 40, y1 = -1, n = 0, colors = 0;
            const uint8_t *first = NULL;
            for (int i = 0; i < 2000; i++) {
                const uint8_t *c = img.rgb + 3 * i;
                if (c[0] == 1 && c[1] == 1 && c[2] == 1)
                    continue;
                first = first ? first : c;
                colors += memcmp(first, c, 3) != 0;
                x0 = i % 50 < x0 ? i % 50 : x0;
                x1 = i % 50 > x1 ? i % 50 : x1;
                y0 = i / 50 < y0 ? i / 50 : y0;
                y1 = i / 50;
                n++;
            }
            const double w = x1 - x0 + 1, h = y1 - y0 + 1;
            ck_assert(n >= w * h * 0.98 && w * h > 2000 * 0.1 * 0.9 &&
                      w * h < 2000 * 0.2 * 1.1);
            ck_assert(w / h > 0.5 * 0.9 && w / h < 2 * 1.1);
            ck_assert_int_eq(colors > 0, k == 2);
            ck_assert(k != 0 || memcmp(first, fill, 3) == 0);
            sct_image_fini(&img);
        }
    }
}

END_TEST

START_TEST(test_erasing_counts)
{
    static const char *const p[] = {"0", "0.25", "1"};
    for (int k = 0; k < 3; k++) {
        const struct sct_steps list = ONE("random-erasing", {"p", p[k]});
        int same = 0;
        for (uint32_t item = 0; item < 200; item++) {
            struct sct_image img = places(20, 20), plain = places(20, 20);
            ck_assert_int_eq(run(&list, &img, 20, item, NULL), SCT_OK);
            same += memcmp(img.rgb, plain.rgb, 1200) == 0;
            sct_image_fini(&img);
            sct_image_fini(&plain);
        }
        ck_assert(k == 0 ? same == 200 : k == 2 ? same == 0 : same > 120 && same < 180);
    }
    const struct sct_steps many = ONE("random-erasing", {"p", "1"}, {"count", "4"},
                                      {"mode", "rand"}, {"scale", "0.1,0.1"});
    struct sct_image img = places(100, 100);
    uint32_t colors = 0, last = 0;
    memset(img.rgb, 1, 30000);
    ck_assert_int_eq(run(&many, &img, 1, 5, NULL), SCT_OK);
    for (int i = 0; i < 10000; i++) {
        const uint8_t *c = img.rgb + 3 * i;
        const uint32_t v = (uint32_t)c[0] << 16 | (uint32_t)c[1] << 8 | c[2];
        colors += v != last && v != 0x010101;
        last = v;
    }
    ck_assert_uint_gt(colors, 4);
    sct_image_fini(&img);
}

END_TEST

START_TEST(test_nothing_random)
{
    const struct sct_augment a = {8, 0.9, SCT_PASS_HORIZONTAL, mean, dev};
    struct sct_image img = places(8, 8);
    for (int k = 0; k <= SCT_STEP_MIX; k++) {
        struct sct_steps list = {.n = 1};
        sct_error err = SCT_ERROR_INIT;
        const struct sct_step_info *i = sct_step_info((enum sct_step_kind)k);
        ck_assert_int_eq(sct_step_init(&list.step[0], i->name, NULL), SCT_OK);
        ck_assert_int_eq(sct_augment_run(&a, &list, 0, 1, &img, NULL, &err),
                         i->random ? SCT_EINVAL : SCT_OK);
    }
    sct_image_fini(&img);
}

END_TEST

Suite *augment_suite(void)
{
    Suite *s = suite_create("augment");
    TCase *t = tcase_create("augment");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_stream);
    tcase_add_test(t, test_distributions);
    tcase_add_test(t, test_center_crop);
    tcase_add_test(t, test_random_crop);
    tcase_add_test(t, test_random_resized_crop);
    tcase_add_test(t, test_fused_crop);
    tcase_add_test(t, test_hflip);
    tcase_add_test(t, test_color_jitter);
    tcase_add_test(t, test_randaugment_ops);
    tcase_add_test(t, test_randaugment_draws);
    tcase_add_test(t, test_random_erasing);
    tcase_add_test(t, test_erasing_counts);
    tcase_add_test(t, test_nothing_random);
    suite_add_tcase(s, t);
    return s;
}
