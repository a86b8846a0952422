/* SPDX-License-Identifier: MIT
 * map.h - a whole file as read-only memory.
 * Threads: an open map may be read by many threads at once. A file that another program
 * shortens in place while it is mapped ends the process with SIGBUS; this project's writers
 * replace files instead. */
#ifndef SCT_IO_MAP_H
#define SCT_IO_MAP_H

#include <sctrun/base.h>

/* base is NULL for an empty file. */
struct sct_map {
    const unsigned char *base;
    size_t size;
};

/* Maps a regular file. On failure *m is empty; SCT_EFILE (missing, a folder, a pipe) or
 * SCT_ENOMEM. */
sct_status sct_map_open(struct sct_map *m, const char *path, sct_error *err);
/* Empties *m. */
void sct_map_close(struct sct_map *m);
/* Tells the system that these bytes, which lie in the map, will not be needed soon. Reading
 * them again is correct, only slow. */
void sct_map_drop(const struct sct_map *m, const unsigned char *data, size_t size);

#endif
