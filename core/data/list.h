/* SPDX-License-Identifier: MIT
 * list.h - which images a data set has and what their labels are.
 * Lists of "path label" lines (VTAB-1k folders or given files) and folders with one folder a
 * class. */
#ifndef SCT_DATA_LIST_H
#define SCT_DATA_LIST_H

#include "core/base/mem.h"
#include "core/data/image.h"

#ifdef __cplusplus
extern "C" {
#endif

struct sct_entry {
    const char *path; /* relative to the root */
    uint32_t label;
};

/* One split of a data set. Everything belongs to the arena; sct_dataset_fini frees it.
 * Read-only after it was made, so any number of threads may read. */
struct sct_dataset {
    const char *root;
    const char *origin; /* the list file or folder it came from, for messages */
    struct sct_entry *entries;
    uint32_t count;
    uint32_t classes;
    const char *const *class_names; /* [classes], or NULL: no names are known */
    struct sct_image_opts read;     /* how the files are decoded */
    struct sct_arena arena;
};

/* How class folders are numbered: torchvision sorts names as plain strings ("class10" before
 * "class2"), timm in natural order, lower-cased ("class2" before "class10"). */
enum sct_class_order { SCT_ORDER_PLAIN, SCT_ORDER_NATURAL };

/* Reads root/list (a file name like "train800.txt", or an absolute path). Lines are "path
 * label": the last blank-separated word is the label, so a path may hold blanks; CRLF, blank
 * lines and a missing final newline are fine. Names come from root/classes.txt if there is one
 * (one a line); then a label must be below their number, else classes is the largest label + 1.
 * If root does not exist and its last part is cifar or cifar100, the other name is tried. A
 * missing list names itself and the lists that are there. SCT_EDATA with file:line, SCT_ENOMEM;
 * *ds is then empty. */
sct_status sct_dataset_list(struct sct_dataset *ds, const char *root, const char *list,
                            sct_error *err);

/* Every .jpg .jpeg .png file below each class folder of root, found in all depths, links
 * followed; the first folder level is the class. Files are sorted by the same order as classes.
 */
sct_status sct_dataset_folder(struct sct_dataset *ds, const char *root,
                              enum sct_class_order order, sct_error *err);

/* Makes both splits agree on the number of classes (the larger; an error when both have names
 * that differ), so that a class missing in one of them still has its output. */
sct_status sct_dataset_unite(struct sct_dataset *a, struct sct_dataset *b, sct_error *err);

/* Full path of entry i in buf; SCT_EDATA when it does not fit. */
sct_status sct_dataset_path(const struct sct_dataset *ds, uint32_t i, char *buf, size_t size,
                            sct_error *err);

void sct_dataset_fini(struct sct_dataset *ds);

/* Parts of the above, on memory; for tests and fuzzing. `name` is for messages. */
sct_status sct_list_parse(struct sct_dataset *ds, const char *text, size_t size,
                          const char *name, sct_error *err);
/* Natural order: runs of digits by value, all else by lower-cased byte; plain order breaks
 * ties. */
int sct_natural_compare(const char *a, const char *b);

#ifdef __cplusplus
}
#endif
#endif
