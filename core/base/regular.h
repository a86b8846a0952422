/* SPDX-License-Identifier: MIT
 * regular.h - opening a file that a user named. */
#ifndef SCT_BASE_REGULAR_H
#define SCT_BASE_REGULAR_H

#include <sctrun/base.h>

/* Opens a regular file for reading. *fd is the caller's to close, *size what the file has now.
 * Anything else (a directory, a device, a named pipe, which would be waited for) fails with
 * `bad` and names the path; *fd is -1 then. */
sct_status sct_open_regular(int *fd, uint64_t *size, const char *path, sct_status bad,
                            sct_error *err);

#endif
