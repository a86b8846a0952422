/* SPDX-License-Identifier: MIT
 * sprites_test.c - the shipped tasks: labels say what is drawn, and pixels never change.
 * Labels are checked by measuring pictures drawn without background, noise and distractors. */
#include "tests/data/data_suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/data/sprite.h"

struct pairs {
    FILE *f;
    char line[256];
};

/* "key: value" lines are all the YAML that task files use. */
static int next_pair(void *ctx, const char **key, const char **value)
{
    struct pairs *p = ctx;
    while (fgets(p->line, sizeof p->line, p->f)) {
        char *colon = strchr(p->line, ':');
        if (p->line[0] == '#' || !colon)
            continue;
        *colon = 0;
        *key = p->line;
        *value = colon + 1 + strspn(colon + 1, " ");
        p->line[strcspn(p->line, "\n")] = 0;
        colon[1 + strcspn(colon + 1, "\n")] = 0;
        return 1;
    }
    return 0;
}

static struct sct_task load(const char *name)
{
    char path[1024];
    struct sct_task t;
    sct_error err = SCT_ERROR_INIT;
    (void)snprintf(path, sizeof path, "%s/%s.yaml", SCT_TEST_TASKS, name);
    struct pairs p = {fopen(path, "r"), ""};
    ck_assert_msg(p.f != NULL, "%s", path);
    ck_assert_msg(sct_task_load(&t, next_pair, &p, &err) == SCT_OK, "%s: %s", path, err.msg);
    ck_assert_str_eq(t.name, name);
    (void)fclose(p.f);
    return t;
}

static struct sct_image draw(const struct sct_task *t, uint32_t i)
{
    struct sct_image img;
    uint32_t label;
    ck_assert_int_eq(sct_task_draw(t, SCT_SPLIT_TEST, i, &img, &label, NULL), SCT_OK);
    ck_assert_uint_eq(label, sct_task_label_of(t, SCT_SPLIT_TEST, i));
    ck_assert_uint_lt(label, t->classes);
    return img;
}

/* CRC-32 over the CRC-32s of the first 20 images of the training and test splits; the same on
 * every machine and compiler. A change here changes the tasks that published numbers were made
 * with. */
static const struct {
    const char *name;
    uint32_t classes, crc;
} goldens[] = {
    {"sprites_mix", 48, 0xdffca758},         {"sprites_shape", 10, 0x7f79e675},
    {"sprites_count", 8, 0x5db067b3},        {"sprites_orientation", 16, 0xcfecf2c2},
    {"sprites_location", 16, 0x0c07c7e4},    {"sprites_size", 6, 0xd61c54f1},
    {"sprites_color", 8, 0x2e6fc728},        {"sprites_red", 5, 0xb59d6215},
    {"sprites_shapes", 6, 0xe78571c0},       {"sprites_shapes_colors", 6, 0xa4da936e},
    {"sprites_shapes_small", 6, 0xb76439bb}, {"sprites_shapes_noise", 4, 0x97e93d85},
};

START_TEST(test_goldens)
{
    const struct sct_task t = load(goldens[_i].name);
    uint8_t crcs[2 * 20 * 4];
    for (uint32_t i = 0; i < 40; i++) {
        struct sct_image img;
        uint32_t label;
        ck_assert_int_eq(sct_task_draw(&t, i < 20 ? SCT_SPLIT_TRAIN : SCT_SPLIT_TEST, i % 20,
                                       &img, &label, NULL),
                         SCT_OK);
        const uint32_t crc = test_crc32(img.rgb, (size_t)img.w * img.h * 3);
        for (uint32_t b = 0; b < 4; b++)
            crcs[4 * i + b] = (uint8_t)(crc >> (8 * b));
        sct_image_fini(&img);
    }
    ck_assert_uint_eq(t.classes, goldens[_i].classes);
    const uint32_t crc = test_crc32(crcs, sizeof crcs);
    ck_assert_msg(crc == goldens[_i].crc, "%s: 0x%08x", goldens[_i].name, (unsigned)crc);
}

END_TEST

/* White on black, nothing else. */
static struct sct_task plain(const char *name)
{
    struct sct_task t = load(name);
    t.gradient = t.noise = t.distractors = t.color_jitter = 0;
    return t;
}

static uint32_t *lit(const struct sct_image *img)
{
    uint32_t *on = calloc((size_t)img->w * img->h, sizeof *on);
    for (size_t i = 0; i < (size_t)img->w * img->h; i++)
        on[i] = img->rgb[3 * i] + img->rgb[3 * i + 1] + img->rgb[3 * i + 2] > 120;
    return on;
}

/* Clears the lit part around a pixel; thin tips hang together by corners. */
static void flood(uint32_t *on, uint32_t w, uint32_t h, uint32_t at)
{
    uint32_t *stack = malloc(((size_t)w * h * 9 + 1) * sizeof *stack), n = 0;
    stack[n++] = at;
    while (n) {
        const uint32_t p = stack[--n], x = p % w, y = p / w;
        if (!on[p])
            continue;
        on[p] = 0;
        for (uint32_t k = 0; k < 9; k++) {
            const uint32_t nx = x + k % 3 - 1, ny = y + k / 3 - 1; /* wraps beyond the edge */
            if (nx < w && ny < h)
                stack[n++] = ny * w + nx;
        }
    }
    free(stack);
}

/* Connected parts are objects, unless two of them touch (rare: eight need luck to find room).
 */
START_TEST(test_count)
{
    const struct sct_task t = plain("sprites_count");
    uint32_t right = 0;
    for (uint32_t i = 0; i < 160; i++) {
        struct sct_image img = draw(&t, i);
        uint32_t *on = lit(&img), parts = 0;
        for (uint32_t p = 0; p < img.w * img.h; p++)
            if (on[p]) {
                flood(on, img.w, img.h, p);
                parts++;
            }
        right += parts == sct_task_label_of(&t, SCT_SPLIT_TEST, i) + 1;
        free(on);
        sct_image_fini(&img);
    }
    ck_assert_uint_ge(right, 155);
}

END_TEST

/* Red parts are counted, and the number of all objects tells nothing about them. */
START_TEST(test_count_color)
{
    const struct sct_task t = plain("sprites_red");
    uint32_t right = 0, all[5] = {0};
    for (uint32_t i = 0; i < 160; i++) {
        struct sct_image img = draw(&t, i);
        uint32_t *on = lit(&img), red = 0;
        const uint32_t label = sct_task_label_of(&t, SCT_SPLIT_TEST, i);
        for (uint32_t p = 0; p < img.w * img.h; p++)
            if (on[p]) {
                const uint8_t *c = &img.rgb[3 * p];
                red += c[0] > 3 * c[1] && c[0] > 3 * c[2];
                all[label]++;
                flood(on, img.w, img.h, p);
            }
        right += red == label;
        free(on);
        sct_image_fini(&img);
    }
    ck_assert_uint_ge(right, 155);
    for (uint32_t c = 0; c < 5; c++) { /* 32 pictures of 4 to 6 */
        ck_assert_uint_ge(all[c], 32 * 4);
        ck_assert_uint_le(all[c], 32 * 6);
    }
}

END_TEST

START_TEST(test_location)
{
    struct sct_task t = plain("sprites_location");
    t.shape_count = 1; /* the centre of a disc is its middle */
    t.shapes[0] = SCT_SPRITE_disc;
    const double lo = 64 * t.radius_max / 1000.0, cell = (64 - 2 * lo) / 4;
    for (uint32_t i = 0; i < 160; i++) {
        struct sct_image img = draw(&t, i);
        uint32_t *on = lit(&img);
        double x = 0, y = 0, n = 0;
        for (uint32_t p = 0; p < 64 * 64; p++)
            if (on[p]) {
                x += p % 64 + 0.5;
                y += p / 64 + 0.5;
                n += 1;
            }
        const uint32_t label = sct_task_label_of(&t, SCT_SPLIT_TEST, i);
        ck_assert_uint_eq((uint32_t)((y / n - lo) / cell) * 4 + (uint32_t)((x / n - lo) / cell),
                          label);
        free(on);
        sct_image_fini(&img);
    }
}

END_TEST

/* An arrow is heavy at its head: along the way it points, the third moment is at its lowest. */
START_TEST(test_orientation)
{
    static const int16_t way[16][2] = {{0, -1000}, {383, -924},  {707, -707},  {924, -383},
                                       {1000, 0},  {924, 383},   {707, 707},   {383, 924},
                                       {0, 1000},  {-383, 924},  {-707, 707},  {-924, 383},
                                       {-1000, 0}, {-924, -383}, {-707, -707}, {-383, -924}};
    struct sct_task t = plain("sprites_orientation");
    t.shape_count = 1;
    t.shapes[0] = SCT_SPRITE_arrow;
    t.radius_min = t.radius_max = 320;
    for (uint32_t i = 0; i < 160; i++) {
        struct sct_image img = draw(&t, i);
        uint32_t *on = lit(&img), best = 0;
        double x = 0, y = 0, n = 0, lowest = 0;
        for (uint32_t p = 0; p < 64 * 64; p++)
            if (on[p]) {
                x += p % 64;
                y += p / 64;
                n += 1;
            }
        for (uint32_t d = 0; d < 16; d++) {
            double third = 0;
            for (uint32_t p = 0; p < 64 * 64; p++)
                if (on[p]) {
                    const double a =
                        (p % 64 - x / n) * way[d][0] + (p / 64 - y / n) * way[d][1];
                    third += a * a * a;
                }
            if (third < lowest) {
                lowest = third;
                best = d;
            }
        }
        const uint32_t label = sct_task_label_of(&t, SCT_SPLIT_TEST, i);
        const uint32_t off = (best + 16 - label) % 16;
        ck_assert_msg(off <= 1 || off == 15, "image %u: label %u, measured %u", i, label, best);
        free(on);
        sct_image_fini(&img);
    }
}

END_TEST

/* The mean colour of lit pixels is nearest to the named one. */
START_TEST(test_color)
{
    static const uint8_t rgb[][3] = {
#define COLOR(NAME, R, G, B) {R, G, B},
        SCT_SPRITE_COLORS(COLOR)
#undef COLOR
    };
    const struct sct_task t = plain("sprites_mix");
    for (uint32_t i = 0; i < 96; i++) {
        struct sct_image img = draw(&t, i);
        uint32_t best = 0, nearest = UINT32_MAX;
        const uint8_t *top = img.rgb;
        for (uint32_t p = 0; p < img.w * img.h; p++) {
            const uint8_t *q = img.rgb + 3 * (size_t)p;
            top = q[0] + q[1] + q[2] > top[0] + top[1] + top[2] ? q : top;
        }
        for (uint32_t c = 0; c < t.color_count; c++) {
            uint32_t d = 0;
            for (int k = 0; k < 3; k++)
                d += (uint32_t)((top[k] - rgb[c][k]) * (top[k] - rgb[c][k]));
            if (d < nearest) {
                nearest = d;
                best = c;
            }
        }
        ck_assert_uint_eq(best, sct_task_label_of(&t, SCT_SPLIT_TEST, i) % t.color_count);
        sct_image_fini(&img);
    }
}

END_TEST

static struct sct_image sprite(enum sct_sprite_shape shape, uint16_t angle)
{
    struct sct_image img;
    const struct sct_sprite s = {shape, 32 * 256, 32 * 256, 25 * 256, angle, {255, 255, 255}};
    ck_assert_int_eq(sct_image_init(&img, 64, 64, NULL), SCT_OK);
    memset(img.rgb, 0, 64 * 64 * 3);
    sct_sprite_draw(&img, &s);
    return img;
}

/* A quarter turn of the angle is a quarter turn of the picture, to the bit (up to pixels where
 * a sample lies on an edge), and shapes have the area that their formulas say. */
START_TEST(test_shapes)
{
    static const double area[] = {2.014, 2.000, 1.299, 1.234, 1.854,
                                  2.003, 1.224, 1.151, 1.208, 1.324};
    const enum sct_sprite_shape shape = (enum sct_sprite_shape)_i;
    struct sct_image a = sprite(shape, 5000), b = sprite(shape, 5000 + 0x4000);
    uint32_t differ = 0;
    double sum = 0;
    for (uint32_t y = 0; y < 64; y++)
        for (uint32_t x = 0; x < 64; x++) {
            /* clockwise: what was at the top is now at the right */
            const uint8_t p = a.rgb[((63 - x) * 64 + y) * 3], q = b.rgb[(y * 64 + x) * 3];
            differ += p != q;
            sum += p / 255.0;
        }
    ck_assert_uint_le(differ, 4);
    const double expect = area[_i] * 25 * 25;
    ck_assert_msg(sum > 0.98 * expect && sum < 1.02 * expect, "shape %d: %g, not %g", _i, sum,
                  expect);
    sct_image_fini(&a);
    sct_image_fini(&b);
}

END_TEST

START_TEST(test_splits)
{
    struct sct_task t = load("sprites_shape");
    struct sct_image a, b;
    uint32_t la, lb;
    enum sct_split split;
    ck_assert_uint_eq(sct_task_count(&t, SCT_SPLIT_TRAINVAL), 1000);
    ck_assert_int_eq(sct_task_draw(&t, SCT_SPLIT_TRAINVAL, 803, &a, &la, NULL), SCT_OK);
    ck_assert_int_eq(sct_task_draw(&t, SCT_SPLIT_VAL, 3, &b, &lb, NULL), SCT_OK);
    ck_assert_mem_eq(a.rgb, b.rgb, 64 * 64 * 3);
    ck_assert_uint_eq(la, lb);
    sct_image_fini(&b);
    ck_assert_int_eq(sct_task_draw(&t, SCT_SPLIT_TEST, 3, &b, &lb, NULL), SCT_OK);
    ck_assert_mem_ne(a.rgb, b.rgb, 64 * 64 * 3);
    sct_image_fini(&a);
    sct_image_fini(&b);
    ck_assert_int_eq(sct_task_draw(&t, SCT_SPLIT_TEST, t.test, &a, &la, NULL), SCT_EINVAL);
    ck_assert_ptr_null(a.rgb);
    ck_assert_int_eq(sct_split_parse(&split, "train800val200.txt", NULL), SCT_OK);
    ck_assert_int_eq((int)split, SCT_SPLIT_TRAINVAL);
    ck_assert_int_eq(sct_split_parse(&split, "dev", NULL), SCT_EUSAGE);
}

END_TEST

START_TEST(test_settings)
{
    static const char *const bad[][3] = {
        {"noise", "128", "from 0 to 127"},
        {"noise", "-1", "from 0 to 127"},
        {"image_size", "64px", "from 16 to 256"},
        {"seed", "18446744073709551616", "below 2^64"},
        {"label", "colour", "shape-color"},
        {"shapes", "disc blob", "found \"blob\""},
        {"shapes", "disc, disc", "twice"},
        {"colors", "", "found none"},
        {"name", "", "characters"},
        {"generator", "fractal", "sprites"},
        {"radius", "5", "unknown key \"radius\""},
    };
    struct sct_task t, before;
    sct_task_init(&t);
    before = t;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        sct_error err = SCT_ERROR_INIT;
        ck_assert_int_eq(sct_task_set(&t, bad[i][0], bad[i][1], &err), SCT_EUSAGE);
        ck_assert_msg(strstr(err.msg, bad[i][2]) != NULL, "%s: %s", bad[i][0], err.msg);
        ck_assert_mem_eq(&t, &before, sizeof t);
    }
    ck_assert_int_eq(sct_task_set(&t, "shapes", "[star, ell]", NULL), SCT_OK);
    ck_assert_uint_eq(t.shape_count, 2);
    ck_assert_int_eq(sct_task_finish(&t, NULL), SCT_OK);
    ck_assert_uint_eq(t.classes, 2);
    t.label = SCT_TASK_ORIENTATION;
    t.classes = 8;
    sct_error err = SCT_ERROR_INIT;
    ck_assert_int_eq(sct_task_finish(&t, &err), SCT_EUSAGE);
    ck_assert_ptr_nonnull(strstr(err.msg, "star looks the same"));
    t.label = SCT_TASK_LOCATION;
    ck_assert_int_eq(sct_task_finish(&t, NULL), SCT_EUSAGE); /* 8 is no square */
    t.label = SCT_TASK_COUNT;
    t.classes = 17;
    ck_assert_int_eq(sct_task_finish(&t, NULL), SCT_EUSAGE);
}

END_TEST

Suite *sprites_suite(void)
{
    Suite *s = suite_create("sprites");
    TCase *t = tcase_create("sprites");
    tcase_add_loop_test(t, test_goldens, 0, sizeof goldens / sizeof goldens[0]);
    tcase_add_test(t, test_count);
    tcase_add_test(t, test_count_color);
    tcase_add_test(t, test_location);
    tcase_add_test(t, test_orientation);
    tcase_add_test(t, test_color);
    tcase_add_loop_test(t, test_shapes, 0, SCT_SPRITE_SHAPE_COUNT);
    tcase_add_test(t, test_splits);
    tcase_add_test(t, test_settings);
    suite_add_tcase(s, t);
    return s;
}
