/* SPDX-License-Identifier: MIT
 * images.c - pictures named on the command line. */
#include <dirent.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/base/status.h"
#include "core/data/list_parse.h"
#include "core/io/file.h"
#include "tools/cli.h"

/* Links are followed, so a link to a parent would never end. */
#define MAX_DEPTH 16

enum { LIST_LIMIT = 256 << 20 };

static bool ends_with_one_of(const char *name, const char *const *ends)
{
    const char *dot = strrchr(name, '.');
    for (; dot && *ends; ends++)
        if (strcasecmp(dot, *ends) == 0)
            return true;
    return false;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Takes `name`, which is NULL when memory is short. */
static sct_status add(struct cli_images *im, char *name, sct_error *err)
{
    sct_status rc = name ? sct_grow((void **)&im->name, &im->cap, (uint64_t)im->n + 1,
                                    sizeof *im->name, err)
                         : sct_nomem(err);
    if (rc == SCT_OK)
        im->name[im->n++] = name;
    else
        sct_free(name);
    return rc;
}

/* Folders that are still to be looked through; their order does not matter, as what is found is
 * sorted. */
struct walk {
    struct cli_images folders;
    struct cli_images *found;
    uint32_t *depth, cap; /* [folders.n] */
};

static sct_status add_folder(struct walk *w, char *name, uint32_t depth, sct_error *err)
{
    if (name && depth > MAX_DEPTH) {
        const sct_status rc = sct_fail(
            err, SCT_EDATA, "%s: folders are nested more than %d deep; does a link lead back?",
            name, MAX_DEPTH);
        sct_free(name);
        return rc;
    }
    SCT_TRY(add(&w->folders, name, err));
    SCT_TRY(sct_grow((void **)&w->depth, &w->cap, w->folders.n, sizeof *w->depth, err));
    w->depth[w->folders.n - 1] = depth;
    return SCT_OK;
}

static sct_status scan(struct walk *w, uint32_t i, sct_error *err)
{
    static const char *const pictures[] = {".jpg", ".jpeg", ".png", ".webp", NULL};
    const char *folder = w->folders.name[i];
    DIR *d = opendir(folder);
    sct_status rc = d ? SCT_OK : sct_fail(err, SCT_EDATA, "%s: cannot be listed", folder);
    for (const struct dirent *e; rc == SCT_OK && (e = readdir(d));) {
        if (e->d_name[0] == '.')
            continue;
        char *full = sct_path_join(folder, e->d_name);
        if (full && sct_dir_exists(full))
            rc = add_folder(w, full, w->depth[i] + 1, err);
        else if (!full || ends_with_one_of(full, pictures))
            rc = add(w->found, full, err);
        else
            sct_free(full);
    }
    if (d)
        (void)closedir(d);
    return rc;
}

static sct_status add_tree(struct cli_images *im, const char *path, sct_error *err)
{
    struct walk w = {.found = im};
    const uint32_t before = im->n;
    sct_status rc = add_folder(&w, sct_strdup(path), 0, err);
    for (uint32_t i = 0; rc == SCT_OK && i < w.folders.n; i++)
        rc = scan(&w, i, err);
    if (rc == SCT_OK && im->n == before)
        rc = sct_fail(err, SCT_EDATA, "%s: no .jpg, .jpeg, .png or .webp in this folder", path);
    if (rc == SCT_OK)
        qsort(im->name + before, im->n - before, sizeof *im->name, by_name);
    cli_images_free(&w.folders);
    sct_free(w.depth);
    return rc;
}

/* The entries of a list that was read. */
static sct_status add_entries(struct cli_images *im, const struct sct_dataset *ds,
                              const char *folder, sct_error *err)
{
    sct_status rc = SCT_OK;
    for (uint32_t i = 0; rc == SCT_OK && i < ds->count; i++)
        rc = add(im, sct_path_join(folder, ds->entries[i].path), err);
    return rc;
}

static sct_status add_lines(struct cli_images *im, const char *text, size_t size,
                            const char *path, const char *folder, sct_error *err)
{
    struct sct_dataset ds = {.root = folder, .origin = path};
    struct sct_lines at;
    struct sct_line line;
    const uint32_t before = im->n;
    sct_status rc = sct_list_parse(&ds, text, size, path, NULL);
    if (rc == SCT_OK)
        rc = add_entries(im, &ds, folder, err);
    else if (rc == SCT_EDATA) { /* not every line has a label: then none has */
        rc = SCT_OK;
        sct_lines_init(&at, text, size, path);
        while (rc == SCT_OK && sct_lines_next(&at, &line)) {
            const char *name = line.size ? sct_line_copy(&ds.arena, &line, &at, err) : NULL;
            if (name)
                rc = add(im, sct_path_join(folder, name), err);
            else if (line.size)
                rc = err ? err->code : SCT_EDATA;
        }
        if (rc == SCT_OK && im->n == before)
            rc = sct_fail(err, SCT_EDATA, "%s: expected paths of pictures, found none", path);
    }
    sct_dataset_fini(&ds);
    return rc;
}

static sct_status add_list(struct cli_images *im, const char *path, bool csv, sct_error *err)
{
    char *folder = sct_strdup(path), *text = NULL;
    size_t size = 0;
    if (!folder)
        return sct_nomem(err);
    folder[sct_path_base(path) - path] = 0;
    sct_status rc;
    if (csv) {
        struct sct_dataset ds;
        rc = sct_dataset_csv(&ds, path, folder, 0, true, err);
        if (rc == SCT_OK)
            rc = add_entries(im, &ds, folder, err);
        sct_dataset_fini(&ds);
    } else {
        rc = sct_file_read(path, LIST_LIMIT, SCT_EDATA, &text, &size, err);
        if (rc == SCT_OK)
            rc = add_lines(im, text, size, path, folder, err);
    }
    sct_free(text);
    sct_free(folder);
    return rc;
}

sct_status cli_images_add(struct cli_images *im, const char *path, sct_error *err)
{
    static const char *const lists[] = {".txt", ".list", NULL};
    static const char *const csv[] = {".csv", ".tsv", NULL};
    if (sct_dir_exists(path))
        return add_tree(im, path, err);
    const bool is_csv = ends_with_one_of(path, csv);
    if (is_csv || ends_with_one_of(path, lists))
        return add_list(im, path, is_csv, err);
    return add(im, sct_strdup(path), err);
}

sct_status cli_images_load(const struct cli_images *im, uint32_t i, const struct sct_session *x,
                           uint8_t *data, sct_error *err)
{
    struct sct_image img = {0};
    const struct sct_image_opts o = {x->s->max_pixels, (enum sct_deep_mode)x->s->deep_png};
    SCT_TRY(sct_image_read(&img, im->name[i], &o, err));
    const sct_status rc = sct_preprocess_apply(&x->pre, &img, data, err);
    sct_image_fini(&img);
    if (rc != SCT_OK)
        (void)sct_error_prefix(err, "%s", im->name[i]);
    return rc;
}

void cli_images_free(struct cli_images *im)
{
    for (uint32_t i = 0; i < im->n; i++)
        sct_free(im->name[i]);
    sct_free(im->name);
    memset(im, 0, sizeof *im);
}
