/* SPDX-License-Identifier: MIT
 * data_json.c - JSON objects to data sets and class maps. */
#include "core/data/data_json.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/status.h"
#include "core/io/file.h"
#include "core/io/json.h"

enum { LABEL_LIMIT = 1000000 };

/* An id is an integer or a string; a file has one kind. */
struct id {
    json_int_t number;
    const char *text; /* NULL: a number */
};

struct list {
    struct sct_dataset *ds;
    struct id *id;     /* [count], in order of the keys */
    struct id *sorted; /* [classes] */
    uint32_t count;
    const char *name;
    sct_error *err;
};

static int by_id(const void *a, const void *b)
{
    const struct id *x = a, *y = b;
    if (x->text)
        return strcmp(x->text, y->text);
    return (x->number > y->number) - (x->number < y->number);
}

static sct_status read_pair(struct list *l, const char *path, const json_t *value)
{
    struct id *id = &l->id[l->count];
    if (!path[0])
        return sct_fail(l->err, SCT_EDATA, "%s: expected the path of an image, found \"\"",
                        l->name);
    if (json_is_integer(value))
        id->number = json_integer_value(value);
    else if (json_is_string(value))
        id->text = json_string_value(value);
    else
        return sct_fail(l->err, SCT_EDATA,
                        "%s: expected a class id (an integer or a string) for %.200s", l->name,
                        path);
    if ((id->text == NULL) != (l->id[0].text == NULL))
        return sct_fail(
            l->err, SCT_EDATA,
            "%s: expected class ids of one kind, found integers and strings (%.200s)", l->name,
            path);
    const char *copy = sct_arena_strdup(&l->ds->arena, path);
    if (!copy)
        return sct_nomem(l->err);
    l->ds->entries[l->count++].path = copy;
    return SCT_OK;
}

static sct_status number_classes(struct list *l)
{
    struct sct_dataset *ds = l->ds;
    uint32_t n = 0;
    memcpy(l->sorted, l->id, l->count * sizeof *l->id);
    qsort(l->sorted, l->count, sizeof *l->sorted, by_id);
    for (uint32_t i = 0; i < l->count; i++)
        if (n == 0 || by_id(&l->sorted[n - 1], &l->sorted[i]) != 0)
            l->sorted[n++] = l->sorted[i];
    if (n > LABEL_LIMIT)
        return sct_fail(l->err, SCT_EDATA, "%s: expected at most %d classes, found %u", l->name,
                        LABEL_LIMIT, (unsigned)n);
    const char **names = sct_arena_alloc(&ds->arena, n * sizeof *names);
    for (uint32_t i = 0; names && i < n; i++) {
        const struct id *id = &l->sorted[i];
        names[i] = id->text ? sct_arena_strdup(&ds->arena, id->text)
                            : sct_arena_printf(&ds->arena, "%lld", (long long)id->number);
        if (!names[i])
            names = NULL;
    }
    if (!names)
        return sct_nomem(l->err);
    for (uint32_t i = 0; i < l->count; i++) {
        const struct id *at = bsearch(&l->id[i], l->sorted, n, sizeof *at, by_id);
        ds->entries[i].label = (uint32_t)(at - l->sorted);
    }
    ds->count = l->count;
    ds->classes = n;
    ds->class_names = names;
    return SCT_OK;
}

static sct_status fill(struct list *l, json_t *root)
{
    const char *path;
    json_t *value;
    const size_t n = json_object_size(root);
    if (n == 0 || n > UINT32_MAX)
        return sct_fail(l->err, SCT_EDATA,
                        "%s: expected an object \"image path\": class id, found %zu keys",
                        l->name, n);
    l->ds->entries = sct_arena_alloc(&l->ds->arena, n * sizeof *l->ds->entries);
    l->id = sct_calloc(n, sizeof *l->id);
    l->sorted = sct_calloc(n, sizeof *l->sorted);
    if (!l->ds->entries || !l->id || !l->sorted)
        return sct_nomem(l->err);
    json_object_foreach(root, path, value) /* in the order of the file */
        SCT_TRY(read_pair(l, path, value));
    return number_classes(l);
}

sct_status sct_json_list_parse(struct sct_dataset *ds, const char *text, size_t size,
                               const char *name, sct_error *err)
{
    struct list l = {.ds = ds, .name = name, .err = err};
    json_t *root;
    SCT_TRY(sct_json_parse(text, size, name, SCT_EDATA, &root, err));
    const sct_status rc = fill(&l, root);
    sct_free(l.id);
    sct_free(l.sorted);
    json_decref(root);
    return rc;
}

sct_status sct_json_list(struct sct_dataset *ds, const char *file, const char *images,
                         sct_error *err)
{
    char *text = NULL;
    size_t size;
    memset(ds, 0, sizeof *ds);
    ds->root = sct_arena_strdup(&ds->arena, images);
    ds->origin = sct_arena_strdup(&ds->arena, file);
    sct_status rc = ds->root && ds->origin ? SCT_OK : sct_nomem(err);
    if (rc == SCT_OK)
        rc = sct_file_read(file, SCT_JSON_MAX_BYTES, SCT_EDATA, &text, &size, err);
    if (rc == SCT_OK)
        rc = sct_json_list_parse(ds, text, size, file, err);
    sct_free(text);
    if (rc != SCT_OK)
        sct_dataset_fini(ds);
    return rc;
}

static sct_status fill_map(struct sct_class_map *m, json_t *root, const char *name,
                           sct_error *err)
{
    const char *key;
    json_t *value;
    m->pairs = true;
    json_object_foreach(root, key, value)
    {
        const json_int_t index = json_is_integer(value) ? json_integer_value(value) : -1;
        if (!key[0] || index < 0 || index >= LABEL_LIMIT)
            return sct_fail(err, SCT_EDATA,
                            "%s: expected \"class name\": number from 0 to %d, found something "
                            "else for \"%.100s\"",
                            name, LABEL_LIMIT - 1, key);
        SCT_TRY(sct_class_map_add(m, key, strlen(key), (uint32_t)index, err));
    }
    return sct_class_map_finish(m, name, err);
}

sct_status sct_json_map_parse(struct sct_class_map *m, const char *text, size_t size,
                              const char *name, sct_error *err)
{
    json_t *root;
    memset(m, 0, sizeof *m);
    SCT_TRY(sct_json_parse(text, size, name, SCT_EDATA, &root, err));
    const sct_status rc = fill_map(m, root, name, err);
    json_decref(root);
    if (rc != SCT_OK)
        sct_class_map_fini(m);
    return rc;
}

sct_status sct_class_map_read(struct sct_class_map *m, const char *file, sct_error *err)
{
    char *text;
    size_t size;
    const size_t n = strlen(file);
    memset(m, 0, sizeof *m);
    SCT_TRY(sct_file_read(file, SCT_JSON_MAX_BYTES, SCT_EDATA, &text, &size, err));
    const sct_status rc = n > 5 && strcmp(file + n - 5, ".json") == 0
                              ? sct_json_map_parse(m, text, size, file, err)
                              : sct_class_map_parse(m, text, size, file, err);
    sct_free(text);
    return rc;
}
