/* SPDX-License-Identifier: MIT
 * dir.c - directories of a run, replacement of a finished folder.
 * A folder is replaced whole, so a reader never meets files of two different saves. */
#include "core/io/file.h"

#include "core/base/mem.h"
#include "core/base/status.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int is_dot(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

sct_status sct_dir_make(const char *path, sct_error *err)
{
    char *p = sct_strdup(path);
    if (!p)
        return sct_nomem(err);
    sct_status rc = SCT_OK;
    for (char *c = p; rc == SCT_OK && *c; c++) {
        const int last = c[1] == 0;
        if (!last && (*c != '/' || c == p))
            continue;
        const char keep = *c;
        if (keep == '/')
            *c = 0;
        if (*p && mkdir(p, 0777) != 0 && (errno != EEXIST || !sct_dir_exists(p)))
            rc = sct_fail(err, SCT_EFAIL, "%s: cannot make the directory: %s", p,
                          strerror(errno));
        *c = keep;
    }
    sct_free(p);
    return rc;
}

/* 1, 0, or -1 with errno. */
static int is_empty(const char *path)
{
    DIR *d = opendir(path);
    if (!d)
        return -1;
    int empty = 1;
    errno = 0;
    for (const struct dirent *e = readdir(d); empty && e; e = readdir(d))
        empty = is_dot(e->d_name);
    if (empty && errno)
        empty = -1;
    (void)closedir(d);
    return empty;
}

sct_status sct_dir_make_new(const char *path, sct_error *err)
{
    struct stat st;
    if (lstat(path, &st) == 0) {
        if (!sct_dir_exists(path))
            return sct_fail(
                err, SCT_EUSAGE,
                "%s: expected a new or empty directory for the output, found a file; "
                "choose another name",
                path);
        const int empty = is_empty(path);
        if (empty < 0)
            return sct_fail(err, SCT_EFAIL, "%s: cannot list the directory: %s", path,
                            strerror(errno));
        if (!empty)
            return sct_fail(
                err, SCT_EUSAGE,
                "%s: expected a new or empty directory for the output, found files in "
                "it; choose another name, or remove what is there",
                path);
        return SCT_OK;
    }
    return sct_dir_make(path, err);
}

void sct_dir_discard(const char *path)
{
    const int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return;
    DIR *d = fdopendir(fd);
    if (!d) {
        (void)close(fd);
        return;
    }
    for (const struct dirent *e = readdir(d); e; e = readdir(d))
        if (!is_dot(e->d_name))
            (void)unlinkat(fd, e->d_name, 0);
    (void)closedir(d);
    (void)rmdir(path);
}

/* Moves what only `from` has into `to` and deletes `from`. */
static int merge_into(const char *from, const char *to)
{
    const int dst = open(to, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = dst < 0 ? NULL : opendir(from);
    int rc = d ? 0 : -1;
    while (rc == 0) {
        errno = 0;
        const struct dirent *e = readdir(d);
        if (!e) {
            rc = errno ? -1 : 0;
            break;
        }
        if (is_dot(e->d_name))
            continue;
        struct stat st;
        if (fstatat(dst, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
            rc = unlinkat(dirfd(d), e->d_name, 0);
        else
            rc = renameat(dirfd(d), e->d_name, dst, e->d_name);
    }
    const int e = errno;
    if (d)
        (void)closedir(d);
    if (dst >= 0)
        (void)close(dst);
    errno = e;
    return rc != 0 ? rc : rmdir(from);
}

/* tmp takes the name dir; the old folder then has the name of tmp. Without an atomic exchange
 * the old folder steps aside first: a crash in between leaves it as "<tmp>.old". */
static int swap_dirs(const char *tmp, const char *dir, char *aside)
{
#ifdef RENAME_EXCHANGE
    if (renameat2(AT_FDCWD, tmp, AT_FDCWD, dir, RENAME_EXCHANGE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return -1;
#endif
    if (rename(dir, aside) != 0)
        return -1;
    if (rename(tmp, dir) != 0) {
        const int e = errno;
        (void)rename(aside, dir);
        errno = e;
        return -1;
    }
    return rename(aside, tmp);
}

static int sync_dir(const char *dir)
{
    const int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    const int rc = fsync(fd) == 0 || errno == EINVAL || errno == ENOTSUP ? 0 : -1;
    (void)close(fd);
    return rc;
}

sct_status sct_dir_replace(const char *tmp, const char *dir, sct_error *err)
{
    const size_t n = strlen(tmp) + 5;
    char *aside = sct_alloc(n);
    char *up = sct_path_join(dir, "..");
    sct_status rc = SCT_OK;
    if (!aside || !up) {
        rc = sct_nomem(err);
        goto fail;
    }
    (void)snprintf(aside, n, "%s.old", tmp);
    /* rename() itself replaces nothing and an empty directory. */
    if (rename(tmp, dir) == 0) {
        if (sync_dir(up) != 0)
            rc = sct_fail(err, SCT_EFAIL, "%s: written, but its parent cannot be flushed: %s",
                          dir, strerror(errno));
        goto done;
    }
    if ((errno != ENOTEMPTY && errno != EEXIST) || swap_dirs(tmp, dir, aside) != 0) {
        rc = sct_fail(err, SCT_EFAIL, "%s: cannot put the finished folder there: %s", dir,
                      strerror(errno));
        goto fail;
    }
    if (sync_dir(up) != 0 || merge_into(tmp, dir) != 0)
        rc = sct_fail(err, SCT_EFAIL, "%s: written, but its old content is still in %s: %s",
                      dir, tmp, strerror(errno));
    goto done;
fail:
    sct_dir_discard(tmp);
done:
    sct_free(up);
    sct_free(aside);
    return rc;
}
