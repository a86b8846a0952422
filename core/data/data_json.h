/* SPDX-License-Identifier: MIT
 * data_json.h - data sets and class maps that are JSON objects. */
#ifndef SCT_DATA_DATA_JSON_H
#define SCT_DATA_DATA_JSON_H

#include "core/data/class_map.h"
#include "core/data/list.h"

/* VPT's FGVC lists: an object "image path": class id. The order of keys is the order of
 * samples; the distinct ids, sorted (all integers, or all strings), are the classes 0 .. C - 1
 * and their own names. `images` is the root of the paths. SCT_EDATA with the file and the path;
 * *ds is then empty. */
sct_status sct_json_list(struct sct_dataset *ds, const char *file, const char *images,
                         sct_error *err);

/* A class map: an object "name": number for names that end in .json, else what
 * sct_class_map_parse reads. SCT_EDATA; *m is then empty. */
sct_status sct_class_map_read(struct sct_class_map *m, const char *file, sct_error *err);

/* The text alone, for tests and fuzzing; `name` is for messages. */
sct_status sct_json_list_parse(struct sct_dataset *ds, const char *text, size_t size,
                               const char *name, sct_error *err);
sct_status sct_json_map_parse(struct sct_class_map *m, const char *text, size_t size,
                              const char *name, sct_error *err);

#endif
