/* SPDX-License-Identifier: MIT
 * adapter_folder.c - writes and opens the two files of an adapter.
 * The pair is replaced in one step: indices and weights of different saves never meet. */
#include "core/checkpoint/adapter_folder.h"

#include "core/base/mem.h"
#include "core/base/status.h"
#include "core/base/str.h"
#include "core/io/file.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Makes "<dir>.tmp-<pid>-<k>" and the parents of dir; *tmp is the caller's. */
static sct_status make_temp(const char *dir, size_t n, char **tmp, sct_error *err)
{
    char *path = sct_alloc(n + 40);
    if (!path)
        return sct_nomem(err);
    memcpy(path, dir, n);
    path[n] = 0;
    char *slash = strrchr(path, '/');
    sct_status rc = SCT_OK;
    if (slash && slash != path) {
        *slash = 0;
        rc = sct_dir_make(path, err);
        *slash = '/';
    }
    int made = 0;
    for (unsigned k = 0; rc == SCT_OK && !made && k < 1000; k++) {
        (void)snprintf(path + n, 40, ".tmp-%ld-%u", (long)getpid(), k);
        made = mkdir(path, 0777) == 0;
        if (!made && errno != EEXIST)
            break;
    }
    if (rc == SCT_OK && !made)
        rc = sct_fail(err, SCT_EFAIL, "%s: cannot make the directory: %s", path,
                      strerror(errno));
    if (rc != SCT_OK) {
        sct_free(path);
        return rc;
    }
    *tmp = path;
    return SCT_OK;
}

static sct_status fill(const char *tmp, const json_t *config, const struct sct_st_item *items,
                       size_t n, const struct sct_st_meta *meta, size_t n_meta, sct_error *err)
{
    char *c = sct_path_join(tmp, SCT_ADAPTER_CONFIG),
         *w = sct_path_join(tmp, SCT_ADAPTER_WEIGHTS);
    sct_status rc = c && w ? SCT_OK : sct_nomem(err);
    if (rc == SCT_OK)
        rc = sct_json_save(c, config, err);
    if (rc == SCT_OK)
        rc = sct_st_write(w, items, n, meta, n_meta, err);
    sct_free(c);
    sct_free(w);
    return rc;
}

sct_status sct_adapter_folder_write(const char *dir, const json_t *config,
                                    const struct sct_st_item *items, size_t n,
                                    const struct sct_st_meta *meta, size_t n_meta,
                                    sct_error *err)
{
    size_t len = strlen(dir);
    while (len > 1 && dir[len - 1] == '/')
        len--;
    if (len == 0)
        return sct_fail(err, SCT_EINVAL, "expected the name of an adapter folder, found ''");
    char *tmp = NULL;
    SCT_TRY(make_temp(dir, len, &tmp, err));
    sct_status rc = fill(tmp, config, items, n, meta, n_meta, err);
    if (rc == SCT_OK)
        rc = sct_dir_replace(tmp, dir, err);
    else
        sct_dir_discard(tmp);
    sct_free(tmp);
    return rc;
}

static sct_status open_tensors(struct sct_adapter_folder *f, const char *dir, sct_error *err)
{
    char *path = sct_path_join(dir, SCT_ADAPTER_WEIGHTS);
    char *bin = sct_path_join(dir, "adapter_model.bin");
    sct_status rc = SCT_OK;
    if (!path || !bin)
        rc = sct_nomem(err);
    else if (!sct_file_exists(path) && sct_file_exists(bin))
        rc = sct_fail(err, SCT_EFILE,
                      "%s: found adapter_model.bin only; save the adapter again with "
                      "safe_serialization=True",
                      dir);
    else
        rc = sct_st_open(&f->tensors, path, err);
    sct_free(path);
    sct_free(bin);
    return rc;
}

sct_status sct_adapter_folder_open(struct sct_adapter_folder *f, const char *dir,
                                   sct_error *err)
{
    *f = (struct sct_adapter_folder){0};
    if (!sct_dir_exists(dir))
        return sct_fail(err, SCT_EFILE, "%s: expected an adapter folder, found %s", dir,
                        sct_file_exists(dir) ? "a file" : "nothing");
    f->config_path = sct_path_join(dir, SCT_ADAPTER_CONFIG);
    sct_status rc = f->config_path ? SCT_OK : sct_nomem(err);
    if (rc == SCT_OK)
        rc = sct_json_load(f->config_path, SCT_EFILE, &f->config, err);
    if (rc == SCT_OK)
        rc = open_tensors(f, dir, err);
    if (rc != SCT_OK)
        sct_adapter_folder_close(f);
    return rc;
}

void sct_adapter_folder_close(struct sct_adapter_folder *f)
{
    sct_free(f->config_path);
    json_decref(f->config);
    sct_st_close(&f->tensors);
    *f = (struct sct_adapter_folder){0};
}

sct_status sct_adapter_folder_strategies(char **out, const char *dir, sct_error *err)
{
    struct sct_str list = {0};
    json_t *root = NULL;
    *out = NULL;
    char *path = sct_path_join(dir, SCT_ADAPTER_CONFIG);
    if (!path)
        return sct_nomem(err);
    const sct_status rc = sct_json_load(path, SCT_EFILE, &root, NULL);
    sct_free(path);
    if (rc == SCT_ENOMEM)
        return sct_nomem(err);
    const json_t *own = json_object_get(root, "sctrun"),
                 *several = json_object_get(own, "strategies");
    const char *one = json_string_value(json_object_get(own, "strategy"));
    for (size_t i = 0; i < json_array_size(several); i++) {
        const char *name =
            json_string_value(json_object_get(json_array_get(several, i), "strategy"));
        if (name)
            sct_str_add(&list, "%s%s", list.n ? "\n" : "", name);
    }
    if (!list.n && one)
        sct_str_add(&list, "%s", one);
    json_decref(root);
    if (!list.n && !list.failed)
        return SCT_OK;
    *out = sct_str_take(&list);
    return *out ? SCT_OK : sct_nomem(err);
}
