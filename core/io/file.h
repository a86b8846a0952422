/* SPDX-License-Identifier: MIT
 * file.h - paths, whole files, directories of a run, atomic replacement.
 *
 * Whatever the program writes appears under its final name complete or not at all: temp file in
 * the same directory, fsync, rename, fsync of the directory. A reader that has the old file
 * mapped keeps the old bytes. If the final name is a symbolic link, the link is replaced.
 *
 * Failures of the system are reported with the path and the text of errno: SCT_EFAIL when
 * writing (a full disk, a read-only folder), the status the caller asks for when reading,
 * because a missing weight file and a missing configuration file end a program with different
 * codes.
 *
 * Threads: independent calls may run at the same time, also for one path (the last rename
 * wins); a struct sct_file_out belongs to one thread at a time. */
#ifndef SCT_IO_FILE_H
#define SCT_IO_FILE_H

#include <sctrun/base.h>

/* dir + "/" + name (no slash is doubled); name alone when dir is NULL or "" or name is
 * absolute. NULL when memory is short. The caller frees it with sct_free. */
char *sct_path_join(const char *dir, const char *name);
/* The part after the last slash; points into path. */
const char *sct_path_base(const char *path);

/* 1 if path names a regular file (directory); symbolic links are followed. */
int sct_file_exists(const char *path);
int sct_dir_exists(const char *path);

/* Reads a whole regular file of at most max bytes. *data gets size bytes followed by a 0 that
 * is not counted; the caller frees it with sct_free. On failure *data is NULL, *size 0, and the
 * status is `bad` (missing, not a regular file, unreadable, longer than max) or SCT_ENOMEM. */
sct_status sct_file_read(const char *path, size_t max, sct_status bad, char **data,
                         size_t *size, sct_error *err);

/* A file being written. begin, put as often as needed, then commit or abort; both of them free
 * *f and set it to NULL, also when commit fails, and the temp file is gone then. The old
 * content of path is untouched until commit succeeds. `path` is copied. */
struct sct_file_out;
sct_status sct_file_begin(struct sct_file_out **f, const char *path, sct_error *err);
sct_status sct_file_put(struct sct_file_out *f, const void *data, size_t n, sct_error *err);
sct_status sct_file_commit(struct sct_file_out **f, sct_error *err);
void sct_file_abort(struct sct_file_out **f);

/* The three steps at once. */
sct_status sct_file_write(const char *path, const void *data, size_t n, sct_error *err);

/* Makes the directory and its missing parents; an existing directory is fine. SCT_EFAIL. */
sct_status sct_dir_make(const char *path, sct_error *err);
/* The same for the output of a run: SCT_EUSAGE if it exists and is not empty, or is no
 * directory. */
sct_status sct_dir_make_new(const char *path, sct_error *err);

/* Deletes the directory `path` and the plain files in it, as far as that goes; for temp folders
 * that this program made. Folders inside are left, and then `path` too. */
void sct_dir_discard(const char *path);

/* Puts the finished folder tmp in the place of dir. An existing dir is exchanged for it in one
 * step where the system can (Linux), else in two renames; then what else lay in the old one
 * (notes, a README) moves over, files that both have come from tmp, and the old one is deleted.
 * On failure tmp is discarded and dir is as it was, unless the message says otherwise.
 * SCT_EFAIL. */
sct_status sct_dir_replace(const char *tmp, const char *dir, sct_error *err);

#endif
