/* SPDX-License-Identifier: MIT
 * map.c - a whole file as read-only memory. */
#include "core/io/map.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/base/regular.h"

/* munmap and madvise take void *; the bytes stay const everywhere else. */
static void *writable(const unsigned char *p)
{
    union {
        const unsigned char *in;
        void *out;
    } u = {p};

    return u.out;
}

sct_status sct_map_open(struct sct_map *m, const char *path, sct_error *err)
{
    *m = (struct sct_map){NULL, 0};
    int fd;
    uint64_t size;
    SCT_TRY(sct_open_regular(&fd, &size, path, SCT_EFILE, err));
    sct_status rc = SCT_OK;
    if (size > SIZE_MAX / 2) {
        rc = sct_fail(err, SCT_EFILE, "%s: too large for this machine", path);
    } else if (size > 0) {
        void *p = mmap(NULL, (size_t)size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (p == MAP_FAILED)
            rc = sct_fail(err, errno == ENOMEM ? SCT_ENOMEM : SCT_EFILE, "%s: cannot map: %s",
                          path, strerror(errno));
        else
            *m = (struct sct_map){p, (size_t)size};
    }
    (void)close(fd);
    return rc;
}

void sct_map_close(struct sct_map *m)
{
    if (m->base)
        (void)munmap(writable(m->base), m->size);
    *m = (struct sct_map){NULL, 0};
}

void sct_map_drop(const struct sct_map *m, const unsigned char *data, size_t size)
{
    const long page = sysconf(_SC_PAGESIZE);
    if (!m->base || page <= 0)
        return;
    /* The first page may still be wanted by what lies before: it comes back from the file. The
     * last one goes with what lies behind, or with the end of the file. */
    const size_t mask = ~((size_t)page - 1);
    const size_t at = (size_t)(data - m->base), end = at + size, from = at & mask;
    const size_t to = end == m->size ? end : end & mask;
    if (to > from)
        (void)madvise(writable(m->base + from), to - from, MADV_DONTNEED);
}
