/* SPDX-License-Identifier: MIT
 * slurp.h - a whole file in memory; private to core/data.
 * The size is found by reading, so files that are still being written are no surprise. */
#ifndef SCT_DATA_SLURP_H
#define SCT_DATA_SLURP_H

#include <sctrun/base.h>

/* Reads a regular file of at most `limit` bytes. *bytes is owned by the caller (sct_free) and
 * has a zero byte after its *size bytes. SCT_EDATA names the file and why it could not be read.
 * On failure *bytes is NULL. */
sct_status sct_slurp(uint8_t **bytes, size_t *size, const char *path, size_t limit,
                     sct_error *err);

#endif
