/* SPDX-License-Identifier: MIT
 * source.c - the two kinds of source behind one table of functions.
 * A third kind is a third table; nothing else changes. What was left out and renumbered lies in
 * two tables in front of the kind, so kinds know nothing of it. */
#include "core/data/source.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/status.h"
#include "core/data/slurp.h"

struct source_kind {
    uint32_t (*label)(const struct sct_source *s, uint32_t i);
    void (*item_name)(const struct sct_source *s, uint32_t i, char *buf, size_t size);
    sct_status (*fetch)(const struct sct_source *s, uint32_t i, struct sct_image *img,
                        sct_error *err);
    sct_status (*content)(const struct sct_source *s, uint32_t i, sct_source_add add, void *ctx,
                          sct_error *err);
};

struct sct_source {
    const struct source_kind *kind;
    uint32_t count, classes;
    const char *const *class_names;
    uint32_t *keep;   /* [count]: which of the kind's items are there, in order; NULL: all */
    uint32_t *number; /* class as the kind has it -> class; NULL: the same */
    struct sct_dataset ds; /* lists and folders */
    struct sct_task task;  /* generators */
    enum sct_split split;
    struct sct_arena arena;
};

static uint32_t list_label(const struct sct_source *s, uint32_t i)
{
    return s->ds.entries[i].label;
}

static void list_item_name(const struct sct_source *s, uint32_t i, char *buf, size_t size)
{
    (void)snprintf(buf, size, "%s", s->ds.entries[i].path);
}

static sct_status list_fetch(const struct sct_source *s, uint32_t i, struct sct_image *img,
                             sct_error *err)
{
    char path[4096];
    memset(img, 0, sizeof *img);
    SCT_TRY(sct_dataset_path(&s->ds, i, path, sizeof path, err));
    return sct_image_read(img, path, &s->ds.read, err);
}

static sct_status list_content(const struct sct_source *s, uint32_t i, sct_source_add add,
                               void *ctx, sct_error *err)
{
    char path[4096];
    uint8_t *bytes;
    size_t n;
    const uint32_t deep = (uint32_t)s->ds.read.deep;
    SCT_TRY(sct_dataset_path(&s->ds, i, path, sizeof path, err));
    SCT_TRY(sct_slurp(&bytes, &n, path, SCT_IMAGE_MAX_FILE, err));
    add(ctx, &deep, sizeof deep);
    add(ctx, bytes, n);
    sct_free(bytes);
    return SCT_OK;
}

static const struct source_kind kind_list = {list_label, list_item_name, list_fetch,
                                             list_content};

static uint32_t task_label(const struct sct_source *s, uint32_t i)
{
    return sct_task_label_of(&s->task, s->split, i);
}

static void task_item_name(const struct sct_source *s, uint32_t i, char *buf, size_t size)
{
    static const char *const names[] = {"train", "val", "trainval", "test"};
    (void)snprintf(buf, size, "%s/%s/%u", s->task.name, names[s->split], (unsigned)i);
}

static sct_status task_fetch(const struct sct_source *s, uint32_t i, struct sct_image *img,
                             sct_error *err)
{
    uint32_t label;
    return sct_task_draw(&s->task, s->split, i, img, &label, err);
}

static sct_status task_content(const struct sct_source *s, uint32_t i, sct_source_add add,
                               void *ctx, sct_error *err)
{
    struct sct_image img;
    SCT_TRY(task_fetch(s, i, &img, err));
    const uint32_t size[2] = {img.w, img.h};
    add(ctx, size, sizeof size);
    add(ctx, img.rgb, (size_t)img.w * img.h * 3);
    sct_image_fini(&img);
    return SCT_OK;
}

static const struct source_kind kind_task = {task_label, task_item_name, task_fetch,
                                             task_content};

sct_status sct_source_create_dataset(struct sct_source **out, struct sct_dataset *ds,
                                     sct_error *err)
{
    *out = NULL;
    struct sct_source *s = sct_calloc(1, sizeof *s);
    if (!s)
        return sct_nomem(err);
    s->kind = &kind_list;
    s->ds = *ds;
    s->count = ds->count;
    s->classes = ds->classes;
    s->class_names = ds->class_names;
    memset(ds, 0, sizeof *ds);
    *out = s;
    return SCT_OK;
}

static sct_status name_classes(struct sct_source *s, sct_error *err)
{
    const char **names = sct_arena_alloc(&s->arena, s->classes * sizeof *names);
    for (uint32_t i = 0; names && i < s->classes; i++) {
        char name[64];
        sct_task_class_name(&s->task, i, name, sizeof name);
        names[i] = sct_arena_strdup(&s->arena, name);
        if (!names[i])
            names = NULL;
    }
    s->class_names = names;
    return names ? SCT_OK : sct_nomem(err);
}

sct_status sct_source_create_task(struct sct_source **out, const struct sct_task *task,
                                  enum sct_split split, sct_error *err)
{
    *out = NULL;
    if (sct_task_count(task, split) == 0 || task->classes == 0)
        return sct_fail(err, SCT_EUSAGE,
                        "task %s: the split is empty; give it a size in the task's file",
                        task->name);
    struct sct_source *s = sct_calloc(1, sizeof *s);
    if (!s)
        return sct_nomem(err);
    s->kind = &kind_task;
    s->task = *task;
    s->split = split;
    s->count = sct_task_count(task, split);
    s->classes = task->classes;
    const sct_status rc = name_classes(s, err);
    if (rc != SCT_OK)
        sct_source_destroy(&s);
    *out = s;
    return rc;
}

void sct_source_destroy(struct sct_source **s)
{
    if (!s || !*s)
        return;
    sct_dataset_fini(&(*s)->ds);
    sct_arena_free(&(*s)->arena);
    sct_free((*s)->keep);
    sct_free((*s)->number);
    sct_free(*s);
    *s = NULL;
}

/* ---- asking ---- */

static uint32_t item(const struct sct_source *s, uint32_t i)
{
    return s->keep ? s->keep[i] : i;
}

uint32_t sct_source_count(const struct sct_source *s)
{
    return s->count;
}

uint32_t sct_source_classes(const struct sct_source *s)
{
    return s->classes;
}

uint32_t sct_source_label(const struct sct_source *s, uint32_t i)
{
    const uint32_t label = s->kind->label(s, item(s, i));
    return s->number ? s->number[label] : label;
}

const char *sct_source_class_name(const struct sct_source *s, uint32_t label)
{
    return s->class_names ? s->class_names[label] : NULL;
}

void sct_source_item_name(const struct sct_source *s, uint32_t i, char *buf, size_t size)
{
    s->kind->item_name(s, item(s, i), buf, size);
}

const char *sct_source_origin(const struct sct_source *s)
{
    return s->kind == &kind_list ? s->ds.origin : s->task.name;
}

bool sct_source_reads_files(const struct sct_source *s)
{
    return s->kind == &kind_list;
}

sct_status sct_source_fetch(const struct sct_source *s, uint32_t i, struct sct_image *img,
                            sct_error *err)
{
    return s->kind->fetch(s, item(s, i), img, err);
}

sct_status sct_source_content(const struct sct_source *s, uint32_t i, sct_source_add add,
                              void *ctx, sct_error *err)
{
    return s->kind->content(s, item(s, i), add, ctx, err);
}

/* ---- setting up ---- */

/* The items of the kind that stay when those with out[i] go. *keep: sct_free. */
static sct_status make_keep(const struct sct_source *s, const uint8_t *out, uint32_t **keep,
                            uint32_t *n, sct_error *err)
{
    *n = 0;
    *keep = sct_alloc((size_t)s->count * sizeof **keep);
    if (!*keep)
        return sct_nomem(err);
    for (uint32_t i = 0; i < s->count; i++)
        if (out[i] == 0)
            (*keep)[(*n)++] = item(s, i);
    if (*n)
        return SCT_OK;
    sct_free(*keep);
    *keep = NULL;
    return sct_fail(err, SCT_EDATA, "%s: none of its %u images is left", sct_source_origin(s),
                    (unsigned)s->count);
}

static void take_keep(struct sct_source *s, uint32_t *keep, uint32_t n)
{
    sct_free(s->keep);
    s->keep = keep;
    s->count = n;
}

sct_status sct_source_drop(struct sct_source *s, const uint8_t *out, sct_error *err)
{
    uint32_t *keep, n;
    SCT_TRY(make_keep(s, out, &keep, &n, err));
    take_keep(s, keep, n);
    return SCT_OK;
}

#define NO_CLASS UINT32_MAX

static bool same_names(const struct sct_source *s, const struct sct_class_map *map)
{
    bool same = s->class_names && s->classes == map->classes;
    for (uint32_t i = 0; same && i < s->classes; i++)
        same = strcmp(s->class_names[i], map->names[i]) == 0;
    return same;
}

/* What the map makes of each class: to[classes]; NO_CLASS where it says nothing. */
static sct_status renumber(const struct sct_source *s, const struct sct_class_map *map,
                           uint32_t *to, sct_error *err)
{
    const bool same = same_names(s, map);
    for (uint32_t c = 0; c < s->classes; c++) {
        char digits[16];
        const char *name = s->class_names ? s->class_names[c] : digits;
        to[c] = NO_CLASS;
        (void)snprintf(digits, sizeof digits, "%u", (unsigned)c);
        if (same) {
            to[c] = c;
        } else if (!s->class_names && !map->numerals) {
            if (c >= map->classes)
                return sct_fail(
                    err, SCT_EDATA, "%s has labels up to %u, but there are only %u classes",
                    sct_source_origin(s), (unsigned)s->classes - 1, (unsigned)map->classes);
            to[c] = c;
        } else {
            (void)sct_class_map_find(map, name, &to[c]);
        }
    }
    return SCT_OK;
}

static sct_status unknown_class(const struct sct_source *s, uint32_t label, sct_error *err)
{
    char digits[16];
    (void)snprintf(digits, sizeof digits, "%u", (unsigned)label);
    return sct_fail(
        err, SCT_EDATA,
        "%s: its class %.200s is none of the classes that are known here, or the "
        "name of several; map it by --class-map, or leave such images out by --unknown-classes skip",
        sct_source_origin(s), s->class_names ? s->class_names[label] : digits);
}

static const char *const *copy_names(struct sct_source *s, const char *const *from, uint32_t n)
{
    const char **names = sct_arena_alloc(&s->arena, n * sizeof *names);
    for (uint32_t i = 0; names && i < n; i++)
        if (!(names[i] = sct_arena_strdup(&s->arena, from[i])))
            return NULL;
    return names;
}

/* Applies to[] after it was checked: composes it with what was renumbered before. */
static sct_status apply(struct sct_source *s, const struct sct_class_map *map,
                        const uint32_t *to, sct_error *err)
{
    const uint32_t kinds = s->kind == &kind_list ? s->ds.classes : s->task.classes;
    const char *const *names = copy_names(s, map->names, map->classes);
    uint32_t *number = sct_alloc((size_t)kinds * sizeof *number);
    if (!names || !number) {
        sct_free(number);
        return sct_nomem(err);
    }
    for (uint32_t c = 0; c < kinds; c++) {
        const uint32_t now = s->number ? s->number[c] : c;
        number[c] = to[now] == NO_CLASS ? 0 : to[now]; /* of a class that has no image left */
    }
    sct_free(s->number);
    s->number = number;
    s->class_names = names;
    s->classes = map->classes;
    return SCT_OK;
}

/* Marks the images whose class has no number in out[count]; an error unless they may be left
 * out. */
static sct_status mark_unknown(const struct sct_source *s, const uint32_t *to, bool skip,
                               uint8_t *out, uint32_t *left, sct_error *err)
{
    *left = 0;
    for (uint32_t i = 0; i < s->count; i++) {
        const uint32_t label = sct_source_label(s, i);
        if (to[label] != NO_CLASS)
            continue;
        if (!skip)
            return unknown_class(s, label, err);
        out[i] = 1;
        ++*left;
    }
    return SCT_OK;
}

sct_status sct_source_map(struct sct_source *s, const struct sct_class_map *map, bool skip,
                          uint32_t *left, sct_error *err)
{
    uint32_t *to = sct_alloc((size_t)s->classes * sizeof *to), *keep = NULL, n = 0;
    uint8_t *out = sct_calloc(s->count, 1);
    *left = 0;
    sct_status rc = to && out ? renumber(s, map, to, err) : sct_nomem(err);
    if (rc == SCT_OK)
        rc = mark_unknown(s, to, skip, out, left, err);
    if (rc == SCT_OK && *left)
        rc = make_keep(s, out, &keep, &n, err);
    if (rc == SCT_OK)
        rc = apply(s, map, to, err);
    if (rc == SCT_OK && keep)
        take_keep(s, keep, n);
    else
        sct_free(keep);
    sct_free(out);
    sct_free(to);
    return rc;
}

/* Names for a source that has none. */
static sct_status lend_names(struct sct_source *to, const struct sct_source *from,
                             sct_error *err)
{
    if (to->classes > from->classes)
        return sct_fail(err, SCT_EDATA, "%s has labels up to %u, but %s names only %u classes",
                        sct_source_origin(to), (unsigned)to->classes - 1,
                        sct_source_origin(from), (unsigned)from->classes);
    const char *const *names = copy_names(to, from->class_names, from->classes);
    if (!names)
        return sct_nomem(err);
    to->class_names = names;
    to->classes = from->classes;
    return SCT_OK;
}

sct_status sct_source_unite(struct sct_source *train, struct sct_source *test, bool skip,
                            uint32_t *left, sct_error *err)
{
    *left = 0;
    if (train->class_names && test->class_names) {
        struct sct_class_map map;
        SCT_TRY(sct_class_map_names(&map, train->class_names, train->classes,
                                    sct_source_origin(train), err));
        const sct_status rc = sct_source_map(test, &map, skip, left, err);
        sct_class_map_fini(&map);
        return rc;
    }
    if (train->class_names)
        return lend_names(test, train, err);
    if (test->class_names)
        return lend_names(train, test, err);
    const uint32_t classes = train->classes > test->classes ? train->classes : test->classes;
    train->classes = test->classes = classes;
    return SCT_OK;
}
