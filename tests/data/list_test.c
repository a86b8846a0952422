/* SPDX-License-Identifier: MIT
 * list_test.c - what a list file may look like, and what is said about one that is wrong.
 * Every test makes its own folder and removes it. */
#include "tests/data/data_suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/data/list_parse.h"

static sct_status parse(struct sct_dataset *ds, const char *text, sct_error *err)
{
    memset(ds, 0, sizeof *ds);
    return sct_list_parse(ds, text, strlen(text), "t.txt", err);
}

START_TEST(test_lines)
{
    struct sct_dataset ds;
    ck_assert_int_eq(parse(&ds,
                           "\xef\xbb\xbf"
                           "images/a.jpg 3\r\n"
                           "\r\n"
                           "  images/with two  blanks.jpg\t 0 \n"
                           "   \n"
                           "7 12",
                           NULL),
                     SCT_OK);
    ck_assert_uint_eq(ds.count, 3);
    ck_assert_uint_eq(ds.classes, 13);
    ck_assert_str_eq(ds.entries[0].path, "images/a.jpg");
    ck_assert_uint_eq(ds.entries[0].label, 3);
    ck_assert_str_eq(ds.entries[1].path, "images/with two  blanks.jpg");
    ck_assert_uint_eq(ds.entries[1].label, 0);
    ck_assert_str_eq(ds.entries[2].path, "7");
    ck_assert_uint_eq(ds.entries[2].label, 12);
    sct_dataset_fini(&ds);
    ck_assert_ptr_null(ds.entries);
}

END_TEST

START_TEST(test_bad_lines)
{
    static const struct {
        const char *text, *words;
    } cases[] = {
        {"", "found none"},
        {"\n\r\n", "found none"},
        {"a.jpg 0\nb.jpg cat\n", "t.txt:2: expected \"path label\" with a label number"},
        {"a.jpg 0\n\nb.jpg -1\n", "t.txt:3:"},
        {"a.jpg 1.0", "found \"1.0\""},
        {"a.jpg 1000000", "from 0 to 999999"},
        {"a.jpg 99999999999999999999", "t.txt:1:"},
        {"12", "only one word \"12\""},
        {"a.jpg", "found \"a.jpg\""},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sct_dataset ds;
        sct_error err = SCT_ERROR_INIT;
        ck_assert_int_eq(parse(&ds, cases[i].text, &err), SCT_EDATA);
        ck_assert_msg(strstr(err.msg, cases[i].words) != NULL, "case %zu: %s", i, err.msg);
        sct_dataset_fini(&ds);
    }
    struct sct_dataset ds = {0};
    ck_assert_int_eq(sct_list_parse(&ds, "a\0b 1", 5, "t.txt", NULL), SCT_EDATA);
    sct_dataset_fini(&ds);
}

END_TEST

START_TEST(test_paths)
{
    struct sct_dataset ds;
    char full[100];
    char *root = test_folder(), file[1100];
    (void)snprintf(file, sizeof file, "%s/a.txt", root);
    test_write(root, "a.txt", "p/0.jpg 0\n/abs/1.jpg 2\n", (size_t)-1);
    ck_assert_int_eq(sct_dataset_list(&ds, file, "some/root", NULL, NULL), SCT_OK);
    ck_assert_uint_eq(ds.classes, 3);
    ck_assert_ptr_null(ds.class_names);
    ck_assert_int_eq(sct_dataset_path(&ds, 0, full, sizeof full, NULL), SCT_OK);
    ck_assert_str_eq(full, "some/root/p/0.jpg");
    ck_assert_int_eq(sct_dataset_path(&ds, 1, full, sizeof full, NULL), SCT_OK);
    ck_assert_str_eq(full, "/abs/1.jpg");
    ck_assert_int_eq(sct_dataset_path(&ds, 0, full, 10, NULL), SCT_EDATA);
    sct_dataset_fini(&ds);
    test_folder_end(root);
}

END_TEST

static sct_status read_list(struct sct_dataset *ds, const char *root, const char *list,
                            sct_error *err)
{
    char file[1100], names[1100];
    (void)snprintf(file, sizeof file, "%s/%s", root, list);
    (void)snprintf(names, sizeof names, "%s/classes.txt", root);
    return sct_dataset_list(ds, file, root, names, err);
}

START_TEST(test_class_names)
{
    char *root = test_folder();
    struct sct_dataset a, b;
    sct_error err = SCT_ERROR_INIT;
    test_write(root, "classes.txt", "red fox\r\ncat\nsea lion\n\n", (size_t)-1);
    test_write(root, "a.txt", "x 0\ny 1\n", (size_t)-1);
    test_write(root, "b.txt", "x 3\n", (size_t)-1);
    ck_assert_int_eq(read_list(&a, root, "a.txt", NULL), SCT_OK);
    ck_assert_uint_eq(a.classes, 3);
    ck_assert_str_eq(a.class_names[0], "red fox");
    ck_assert_str_eq(a.class_names[2], "sea lion");
    ck_assert_int_eq(read_list(&b, root, "b.txt", &err), SCT_EDATA);
    ck_assert_ptr_nonnull(strstr(err.msg, "label 3"));
    sct_dataset_fini(&a);
    test_write(root, "classes.txt", "red\n\nblue\n", (size_t)-1);
    memset(&err, 0, sizeof err);
    ck_assert_int_eq(read_list(&a, root, "a.txt", &err), SCT_EDATA);
    ck_assert_ptr_nonnull(strstr(err.msg, "classes.txt:3:"));
    test_folder_end(root);
}

END_TEST

START_TEST(test_natural_order)
{
    static const char *const sorted[] = {"",     "2",     "10",    "a",      "A1",
                                         "a1b2", "a1b10", "a2",    "a10",    "a010x",
                                         "aa",   "b",     "b1/2c", "b1/12c", "b1x"};
    const size_t n = sizeof sorted / sizeof sorted[0];
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++) {
            const int d = sct_natural_compare(sorted[i], sorted[j]);
            ck_assert_msg(i < j   ? d < 0
                          : i > j ? d > 0
                                  : d == 0,
                          "%s and %s: %d", sorted[i], sorted[j], d);
        }
}

END_TEST

/* What torchvision 0.28 and timm 1.0.22 make of the same files (run; hidden ones apart). */
START_TEST(test_image_folder)
{
    static const char *const files[] = {
        "class10/1.PNG",    "class2/10.jpg",      "class2/9.jpeg", "class2/notes.txt",
        "class2/sub/a.jpg", "class2/.hidden.jpg", ".git/x.jpg",    "readme.md",
        "class10/b.webp",   "class10/.jpg"};
    static const char *const plain[] = {"class10/1.PNG", "class10/b.webp", "class2/10.jpg",
                                        "class2/9.jpeg", "class2/sub/a.jpg"};
    static const char *const natural[] = {"class2/9.jpeg", "class2/10.jpg", "class2/sub/a.jpg",
                                          "class10/1.PNG"};
    static const uint32_t plain_label[] = {0, 0, 1, 1, 1}, natural_label[] = {0, 0, 2, 1};
    char *root = test_folder();
    struct sct_dataset ds;
    sct_error err = SCT_ERROR_INIT;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        test_write(root, files[i], "x", 1);
    ck_assert_int_eq(sct_dataset_folder(&ds, root, SCT_ORDER_PLAIN, &err), SCT_OK);
    ck_assert_uint_eq(ds.classes, 2);
    ck_assert_uint_eq(ds.count, 5);
    ck_assert_str_eq(ds.class_names[0], "class10");
    for (uint32_t i = 0; i < ds.count; i++) {
        ck_assert_str_eq(ds.entries[i].path, plain[i]);
        ck_assert_uint_eq(ds.entries[i].label, plain_label[i]);
    }
    sct_dataset_fini(&ds);
    ck_assert_int_eq(sct_dataset_folder(&ds, root, SCT_ORDER_NATURAL, &err), SCT_OK);
    ck_assert_uint_eq(ds.classes, 3);
    ck_assert_uint_eq(ds.count, 4);
    ck_assert_str_eq(ds.class_names[0], "class2");
    ck_assert_str_eq(ds.class_names[2], "sub");
    for (uint32_t i = 0; i < ds.count; i++) {
        ck_assert_str_eq(ds.entries[i].path, natural[i]);
        ck_assert_uint_eq(ds.entries[i].label, natural_label[i]);
    }
    sct_dataset_fini(&ds);
    test_write(root, "class3/none.txt", "x", 1);
    ck_assert_int_eq(sct_dataset_folder(&ds, root, SCT_ORDER_PLAIN, &err), SCT_EDATA);
    ck_assert_ptr_nonnull(strstr(err.msg, "/class3: expected .jpg"));
    ck_assert_ptr_null(ds.entries);
    ck_assert_int_eq(sct_dataset_folder(&ds, root, SCT_ORDER_NATURAL, NULL), SCT_OK);
    sct_dataset_fini(&ds);
    test_write(root, "beside.jpg", "x", 1);
    memset(&err, 0, sizeof err);
    ck_assert_int_eq(sct_dataset_folder(&ds, root, SCT_ORDER_NATURAL, &err), SCT_EDATA);
    ck_assert_ptr_nonnull(strstr(err.msg, "/beside.jpg: expected images inside"));
    test_folder_end(root);
}

END_TEST

/* Without a word about the order it must not matter. */
START_TEST(test_order_unsaid)
{
    char *root = test_folder();
    struct sct_dataset ds;
    sct_error err = SCT_ERROR_INIT;
    test_write(root, "c1/0.jpg", "x", 1);
    test_write(root, "c2/0.jpg", "x", 1);
    ck_assert_int_eq(sct_dataset_folder(&ds, root, SCT_ORDER_UNSAID, &err), SCT_OK);
    ck_assert_uint_eq(ds.count, 2);
    sct_dataset_fini(&ds);
    test_write(root, "c10/0.jpg", "x", 1);
    ck_assert_int_eq(sct_dataset_folder(&ds, root, SCT_ORDER_UNSAID, &err), SCT_EUSAGE);
    ck_assert_msg(strstr(err.msg, "class 1 is c10 in torchvision's order and c2 in timm's") &&
                      strstr(err.msg, "--folder-order"),
                  "%s", err.msg);
    test_folder_end(root);
    root = test_folder();
    test_write(root, "c1/deep/0.jpg", "x", 1);
    memset(&err, 0, sizeof err);
    ck_assert_int_eq(sct_dataset_folder(&ds, root, SCT_ORDER_UNSAID, &err), SCT_EUSAGE);
    ck_assert_ptr_nonnull(strstr(err.msg, "innermost"));
    test_folder_end(root);
}

END_TEST

static sct_status csv(struct sct_dataset *ds, const char *text, uint32_t splits, bool whole,
                      sct_error *err)
{
    memset(ds, 0, sizeof *ds);
    return sct_csv_parse(ds, text, strlen(text), ',', splits, whole, "t.csv", err);
}

START_TEST(test_csv)
{
    struct sct_dataset ds;
    ck_assert_int_eq(csv(&ds,
                         "\xef\xbb\xbfLabel,x,File,split\r\n\r\n"
                         "\"dog, big\",,\"a \"\"1\"\".jpg\",train\r\n"
                         "cat,\"two\nlines\",b.jpg,val\r\n"
                         "ant,,c.jpg,test",
                         0, false, NULL),
                     SCT_OK);
    ck_assert_uint_eq(ds.count, 3);
    ck_assert_uint_eq(ds.classes, 3);
    ck_assert_str_eq(ds.class_names[0], "ant");
    ck_assert_str_eq(ds.class_names[2], "dog, big");
    ck_assert_str_eq(ds.entries[0].path, "a \"1\".jpg");
    ck_assert_uint_eq(ds.entries[0].label, 2);
    sct_dataset_fini(&ds);
    /* classes are those of the whole file, whatever the split */
    ck_assert_int_eq(
        csv(&ds, "a,x,train\nb,y,valid\nc,z,test\n", SCT_IN_TRAIN | SCT_IN_VAL, false, NULL),
        SCT_OK);
    ck_assert_uint_eq(ds.count, 2);
    ck_assert_uint_eq(ds.classes, 3);
    ck_assert_uint_eq(ds.entries[1].label, 1);
    sct_dataset_fini(&ds);
    ck_assert_int_eq(csv(&ds, "a,7\nb,2\n", SCT_IN_TEST, true, NULL), SCT_OK);
    ck_assert_uint_eq(ds.classes, 8);
    ck_assert_ptr_null(ds.class_names);
    ck_assert_uint_eq(ds.entries[0].label, 7);
    sct_dataset_fini(&ds);
    /* one label that is no number makes names of all */
    ck_assert_int_eq(csv(&ds, "a,10\nb,2\nc,-1\n", 0, true, NULL), SCT_OK);
    ck_assert_str_eq(ds.class_names[1], "10");
    sct_dataset_fini(&ds);
}

END_TEST

START_TEST(test_bad_csv)
{
    static const struct {
        const char *text, *words;
    } cases[] = {
        {"", "found none"},
        {"path,label\n", "found none"},
        {"a\n", "t.csv:1: expected path, label"},
        {"a,b,train,d\n", "found 4 columns"},
        {"a,1\nb\n", "t.csv:2: expected 2 columns"},
        {"a,1\n\nb,2,3\n", "t.csv:3:"},
        {"a,1\n,2\n", "t.csv:2: expected a path and a label"},
        {"a,1\nb,\n", "one is empty"},
        {"a,1\n\"b,2\n", "t.csv:2: a quote is opened"},
        {"\"a\"b,1\n", "after a closing quote, found \"b\""},
        {"a\"b,1\n", "a quote inside a field"},
        {"a,1,extra\n", "t.csv:1: expected train, val or test"},
        {"a,1,val\n", "split that is wanted (train)"},
    };

    struct sct_dataset ds;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        sct_error err = SCT_ERROR_INIT;
        ck_assert_int_eq(csv(&ds, cases[i].text, SCT_IN_TRAIN, true, &err), SCT_EDATA);
        ck_assert_msg(strstr(err.msg, cases[i].words) != NULL, "case %zu: %s", i, err.msg);
        sct_dataset_fini(&ds);
    }
    sct_error err = SCT_ERROR_INIT;
    ck_assert_int_eq(csv(&ds, "a,1\n", SCT_IN_TRAIN, false, &err), SCT_EDATA);
    ck_assert_ptr_nonnull(strstr(err.msg, "expected a column split"));
    sct_dataset_fini(&ds);
    memset(&ds, 0, sizeof ds);
    ck_assert_int_eq(sct_csv_parse(&ds, "a\0,1", 4, ',', 0, true, "t.csv", NULL), SCT_EDATA);
    sct_dataset_fini(&ds);
    ck_assert_int_eq(sct_csv_parse(&ds, "a b\t1,2\n", 8, '\t', 0, true, "t", NULL), SCT_OK);
    ck_assert_str_eq(ds.class_names[0], "1,2");
    sct_dataset_fini(&ds);
}

END_TEST

START_TEST(test_out_of_memory)
{
    char *root = test_folder();
    test_write(root, "classes.txt", "p\nq\n", (size_t)-1);
    test_write(root, "a.txt", "c/x.jpg 1\n", (size_t)-1);
    test_write(root, "c/x.jpg", "x", 1);
    test_write(root, "a.csv", "c/x.jpg,one\nc/y.jpg,two\n", (size_t)-1);
    char file[1100];
    (void)snprintf(file, sizeof file, "%s/a.csv", root);
    for (int form = 0; form < 3; form++) {
        struct sct_dataset ds;
        uint64_t n = 0;
        sct_status rc;
        do {
            (void)sct_mem_fail_at(++n, 0);
            rc = form == 0   ? sct_dataset_folder(&ds, root, SCT_ORDER_UNSAID, NULL)
                 : form == 1 ? read_list(&ds, root, "a.txt", NULL)
                             : sct_dataset_csv(&ds, file, root, 0, true, NULL);
            (void)sct_mem_fail_at(0, 0);
            ck_assert(rc == SCT_OK || (rc == SCT_ENOMEM && !ds.entries));
        } while (rc != SCT_OK);
        ck_assert_uint_gt(n, 3);
        sct_dataset_fini(&ds);
    }
    test_folder_end(root);
}

END_TEST

Suite *list_suite(void)
{
    Suite *s = suite_create("list");
    TCase *t = tcase_create("list");
    tcase_add_test(t, test_lines);
    tcase_add_test(t, test_bad_lines);
    tcase_add_test(t, test_paths);
    tcase_add_test(t, test_class_names);
    tcase_add_test(t, test_natural_order);
    tcase_add_test(t, test_image_folder);
    tcase_add_test(t, test_order_unsaid);
    tcase_add_test(t, test_csv);
    tcase_add_test(t, test_bad_csv);
    tcase_add_test(t, test_out_of_memory);
    suite_add_tcase(s, t);
    return s;
}
