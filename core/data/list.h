/* SPDX-License-Identifier: MIT
 * list.h - which images one split of a data set has and what their labels are.
 * Lists of "path label" lines, CSV, one folder a class. Which file of a data set's folder is
 * which split is decided in layout.h. */
#ifndef SCT_DATA_LIST_H
#define SCT_DATA_LIST_H

#include <stdbool.h>

#include "core/base/mem.h"
#include "core/data/image.h"

#ifdef __cplusplus
extern "C" {
#endif

struct sct_entry {
    const char *path; /* relative to the root, or absolute */
    uint32_t label;
};

/* One split of a data set. Everything belongs to the arena; sct_dataset_fini frees it.
 * Read-only after it was made, so any number of threads may read. */
struct sct_dataset {
    const char *root;   /* folder that paths are relative to */
    const char *origin; /* the list file or folder it came from, for messages */
    struct sct_entry *entries;
    uint32_t count;
    uint32_t classes;
    const char *const *class_names; /* [classes], or NULL: labels are plain numbers */
    struct sct_image_opts read;     /* how the files are decoded */
    struct sct_arena arena;
};

/* How class folders are numbered. plain (torchvision): the first level of folders, sorted as
 * plain strings ("class10" before "class2"); files .jpg .jpeg .png .ppm .bmp .pgm .tif .tiff
 * .webp. natural (timm): every folder that holds images, by its own name alone, sorted in
 * natural order, lower-cased ("class2" before "class10"); files .png .jpg .jpeg. Files are
 * sorted by the same order. unsaid: plain, if both would number the classes alike. */
enum sct_class_order { SCT_ORDER_UNSAID, SCT_ORDER_PLAIN, SCT_ORDER_NATURAL };

/* Splits of a CSV file with a column that says so, as bits. */
enum { SCT_IN_TRAIN = 1, SCT_IN_VAL = 2, SCT_IN_TEST = 4 };

/* Each of these makes one split: SCT_OK, or *ds is empty and the status is SCT_EDATA (with
 * file:line, or the folder), SCT_EUSAGE where it says so, or SCT_ENOMEM. Paths are copied. */

/* A list file. Lines are "path label": the last blank-separated word is the label, so a path
 * may hold blanks; CRLF, blank lines and a missing final newline are fine. `images` is the
 * root. `names`: a file with one class name a line, used if it exists (or NULL); then a label
 * must be below their number, else classes is the largest label + 1. */
sct_status sct_dataset_list(struct sct_dataset *ds, const char *file, const char *images,
                            const char *names, sct_error *err);

/* A CSV file (RFC 4180), or with a name ending in .tsv one with tabs. Without a header the
 * columns are path, label and perhaps split. A header is a first record that has a column
 * path (or file, filename, image) and a column label (or class, target), in any order and among
 * others. Labels are numbers if all of the file's are; else names, numbered in plain string
 * order over all rows of the file, whatever their split. splits: only rows of these splits
 * ("train", "val", "test"); without such a column this is an error unless `whole`, and 0 takes
 * all rows. */
sct_status sct_dataset_csv(struct sct_dataset *ds, const char *file, const char *images,
                           uint32_t splits, bool whole, sct_error *err);

/* Image files below the class folders of root, found in all depths, links followed; files and
 * folders that begin with a dot are passed over. A class folder without a file is an error in
 * plain order and no class in natural order. unsaid and the orders differ: SCT_EUSAGE shows a
 * class that they number differently. */
sct_status sct_dataset_folder(struct sct_dataset *ds, const char *root,
                              enum sct_class_order order, sct_error *err);

/* Full path of entry i in buf; SCT_EDATA when it does not fit. */
sct_status sct_dataset_path(const struct sct_dataset *ds, uint32_t i, char *buf, size_t size,
                            sct_error *err);

/* Accepts NULL and empty ones. */
void sct_dataset_fini(struct sct_dataset *ds);

/* Natural order: runs of digits by value, all else by lower-cased byte; plain order breaks
 * ties. */
int sct_natural_compare(const char *a, const char *b);

#ifdef __cplusplus
}
#endif
#endif
