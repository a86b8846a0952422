/* SPDX-License-Identifier: MIT
 * config.h - YAML files as a small tree that knows where everything stood.
 *
 * The subset: one document, a mapping at the root; mappings, sequences, scalars. Refused with
 * file:line:column: tabs as indentation and whatever else libyaml refuses, keys that occur
 * twice, anchors, aliases, tags, keys that are not scalars, nesting deeper than
 * SCT_CFG_MAX_DEPTH, files over SCT_CFG_MAX_BYTES. Scalars stay text until somebody asks for a
 * type, so "on" and "1e-3" mean what the option says they mean. Everything wrong in a file is
 * SCT_EUSAGE.
 *
 * Threads: a loaded tree is constant and may be read by many threads. */
#ifndef SCT_IO_CONFIG_H
#define SCT_IO_CONFIG_H

#include <sctrun/base.h>

#include "core/io/option.h"

enum {
    SCT_CFG_MAX_DEPTH = 32,
    SCT_CFG_MAX_BYTES = 1 << 20,
    SCT_CFG_MAX_KEYS = 1024,   /* in one mapping */
    SCT_CFG_MAX_NODES = 65536, /* in one file */
};

enum sct_cfg_kind { SCT_CFG_SCALAR, SCT_CFG_SEQUENCE, SCT_CFG_MAPPING };

/* Children are a list in the order of the file. Lines and columns count from 1. Everything
 * belongs to the tree. */
struct sct_cfg_node {
    uint32_t kind; /* enum sct_cfg_kind */
    uint32_t line, column;
    uint32_t n; /* children */
    uint32_t key_line, key_column;
    const char *key;  /* of a mapping's child, else NULL */
    const char *text; /* of a scalar; NULL is null: nothing, ~ or null, not in quotes */
    const char *file;
    const struct sct_cfg_node *first, *next;
};

struct sct_cfg;

/* On success the caller owns *cfg (sct_cfg_destroy). On failure *cfg is NULL and the status
 * SCT_EUSAGE or SCT_ENOMEM. `name` stands for the file in messages; text is not kept. */
sct_status sct_cfg_load(struct sct_cfg **cfg, const char *path, sct_error *err);
sct_status sct_cfg_parse(struct sct_cfg **cfg, const char *text, size_t n, const char *name,
                         sct_error *err);
/* Accepts NULL, nulls *cfg. */
void sct_cfg_destroy(struct sct_cfg **cfg);
/* The root mapping; an empty file has an empty one. */
const struct sct_cfg_node *sct_cfg_root(const struct sct_cfg *cfg);

/* The value of a key, or NULL (also when map is NULL or no mapping). */
const struct sct_cfg_node *sct_cfg_get(const struct sct_cfg_node *map, const char *key);

/* Fills "file:line:column: ..." and returns SCT_EUSAGE, for checks of the callers. */
SCT_PRINTF(3, 4)
sct_status sct_cfg_fail(const struct sct_cfg_node *at, sct_error *err, const char *fmt, ...);

/* A mapping's value by key. Absent or null leaves *out as it is (so it may hold a default);
 * another type or range is an error. Strings belong to the tree. sct_cfg_need_str: absent is an
 * error too. */
sct_status sct_cfg_str(const struct sct_cfg_node *map, const char *key, const char **out,
                       sct_error *err);
sct_status sct_cfg_need_str(const struct sct_cfg_node *map, const char *key, const char **out,
                            sct_error *err);
sct_status sct_cfg_u32(const struct sct_cfg_node *map, const char *key, uint32_t min,
                       uint32_t max, uint32_t *out, sct_error *err);
sct_status sct_cfg_f32(const struct sct_cfg_node *map, const char *key, float *out,
                       sct_error *err);
sct_status sct_cfg_bool(const struct sct_cfg_node *map, const char *key, uint32_t *out,
                        sct_error *err);
/* A sequence of n numbers ("mean: [0.5, 0.5, 0.5]"). */
sct_status sct_cfg_f32s(const struct sct_cfg_node *map, const char *key, float *out, uint32_t n,
                        sct_error *err);
/* A sequence of n whole numbers ("depths: [2, 2, 6, 2]"). */
sct_status sct_cfg_u32s(const struct sct_cfg_node *map, const char *key, uint32_t min,
                        uint32_t max, uint32_t *out, uint32_t n, sct_error *err);
/* The node itself, checked to be of that kind; NULL when absent or null. */
sct_status sct_cfg_child(const struct sct_cfg_node *map, const char *key,
                         enum sct_cfg_kind kind, const struct sct_cfg_node **out,
                         sct_error *err);
/* Refuses keys outside the NULL-terminated list, naming the nearest; and what is neither a
 * mapping nor null. */
sct_status sct_cfg_only(const struct sct_cfg_node *map, const char *const *keys,
                        sct_error *err);

/* Sets each key of a flat mapping in the option table with source SCT_OPT_CONFIG. An unknown
 * key, or a value that is no scalar, is an error; keys in `skip` (NULL-terminated, or NULL) are
 * somebody else's. */
sct_status sct_cfg_feed(const struct sct_cfg_node *map, struct sct_opts *o,
                        const char *const *skip, sct_error *err);

/* Appends well-formed UTF-8 as a scalar that every reader of YAML takes for the same string:
 * plain where nobody could take it for anything else, in double quotes; sct_yaml_quoted: always
 * in quotes. */
void sct_yaml_quote(struct sct_str *out, const char *s);
void sct_yaml_quoted(struct sct_str *out, const char *s);

#endif
