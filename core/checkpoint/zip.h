/* SPDX-License-Identifier: MIT
 * zip.h - the members of a zip archive that lies in memory (a mapped .npz or .pth).
 *
 * libzip reads the directory (ZIP64 and data descriptors included) and inflates. Members that
 * are stored are handed out as memory, without a copy. Sizes are the directory's; they are
 * checked against the archive here, so that a caller may allocate what an entry says: stored
 * data lies inside the archive, deflated data claims at most what deflate can reach.
 *
 * Threads: one at a time uses an archive. */
#ifndef SCT_CHECKPOINT_ZIP_H
#define SCT_CHECKPOINT_ZIP_H

#include <sctrun/base.h>

enum { SCT_ZIP_MAX_ENTRIES = 1 << 18 };

struct sct_zip_entry {
    const char *name;          /* ends with 0; any bytes otherwise */
    const unsigned char *data; /* stored: in the archive; NULL when deflated */
    uint64_t size, packed;     /* bytes, and as they lie in the archive */
    uint32_t crc;              /* CRC-32 of the data, as the directory has it */
};

struct sct_zip;

/* Bytes and name (which begins the messages) must outlive *z. On success the caller closes *z;
 * on failure it is NULL. SCT_EFILE: no archive, cut off, encrypted, a method other than stored
 * and deflate, a name twice, sizes that cannot be; SCT_ENOMEM. */
sct_status sct_zip_open(struct sct_zip **z, const void *data, size_t n, const char *name,
                        sct_error *err);
/* Accepts NULL, nulls *z. */
void sct_zip_close(struct sct_zip **z);

uint32_t sct_zip_count(const struct sct_zip *z);
/* In the order of the directory; i < count. */
const struct sct_zip_entry *sct_zip_at(const struct sct_zip *z, uint32_t i);

/* Number of the entry of that name (n bytes), or SCT_ZIP_NONE. */
#define SCT_ZIP_NONE UINT32_MAX

uint32_t sct_zip_find(const struct sct_zip *z, const char *name, size_t n);

/* The first n bytes of an entry, or all when it is shorter; *got of them. Not checked against
 * the checksum. */
sct_status sct_zip_head(struct sct_zip *z, uint32_t i, void *dst, size_t n, size_t *got,
                        sct_error *err);
/* All bytes of an entry; dst holds its size. SCT_EFILE when they are fewer or more than the
 * directory says, or the checksum does not fit. */
sct_status sct_zip_read(struct sct_zip *z, uint32_t i, void *dst, sct_error *err);
/* Compares the checksum of a stored entry; SCT_EFILE. */
sct_status sct_zip_check(const struct sct_zip *z, uint32_t i, sct_error *err);

#endif
