/* SPDX-License-Identifier: MIT
 * zip_write.h - a zip archive of stored members, written front to back. The same members give
 * the same bytes: there are no times in it. Threads: one at a time uses an archive. */
#ifndef SCT_CHECKPOINT_ZIP_WRITE_H
#define SCT_CHECKPOINT_ZIP_WRITE_H

#include "core/io/file.h"

struct sct_zip_member {
    const char *name;
    const void *data;
    uint64_t size;
};

/* Writes the n members, all below 4 GiB together (SCT_EINVAL otherwise), one after the other;
 * the data of each begins at a multiple of 64 bytes, as PyTorch has it. The file appears
 * complete or not at all. SCT_EFAIL: the system's reason; SCT_ENOMEM. */
sct_status sct_zip_write(const char *path, const struct sct_zip_member *member, uint32_t n,
                         sct_error *err);

#endif
