/* SPDX-License-Identifier: MIT
 * regular.c - opening a file that a user named.
 * O_NONBLOCK keeps open() from waiting for the other end of a named pipe before fstat can
 * refuse it; on a regular file it changes nothing. */
#include "core/base/regular.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

sct_status sct_open_regular(int *fd, uint64_t *size, const char *path, sct_status bad,
                            sct_error *err)
{
    *size = 0;
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (*fd < 0)
        return sct_fail(err, bad, "%s: cannot open: %s", path, strerror(errno));
    sct_status rc = SCT_OK;
    struct stat s;
    if (fstat(*fd, &s) != 0)
        rc = sct_fail(err, bad, "%s: cannot stat: %s", path, strerror(errno));
    else if (!S_ISREG(s.st_mode))
        rc = sct_fail(err, bad, "%s: expected a regular file, found a %s", path,
                      S_ISDIR(s.st_mode) ? "directory" : "special file");
    if (rc != SCT_OK) {
        (void)close(*fd);
        *fd = -1;
        return rc;
    }
    *size = (uint64_t)s.st_size;
    return SCT_OK;
}
