/* SPDX-License-Identifier: MIT
 * data_open.c - the training and test sources behind --data. */
#include "core/train/data_open.h"

#include <stdbool.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/base/status.h"
#include "core/io/file.h"
#include "core/plug/module.h"

struct pairs {
    const struct sct_cfg_node *at;
    char value[512];
};

/* Key and value of the next line of a task file; a sequence becomes words with blanks. */
static int next_pair(void *ctx, const char **key, const char **value)
{
    struct pairs *p = ctx;
    const struct sct_cfg_node *n = p->at;
    if (!n)
        return 0;
    p->at = n->next;
    *key = n->key;
    *value = n->text ? n->text : "";
    if (n->kind == SCT_CFG_SEQUENCE) {
        size_t used = 0;
        p->value[0] = 0;
        for (const struct sct_cfg_node *c = n->first; c && used + 1 < sizeof p->value;
             c = c->next)
            used += (size_t)snprintf(p->value + used, sizeof p->value - used, "%s%s",
                                     used ? " " : "", c->text ? c->text : "");
        *value = p->value;
    }
    return 1;
}

static sct_status load_task(const char *name, struct sct_task *t, sct_error *err)
{
    char rel[300], path[4096];
    if (strchr(name, '/')) {
        (void)snprintf(path, sizeof path, "%s", name);
    } else {
        (void)snprintf(rel, sizeof rel, "configs/tasks/%.200s.yaml", name);
        SCT_TRY(sct_plug_data(rel, path, sizeof path, err));
    }
    struct sct_cfg *cfg = NULL;
    SCT_TRY(sct_cfg_load(&cfg, path, err));
    struct pairs p = {sct_cfg_root(cfg)->first, {0}};
    sct_task_init(t);
    sct_status rc = sct_task_load(t, next_pair, &p, err);
    if (rc != SCT_OK)
        (void)sct_error_prefix(err, "%s", path);
    sct_cfg_destroy(&cfg);
    return rc;
}

static sct_status open_task(const struct sct_settings *s, struct sct_source **train,
                            struct sct_source **test, sct_error *err)
{
    struct sct_task t;
    enum sct_split a, b;
    SCT_TRY(load_task(s->data + 5, &t, err));
    SCT_TRY(sct_split_parse(&a, s->train_list, err));
    SCT_TRY(sct_split_parse(&b, s->test_list, err));
    if (train)
        SCT_TRY(sct_source_create_task(train, &t, a, err));
    if (test)
        SCT_TRY(sct_source_create_task(test, &t, b, err));
    return SCT_OK;
}

static sct_status read_split(const struct sct_settings *s, bool folders, bool is_train,
                             struct sct_dataset *ds, sct_error *err)
{
    if (!folders)
        return sct_dataset_list(ds, s->data, is_train ? s->train_list : s->test_list, err);
    const enum sct_class_order order =
        strcmp(s->class_order, "natural") == 0 ? SCT_ORDER_NATURAL : SCT_ORDER_PLAIN;
    char *root = sct_path_join(s->data, is_train ? "train" : "test");
    if (root && !is_train && !sct_dir_exists(root)) {
        sct_free(root);
        root = sct_path_join(s->data, "val");
    }
    const sct_status rc = root ? sct_dataset_folder(ds, root, order, err) : sct_nomem(err);
    sct_free(root);
    return rc;
}

sct_status sct_data_open(const struct sct_settings *s, struct sct_source **train,
                         struct sct_source **test, sct_error *err)
{
    struct sct_dataset a = {0}, b = {0};
    if (train)
        *train = NULL;
    if (test)
        *test = NULL;
    if (!s->data)
        return sct_fail(err, SCT_EUSAGE, "no data: say --data DIR, or --data task:NAME");
    if (strcmp(s->class_order, "plain") != 0 && strcmp(s->class_order, "natural") != 0)
        return sct_fail(err, SCT_EUSAGE,
                        "--class-order: expected plain or natural, found \"%s\"",
                        s->class_order);
    sct_status rc = SCT_OK;
    if (strncmp(s->data, "task:", 5) == 0) {
        rc = open_task(s, train, test, err);
    } else {
        char *sub = sct_path_join(s->data, "train"),
             *list = sct_path_join(s->data, s->train_list);
        const bool folders = sub && list && sct_dir_exists(sub) && !sct_file_exists(list);
        sct_free(sub);
        sct_free(list);
        /* both splits are read even when one is asked for: they must agree on the classes */
        rc = read_split(s, folders, true, &a, err);
        if (rc == SCT_OK || !train) {
            sct_error later = SCT_ERROR_INIT;
            const bool alone = rc != SCT_OK; /* only the test list is there */
            rc = read_split(s, folders, false, &b, alone ? err : &later);
            if (rc != SCT_OK && !alone)
                rc = test ? sct_fail(err, rc, "%s", later.msg) : SCT_OK;
            if (rc == SCT_OK && !alone && b.count)
                rc = sct_dataset_unite(&a, &b, err);
            if (rc == SCT_OK && alone && err)
                *err = (sct_error)SCT_ERROR_INIT;
        }
        if (rc == SCT_OK && train)
            rc = sct_source_create_dataset(train, &a, err);
        if (rc == SCT_OK && test)
            rc = sct_source_create_dataset(test, &b, err);
        sct_dataset_fini(&a);
        sct_dataset_fini(&b);
    }
    if (rc != SCT_OK) {
        if (train)
            sct_source_destroy(train);
        if (test)
            sct_source_destroy(test);
    }
    return rc;
}
