/* SPDX-License-Identifier: MIT
 * loader_test.c - batches do not depend on threads, cache or ring; errors arrive with names.
 * Meant to be run under the thread sanitizer too. */
#include "tests/data/data_suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/data/loader.h"

#define SIDE  40u
#define IMAGE (SIDE * SIDE * 3u)

static struct sct_source *sprites(uint32_t train)
{
    struct sct_task t;
    struct sct_source *s;
    sct_task_init(&t);
    t.image_size = 32;
    t.train = train;
    ck_assert_int_eq(sct_task_finish(&t, NULL), SCT_OK);
    ck_assert_int_eq(sct_source_create_task(&s, &t, SCT_SPLIT_TRAIN, NULL), SCT_OK);
    return s;
}

static struct sct_loader_opts options(uint32_t batch, uint32_t threads, uint64_t cache)
{
    struct sct_loader_opts o = {
        .batch = batch, .threads = threads, .ahead = 2, .cache_bytes = cache};
    sct_preprocess_default(&o.pre);
    o.pre.size = SIDE;
    return o;
}

/* CRC of everything that comes out of `epochs` epochs. */
static uint32_t run(const struct sct_source *s, const struct sct_loader_opts *o,
                    uint32_t epochs)
{
    const uint32_t n = sct_source_count(s);
    uint32_t *order = malloc(n * sizeof *order), crcs[512], used = 0;
    struct sct_loader *l;
    ck_assert_int_eq(sct_loader_create(&l, s, o, NULL), SCT_OK);
    for (uint32_t e = 0; e < epochs; e++) {
        struct sct_batch b;
        sct_order_epoch(5, e, n, 1, order);
        ck_assert_int_eq(sct_loader_begin(l, order, n, o->batch, 0, NULL), SCT_OK);
        for (uint32_t k = 0; k < sct_loader_batches(l); k++) {
            ck_assert_int_eq(sct_loader_next(l, &b, NULL), SCT_OK);
            ck_assert_uint_gt(b.valid, 0);
            crcs[used++] = test_crc32(b.images, (size_t)o->batch * IMAGE);
            crcs[used++] = test_crc32(b.labels, o->batch * sizeof *b.labels);
            crcs[used++] = test_crc32(b.weight, o->batch * sizeof *b.weight);
            crcs[used++] = test_crc32(b.index, o->batch * sizeof *b.index);
        }
        ck_assert_int_eq(sct_loader_next(l, &b, NULL), SCT_OK);
        ck_assert_uint_eq(b.valid, 0);
        ck_assert_int_eq(sct_loader_next(l, &b, NULL), SCT_OK);
        ck_assert_uint_eq(b.valid, 0);
    }
    sct_loader_destroy(&l);
    ck_assert_ptr_null(l);
    free(order);
    return test_crc32(crcs, used * sizeof *crcs);
}

START_TEST(test_same_batches)
{
    struct sct_source *s = sprites(45);
    struct sct_loader_opts o = options(8, 0, 0);
    const uint32_t expect = run(s, &o, 3);
    for (uint32_t threads = 0; threads < 4; threads++)
        for (uint32_t cached = 0; cached < 3; cached++)
            for (uint32_t ahead = 1; ahead < 8; ahead += 3) {
                o = options(8, threads, cached * 20 * (IMAGE + 1));
                o.ahead = ahead;
                ck_assert_uint_eq(run(s, &o, 3), expect);
            }
    sct_source_destroy(&s);
}

END_TEST

/* Every row is the item that the order names, prepared as by hand. */
START_TEST(test_content)
{
    struct sct_source *s = sprites(11);
    const struct sct_loader_opts o = options(4, 2, 5 * (IMAGE + 1));
    static const uint32_t order[] = {10, 0, 3, 3, 3, 0, 10, 7, 1, 1};
    struct sct_loader *l;
    struct sct_batch b;
    ck_assert_int_eq(sct_loader_create(&l, s, &o, NULL), SCT_OK);
    ck_assert_int_eq(sct_loader_begin(l, order, 10, 4, 0, NULL), SCT_OK);
    ck_assert_uint_eq(sct_loader_batches(l), 3);
    for (uint32_t k = 0; k < 3; k++) {
        ck_assert_int_eq(sct_loader_next(l, &b, NULL), SCT_OK);
        ck_assert_uint_eq(b.valid, k < 2 ? 4 : 2);
        float weight = 0.0f;
        for (uint32_t r = 0; r < 4; r++) {
            uint8_t expect[IMAGE] = {0};
            struct sct_image img;
            weight += b.weight[r];
            ck_assert(b.mix[r] == 1.0f);
            if (r < b.valid) {
                const uint32_t item = order[4 * k + r];
                ck_assert_uint_eq(b.index[r], item);
                ck_assert_int_eq(b.labels[r][0], (int)sct_source_label(s, item));
                ck_assert_int_eq(b.labels[r][1], (int)sct_source_label(s, item));
                ck_assert_int_eq(sct_source_fetch(s, item, &img, NULL), SCT_OK);
                ck_assert_int_eq(sct_preprocess_apply(&o.pre, &img, expect, NULL), SCT_OK);
                sct_image_fini(&img);
            } else {
                ck_assert(b.weight[r] == 0.0f && b.labels[r][0] == 0 && b.labels[r][1] == 0);
            }
            ck_assert_mem_eq(b.images + (size_t)r * IMAGE, expect, IMAGE);
        }
        ck_assert(weight == 1.0f);
    }
    sct_loader_destroy(&l);
    sct_source_destroy(&s);
}

END_TEST

START_TEST(test_drop_last_and_restart)
{
    struct sct_source *s = sprites(30);
    const struct sct_loader_opts o = options(8, 3, 0);
    uint32_t order[30];
    struct sct_loader *l;
    struct sct_batch b;
    sct_order_epoch(1, 0, 30, 0, order);
    ck_assert_int_eq(sct_loader_create(&l, s, &o, NULL), SCT_OK);
    ck_assert_int_eq(sct_loader_next(l, &b, NULL), SCT_OK); /* before any order */
    ck_assert_uint_eq(b.valid, 0);
    for (uint32_t part = 0; part < 12; part++) {
        const uint32_t size = 1 + part % 8;
        ck_assert_int_eq(sct_loader_begin(l, order, 30, size, 1, NULL), SCT_OK);
        ck_assert_uint_eq(sct_loader_batches(l), 30 / size);
        for (uint32_t k = 0; k < part && k < 30 / size; k++) { /* left in the middle */
            ck_assert_int_eq(sct_loader_next(l, &b, NULL), SCT_OK);
            ck_assert_uint_eq(b.valid, size);
            ck_assert_uint_eq(b.index[size - 1], (k + 1) * size - 1);
        }
    }
    ck_assert_int_eq(sct_loader_begin(l, order, 5, 8, 1, NULL), SCT_OK);
    ck_assert_uint_eq(sct_loader_batches(l), 0);
    ck_assert_int_eq(sct_loader_next(l, &b, NULL), SCT_OK);
    ck_assert_uint_eq(b.valid, 0);
    order[2] = 30;
    sct_error err = SCT_ERROR_INIT;
    ck_assert_int_eq(sct_loader_begin(l, order, 5, 8, 1, &err), SCT_EINVAL);
    ck_assert_ptr_nonnull(strstr(err.msg, "item 2 of the order is 30"));
    ck_assert_int_eq(sct_loader_begin(l, order, 2, 9, 0, NULL), SCT_EINVAL);
    sct_loader_destroy(&l);
    sct_source_destroy(&s);
}

END_TEST

START_TEST(test_budget)
{
    struct sct_source *s = sprites(50);
    struct sct_loader *l;
    uint64_t none = 0;
    for (uint64_t cache = 0; cache < 60 * IMAGE; cache += 7 * IMAGE / 2) {
        const struct sct_loader_opts o = options(4, 1, cache);
        ck_assert_int_eq(sct_loader_create(&l, s, &o, NULL), SCT_OK);
        const uint64_t bytes = sct_loader_bytes(l);
        none = cache ? none : bytes;
        ck_assert(bytes - none <= cache);
        const uint64_t most = cache < 50 * (uint64_t)IMAGE ? cache : 50 * (uint64_t)IMAGE;
        ck_assert(bytes - none + 2 * IMAGE > most); /* and it is used */
        sct_loader_destroy(&l);
    }
    sct_source_destroy(&s);
}

END_TEST

/* A missing file in the second batch: the first is fine, the message names the first bad item
 * of the batch, the third follows. */
START_TEST(test_errors)
{
    char *root = test_folder();
    struct sct_dataset ds;
    struct sct_source *s;
    struct sct_loader *l;
    struct sct_batch b;
    test_write(root, "list.txt",
               SCT_TEST_GOLDEN "/images/420.jpg 0\n" SCT_TEST_GOLDEN "/images/rgb.png 1\n"
                               "gone.jpg 2\n" SCT_TEST_GOLDEN
                               "/images/cut.jpg 3\n" SCT_TEST_GOLDEN "/images/gray.png 4\n",
               (size_t)-1);
    char file[1024];
    (void)snprintf(file, sizeof file, "%s/list.txt", root);
    ck_assert_int_eq(sct_dataset_list(&ds, file, root, NULL, NULL), SCT_OK);
    ck_assert_int_eq(sct_source_create_dataset(&s, &ds, NULL), SCT_OK);
    ck_assert_ptr_null(ds.entries);
    ck_assert_uint_eq(sct_source_classes(s), 5);
    ck_assert_ptr_null(sct_source_class_name(s, 0));
    static const uint32_t order[] = {0, 1, 2, 3, 4, 0};
    for (uint32_t threads = 0; threads < 4; threads++) {
        const struct sct_loader_opts o = options(2, threads, 1 << 20);
        ck_assert_int_eq(sct_loader_create(&l, s, &o, NULL), SCT_OK);
        for (int epoch = 0; epoch < 2; epoch++) {
            sct_error err = SCT_ERROR_INIT;
            ck_assert_int_eq(sct_loader_begin(l, order, 6, 2, 0, NULL), SCT_OK);
            ck_assert_int_eq(sct_loader_next(l, &b, NULL), SCT_OK);
            ck_assert_uint_eq(b.valid, 2);
            ck_assert_int_eq(sct_loader_next(l, &b, &err), SCT_EDATA);
            ck_assert_uint_eq(b.valid, 0);
            ck_assert_msg(strstr(err.msg, "/gone.jpg") != NULL, "%s", err.msg);
            ck_assert_int_eq(sct_loader_next(l, &b, NULL), SCT_OK);
            ck_assert_uint_eq(b.index[0], 4);
            ck_assert_int_eq(b.labels[0][0], 4);
        }
        sct_loader_destroy(&l);
    }
    sct_source_destroy(&s);
    test_folder_end(root);
}

END_TEST

START_TEST(test_source_names)
{
    struct sct_source *s = sprites(20);
    char name[64];
    sct_source_item_name(s, 17, name, sizeof name);
    ck_assert_str_eq(name, "sprites/train/17");
    ck_assert_str_eq(sct_source_class_name(s, sct_source_label(s, 3)), "star");
    ck_assert_uint_eq(sct_source_classes(s), 10);
    sct_source_destroy(&s);
    sct_source_destroy(&s);
}

END_TEST

START_TEST(test_out_of_memory)
{
    struct sct_source *s = sprites(9);
    static const uint32_t order[] = {0, 1, 2, 3, 4, 5, 6, 7, 8};
    for (uint32_t threads = 0; threads < 3; threads += 2) {
        const struct sct_loader_opts o = options(3, threads, 4 * IMAGE);
        sct_status rc = SCT_ENOMEM;
        for (uint64_t n = 1; rc != SCT_OK; n++) {
            struct sct_loader *l;
            struct sct_batch b;
            ck_assert_uint_lt(n, 1000);
            (void)sct_mem_fail_at(n, 0);
            rc = sct_loader_create(&l, s, &o, NULL);
            if (rc == SCT_OK)
                rc = sct_loader_begin(l, order, 9, 3, 0, NULL);
            for (int k = 0; rc == SCT_OK && k < 3; k++)
                rc = sct_loader_next(l, &b, NULL);
            (void)sct_mem_fail_at(0, 0);
            ck_assert(rc == SCT_OK || rc == SCT_ENOMEM);
            sct_loader_destroy(&l);
        }
    }
    sct_source_destroy(&s);
}

END_TEST

/* Orders are a file format (resume, published runs): docs/formats.md. */
START_TEST(test_order)
{
    static const uint32_t expect[10] = {7, 5, 0, 1, 8, 9, 6, 2, 3, 4};
    uint32_t a[1000], b[1000];
    sct_order_epoch(42, 0, 10, 1, a);
    ck_assert_mem_eq(a, expect, sizeof expect);
    uint8_t seen[1000] = {0};
    sct_order_epoch(42, 1, 1000, 1, a);
    for (uint32_t i = 0; i < 1000; i++)
        seen[a[i]]++;
    for (uint32_t i = 0; i < 1000; i++)
        ck_assert_uint_eq(seen[i], 1);
    sct_order_epoch(42, 2, 1000, 1, b);
    ck_assert_mem_ne(a, b, sizeof a);
    sct_order_epoch(43, 1, 1000, 1, b);
    ck_assert_mem_ne(a, b, sizeof a);
    sct_order_epoch(42, 1, 1000, 0, b);
    for (uint32_t i = 0; i < 1000; i++)
        ck_assert_uint_eq(b[i], i);
    sct_order_epoch(42, 1, 1, 1, b);
    ck_assert_uint_eq(b[0], 0);
    sct_order_epoch(42, 1, 0, 1, b);
}

END_TEST

Suite *loader_suite(void)
{
    Suite *s = suite_create("loader");
    TCase *t = tcase_create("loader");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, test_same_batches);
    tcase_add_test(t, test_content);
    tcase_add_test(t, test_drop_last_and_restart);
    tcase_add_test(t, test_budget);
    tcase_add_test(t, test_errors);
    tcase_add_test(t, test_source_names);
    tcase_add_test(t, test_out_of_memory);
    tcase_add_test(t, test_order);
    suite_add_tcase(s, t);
    return s;
}
