/* SPDX-License-Identifier: MIT
 * slurp.c - a whole file in memory.
 * Grows by half, so the cost stays linear whatever the size. */
#include "core/data/slurp.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "core/base/mem.h"
#include "core/base/regular.h"

static sct_status read_all(int fd, uint8_t **bytes, size_t *size, const char *path,
                           size_t limit, sct_error *err)
{
    size_t cap = 0, n = 0;
    uint8_t *p = NULL;
    for (;;) {
        if (cap - n < 2) {
            const size_t want = cap ? cap + cap / 2 : 32768;
            uint8_t *q = sct_realloc(p, want, 1);
            if (!q) {
                sct_free(p);
                return sct_fail(err, SCT_ENOMEM, "%s: out of memory reading the file", path);
            }
            p = q;
            cap = want;
        }
        const ssize_t got = read(fd, p + n, cap - n - 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            const int e = errno;
            sct_free(p);
            return sct_fail(err, SCT_EDATA, "%s: cannot be read: %s", path, strerror(e));
        }
        if (got == 0)
            break;
        n += (size_t)got;
        if (n > limit) {
            sct_free(p);
            return sct_fail(err, SCT_EDATA, "%s: expected at most %zu bytes, found more", path,
                            limit);
        }
    }
    p[n] = 0;
    *bytes = p;
    *size = n;
    return SCT_OK;
}

sct_status sct_slurp(uint8_t **bytes, size_t *size, const char *path, size_t limit,
                     sct_error *err)
{
    *bytes = NULL;
    *size = 0;
    int fd;
    uint64_t now;
    SCT_TRY(sct_open_regular(&fd, &now, path, SCT_EDATA, err));
    const sct_status rc = read_all(fd, bytes, size, path, limit, err);
    (void)close(fd);
    return rc;
}
