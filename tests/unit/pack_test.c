/* SPDX-License-Identifier: MIT
 * pack_test.c - offsets from live ranges: no overlap, aligned, near the bound, reproducible. */
#include <stdlib.h>
#include <string.h>

#include "core/plan/plan.h"
#include "tests/unit/unit_suite.h"

enum { MOST = 400 };

static uint32_t draw(uint64_t *s, uint32_t n)
{
    *s = *s * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*s >> 33) % n;
}

static uint64_t aligned(uint64_t n)
{
    return (n + SCT_ALIGN - 1) / SCT_ALIGN * SCT_ALIGN;
}

/* Most bytes alive at once. */
static uint64_t bound(const struct sct_arena_item *item, uint32_t n, uint32_t times)
{
    uint64_t most = 0;
    for (uint32_t t = 0; t < times; t++) {
        uint64_t now = 0;
        for (uint32_t i = 0; i < n; i++)
            if (item[i].first <= t && t <= item[i].last)
                now += aligned(item[i].size);
        most = now > most ? now : most;
    }
    return most;
}

static void check_places(const struct sct_arena_item *item, uint32_t n, uint64_t max,
                         const struct sct_slabs *slabs)
{
    for (uint32_t i = 0; i < n; i++) {
        const struct sct_arena_item *a = &item[i];
        ck_assert_uint_lt(a->slab, slabs->n);
        ck_assert_uint_eq(a->off % SCT_ALIGN, 0);
        ck_assert_uint_le(a->off + a->size, slabs->bytes[a->slab]);
        ck_assert_uint_le(a->off + a->size, max);
        for (uint32_t j = 0; j < i; j++) {
            const struct sct_arena_item *b = &item[j];
            const int together = a->first <= b->last && b->first <= a->last;
            const int touch =
                a->slab == b->slab && a->off < b->off + b->size && b->off < a->off + a->size;
            ck_assert_msg(!(together && touch), "items %u and %u overlap", a->id, b->id);
        }
    }
}

/* Sizes and lives as in a training graph: a forward half whose values live until their turn in
 * the backward half, and short temporaries. */
static void training(struct sct_arena_item *item, uint32_t n, uint32_t times, uint64_t *seed)
{
    for (uint32_t i = 0; i < n; i++) {
        const uint32_t half = times / 2, t = draw(seed, half);
        item[i].id = i;
        item[i].size = 1 + draw(seed, 4) * 3000u + draw(seed, 500);
        item[i].first = t;
        item[i].last = draw(seed, 2) ? t + draw(seed, 3) : times - 1 - t;
    }
}

START_TEST(test_random)
{
    for (uint64_t round = 0; round < 60; round++) {
        struct sct_arena_item item[MOST], again[MOST];
        struct sct_slabs slabs = {0}, other = {0};
        uint64_t seed = round * 977 + 1;
        const uint32_t n = 1 + draw(&seed, MOST), times = 8 + draw(&seed, 120);
        training(item, n, times, &seed);
        memcpy(again, item, sizeof item);
        const uint64_t least = bound(item, n, times);
        ck_assert_int_eq(sct_arena_pack(item, n, UINT64_MAX / 4, &slabs, NULL), SCT_OK);
        ck_assert_uint_eq(slabs.n, 1);
        check_places(item, n, UINT64_MAX / 4, &slabs);
        ck_assert_msg((double)slabs.bytes[0] <= 1.05 * (double)least,
                      "round %llu: %llu bytes, %llu are needed", (unsigned long long)round,
                      (unsigned long long)slabs.bytes[0], (unsigned long long)least);
        ck_assert_int_eq(sct_arena_pack(again, n, UINT64_MAX / 4, &other, NULL), SCT_OK);
        ck_assert_mem_eq(item, again, n * sizeof *item);
        sct_free(slabs.bytes);
        sct_free(other.bytes);
    }
}

END_TEST

START_TEST(test_slabs)
{
    for (uint64_t round = 0; round < 20; round++) {
        struct sct_arena_item item[MOST];
        struct sct_slabs slabs = {0};
        uint64_t seed = round + 3;
        const uint64_t max = 40000;
        training(item, MOST, 60, &seed);
        ck_assert_int_eq(sct_arena_pack(item, MOST, max, &slabs, NULL), SCT_OK);
        ck_assert_uint_gt(slabs.n, 1);
        check_places(item, MOST, max, &slabs);
        sct_free(slabs.bytes);
    }
}

END_TEST

START_TEST(test_edges)
{
    struct sct_slabs slabs = {0};
    sct_error err = SCT_ERROR_INIT;
    ck_assert_int_eq(sct_arena_pack(NULL, 0, 1000, &slabs, &err), SCT_OK);
    ck_assert_uint_eq(slabs.n, 0);
    struct sct_arena_item item[2] = {{.size = 300, .last = 1, .id = 1},
                                     {.size = 5000, .last = 1, .id = 2}};
    ck_assert_int_eq(sct_arena_pack(item, 2, 4096, &slabs, &err), SCT_ENOMEM);
    ck_assert_msg(strstr(err.msg, "5000 bytes") && strstr(err.msg, "4096"), "%s", err.msg);
    sct_free(slabs.bytes);
    /* never alive together: one place for both */
    struct sct_slabs two = {0};
    struct sct_arena_item turn[2] = {{.size = 1000, .first = 0, .last = 3, .id = 1},
                                     {.size = 1000, .first = 4, .last = 9, .id = 2}};
    ck_assert_int_eq(sct_arena_pack(turn, 2, 1u << 20, &two, NULL), SCT_OK);
    ck_assert_uint_eq(two.bytes[0], aligned(1000));
    sct_free(two.bytes);
}

END_TEST

/* Slots follow from bytes and batch alone, never from threads or the micro-batch. */
START_TEST(test_slot_formula)
{
    const uint64_t mib = 1024 * 1024;
    ck_assert_uint_eq(sct_plan_slots(mib, 64), 16);
    ck_assert_uint_eq(sct_plan_slots(0, 64), 16);
    ck_assert_uint_eq(sct_plan_slots(mib, 5), 5);
    ck_assert_uint_eq(sct_plan_slots(16 * mib, 64), 4);
    ck_assert_uint_eq(sct_plan_slots(64 * mib, 64), 1);
    ck_assert_uint_eq(sct_plan_slots(330 * mib, 64), 1);
    ck_assert_uint_eq(sct_plan_slots(mib, 1), 1);
}

END_TEST

Suite *pack_suite(void)
{
    Suite *s = suite_create("pack");
    TCase *t = tcase_create("pack");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_random);
    tcase_add_test(t, test_slabs);
    tcase_add_test(t, test_edges);
    tcase_add_test(t, test_slot_formula);
    suite_add_tcase(s, t);
    return s;
}
