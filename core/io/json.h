/* SPDX-License-Identifier: MIT
 * json.h - JSON files with positions in errors, typed access with key paths, exact floats.
 *
 * The trees are jansson's: json_decref ends one. Duplicate keys are always refused, and nesting
 * is limited before jansson's recursive parser sees the text. Threads: independent trees may be
 * used at the same time. */
#ifndef SCT_IO_JSON_H
#define SCT_IO_JSON_H

#include <sctrun/base.h>

#include <jansson.h>

enum {
    SCT_JSON_MAX_DEPTH = 64,
    SCT_JSON_MAX_BYTES = 16 << 20, /* limit of sct_json_load */
};

/* What text of n bytes would cost as a tree, found without building it: the deepest nesting and
 * an upper bound of the number of values. Text inside strings does not count. */
struct sct_json_cost {
    size_t depth, values;
    size_t deepest; /* byte where depth is reached first */
};
struct sct_json_cost sct_json_measure(const char *text, size_t n);

/* Parses text; `name` (a path) begins every message: "name:line:column: ...". The root must be
 * an object. On success the caller owns *out; on failure *out is NULL and the status is `bad`
 * or SCT_ENOMEM. sct_json_load reads the file first. */
sct_status sct_json_parse(const char *text, size_t n, const char *name, sct_status bad,
                          json_t **out, sct_error *err);
sct_status sct_json_load(const char *path, sct_status bad, json_t **out, sct_error *err);

/* Where a value comes from: an object of a file, its key path ("" for the root), and the status
 * to report when it is not as expected. All borrowed. */
struct sct_json_at {
    const json_t *obj;
    const char *file, *path;
    sct_status bad;
};

enum sct_json_need { SCT_JSON_OPTIONAL, SCT_JSON_REQUIRED };

/* Each reads obj[key] into *out. An absent key or a null leaves *out as it is when optional (so
 * it may hold a default) and is an error when required; another type or range is always an
 * error: "config.json: expected an integer at model.depth, found \"12\"". Strings and arrays
 * are borrowed from the tree. */
sct_status sct_json_get_str(const struct sct_json_at *at, const char *key,
                            enum sct_json_need need, const char **out, sct_error *err);
sct_status sct_json_get_bool(const struct sct_json_at *at, const char *key,
                             enum sct_json_need need, int *out, sct_error *err);
sct_status sct_json_get_u64(const struct sct_json_at *at, const char *key,
                            enum sct_json_need need, uint64_t min, uint64_t max, uint64_t *out,
                            sct_error *err);
sct_status sct_json_get_u32(const struct sct_json_at *at, const char *key,
                            enum sct_json_need need, uint32_t min, uint32_t max, uint32_t *out,
                            sct_error *err);
sct_status sct_json_get_f64(const struct sct_json_at *at, const char *key,
                            enum sct_json_need need, double *out, sct_error *err);
sct_status sct_json_get_array(const struct sct_json_at *at, const char *key,
                              enum sct_json_need need, const json_t **out, sct_error *err);
sct_status sct_json_get_object(const struct sct_json_at *at, const char *key,
                               enum sct_json_need need, const json_t **out, sct_error *err);
/* An array of strings: *n of them, each read by json_string_value(json_array_get(*out, i)). */
sct_status sct_json_get_strings(const struct sct_json_at *at, const char *key,
                                enum sct_json_need need, const json_t **out, size_t *n,
                                sct_error *err);

/* A number that reads back as the same float; null if v is not finite (JSON has no NaN). NULL
 * when memory is short. */
json_t *sct_json_f32(float v);

/* Text of a tree: keys in the order of insertion, reals with 15 digits (every float written by
 * sct_json_f32 survives), indented by 2 or, with indent 0, on one line. A final newline is
 * added. The caller frees *text with sct_free. */
sct_status sct_json_text(const json_t *tree, size_t indent, char **text, size_t *n,
                         sct_error *err);
/* The same into a file, atomically. */
sct_status sct_json_save(const char *path, const json_t *tree, sct_error *err);

#endif
