/* SPDX-License-Identifier: MIT
 * file.c - whole files and their atomic replacement.
 * Invariant: the final name never shows a file that is not complete and on disk. */
#include "core/io/file.h"

#include "core/base/mem.h"
#include "core/base/regular.h"
#include "core/base/status.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

char *sct_path_join(const char *dir, const char *name)
{
    if (!dir || !*dir || *name == '/')
        return sct_strdup(name);
    const size_t d = strlen(dir), n = strlen(name);
    const size_t slash = dir[d - 1] != '/';
    char *path = sct_alloc(d + slash + n + 1);
    if (!path)
        return NULL;
    memcpy(path, dir, d);
    path[d] = '/'; /* overwritten by name[0] when dir brought its own slash */
    memcpy(path + d + slash, name, n + 1);
    return path;
}

const char *sct_path_base(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

int sct_file_exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

int sct_dir_exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* Fills buf until max bytes or the end of the file; *size says which. */
static int read_up_to(int fd, char *buf, size_t max, size_t *size)
{
    *size = 0;
    while (*size < max) {
        const ssize_t n = read(fd, buf + *size, max - *size);
        if (n == 0)
            return 0;
        if (n > 0)
            *size += (size_t)n;
        else if (errno != EINTR)
            return -1;
    }
    return 0;
}

sct_status sct_file_read(const char *path, size_t max, sct_status bad, char **data,
                         size_t *size, sct_error *err)
{
    *data = NULL;
    *size = 0;
    int fd;
    uint64_t n;
    SCT_TRY(sct_open_regular(&fd, &n, path, bad, err));
    sct_status rc = SCT_OK;
    char *buf = NULL;
    if (n > max)
        rc = sct_fail(err, bad, "%s: has %llu bytes, more than the limit of %zu", path,
                      (unsigned long long)n, max);
    else if (!(buf = sct_alloc((size_t)n + 1)))
        rc = sct_nomem(err);
    else if (read_up_to(fd, buf, (size_t)n, size) != 0)
        rc = sct_fail(err, bad, "%s: cannot read: %s", path, strerror(errno));
    (void)close(fd);
    if (rc != SCT_OK) {
        sct_free(buf);
        *size = 0;
        return rc;
    }
    buf[*size] = 0;
    *data = buf;
    return SCT_OK;
}

struct sct_file_out {
    int fd;
    char *tmp, *path;
};

static void release(struct sct_file_out **f)
{
    if (!*f)
        return;
    sct_free((*f)->tmp);
    sct_free((*f)->path);
    sct_free(*f);
    *f = NULL;
}

/* O_EXCL and a counter instead of mkstemp: the file gets the usual mode (0666 less umask), and
 * two writers in one process do not share a name. A left-over of a killed run is stepped over.
 */
static int open_temp(struct sct_file_out *f, size_t tmp_size)
{
    for (unsigned k = 0; k < 1000; k++) {
        (void)snprintf(f->tmp, tmp_size, "%s.tmp-%ld-%u", f->path, (long)getpid(), k);
        const int fd = open(f->tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd >= 0 || errno != EEXIST)
            return fd;
    }
    return -1;
}

sct_status sct_file_begin(struct sct_file_out **out, const char *path, sct_error *err)
{
    *out = NULL;
    const size_t tmp_size = strlen(path) + 40;
    struct sct_file_out *f = sct_calloc(1, sizeof *f);
    if (!f)
        return sct_nomem(err);
    f->path = sct_strdup(path);
    f->tmp = sct_alloc(tmp_size);
    if (!f->path || !f->tmp) {
        release(&f);
        return sct_nomem(err);
    }
    f->fd = open_temp(f, tmp_size);
    if (f->fd < 0) {
        const int e = errno;
        release(&f);
        return sct_fail(err, SCT_EFAIL, "%s: cannot create: %s", path, strerror(e));
    }
    *out = f;
    return SCT_OK;
}

sct_status sct_file_put(struct sct_file_out *f, const void *data, size_t n, sct_error *err)
{
    /* Linux transfers at most 2 GiB - 4 KiB a call. */
    enum { CHUNK = 1 << 30 };

    const char *p = data;
    while (n > 0) {
        const ssize_t w = write(f->fd, p, n < CHUNK ? n : CHUNK);
        if (w < 0 && errno == EINTR)
            continue;
        if (w <= 0)
            return sct_fail(err, SCT_EFAIL, "%s: cannot write: %s", f->path,
                            strerror(w < 0 ? errno : ENOSPC));
        p += w;
        n -= (size_t)w;
    }
    return SCT_OK;
}

void sct_file_abort(struct sct_file_out **f)
{
    if (!*f)
        return;
    (void)close((*f)->fd);
    (void)unlink((*f)->tmp);
    release(f);
}

/* Makes the rename itself durable. File systems that cannot sync a directory say EINVAL. */
static int sync_parent(const char *path)
{
    const char *base = sct_path_base(path);
    char *dir = base == path ? sct_strdup(".") : sct_strdup(path);
    if (!dir) {
        errno = ENOMEM;
        return -1;
    }
    if (base != path)
        dir[base - path] = 0;
    int rc = -1;
    const int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        rc = fsync(fd) == 0 || errno == EINVAL || errno == ENOTSUP ? 0 : -1;
        (void)close(fd);
    }
    sct_free(dir);
    return rc;
}

sct_status sct_file_commit(struct sct_file_out **out, sct_error *err)
{
    struct sct_file_out *f = *out;
    *out = NULL;
    const char *what = NULL;
    if (fsync(f->fd) != 0 && errno != EINVAL && errno != ENOTSUP)
        what = "flush";
    int e = errno;
    if (close(f->fd) != 0 && !what) {
        what = "close";
        e = errno;
    }
    if (!what && rename(f->tmp, f->path) != 0) {
        what = "rename the finished file to";
        e = errno;
    }
    sct_status rc = SCT_OK;
    if (what) {
        (void)unlink(f->tmp);
        rc = sct_fail(err, SCT_EFAIL, "%s: cannot %s it: %s", f->path, what, strerror(e));
    } else if (sync_parent(f->path) != 0) {
        e = errno;
        rc =
            sct_fail(err, e == ENOMEM ? SCT_ENOMEM : SCT_EFAIL,
                     "%s: written, but its folder cannot be flushed: %s", f->path, strerror(e));
    }
    release(&f);
    return rc;
}

sct_status sct_file_write(const char *path, const void *data, size_t n, sct_error *err)
{
    struct sct_file_out *f = NULL;
    SCT_TRY(sct_file_begin(&f, path, err));
    const sct_status rc = sct_file_put(f, data, n, err);
    if (rc != SCT_OK) {
        sct_file_abort(&f);
        return rc;
    }
    return sct_file_commit(&f, err);
}
