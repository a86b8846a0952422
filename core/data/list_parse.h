/* SPDX-License-Identifier: MIT
 * list_parse.h - the text of list files; private to core/data, and to tests and fuzzing.
 * `name` is always for messages. */
#ifndef SCT_DATA_LIST_PARSE_H
#define SCT_DATA_LIST_PARSE_H

#include <stdbool.h>

#include "core/data/list.h"

/* A typo in a label must not become a classifier of millions of outputs. */
#define SCT_LABEL_LIMIT 1000000u

/* Walks the lines of a text. */
struct sct_lines {
    const char *at, *end, *name;
    uint32_t no; /* of the line last given, from 1 */
};

struct sct_line {
    const char *at; /* without blanks at its ends; not terminated */
    size_t size;
};

/* Skips a UTF-8 byte order mark. */
void sct_lines_init(struct sct_lines *l, const char *text, size_t size, const char *name);
/* The next line; false at the end of the text. */
bool sct_lines_next(struct sct_lines *l, struct sct_line *out);
/* Space, tab, carriage return. */
bool sct_is_blank(char c);
/* A decimal label below the limit; false: it is none and *label untouched. */
bool sct_scan_label(const char *word, size_t size, uint32_t *label);
/* A copy as a string; NULL: no memory, or a zero byte inside (then *err says which). */
char *sct_line_copy(struct sct_arena *a, const struct sct_line *part,
                    const struct sct_lines *where, sct_error *err);

/* "path label" lines -> ds->entries, count and classes (the largest label + 1). */
sct_status sct_list_parse(struct sct_dataset *ds, const char *text, size_t size,
                          const char *name, sct_error *err);

/* One class name a line -> ds->class_names and ds->classes; every label must have a name. */
sct_status sct_classes_parse(struct sct_dataset *ds, const char *text, size_t size,
                             const char *name, sct_error *err);

/* Records "path,label[,split]" separated by `sep`, as sct_dataset_csv says. */
sct_status sct_csv_parse(struct sct_dataset *ds, const char *text, size_t size, char sep,
                         uint32_t splits, bool whole, const char *name, sct_error *err);

#endif
