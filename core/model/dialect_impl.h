/* SPDX-License-Identifier: MIT
 * dialect_impl.h - what the files of the dialect mapper share. */
#ifndef SCT_MODEL_DIALECT_IMPL_H
#define SCT_MODEL_DIALECT_IMPL_H

#include "core/model/dialect.h"

enum {
    SCT_WRAPPERS_MAX = 16,  /* different prefixes that are looked at in one file */
    SCT_WRAPPER_BYTES = 128 /* of a prefix at most */
};

/* What a name in a file means: by a rule, or (rule NULL) by being canonical itself. */
struct sct_dialect_found {
    const struct sct_dialect_rule *rule;
    struct sct_name_match match;
};

/* name without its wrapper. False: the dialect does not know it. */
bool sct_dialect_read(const struct sct_dialect *d, const char *name,
                      struct sct_dialect_found *f);
/* The row of the canonical names that fits, and how; NULL if there is none. */
const struct sct_canon_name *sct_canon_row(enum sct_arch arch, const char *canon,
                                           struct sct_name_match *m);

/* Length of the wrapper that name begins with, 0 for none; *rank is raised to its rank. */
size_t sct_wrapper_at(const char *name, uint32_t *rank);
/* The row that says why a name may be left out, or NULL: the dialect's and those of training,
 * tried on the name as it is and behind each of its wrappers. */
const struct sct_dialect_ignore *sct_dialect_ignored(const struct sct_dialect *d,
                                                     const char *name);

/* A prefix made of wrappers that occurs in the file: the first n bytes of s. */
struct sct_wrapper_use {
    const char *s;
    size_t n;
    uint32_t rank;
    bool model; /* some dialect fits what is behind it */
};

struct sct_dialect_choice {
    struct sct_wrapper_use wrapper[SCT_WRAPPERS_MAX]; /* the first one is empty */
    uint32_t n_wrapper;
    /* What fits, and behind which wrapper; NULL: nothing does, and then the dialect that knows
     * the most names, or NULL if none knows any. */
    const struct sct_dialect *dialect, *near;
    uint32_t at, known; /* wrapper of either; names that it knows */
};

void sct_dialect_choose(const struct sct_named *t, uint32_t n, struct sct_dialect_choice *c);

#endif
