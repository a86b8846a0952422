/* SPDX-License-Identifier: MIT
 * class_map.h - which class number a class name has: from a file, an adapter, or another split.
 * With it a model trained on one data set is evaluated on another one whose classes are a part
 * of its own, or are numbered in another way. */
#ifndef SCT_DATA_CLASS_MAP_H
#define SCT_DATA_CLASS_MAP_H

#include <stdbool.h>

#include "core/base/mem.h"

#ifdef __cplusplus
extern "C" {
#endif

struct sct_class_pair {
    const char *name;
    uint32_t index;
};

/* Zero-initialised is empty. After sct_class_map_finish read-only, for any number of threads.
 */
struct sct_class_map {
    struct sct_class_pair *pair; /* [count], sorted by name; several may have one index */
    uint32_t count, cap;
    uint32_t classes;   /* the largest index + 1 */
    const char **names; /* [classes]: the first name given to each, "7" for one that has none */
    bool pairs;         /* given as name and index, not by the order of names */
    bool numerals; /* every name is a decimal number: labels that are numbers are looked up */
    struct sct_arena arena;
};

/* Adds one name, copied. Names may come in any order. SCT_ENOMEM. */
sct_status sct_class_map_add(struct sct_class_map *m, const char *name, size_t size,
                             uint32_t index, sct_error *err);
/* After the last add: SCT_EDATA (`origin` in front) when the map is empty, or when a name has
 * two numbers and the map is one of pairs; in a list of names such a name is not found. */
sct_status sct_class_map_finish(struct sct_class_map *m, const char *origin, sct_error *err);
/* The number of a name; false: it has none, or several. */
bool sct_class_map_find(const struct sct_class_map *m, const char *name, uint32_t *index);

/* Text of a map file: one name a line, numbered from 0; or, if the first line has a tab, name,
 * tab and number in each line. SCT_EDATA with name:line, SCT_ENOMEM; *m is then empty. */
sct_status sct_class_map_parse(struct sct_class_map *m, const char *text, size_t size,
                               const char *name, sct_error *err);
/* Names 0 .. n - 1. SCT_EDATA, SCT_ENOMEM; *m is then empty. */
sct_status sct_class_map_names(struct sct_class_map *m, const char *const *names, uint32_t n,
                               const char *origin, sct_error *err);

/* Accepts empty ones and NULL. */
void sct_class_map_fini(struct sct_class_map *m);

#ifdef __cplusplus
}
#endif
#endif
