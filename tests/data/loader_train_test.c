/* SPDX-License-Identifier: MIT
 * loader_train_test.c - what the train steps draw does not depend on threads, on the cache, on
 * how far others are, or on where a run begins. Meant to be run under the thread sanitizer too.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/data/loader.h"
#include "tests/data/data_suite.h"

enum { SIDE = 32, IMAGE = SIDE * SIDE * 3, ITEMS = 21, BATCH = 8, BATCHES = 3 };

static struct sct_source *sprites(void)
{
    struct sct_task t;
    struct sct_source *s;
    sct_task_init(&t);
    t.image_size = 40;
    t.train = ITEMS;
    ck_assert_int_eq(sct_task_finish(&t, NULL), SCT_OK);
    ck_assert_int_eq(sct_source_create_task(&s, &t, SCT_SPLIT_TRAIN, NULL), SCT_OK);
    return s;
}

static void add(struct sct_steps *list, const char *name)
{
    ck_assert_int_eq(sct_step_init(&list->step[list->n++], name, NULL), SCT_OK);
}

/* kind 0: squash, flip, RandAugment (the squash is kept); 1: random resized crop, everything
 * (nothing is kept); 2: larger squash, random crop (36 x 36 is kept, other than for eval). */
static struct sct_loader_opts options(int kind, uint32_t threads, uint64_t cache)
{
    struct sct_loader_opts o = {
        .batch = BATCH, .threads = threads, .ahead = 2, .cache_bytes = cache, .seed = 11};
    sct_preprocess_default(&o.pre);
    o.pre.size = SIDE;
    struct sct_steps *t = &o.pre.train;
    t->n = 0;
    add(t, kind == 1 ? "random-resized-crop" : "resize");
    if (kind == 2) {
        t->step[0].v[RESIZE_SIZE] = 36;
        add(t, "random-crop");
    }
    add(t, "hflip");
    add(t, "randaugment");
    t->step[t->n - 1].v[RAND_P] = 1;
    if (kind == 1) {
        add(t, "color-jitter");
        t->step[t->n - 1].v[JITTER_BRIGHTNESS] = 0.4;
        add(t, "random-erasing");
        o.pre.mix.v[MIX_MIXUP] = 0.8;
        o.pre.mix.v[MIX_CUTMIX] = 1;
    }
    return o;
}

/* CRCs of the batches of one epoch. */
static void epoch_of(struct sct_loader *l, int64_t epoch, uint32_t crc[BATCHES])
{
    uint32_t order[ITEMS];
    sct_order_epoch(5, epoch < 0 ? 0 : (uint32_t)epoch, ITEMS, 1, order);
    sct_loader_epoch(l, epoch);
    ck_assert_int_eq(sct_loader_begin(l, order, ITEMS, BATCH, 0, NULL), SCT_OK);
    for (uint32_t k = 0; k < BATCHES; k++) {
        struct sct_batch b;
        uint32_t part[3];
        ck_assert_int_eq(sct_loader_next(l, &b, NULL), SCT_OK);
        part[0] = test_crc32(b.images, (size_t)BATCH * IMAGE);
        part[1] = test_crc32(b.labels, BATCH * sizeof *b.labels);
        part[2] = test_crc32(b.mix, BATCH * sizeof *b.mix);
        crc[k] = test_crc32(part, sizeof part);
    }
}

static struct sct_loader *open_loader(const struct sct_source *s,
                                      const struct sct_loader_opts *o)
{
    struct sct_loader *l;
    ck_assert_int_eq(sct_loader_create(&l, s, o, NULL), SCT_OK);
    return l;
}

START_TEST(test_same_pictures)
{
    struct sct_source *s = sprites();
    const int kind = _i;
    uint32_t want[4][BATCHES], got[BATCHES];
    struct sct_loader_opts o = options(kind, 0, 0);
    struct sct_loader *l = open_loader(s, &o);
    for (int e = 0; e < 4; e++)
        epoch_of(l, e, want[e]);
    ck_assert_mem_ne(want[0], want[1], sizeof want[0]);
    sct_loader_destroy(&l);
    for (uint32_t threads = 0; threads < 4; threads++)
        for (uint32_t cached = 0; cached < 3; cached++) {
            o = options(kind, threads, cached * 10 * (36 * 36 * 3 + 1));
            l = open_loader(s, &o);
            for (int e = (int)cached; e < 4; e++) { /* a run may begin at any epoch */
                epoch_of(l, e, got);
                ck_assert_mem_eq(got, want[e], sizeof got);
            }
            epoch_of(l, 1, got); /* and go back */
            ck_assert_mem_eq(got, want[1], sizeof got);
            sct_loader_destroy(&l);
        }
    o.seed++;
    l = open_loader(s, &o);
    epoch_of(l, 0, got);
    ck_assert_mem_ne(got, want[0], sizeof got);
    sct_loader_destroy(&l);
    sct_source_destroy(&s);
}

END_TEST

/* Calibration asks the training loader for the eval steps, before and between epochs. */
START_TEST(test_plain)
{
    struct sct_source *s = sprites();
    uint32_t want[BATCHES], plain[BATCHES], first[BATCHES], got[BATCHES];
    struct sct_loader_opts o = options(_i, 0, 0);
    o.pre.train = o.pre.eval;
    struct sct_loader *l = open_loader(s, &o);
    epoch_of(l, SCT_LOADER_PLAIN, want);
    sct_loader_destroy(&l);
    for (uint64_t cache = 0; cache < 2; cache++) {
        o = options(_i, 2, cache << 20);
        l = open_loader(s, &o);
        epoch_of(l, SCT_LOADER_PLAIN, plain);
        ck_assert_mem_eq(plain, want, sizeof want);
        epoch_of(l, 0, first);
        ck_assert_mem_ne(first, want, sizeof want);
        epoch_of(l, SCT_LOADER_PLAIN, plain);
        ck_assert_mem_eq(plain, want, sizeof want);
        epoch_of(l, 0, got);
        ck_assert_mem_eq(got, first, sizeof first);
        sct_loader_destroy(&l);
    }
    sct_source_destroy(&s);
}

END_TEST

/* A row is what sct_preprocess_train makes of the item. */
START_TEST(test_content)
{
    struct sct_source *s = sprites();
    struct sct_loader_opts o = options(_i, 1, 1 << 20);
    static const uint32_t order[] = {20, 3, 3, 0, 7};
    struct sct_batch b;
    o.pre.mix.v[MIX_MIXUP] = o.pre.mix.v[MIX_CUTMIX] = 0;
    struct sct_loader *l = open_loader(s, &o);
    for (uint32_t epoch = 0; epoch < 2; epoch++) {
        sct_loader_epoch(l, epoch);
        ck_assert_int_eq(sct_loader_begin(l, order, 5, BATCH, 0, NULL), SCT_OK);
        ck_assert_int_eq(sct_loader_next(l, &b, NULL), SCT_OK);
        ck_assert_mem_eq(b.images + IMAGE, b.images + 2 * IMAGE, IMAGE); /* the same item */
        for (int r = 0; r < 5; r++) {
            static uint8_t want[IMAGE];
            struct sct_image img;
            ck_assert_int_eq(sct_source_fetch(s, order[r], &img, NULL), SCT_OK);
            ck_assert_int_eq(
                sct_preprocess_train(&o.pre, &img, 11, epoch, order[r], want, NULL), SCT_OK);
            ck_assert_mem_eq(b.images + (size_t)r * IMAGE, want, IMAGE);
            sct_image_fini(&img);
        }
    }
    sct_loader_destroy(&l);
    sct_source_destroy(&s);
}

END_TEST

/* With the squash kept, later epochs decode nothing: the cache pays for its bytes. */
START_TEST(test_kept)
{
    static const uint32_t side[3] = {SIDE, 0, 36};
    struct sct_source *s = sprites();
    for (int kind = 0; kind < 3; kind++) {
        struct sct_loader_opts none = options(kind, 0, 0), all = options(kind, 0, 1 << 20);
        struct sct_loader *a = open_loader(s, &none), *b = open_loader(s, &all);
        const uint64_t one = side[kind] ? (uint64_t)side[kind] * side[kind] * 3 + 1 : 0;
        ck_assert_uint_eq(sct_loader_bytes(b) - sct_loader_bytes(a), ITEMS * one);
        /* of pictures that are never read only the byte of state is touched */
        ck_assert_uint_eq(sct_loader_bytes_touched(b, 2) - sct_loader_bytes_touched(a, 2),
                          one ? 2 * (one - 1) + ITEMS : 0);
        sct_loader_destroy(&a);
        sct_loader_destroy(&b);
    }
    sct_source_destroy(&s);
}

END_TEST

/* Whichever allocation of a picture fails, that is what is said, and nothing is lost. */
START_TEST(test_out_of_memory)
{
    struct sct_source *s = sprites();
    for (int kind = 0; kind < 3; kind++)
        for (uint32_t threads = 0; threads < 3; threads += 2) {
            const struct sct_loader_opts o = options(kind, threads, 5 * IMAGE);
            sct_status rc = SCT_ENOMEM;
            for (uint64_t n = 1; rc != SCT_OK; n++) {
                static const uint32_t order[] = {0, 1, 2, 3, 4, 5};
                struct sct_loader *l;
                struct sct_batch b;
                ck_assert_uint_lt(n, 1000);
                (void)sct_mem_fail_at(n, 0);
                rc = sct_loader_create(&l, s, &o, NULL);
                if (rc == SCT_OK)
                    sct_loader_epoch(l, 1);
                if (rc == SCT_OK)
                    rc = sct_loader_begin(l, order, 6, 3, 0, NULL);
                for (int k = 0; rc == SCT_OK && k < 2; k++)
                    rc = sct_loader_next(l, &b, NULL);
                (void)sct_mem_fail_at(0, 0);
                ck_assert(rc == SCT_OK || rc == SCT_ENOMEM);
                sct_loader_destroy(&l);
            }
        }
    sct_source_destroy(&s);
}

END_TEST

Suite *loader_train_suite(void)
{
    Suite *s = suite_create("loader_train");
    TCase *t = tcase_create("loader_train");
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, test_same_pictures, 0, 3);
    tcase_add_loop_test(t, test_plain, 0, 3);
    tcase_add_loop_test(t, test_content, 0, 3);
    tcase_add_test(t, test_kept);
    tcase_add_test(t, test_out_of_memory);
    suite_add_tcase(s, t);
    return s;
}
