/* SPDX-License-Identifier: MIT
 * dir_cache.h - a folder of files that may go at any time, kept below a size.
 * Threads: independent folders at the same time; processes may share one. */
#ifndef SCT_IO_DIR_CACHE_H
#define SCT_IO_DIR_CACHE_H

#include <sctrun/base.h>

/* The file was used now (its time of modification); nothing happens where that is forbidden. */
void sct_dir_cache_used(const char *path);

/* Deletes plain files of dir whose names end in suffix, those unused for the longest time
 * first, until the rest takes at most max bytes. Files that are gone or may not be deleted are
 * passed over. SCT_EFAIL: the folder cannot be listed; SCT_ENOMEM. */
sct_status sct_dir_cache_trim(const char *dir, const char *part, uint64_t max, sct_error *err);

#endif
