/* SPDX-License-Identifier: MIT
 * list.c - data sets given by list files.
 * The file system is only asked for what a message or the format needs. */
#include "core/data/list.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/str.h"
#include "core/data/list_parse.h"
#include "core/data/slurp.h"

#define LIST_LIMIT ((size_t)256 << 20)

static bool is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static bool exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0;
}

static sct_status no_memory(const char *what, sct_error *err)
{
    return sct_fail(err, SCT_ENOMEM, "%s: out of memory reading the data set", what);
}

/* VTAB-1k's export writes "cifar"; some recipes say "cifar100". */
static sct_status find_root(struct sct_dataset *ds, const char *root, sct_error *err)
{
    static const char *const alias[2] = {"cifar", "cifar100"};
    size_t n = strlen(root);
    while (n > 1 && root[n - 1] == '/')
        n--;
    char *own = sct_arena_printf(&ds->arena, "%.*s", (int)n, root);
    if (!own)
        return no_memory(root, err);
    ds->root = own;
    if (is_folder(own))
        return SCT_OK;
    const char *slash = strrchr(own, '/');
    const char *last = slash ? slash + 1 : own;
    for (int i = 0; i < 2; i++) {
        if (strcmp(last, alias[i]) != 0)
            continue;
        char *other =
            sct_arena_printf(&ds->arena, "%.*s%s", (int)(last - own), own, alias[1 - i]);
        if (!other)
            return no_memory(root, err);
        if (is_folder(other)) {
            ds->root = other;
            return SCT_OK;
        }
    }
    return sct_fail(err, SCT_EDATA, "%s: expected a folder with a data set, found %s", own,
                    exists(own) ? "a file" : "nothing of that name");
}

static bool ends_with(const char *s, const char *end)
{
    const size_t n = strlen(s), m = strlen(end);
    return n >= m && strcmp(s + n - m, end) == 0;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* "a.txt, b.txt" of a folder, for the message about a list that is missing. */
static void describe_lists(const char *folder, struct sct_str *out)
{
    enum { SHOW = 12 };

    char *names[SHOW];
    size_t n = 0;
    DIR *dir = opendir(folder);
    for (struct dirent *d = dir ? readdir(dir) : NULL; d && n < SHOW; d = readdir(dir))
        if (ends_with(d->d_name, ".txt") && strcmp(d->d_name, "classes.txt") != 0 &&
            (names[n] = sct_strdup(d->d_name)) != NULL)
            n++;
    if (dir)
        (void)closedir(dir);
    qsort(names, n, sizeof *names, compare_names);
    if (n == 0)
        sct_str_add(out, "no .txt file");
    for (size_t i = 0; i < n; i++) {
        sct_str_add(out, "%s%s", i ? ", " : "", names[i]);
        sct_free(names[i]);
    }
}

static sct_status missing_list(const struct sct_dataset *ds, sct_error *err)
{
    struct sct_str have = {0};
    describe_lists(ds->root, &have);
    const sct_status rc = sct_fail(err, SCT_EDATA,
                                   "%s: expected a list of \"path label\" lines, found no such "
                                   "file; %s has %s",
                                   ds->origin, ds->root, have.s ? have.s : "?");
    sct_str_free(&have);
    return rc;
}

static sct_status read_classes(struct sct_dataset *ds, sct_error *err)
{
    uint8_t *text;
    size_t size;
    const char *path = sct_arena_printf(&ds->arena, "%s/classes.txt", ds->root);
    if (!path)
        return no_memory(ds->root, err);
    if (!exists(path))
        return SCT_OK;
    SCT_TRY(sct_slurp(&text, &size, path, LIST_LIMIT, err));
    const sct_status rc = sct_classes_parse(ds, (const char *)text, size, path, err);
    sct_free(text);
    return rc;
}

static sct_status read_list(struct sct_dataset *ds, const char *root, const char *list,
                            sct_error *err)
{
    uint8_t *text;
    size_t size;
    SCT_TRY(find_root(ds, root, err));
    ds->origin = list[0] == '/' ? sct_arena_strdup(&ds->arena, list)
                                : sct_arena_printf(&ds->arena, "%s/%s", ds->root, list);
    if (!ds->origin)
        return no_memory(root, err);
    if (!exists(ds->origin))
        return missing_list(ds, err);
    SCT_TRY(sct_slurp(&text, &size, ds->origin, LIST_LIMIT, err));
    const sct_status rc = sct_list_parse(ds, (const char *)text, size, ds->origin, err);
    sct_free(text);
    SCT_TRY(rc);
    return read_classes(ds, err);
}

sct_status sct_dataset_list(struct sct_dataset *ds, const char *root, const char *list,
                            sct_error *err)
{
    memset(ds, 0, sizeof *ds);
    const sct_status rc = read_list(ds, root, list, err);
    if (rc != SCT_OK)
        sct_dataset_fini(ds);
    return rc;
}

static bool same_names(const struct sct_dataset *a, const struct sct_dataset *b)
{
    if (a->classes != b->classes)
        return false;
    for (uint32_t i = 0; i < a->classes; i++)
        if (strcmp(a->class_names[i], b->class_names[i]) != 0)
            return false;
    return true;
}

/* `to` has no names and takes those of `from`. */
static sct_status copy_names(struct sct_dataset *to, const struct sct_dataset *from,
                             sct_error *err)
{
    if (to->classes > from->classes)
        return sct_fail(err, SCT_EDATA, "%s has labels up to %u, but %s names only %u classes",
                        to->origin, (unsigned)to->classes - 1, from->origin,
                        (unsigned)from->classes);
    const char **names = sct_arena_alloc(&to->arena, from->classes * sizeof *names);
    if (!names)
        return no_memory(to->origin, err);
    for (uint32_t i = 0; i < from->classes; i++)
        if (!(names[i] = sct_arena_strdup(&to->arena, from->class_names[i])))
            return no_memory(to->origin, err);
    to->class_names = names;
    to->classes = from->classes;
    return SCT_OK;
}

sct_status sct_dataset_unite(struct sct_dataset *a, struct sct_dataset *b, sct_error *err)
{
    if (a->class_names && b->class_names)
        return same_names(a, b)
                   ? SCT_OK
                   : sct_fail(err, SCT_EDATA,
                              "%s and %s do not have the same classes (%u and %u)", a->origin,
                              b->origin, (unsigned)a->classes, (unsigned)b->classes);
    if (a->class_names)
        return copy_names(b, a, err);
    if (b->class_names)
        return copy_names(a, b, err);
    const uint32_t classes = a->classes > b->classes ? a->classes : b->classes;
    a->classes = b->classes = classes;
    return SCT_OK;
}

sct_status sct_dataset_path(const struct sct_dataset *ds, uint32_t i, char *buf, size_t size,
                            sct_error *err)
{
    const char *path = ds->entries[i].path;
    const int n = path[0] == '/' ? snprintf(buf, size, "%s", path)
                                 : snprintf(buf, size, "%s/%s", ds->root, path);
    if (n < 0 || (size_t)n >= size)
        return sct_fail(err, SCT_EDATA, "%s: the path of image %u is longer than %zu bytes",
                        ds->origin, (unsigned)i, size - 1);
    return SCT_OK;
}

void sct_dataset_fini(struct sct_dataset *ds)
{
    if (!ds)
        return;
    sct_arena_free(&ds->arena);
    memset(ds, 0, sizeof *ds);
}
