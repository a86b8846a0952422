/* SPDX-License-Identifier: MIT
 * images.c - pictures named on the command line. */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/status.h"
#include "core/data/image.h"
#include "core/io/file.h"
#include "tools/cli.h"

static int is_picture(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot &&
           (strcmp(dot, ".jpg") == 0 || strcmp(dot, ".jpeg") == 0 || strcmp(dot, ".png") == 0 ||
            strcmp(dot, ".JPG") == 0 || strcmp(dot, ".PNG") == 0);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static sct_status names(struct cli_images *im, const char *path, sct_error *err)
{
    uint32_t cap = 0;
    DIR *d = sct_dir_exists(path) ? opendir(path) : NULL;
    const struct dirent *e = NULL;
    sct_status rc = SCT_OK;
    if (!d) {
        rc = sct_grow((void **)&im->name, &cap, 1, sizeof(char *), err);
        if (rc == SCT_OK && (im->name[0] = sct_strdup(path)))
            im->n = 1;
        return im->n ? SCT_OK : sct_nomem(err);
    }
    while (rc == SCT_OK && (e = readdir(d))) {
        if (!is_picture(e->d_name))
            continue;
        rc = sct_grow((void **)&im->name, &cap, (uint64_t)im->n + 1, sizeof(char *), err);
        char *full = rc == SCT_OK ? sct_path_join(path, e->d_name) : NULL;
        if (full)
            im->name[im->n++] = full;
        else if (rc == SCT_OK)
            rc = sct_nomem(err);
    }
    closedir(d);
    if (rc == SCT_OK && im->n == 0)
        rc = sct_fail(err, SCT_EDATA, "%s: no .jpg, .jpeg or .png in this folder", path);
    if (im->n)
        qsort(im->name, im->n, sizeof *im->name, by_name);
    return rc;
}

sct_status cli_images_load(struct cli_images *im, const char *path,
                           const struct sct_preprocess *p, sct_error *err)
{
    memset(im, 0, sizeof *im);
    const size_t one = (size_t)p->size * p->size * 3;
    sct_status rc = names(im, path, err);
    if (rc == SCT_OK && !(im->data = sct_calloc(im->n, one)))
        rc = sct_nomem(err);
    for (uint32_t i = 0; i < im->n && rc == SCT_OK; i++) {
        struct sct_image img = {0};
        rc = sct_image_read(&img, im->name[i], NULL, err);
        if (rc == SCT_OK)
            rc = sct_preprocess_apply(p, &img, im->data + i * one, err);
        sct_image_fini(&img);
    }
    if (rc != SCT_OK)
        cli_images_free(im);
    return rc;
}

void cli_images_free(struct cli_images *im)
{
    for (uint32_t i = 0; i < im->n; i++)
        sct_free(im->name[i]);
    sct_free(im->name);
    sct_free(im->data);
    memset(im, 0, sizeof *im);
}
