/* SPDX-License-Identifier: MIT
 * source.c - the two kinds of source behind one table of functions.
 * A third kind is a third table; nothing else changes. */
#include "core/data/source.h"

#include <string.h>

#include "core/base/status.h"

struct source_kind {
    uint32_t (*label)(const struct sct_source *s, uint32_t i);
    void (*item_name)(const struct sct_source *s, uint32_t i, char *buf, size_t size);
    sct_status (*fetch)(const struct sct_source *s, uint32_t i, struct sct_image *img,
                        sct_error *err);
};

struct sct_source {
    const struct source_kind *kind;
    uint32_t count, classes;
    const char *const *class_names;
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

static const struct source_kind kind_list = {list_label, list_item_name, list_fetch};

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

static const struct source_kind kind_task = {task_label, task_item_name, task_fetch};

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
    sct_free(*s);
    *s = NULL;
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
    return s->kind->label(s, i);
}

const char *sct_source_class_name(const struct sct_source *s, uint32_t label)
{
    return s->class_names ? s->class_names[label] : NULL;
}

void sct_source_item_name(const struct sct_source *s, uint32_t i, char *buf, size_t size)
{
    s->kind->item_name(s, i, buf, size);
}

sct_status sct_source_fetch(const struct sct_source *s, uint32_t i, struct sct_image *img,
                            sct_error *err)
{
    return s->kind->fetch(s, i, img, err);
}
