/* SPDX-License-Identifier: MIT
 * mix_test.c - mixup and cutmix: pixels as timm's, labels and shares to match.
 * Goldens: tools/golden/make_randaugment.py. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/data/mix.h"
#include "tests/data/data_suite.h"

enum { SIDE = 16, BYTES = SIDE * SIDE * 3, ROWS = 7 };

static void noise(uint8_t *p, size_t n, uint32_t seed)
{
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        p[i] = (uint8_t)(seed >> 24);
    }
}

static struct sct_step mix_of(double mixup, double cutmix)
{
    struct sct_step s;
    ck_assert_int_eq(sct_step_init(&s, "mix", NULL), SCT_OK);
    s.v[MIX_MIXUP] = mixup;
    s.v[MIX_CUTMIX] = cutmix;
    return s;
}

START_TEST(test_equals_timm)
{
    FILE *f = fopen(SCT_TEST_GOLDEN "/image_ops/mix.txt", "r");
    char line[160];
    uint32_t seed = 0;
    ck_assert_ptr_nonnull(f);
    while (fgets(line, sizeof line, f)) {
        unsigned side, crc;
        int cut;
        struct sct_mixing m = {.lam = 1};
        if (line[0] == '#')
            continue;
        ck_assert_int_eq(sscanf(line, "%u %lf %d %u %u %u %u %x", &side, &m.lam, &cut, &m.x0,
                                &m.y0, &m.x1, &m.y1, &crc),
                         8);
        m.cut = cut != 0;
        const size_t bytes = (size_t)side * side * 3;
        uint8_t *both = malloc(2 * bytes);
        noise(both, 2 * bytes, seed++);
        sct_mix_pair(both, both + bytes, side, &m, &m);
        ck_assert_msg(test_crc32(both, 2 * bytes) == crc, "differs from timm: %s", line);
        free(both);
    }
    (void)fclose(f);
    ck_assert_uint_eq(seed, 7);
}

END_TEST

/* lam of cutmix is what the box leaves; switch and p are probabilities. */
START_TEST(test_draw)
{
    static const struct {
        double mixup, cutmix, p, change;
        int blends, cuts; /* in a hundred */
    } cases[] = {{0.8, 0, 1, 0.5, 100, 0}, {0, 1, 1, 0.5, 0, 100}, {0.8, 1, 1, 0.25, 75, 25},
                 {0.8, 1, 1, 0, 100, 0},   {0.8, 1, 1, 1, 0, 100}, {0.8, 1, 0.3, 0.5, 15, 15},
                 {0.8, 1, 0, 0.5, 0, 0}};

    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        struct sct_step s = mix_of(cases[k].mixup, cases[k].cutmix);
        int blends = 0, cuts = 0;
        s.v[MIX_P] = cases[k].p;
        s.v[MIX_SWITCH] = cases[k].change;
        ck_assert_int_eq(sct_mix_on(&s), cases[k].p > 0);
        for (uint32_t i = 0; i < 1000; i++) {
            struct sct_draw d;
            sct_draw_init(&d, 1, 2, i, SCT_DRAW_BATCH);
            const struct sct_mixing m = sct_mix_draw(&s, SIDE, &d);
            ck_assert(m.lam >= 0 && m.lam <= 1 && m.x1 <= SIDE && m.y1 <= SIDE &&
                      m.x0 <= m.x1 && m.y0 <= m.y1);
            blends += !m.cut && m.lam < 1;
            cuts += m.cut;
            if (m.cut)
                ck_assert(fabs(m.lam - 1 + (m.x1 - m.x0) * (m.y1 - m.y0) / 256.0) < 1e-12);
        }
        ck_assert(abs(blends - 10 * cases[k].blends) <= 75);
        ck_assert(abs(cuts - 10 * cases[k].cuts) <= 75);
    }
    const struct sct_step off = mix_of(0, 0);
    ck_assert(!sct_mix_on(&off));
}

END_TEST

/* alpha decides how much is mixed: E |lam - 1/2| grows when it shrinks. */
START_TEST(test_alpha)
{
    double spread[2] = {0, 0};
    for (int k = 0; k < 2; k++) {
        const struct sct_step s = mix_of(k ? 5 : 0.1, 0);
        for (uint32_t i = 0; i < 500; i++) {
            struct sct_draw d;
            sct_draw_init(&d, 1, 2, i, SCT_DRAW_BATCH);
            spread[k] += fabs(sct_mix_draw(&s, SIDE, &d).lam - 0.5) / 500;
        }
    }
    ck_assert(spread[0] > 0.4 && spread[1] < 0.2);
}

END_TEST

/* A batch of flat pictures: what is mixed in can be read off. Row 3 of 7 is alone. */
START_TEST(test_batch)
{
    for (int image = 0; image < 2; image++)
        for (int cut = 0; cut < 2; cut++) {
            struct sct_step s = mix_of(cut ? 0 : 1, cut);
            uint8_t pixels[ROWS * BYTES];
            int32_t labels[ROWS][2];
            float share[ROWS];
            uint32_t item[ROWS];
            int distinct = 0;
            s.v[MIX_PER] = image;
            for (int r = 0; r < ROWS; r++) {
                memset(pixels + r * BYTES, 30 * r + 10, BYTES);
                labels[r][0] = labels[r][1] = 100 + r;
                share[r] = 1;
                item[r] = (uint32_t)(9 * r + 4);
            }
            sct_mix_batch(&s, 3, 5, item, ROWS, SIDE, pixels, labels, share);
            for (int r = 0; r < ROWS; r++) {
                const int o = ROWS - 1 - r;
                double sum = 0;
                ck_assert_int_eq(labels[r][0], 100 + r);
                ck_assert_int_eq(labels[r][1], 100 + o);
                ck_assert(r != 3 || share[r] == 1.0f);
                for (int i = 0; i < BYTES; i++)
                    sum += pixels[r * BYTES + i];
                const double want =
                    (double)share[r] * (30 * r + 10) + (1 - (double)share[r]) * (30 * o + 10);
                ck_assert(fabs(sum / BYTES - want) <= (cut ? 1e-3 : 0.5));
                distinct += r != 3 && share[r] != share[0];
            }
            ck_assert_int_eq(distinct > 0, image);
        }
}

END_TEST

Suite *mix_suite(void)
{
    Suite *s = suite_create("mix");
    TCase *t = tcase_create("mix");
    tcase_add_test(t, test_equals_timm);
    tcase_add_test(t, test_draw);
    tcase_add_test(t, test_alpha);
    tcase_add_test(t, test_batch);
    suite_add_tcase(s, t);
    return s;
}
