/* SPDX-License-Identifier: MIT
 * layout_test.c - which file is which split, in every layout and protocol; the table of
 * VTAB-1k.
 */
#include "tests/data/data_suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/data/layout.h"

struct layout_case {
    const char *folder; /* name of the data folder */
    const char *files;  /* made in it, separated by blanks */
    struct sct_layout_ask ask;
    enum sct_layout layout;
    const char *train, *test; /* what is found, relative; NULL: missing */
    const char *images[2];    /* roots, relative; NULL: not looked at */
};

static void make_files(const char *root, const struct layout_case *c)
{
    char list[512], name[600];
    (void)snprintf(list, sizeof list, "%s", c->files);
    char *save = NULL;
    for (char *f = strtok_r(list, " ", &save); f; f = strtok_r(NULL, " ", &save)) {
        (void)snprintf(name, sizeof name, "%s/%s", c->folder, f);
        test_write(root, name, "x", 1);
    }
}

static void check_split(const struct sct_layout_found *f, int split, const char *file,
                        const char *images, const char *base, size_t i)
{
    char expect[700];
    if (!file) {
        ck_assert_msg(f->missing[split] != SCT_OK && f->why[split].msg[0], "case %zu", i);
        return;
    }
    ck_assert_msg(f->missing[split] == SCT_OK, "case %zu: %s", i, f->why[split].msg);
    (void)snprintf(expect, sizeof expect, "%s%s%s", base, *file ? "/" : "", file);
    ck_assert_str_eq(f->place[split].file, expect);
    if (!images)
        return;
    (void)snprintf(expect, sizeof expect, "%s%s%s", base, *images ? "/" : "", images);
    ck_assert_str_eq(f->place[split].images, expect);
}

static const struct layout_case cases[] = {
    {"cifar",
     "train800val200.txt train800.txt val200.txt test.txt",
     {0},
     SCT_LAYOUT_LIST,
     "train800val200.txt",
     "test.txt",
     {"", ""}},
    {"cifar",
     "train800val200.txt train800.txt val200.txt test.txt",
     {.tune = true},
     SCT_LAYOUT_LIST,
     "train800.txt",
     "val200.txt",
     {"", ""}},
    {"any", "test.txt", {0}, SCT_LAYOUT_LIST, NULL, "test.txt", {NULL, ""}},
    {"any",
     "a.txt b.csv",
     {.list = {"a.txt", "b.csv"}, .image_root = "pics"},
     SCT_LAYOUT_LIST,
     "a.txt",
     "b.csv",
     {"pics", "pics"}},
    {"food-101",
     "annotations/train_meta.list.num_shot_4.seed_2 annotations/test_meta.list "
     "annotations/val_meta.list images/a.jpg",
     {.shots = 4, .seed = 2},
     SCT_LAYOUT_FEW_SHOT,
     "annotations/train_meta.list.num_shot_4.seed_2",
     "annotations/test_meta.list",
     {"images", "images"}},
    {"food-101",
     "annotations/test_meta.list annotations/val_meta.list images/a.jpg",
     {.tune = true},
     SCT_LAYOUT_FEW_SHOT,
     NULL,
     "annotations/val_meta.list",
     {NULL, "images"}},
    {"stanford_cars",
     "annotations/test_meta.list images/a.jpg",
     {0},
     SCT_LAYOUT_FEW_SHOT,
     NULL,
     "annotations/test_meta.list",
     {NULL, ""}},
    {"standford-cars",
     "annotations/test_meta.list images/a.jpg",
     {0},
     SCT_LAYOUT_FEW_SHOT,
     NULL,
     "annotations/test_meta.list",
     {NULL, ""}},
    {"imagenet",
     "annotations/train_meta.list.num_shot_1.seed_0 annotations/val_meta.list "
     "train/a/b.jpg val/a.jpg",
     {.shots = 1},
     SCT_LAYOUT_FEW_SHOT,
     "annotations/train_meta.list.num_shot_1.seed_0",
     "annotations/val_meta.list",
     {"train", "val"}},
    {"imagenet-sketch",
     "annotations/val_meta.list images/a.jpg",
     {0},
     SCT_LAYOUT_FEW_SHOT,
     NULL,
     "annotations/val_meta.list",
     {NULL, ""}},
    {"CUB_200_2011",
     "train.json val.json test.json images/a.jpg",
     {0},
     SCT_LAYOUT_FGVC,
     "train.json",
     "test.json",
     {"images", "images"}},
    {"StanfordDogs",
     "train.json val.json test.json Images/a.jpg",
     {.tune = true},
     SCT_LAYOUT_FGVC,
     "train.json",
     "val.json",
     {"Images", "Images"}},
    {"stanfordcars",
     "train.json test.json images/a.jpg",
     {0},
     SCT_LAYOUT_FGVC,
     "train.json",
     "test.json",
     {"", ""}},
    {"OxfordFlower",
     "train.json test.json",
     {0},
     SCT_LAYOUT_FGVC,
     "train.json",
     "test.json",
     {"", ""}},
    {"birds",
     "train.json train_0.1.json test.json images/a.jpg",
     {.list = {"train_0.1.json", NULL}},
     SCT_LAYOUT_FGVC,
     "train_0.1.json",
     "test.json",
     {"images", "images"}},
    {"tables", "train.tsv test.csv", {0}, SCT_LAYOUT_CSV, "train.tsv", "test.csv", {"", ""}},
    {"tables",
     "train.csv val.csv",
     {.tune = true},
     SCT_LAYOUT_CSV,
     "train.csv",
     "val.csv",
     {"", ""}},
    {"set",
     "train/a/1.jpg test/a/1.jpg val/a/1.jpg",
     {0},
     SCT_LAYOUT_FOLDER,
     "train",
     "test",
     {NULL, NULL}},
    {"set", "train/a/1.jpg val/a/1.jpg", {0}, SCT_LAYOUT_FOLDER, "train", "val", {NULL, NULL}},
    {"set",
     "train/a/1.jpg test/a/1.jpg",
     {.tune = true},
     SCT_LAYOUT_FOLDER,
     "train",
     NULL,
     {NULL, NULL}},
    {"imagenet-r", "n01/1.jpg n02/1.jpg", {0}, SCT_LAYOUT_FOLDER, NULL, "", {NULL, NULL}},
    {"imagenet",
     "annotations/val_meta.list train/a/b.jpg val/a/b.jpg",
     {.layout = SCT_LAYOUT_FOLDER},
     SCT_LAYOUT_FOLDER,
     "train",
     "val",
     {NULL, NULL}},
};

START_TEST(test_layouts)
{
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct layout_case *c = &cases[i];
        struct sct_layout_found f;
        sct_error err = SCT_ERROR_INIT;
        char *root = test_folder(), base[600];
        make_files(root, c);
        struct sct_layout_ask ask = c->ask;
        (void)snprintf(base, sizeof base, "%s/%s", root, c->folder);
        ask.data = base;
        ck_assert_msg(sct_layout_find(&f, &ask, &err) == SCT_OK, "case %zu: %s", i, err.msg);
        ck_assert_msg(f.layout == c->layout, "case %zu: layout %s", i,
                      sct_layout_name(f.layout));
        check_split(&f, 0, c->train, c->images[0], base, i);
        check_split(&f, 1, c->test, c->images[1], base, i);
        sct_layout_fini(&f);
        test_folder_end(root);
    }
}

END_TEST

START_TEST(test_refused)
{
    char *root = test_folder(), data[600];
    struct sct_layout_found f;
    sct_error err = SCT_ERROR_INIT;
    struct sct_layout_ask ask = {.data = data};
    (void)snprintf(data, sizeof data, "%s/svhn", root);
    ck_assert_int_eq(sct_layout_find(&f, &ask, &err), SCT_EDATA);
    ck_assert_ptr_nonnull(strstr(err.msg, "nothing of that name"));
    test_write(root, "cifar100/test.txt", "x", 1);
    test_write(root, "cifar100/notes.txt", "x", 1);
    (void)snprintf(data, sizeof data, "%s/cifar/", root); /* the other name of cifar100 */
    ck_assert_int_eq(sct_layout_find(&f, &ask, NULL), SCT_OK);
    ck_assert_str_eq(f.task->name, "cifar");
    ck_assert_msg(strstr(f.why[0].msg, "train800val200.txt") &&
                      strstr(f.why[0].msg, "notes.txt, test.txt"),
                  "%s", f.why[0].msg);
    sct_layout_fini(&f);
    memset(&err, 0, sizeof err);
    ask.shots = 4;
    ask.layout = SCT_LAYOUT_LIST;
    ck_assert_int_eq(sct_layout_find(&f, &ask, &err), SCT_EUSAGE);
    ck_assert_ptr_nonnull(strstr(err.msg, "--shots 4"));
    test_write(root, "t.csv", "x", 1);
    (void)snprintf(data, sizeof data, "%s/t.csv", root);
    memset(&err, 0, sizeof err);
    ask = (struct sct_layout_ask){.data = data, .layout = SCT_LAYOUT_FOLDER};
    ck_assert_int_eq(sct_layout_find(&f, &ask, &err), SCT_EUSAGE);
    ask.layout = SCT_LAYOUT_AUTO;
    ask.image_root = "pics";
    ck_assert_int_eq(sct_layout_find(&f, &ask, NULL), SCT_OK);
    ck_assert_uint_eq(f.place[0].splits, SCT_IN_TRAIN | SCT_IN_VAL);
    ck_assert_uint_eq(f.place[1].splits, SCT_IN_TEST);
    (void)snprintf(data, sizeof data, "%s/pics", root);
    ck_assert_str_eq(f.place[0].images, data);
    sct_layout_fini(&f);
    test_folder_end(root);
}

END_TEST

/* Sums and single entries of the published table; names are unique and lead to themselves. */
START_TEST(test_vtab)
{
    static const char *const groups[] = {"natural", "specialized", "structured"};
    uint32_t in[3] = {0}, classes = 0;
    for (uint32_t i = 0; i < SCT_VTAB_TASKS; i++) {
        const struct sct_vtab_task *t = sct_vtab_at(i);
        ck_assert_ptr_eq(sct_vtab_find(t->name, strlen(t->name)), t);
        if (t->alias)
            ck_assert_ptr_eq(sct_vtab_find(t->alias, strlen(t->alias)), t);
        for (int g = 0; g < 3; g++)
            in[g] += strcmp(t->group, groups[g]) == 0;
        classes += t->classes;
    }
    ck_assert_uint_eq(in[0], 7);
    ck_assert_uint_eq(in[1], 4);
    ck_assert_uint_eq(in[2], 8);
    ck_assert_uint_eq(classes, 940);
    ck_assert_uint_eq(sct_vtab_find("smallnorb_ele", 13)->classes, 9);
    ck_assert_str_eq(sct_vtab_find("cifar100", 8)->name, "cifar");
    ck_assert_ptr_null(sct_vtab_find("cifar10", 7));
}

END_TEST

START_TEST(test_out_of_memory)
{
    char *root = test_folder(), data[600];
    uint64_t n = 0;
    sct_status rc;
    test_write(root, "cifar100/test.txt", "x", 1);
    (void)snprintf(data, sizeof data, "%s/cifar", root);
    const struct sct_layout_ask ask = {.data = data};
    do {
        struct sct_layout_found f;
        (void)sct_mem_fail_at(++n, 0);
        rc = sct_layout_find(&f, &ask, NULL);
        (void)sct_mem_fail_at(0, 0);
        ck_assert(rc == SCT_OK || rc == SCT_ENOMEM);
        sct_layout_fini(&f);
    } while (rc != SCT_OK);
    test_folder_end(root);
}

END_TEST

Suite *layout_suite(void)
{
    Suite *s = suite_create("layout");
    TCase *t = tcase_create("layout");
    tcase_add_test(t, test_layouts);
    tcase_add_test(t, test_refused);
    tcase_add_test(t, test_vtab);
    tcase_add_test(t, test_out_of_memory);
    suite_add_tcase(s, t);
    return s;
}
