/* SPDX-License-Identifier: MIT
 * dir_cache.c - the oldest files of a folder go first. */
#include "core/io/dir_cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/mem.h"
#include "core/base/status.h"

struct entry {
    char *name;
    uint64_t bytes;
    struct timespec used;
};

struct entries {
    struct entry *item;
    uint32_t n, cap;
    uint64_t bytes;
};

void sct_dir_cache_used(const char *path)
{
    (void)utimensat(AT_FDCWD, path, NULL, 0);
}

static int oldest_first(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    if (x->used.tv_sec != y->used.tv_sec)
        return x->used.tv_sec < y->used.tv_sec ? -1 : 1;
    if (x->used.tv_nsec != y->used.tv_nsec)
        return x->used.tv_nsec < y->used.tv_nsec ? -1 : 1;
    return strcmp(x->name, y->name);
}

static sct_status list(DIR *d, const char *part, struct entries *e, sct_error *err)
{
    for (const struct dirent *x = readdir(d); x; x = readdir(d)) {
        struct stat st;
        if (!strstr(x->d_name, part) ||
            fstatat(dirfd(d), x->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode))
            continue;
        SCT_TRY(sct_grow((void **)&e->item, &e->cap, (uint64_t)e->n + 1, sizeof *e->item, err));
        char *name = sct_strdup(x->d_name);
        if (!name)
            return sct_nomem(err);
        e->item[e->n++] = (struct entry){name, (uint64_t)st.st_size, st.st_mtim};
        e->bytes += (uint64_t)st.st_size;
    }
    return SCT_OK;
}

sct_status sct_dir_cache_trim(const char *dir, const char *part, uint64_t max, sct_error *err)
{
    struct entries e = {0};
    DIR *d = opendir(dir);
    if (!d)
        return sct_fail(err, SCT_EFAIL, "%s: cannot list the directory: %s", dir,
                        strerror(errno));
    const sct_status rc = list(d, part, &e, err);
    if (rc == SCT_OK && e.bytes > max)
        qsort(e.item, e.n, sizeof *e.item, oldest_first);
    for (uint32_t i = 0; rc == SCT_OK && i < e.n && e.bytes > max; i++)
        if (unlinkat(dirfd(d), e.item[i].name, 0) == 0)
            e.bytes -= e.item[i].bytes;
    for (uint32_t i = 0; i < e.n; i++)
        sct_free(e.item[i].name);
    sct_free(e.item);
    (void)closedir(d);
    return rc;
}
