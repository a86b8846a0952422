/* SPDX-License-Identifier: MIT
 * list_test.c - what a list file may look like, and what is said about one that is wrong.
 * Every test makes its own folder and removes it. */
#include "tests/data/data_suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/data/list.h"

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

START_TEST(test_vtab_folder)
{
    char *root = test_folder(), path[1024];
    struct sct_dataset ds;
    sct_error err = SCT_ERROR_INIT;
    test_write(root, "cifar100/train800.txt", "images/train/0.jpg 0\nimages/train/1.jpg 2\n",
               (size_t)-1);
    test_write(root, "cifar100/test.txt", "images/test/0.jpg 1\n", (size_t)-1);
    (void)snprintf(path, sizeof path, "%s/cifar/", root); /* the other name of cifar100 */
    ck_assert_int_eq(sct_dataset_list(&ds, path, "train800.txt", &err), SCT_OK);
    ck_assert_uint_eq(ds.classes, 3);
    ck_assert_ptr_null(ds.class_names);
    char full[1100], expect[1100];
    ck_assert_int_eq(sct_dataset_path(&ds, 1, full, sizeof full, NULL), SCT_OK);
    (void)snprintf(expect, sizeof expect, "%s/cifar100/images/train/1.jpg", root);
    ck_assert_str_eq(full, expect);
    ck_assert_int_eq(sct_dataset_path(&ds, 1, full, 10, NULL), SCT_EDATA);
    sct_dataset_fini(&ds);

    ck_assert_int_eq(sct_dataset_list(&ds, path, "val200.txt", &err), SCT_EDATA);
    ck_assert_msg(strstr(err.msg, "val200.txt") && strstr(err.msg, "test.txt, train800.txt"),
                  "%s", err.msg);
    ck_assert_ptr_null(ds.entries);

    memset(&err, 0, sizeof err);
    (void)snprintf(path, sizeof path, "%s/svhn", root);
    ck_assert_int_eq(sct_dataset_list(&ds, path, "test.txt", &err), SCT_EDATA);
    ck_assert_ptr_nonnull(strstr(err.msg, "nothing of that name"));
    test_folder_end(root);
}

END_TEST

START_TEST(test_class_names)
{
    char *root = test_folder();
    struct sct_dataset a, b;
    sct_error err = SCT_ERROR_INIT;
    test_write(root, "classes.txt", "red fox\r\ncat\nsea lion\n\n", (size_t)-1);
    test_write(root, "a.txt", "x 0\ny 1\n", (size_t)-1);
    test_write(root, "b.txt", "x 3\n", (size_t)-1);
    ck_assert_int_eq(sct_dataset_list(&a, root, "a.txt", NULL), SCT_OK);
    ck_assert_uint_eq(a.classes, 3);
    ck_assert_str_eq(a.class_names[0], "red fox");
    ck_assert_str_eq(a.class_names[2], "sea lion");
    ck_assert_int_eq(sct_dataset_list(&b, root, "b.txt", &err), SCT_EDATA);
    ck_assert_ptr_nonnull(strstr(err.msg, "label 3"));
    sct_dataset_fini(&a);
    test_write(root, "classes.txt", "red\n\nblue\n", (size_t)-1);
    memset(&err, 0, sizeof err);
    ck_assert_int_eq(sct_dataset_list(&a, root, "a.txt", &err), SCT_EDATA);
    ck_assert_ptr_nonnull(strstr(err.msg, "classes.txt:3:"));
    test_folder_end(root);
}

END_TEST

START_TEST(test_unite)
{
    struct sct_dataset a, b;
    const char *names[3] = {"p", "q", "r"};
    ck_assert_int_eq(parse(&a, "x 1", NULL), SCT_OK);
    ck_assert_int_eq(parse(&b, "x 6", NULL), SCT_OK);
    ck_assert_int_eq(sct_dataset_unite(&a, &b, NULL), SCT_OK);
    ck_assert_uint_eq(a.classes, 7);
    ck_assert_uint_eq(b.classes, 7);
    b.classes = 3;
    b.class_names = names;
    b.origin = a.origin = "t.txt";
    sct_error err = SCT_ERROR_INIT;
    ck_assert_int_eq(sct_dataset_unite(&a, &b, &err), SCT_EDATA);
    ck_assert_ptr_nonnull(strstr(err.msg, "names only 3"));
    a.classes = 2;
    ck_assert_int_eq(sct_dataset_unite(&a, &b, NULL), SCT_OK);
    ck_assert_uint_eq(a.classes, 3);
    ck_assert_str_eq(a.class_names[2], "r");
    ck_assert_int_eq(sct_dataset_unite(&a, &b, NULL), SCT_OK);
    const char *others[3] = {"p", "q", "s"};
    b.class_names = others;
    ck_assert_int_eq(sct_dataset_unite(&a, &b, NULL), SCT_EDATA);
    sct_dataset_fini(&a);
    sct_dataset_fini(&b);
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

START_TEST(test_image_folder)
{
    static const char *const files[] = {
        "class10/1.PNG",    "class2/10.jpg",      "class2/9.jpeg", "class2/notes.txt",
        "class2/sub/a.jpg", "class2/.hidden.jpg", ".git/x.jpg",    "readme.md"};
    char *root = test_folder();
    struct sct_dataset ds;
    sct_error err = SCT_ERROR_INIT;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        test_write(root, files[i], "x", 1);
    ck_assert_int_eq(sct_dataset_folder(&ds, root, SCT_ORDER_PLAIN, &err), SCT_OK);
    ck_assert_uint_eq(ds.classes, 2);
    ck_assert_uint_eq(ds.count, 4);
    ck_assert_str_eq(ds.class_names[0], "class10");
    ck_assert_str_eq(ds.entries[0].path, "class10/1.PNG");
    ck_assert_str_eq(ds.entries[1].path, "class2/10.jpg");
    ck_assert_str_eq(ds.entries[2].path, "class2/9.jpeg");
    ck_assert_str_eq(ds.entries[3].path, "class2/sub/a.jpg");
    ck_assert_uint_eq(ds.entries[3].label, 1);
    sct_dataset_fini(&ds);
    ck_assert_int_eq(sct_dataset_folder(&ds, root, SCT_ORDER_NATURAL, &err), SCT_OK);
    ck_assert_str_eq(ds.class_names[0], "class2");
    ck_assert_str_eq(ds.entries[0].path, "class2/9.jpeg");
    ck_assert_str_eq(ds.entries[1].path, "class2/10.jpg");
    ck_assert_str_eq(ds.entries[3].path, "class10/1.PNG");
    ck_assert_uint_eq(ds.entries[3].label, 1);
    sct_dataset_fini(&ds);
    test_write(root, "class3/none.txt", "x", 1);
    ck_assert_int_eq(sct_dataset_folder(&ds, root, SCT_ORDER_PLAIN, &err), SCT_EDATA);
    ck_assert_ptr_nonnull(strstr(err.msg, "/class3: expected .jpg"));
    ck_assert_ptr_null(ds.entries);
    test_folder_end(root);
}

END_TEST

START_TEST(test_out_of_memory)
{
    char *root = test_folder();
    test_write(root, "classes.txt", "p\nq\n", (size_t)-1);
    test_write(root, "a.txt", "c/x.jpg 1\n", (size_t)-1);
    test_write(root, "c/x.jpg", "x", 1);
    for (int folder = 0; folder < 2; folder++) {
        struct sct_dataset ds;
        uint64_t n = 0;
        sct_status rc;
        do {
            (void)sct_mem_fail_at(++n, 0);
            rc = folder ? sct_dataset_folder(&ds, root, SCT_ORDER_PLAIN, NULL)
                        : sct_dataset_list(&ds, root, "a.txt", NULL);
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
    tcase_add_test(t, test_vtab_folder);
    tcase_add_test(t, test_class_names);
    tcase_add_test(t, test_unite);
    tcase_add_test(t, test_natural_order);
    tcase_add_test(t, test_image_folder);
    tcase_add_test(t, test_out_of_memory);
    suite_add_tcase(s, t);
    return s;
}
