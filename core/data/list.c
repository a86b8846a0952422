/* SPDX-License-Identifier: MIT
 * list.c - data sets given by list files.
 * The file system is only asked for what the format needs. */
#include "core/data/list.h"

#include <string.h>
#include <sys/stat.h>

#include "core/data/list_parse.h"
#include "core/data/slurp.h"

#define LIST_LIMIT ((size_t)256 << 20)

static sct_status no_memory(const char *what, sct_error *err)
{
    return sct_fail(err, SCT_ENOMEM, "%s: out of memory reading the data set", what);
}

static sct_status begin(struct sct_dataset *ds, const char *file, const char *images,
                        uint8_t **text, size_t *size, sct_error *err)
{
    memset(ds, 0, sizeof *ds);
    *text = NULL;
    ds->root = sct_arena_strdup(&ds->arena, images);
    ds->origin = sct_arena_strdup(&ds->arena, file);
    if (!ds->root || !ds->origin)
        return no_memory(file, err);
    return sct_slurp(text, size, file, LIST_LIMIT, err);
}

static sct_status read_names(struct sct_dataset *ds, const char *names, sct_error *err)
{
    struct stat st;
    uint8_t *text;
    size_t size;
    if (!names || stat(names, &st) != 0)
        return SCT_OK;
    SCT_TRY(sct_slurp(&text, &size, names, LIST_LIMIT, err));
    const sct_status rc = sct_classes_parse(ds, (const char *)text, size, names, err);
    sct_free(text);
    return rc;
}

sct_status sct_dataset_list(struct sct_dataset *ds, const char *file, const char *images,
                            const char *names, sct_error *err)
{
    uint8_t *text;
    size_t size;
    sct_status rc = begin(ds, file, images, &text, &size, err);
    if (rc == SCT_OK)
        rc = sct_list_parse(ds, (const char *)text, size, file, err);
    sct_free(text);
    if (rc == SCT_OK)
        rc = read_names(ds, names, err);
    if (rc != SCT_OK)
        sct_dataset_fini(ds);
    return rc;
}

sct_status sct_dataset_csv(struct sct_dataset *ds, const char *file, const char *images,
                           uint32_t splits, bool whole, sct_error *err)
{
    uint8_t *text;
    size_t size;
    const size_t n = strlen(file);
    const char sep = n >= 4 && strcmp(file + n - 4, ".tsv") == 0 ? '\t' : ',';
    sct_status rc = begin(ds, file, images, &text, &size, err);
    if (rc == SCT_OK)
        rc = sct_csv_parse(ds, (const char *)text, size, sep, splits, whole, file, err);
    sct_free(text);
    if (rc != SCT_OK)
        sct_dataset_fini(ds);
    return rc;
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
