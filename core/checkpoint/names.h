/* SPDX-License-Identifier: MIT
 * names.h - an index of names: the position of a name among things that have one. */
#ifndef SCT_CHECKPOINT_NAMES_H
#define SCT_CHECKPOINT_NAMES_H

#include <sctrun/base.h>

#define SCT_NAMES_NONE UINT32_MAX

struct sct_name_entry {
    const char *name;
    uint32_t at;
};

/* All zero is an empty index. */
struct sct_names {
    struct sct_name_entry *entry; /* names ascending */
    uint32_t n;
};

/* Indexes name(ctx, 0) .. name(ctx, n - 1); the strings must outlive the index. *twice, if
 * twice is not NULL, is a name that occurs more than once, or NULL. Ended by sct_names_free; on
 * failure (SCT_ENOMEM) it is empty. */
sct_status sct_names_build(struct sct_names *x,
                           const char *(*name)(const void *ctx, uint32_t i), const void *ctx,
                           uint32_t n, const char **twice, sct_error *err);
void sct_names_free(struct sct_names *x);
/* Position of the name that is the n bytes at `name`, or SCT_NAMES_NONE. */
uint32_t sct_names_find(const struct sct_names *x, const char *name, size_t n);

#endif
