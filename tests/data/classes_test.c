/* SPDX-License-Identifier: MIT
 * classes_test.c - class maps, and sources that are renumbered, united and thinned by them. */
#include "tests/data/data_suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/data/data_json.h"
#include "core/data/list_parse.h"
#include "core/data/scan.h"
#include "core/data/source.h"

static sct_status parse(struct sct_class_map *m, const char *text, sct_error *err)
{
    return sct_class_map_parse(m, text, strlen(text), "m.txt", err);
}

START_TEST(test_map_forms)
{
    struct sct_class_map m;
    uint32_t i = 99;
    ck_assert_int_eq(parse(&m, "red fox\r\ncat\ncrane\ncrane\n", NULL), SCT_OK);
    ck_assert_uint_eq(m.classes, 4);
    ck_assert(!m.pairs && !m.numerals);
    ck_assert(sct_class_map_find(&m, "red fox", &i) && i == 0);
    ck_assert(!sct_class_map_find(&m, "crane", &i)); /* there are two of them */
    ck_assert_str_eq(m.names[3], "crane");
    sct_class_map_fini(&m);
    ck_assert_int_eq(parse(&m, "n01\t4\nn02\t 1\nbig cat \t1\n", NULL), SCT_OK);
    ck_assert_uint_eq(m.classes, 5);
    ck_assert(m.pairs);
    ck_assert(sct_class_map_find(&m, "big cat", &i) && i == 1);
    ck_assert_str_eq(m.names[1], "n02");
    ck_assert_str_eq(m.names[0], "0"); /* nobody has this number */
    sct_class_map_fini(&m);
    ck_assert_int_eq(parse(&m, "7\t0\n3\t1\n", NULL), SCT_OK);
    ck_assert(m.numerals);
    sct_class_map_fini(&m);
}

END_TEST

START_TEST(test_bad_maps)
{
    static const struct {
        const char *text, *words;
    } cases[] = {
        {"", "m.txt: expected class names, found none"},
        {"a\n\nb\n", "m.txt:3: expected a class name, found an empty line above"},
        {"a\t1\nb\n", "m.txt:2: expected a class name, a tab"},
        {"a\t1\nb\tx\n", "m.txt:2:"},
        {"a\t1000000\n", "m.txt:1:"},
        {"a\t1\na\t2\n", "stands for"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sct_class_map m;
        sct_error err = SCT_ERROR_INIT;
        ck_assert_int_eq(parse(&m, cases[i].text, &err), SCT_EDATA);
        ck_assert_msg(strstr(err.msg, cases[i].words) != NULL, "case %zu: %s", i, err.msg);
        ck_assert_ptr_null(m.pair);
    }
}

END_TEST

/* A source over "a.jpg,label" records. */
static struct sct_source *source(const char *records)
{
    struct sct_dataset ds = {.root = ".", .origin = "t.csv"};
    struct sct_source *s;
    ck_assert_int_eq(sct_csv_parse(&ds, records, strlen(records), ',', 0, true, "t.csv", NULL),
                     SCT_OK);
    ck_assert_int_eq(sct_source_create_dataset(&s, &ds, NULL), SCT_OK);
    return s;
}

/* Labels as digits, "201". */
static const char *labels(const struct sct_source *s)
{
    static char text[64];
    uint32_t i = 0;
    for (; i < sct_source_count(s); i++)
        text[i] = (char)('0' + sct_source_label(s, i));
    text[i] = 0;
    return text;
}

START_TEST(test_map_source)
{
    struct sct_source *s = source("a,dog\nb,ant\nc,cat\nd,dog\n");
    struct sct_class_map m;
    sct_error err = SCT_ERROR_INIT;
    uint32_t left;
    ck_assert_str_eq(labels(s), "2012");
    ck_assert_int_eq(parse(&m, "dog\ncat\nbee\nant\n", NULL), SCT_OK);
    ck_assert_int_eq(sct_source_map(s, &m, false, &left, NULL), SCT_OK);
    ck_assert_str_eq(labels(s), "0310");
    ck_assert_uint_eq(sct_source_classes(s), 4);
    ck_assert_str_eq(sct_source_class_name(s, 2), "bee");
    sct_class_map_fini(&m);
    /* once more, on top of it */
    ck_assert_int_eq(parse(&m, "cat\ndog\n", NULL), SCT_OK);
    ck_assert_int_eq(sct_source_map(s, &m, false, &left, &err), SCT_EDATA);
    ck_assert_ptr_nonnull(strstr(err.msg, "class ant is none"));
    ck_assert_str_eq(labels(s), "0310"); /* a failure changes nothing */
    ck_assert_int_eq(sct_source_map(s, &m, true, &left, NULL), SCT_OK);
    ck_assert_uint_eq(left, 1);
    ck_assert_str_eq(labels(s), "101");
    char name[16];
    sct_source_item_name(s, 1, name, sizeof name);
    ck_assert_str_eq(name, "c");
    sct_class_map_fini(&m);
    ck_assert_int_eq(parse(&m, "emu\n", NULL), SCT_OK);
    memset(&err, 0, sizeof err);
    ck_assert_int_eq(sct_source_map(s, &m, true, &left, &err), SCT_EDATA);
    ck_assert_ptr_nonnull(strstr(err.msg, "none of its 3 images"));
    ck_assert_str_eq(labels(s), "101");
    sct_class_map_fini(&m);
    sct_source_destroy(&s);
}

END_TEST

START_TEST(test_map_numbers)
{
    struct sct_source *s = source("a,2\nb,0\n");
    struct sct_class_map m;
    uint32_t left;
    ck_assert_int_eq(parse(&m, "p\nq\n", NULL), SCT_OK); /* names do not renumber numbers */
    ck_assert_int_eq(sct_source_map(s, &m, true, &left, NULL), SCT_EDATA);
    sct_class_map_fini(&m);
    ck_assert_int_eq(parse(&m, "p\nq\nr\nt\n", NULL), SCT_OK);
    ck_assert_int_eq(sct_source_map(s, &m, false, &left, NULL), SCT_OK);
    ck_assert_str_eq(labels(s), "20");
    ck_assert_str_eq(sct_source_class_name(s, 3), "t");
    sct_class_map_fini(&m);
    sct_source_destroy(&s);
    s = source("a,2\nb,0\n");
    ck_assert_int_eq(parse(&m, "0\t5\n2\t1\n", NULL), SCT_OK);
    ck_assert_int_eq(sct_source_map(s, &m, false, &left, NULL), SCT_OK);
    ck_assert_str_eq(labels(s), "15");
    ck_assert_uint_eq(sct_source_classes(s), 6);
    sct_class_map_fini(&m);
    sct_source_destroy(&s);
}

END_TEST

START_TEST(test_map_task)
{
    struct sct_task t;
    struct sct_source *s;
    struct sct_class_map m;
    uint32_t left;
    sct_task_init(&t);
    ck_assert_int_eq(sct_task_set(&t, "generator", "sprites", NULL), SCT_OK);
    ck_assert_int_eq(sct_task_set(&t, "name", "x", NULL), SCT_OK);
    ck_assert_int_eq(sct_task_set(&t, "label", "shape", NULL), SCT_OK);
    ck_assert_int_eq(sct_task_set(&t, "shapes", "disc square", NULL), SCT_OK);
    ck_assert_int_eq(sct_task_finish(&t, NULL), SCT_OK);
    ck_assert_int_eq(sct_source_create_task(&s, &t, SCT_SPLIT_TEST, NULL), SCT_OK);
    ck_assert_uint_eq(sct_source_label(s, 1), 1);
    ck_assert_int_eq(parse(&m, "square\nring\ndisc\n", NULL), SCT_OK);
    ck_assert_int_eq(sct_source_map(s, &m, false, &left, NULL), SCT_OK);
    ck_assert_uint_eq(sct_source_label(s, 0), 2);
    ck_assert_uint_eq(sct_source_label(s, 1), 0);
    sct_class_map_fini(&m);
    sct_source_destroy(&s);
}

END_TEST

START_TEST(test_unite)
{
    static const struct {
        const char *train, *test, *labels; /* of test; NULL: refused */
        uint32_t classes, left;
    } cases[] = {
        {"a,1\n", "a,6\n", "6", 7, 0},
        {"a,6\n", "a,1\n", "1", 7, 0},
        {"a,x\nb,y\nc,z\n", "p,z\nq,x\n", "20", 3, 0},
        {"a,x\nb,y\nc,z\n", "p,1\n", "1", 3, 0},
        {"a,1\n", "p,x\nq,y\n", "01", 2, 0},
        {"a,x\nb,y\n", "p,2\n", NULL, 0, 0},
        {"a,x\n", "p,y\nq,x\n", NULL, 0, 1},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sct_source *a = source(cases[i].train), *b = source(cases[i].test);
        uint32_t left;
        const sct_status rc = sct_source_unite(a, b, false, &left, NULL);
        ck_assert_int_eq(rc, cases[i].labels ? SCT_OK : SCT_EDATA);
        if (cases[i].labels) {
            ck_assert_str_eq(labels(b), cases[i].labels);
            ck_assert_uint_eq(sct_source_classes(a), cases[i].classes);
            ck_assert_uint_eq(sct_source_classes(b), cases[i].classes);
        } else if (cases[i].left) {
            ck_assert_int_eq(sct_source_unite(a, b, true, &left, NULL), SCT_OK);
            ck_assert_uint_eq(left, cases[i].left);
            ck_assert_str_eq(labels(b), "0");
        }
        sct_source_destroy(&a);
        sct_source_destroy(&b);
    }
}

END_TEST

/* The same report and the same labels for any number of threads. */
START_TEST(test_scan)
{
    static const char *const golden[] = {"420.jpg", "cut.jpg",  "rgb.png", "nothing.png",
                                         "crc.png", "gray.png", "cut.png", "cmyk.jpg"};
    char records[512] = "", *first = NULL;
    for (size_t i = 0; i < sizeof golden / sizeof golden[0]; i++)
        (void)snprintf(records + strlen(records), sizeof records - strlen(records), "%s,%zu\n",
                       golden[i], i);
    struct sct_dataset ds = {.root = SCT_TEST_GOLDEN "/images", .origin = "t.csv"};
    struct sct_source *s;
    struct sct_preprocess pre;
    ck_assert_int_eq(sct_csv_parse(&ds, records, strlen(records), ',', 0, true, "t.csv", NULL),
                     SCT_OK);
    ck_assert_int_eq(sct_source_create_dataset(&s, &ds, NULL), SCT_OK);
    sct_preprocess_default(&pre);
    pre.size = 16;
    for (uint32_t threads = 0; threads < 5; threads++) {
        uint8_t bad[8] = {0};
        struct sct_str report = {0};
        ck_assert_int_eq(sct_scan(s, &pre, 8, threads, bad, &report, NULL), SCT_OK);
        ck_assert_int_eq(memcmp(bad, "\0\1\0\1\1\0\1", 8), 0);
        char *text = sct_str_take(&report);
        ck_assert(!first || strcmp(first, text) == 0);
        if (threads == 4) {
            ck_assert_int_eq(sct_source_drop(s, bad, NULL), SCT_OK);
            ck_assert_str_eq(labels(s), "0257");
        }
        sct_free(threads ? text : NULL);
        first = threads ? first : text;
    }
    static const char *const order[] = {"cut.jpg", "nothing.png", "crc.png", "cut.png"};
    const char *where = first;
    for (int i = 0; i < 4; i++) {
        where = strstr(where, order[i]);
        ck_assert_ptr_nonnull(where);
    }
    sct_free(first);
    sct_source_destroy(&s);
}

END_TEST

static sct_status everything(struct sct_class_map *m, struct sct_source *s)
{
    uint32_t left;
    uint8_t bad[3];
    struct sct_preprocess pre;
    struct sct_str report = {0};
    sct_preprocess_default(&pre);
    sct_status rc = parse(m, "x\t1\ny\t0\n", NULL);
    if (rc == SCT_OK)
        rc = sct_source_map(s, m, true, &left, NULL);
    if (rc == SCT_OK)
        rc = sct_scan(s, &pre, sct_source_count(s), 1, bad, &report, NULL);
    sct_str_free(&report);
    sct_class_map_fini(m);
    return rc;
}

START_TEST(test_out_of_memory)
{
    uint64_t n = 0;
    sct_status rc;
    do {
        struct sct_class_map m = {0};
        struct sct_source *s = source("a,x\nb,y\nc,z\n");
        (void)sct_mem_fail_at(++n, 0);
        rc = everything(&m, s);
        (void)sct_mem_fail_at(0, 0);
        ck_assert(rc == SCT_OK || rc == SCT_ENOMEM);
        sct_source_destroy(&s);
    } while (rc != SCT_OK);
    ck_assert_uint_gt(n, 8);
}

END_TEST

START_TEST(test_json)
{
    static const char list[] = "{\"b/2.jpg\": 30, \"a.jpg\": -1, \"c.jpg\": 30, \"d.jpg\": 4}";
    static const char map[] = "{\"dog\": 2, \"hound\": 2, \"cat\": 0}";
    uint64_t n = 0;
    sct_status rc;
    do { /* and every allocation of ours may fail */
        struct sct_dataset ds = {.root = ".", .origin = "t.json"};
        (void)sct_mem_fail_at(++n, 0);
        rc = sct_json_list_parse(&ds, list, sizeof list - 1, "t.json", NULL);
        (void)sct_mem_fail_at(0, 0);
        ck_assert(rc == SCT_OK || rc == SCT_ENOMEM);
        if (rc == SCT_OK) {
            ck_assert_uint_eq(ds.count, 4);
            ck_assert_uint_eq(ds.classes, 3);
            ck_assert_str_eq(ds.entries[0].path, "b/2.jpg");
            ck_assert_uint_eq(ds.entries[0].label, 2);
            ck_assert_uint_eq(ds.entries[1].label, 0);
            ck_assert_str_eq(ds.class_names[0], "-1");
        }
        sct_dataset_fini(&ds);
    } while (rc != SCT_OK);
    n = 0;
    do {
        struct sct_class_map m;
        uint32_t i = 9;
        (void)sct_mem_fail_at(++n, 0);
        rc = sct_json_map_parse(&m, map, sizeof map - 1, "t.json", NULL);
        (void)sct_mem_fail_at(0, 0);
        ck_assert(rc == SCT_OK || (rc == SCT_ENOMEM && !m.pair));
        ck_assert(rc != SCT_OK || (sct_class_map_find(&m, "hound", &i) && i == 2));
        sct_class_map_fini(&m);
    } while (rc != SCT_OK);
}

END_TEST

Suite *classes_suite(void)
{
    Suite *s = suite_create("classes");
    TCase *t = tcase_create("classes");
    tcase_add_test(t, test_map_forms);
    tcase_add_test(t, test_bad_maps);
    tcase_add_test(t, test_map_source);
    tcase_add_test(t, test_map_numbers);
    tcase_add_test(t, test_map_task);
    tcase_add_test(t, test_unite);
    tcase_add_test(t, test_scan);
    tcase_add_test(t, test_json);
    tcase_add_test(t, test_out_of_memory);
    suite_add_tcase(s, t);
    return s;
}
