/* SPDX-License-Identifier: MIT
 * fuzz_list.c - list files, class names and task settings from arbitrary bytes.
 * The first byte chooses; properties are checked, not only the absence of crashes. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/data/generator.h"
#include "core/data/list_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int ok)
{
    if (!ok)
        abort();
}

static void fuzz_lines(const char *text, size_t size)
{
    struct sct_dataset ds = {.root = ".", .origin = "fuzz"};
    sct_error err = SCT_ERROR_INIT;
    const sct_status rc = sct_list_parse(&ds, text, size, "fuzz", &err);
    must(rc == SCT_OK || (rc == SCT_EDATA && err.msg[0]));
    for (uint32_t i = 0; rc == SCT_OK && i < ds.count; i++) {
        const char *path = ds.entries[i].path;
        must(path[0] && path[0] != ' ' && !strchr(path, '\n'));
        must(ds.entries[i].label < ds.classes);
        if (i)
            must((sct_natural_compare(path, ds.entries[i - 1].path) > 0) ==
                 (sct_natural_compare(ds.entries[i - 1].path, path) < 0));
    }
    sct_dataset_fini(&ds);
}

static void fuzz_classes(const char *text, size_t size)
{
    struct sct_dataset ds = {.root = ".", .origin = "fuzz"};
    const sct_status rc = sct_classes_parse(&ds, text, size, "classes", NULL);
    must(rc == SCT_OK || rc == SCT_EDATA);
    for (uint32_t i = 0; rc == SCT_OK && i < ds.classes; i++)
        must(ds.class_names[i] && ds.class_names[i][0]);
    sct_dataset_fini(&ds);
}

/* "key\nvalue" pairs; whatever is accepted can be drawn. */
static void fuzz_task(const char *text, size_t size)
{
    struct sct_task t;
    char *copy = malloc(size + 1);
    must(copy != NULL);
    memcpy(copy, text, size);
    copy[size] = 0;
    sct_task_init(&t);
    for (char *key = copy, *value; key && (value = strchr(key, '\n')) != NULL;) {
        char *next = strchr(value + 1, '\n');
        *value = 0;
        if (next)
            *next++ = 0;
        (void)sct_task_set(&t, key, value + 1, NULL);
        key = next;
    }
    if (sct_task_finish(&t, NULL) == SCT_OK && t.image_size <= 64) {
        struct sct_image img;
        uint32_t label;
        must(sct_task_draw(&t, SCT_SPLIT_TEST, 0, &img, &label, NULL) == SCT_OK);
        must(label < t.classes);
        sct_image_fini(&img);
    }
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const char *text = (const char *)data + 1;
    switch (data[0] % 3) {
    case 0:
        fuzz_lines(text, size - 1);
        break;
    case 1:
        fuzz_classes(text, size - 1);
        break;
    default:
        fuzz_task(text, size - 1);
        break;
    }
    return 0;
}
