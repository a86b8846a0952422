/* SPDX-License-Identifier: MIT
 * dialect.h - whose names a checkpoint speaks, and what they are called here.
 *
 * Every backbone has one set of canonical names: timm's of today. A dialect is a row of a table
 * (dialect_table.c): patterns that prove it, rules between its names and the canonical ones,
 * names that it is right to leave out. No dialect has code of its own, and the rules run both
 * ways, so what can be read can be written.
 *
 * Only names and shapes are looked at here; no value is touched before a tensor is wanted.
 * Names and shapes come from files and may be hostile. A map belongs to one thread at a time.
 */
#ifndef SCT_MODEL_DIALECT_H
#define SCT_MODEL_DIALECT_H

#include "core/ir/model.h"
#include "core/model/layout.h"
#include "core/model/name_pattern.h"

enum {
    SCT_DIALECT_PARTS = 3,     /* of the file that make one canonical tensor, at most */
    SCT_DIALECT_STAGES = 8,    /* of a hierarchical model, at most */
    SCT_DIALECT_BLOCKS = 1024, /* of a stage, at most */
    SCT_DIALECT_PROBLEMS = 64, /* that are kept; the others are counted */
};

/* When a canonical name is expected. */
enum sct_canon_need {
    SCT_CANON_ONCE,  /* in every file */
    SCT_CANON_BLOCK, /* once a block */
    SCT_CANON_ALIKE, /* once a block, or in no block */
    SCT_CANON_LATER, /* once a stage, the first excepted */
    SCT_CANON_MAY,   /* or not */
};

/* feature: what a model with such a tensor has, where that is not built; or NULL. */
struct sct_canon_name {
    const char *name;
    const char *feature;
    enum sct_canon_need need;
};

/* One canonical pattern in the words of a dialect; layout as in layout.h, NULL for a copy.
 * alias: another name that is read, but not written. */
struct sct_dialect_rule {
    const char *canon, *source, *layout;
    bool alias;
};

/* A name to leave out, and why. head: with it in the file the file's head is left out too. */
struct sct_dialect_ignore {
    const char *source, *why;
    bool head;
};

/* Each list ends with an empty row. */
struct sct_dialect {
    enum sct_arch arch;
    const char *flavour; /* "timm", "hf4", ... : what --names and inspect call it */
    const char *what;    /* who writes it */
    const char *has[3];  /* patterns of which each must fit a name */
    const char *hasnt;   /* a pattern that must fit none, or NULL */
    bool same;           /* canonical names that no rule speaks of are kept */
    bool npz;            /* Flax: timm resizes these position embeddings in its own way */
    float eps;           /* of the norms, as its library has it by default */
    uint32_t gelu;       /* enum sct_gelu, the same */
    const struct sct_dialect_rule *rule;
    const struct sct_dialect_ignore *ignore;
};

/* A prefix around all names. Of several in one file the one of the highest rank is taken. */
struct sct_dialect_wrapper {
    const char *prefix, *what;
    uint32_t rank;
};

/* The tables. Lists end with an empty row; sct_canon_names and sct_dialects also with NULL. */
extern const struct sct_dialect *const sct_dialects[];
extern const struct sct_canon_name *const sct_canon_names[SCT_ARCH_COUNT];
extern const struct sct_dialect_wrapper sct_dialect_wrappers[];
extern const struct sct_dialect_ignore sct_dialect_training[]; /* ignored in every dialect */

const char *sct_arch_name(enum sct_arch arch);
/* The dialect of that flavour, or NULL. */
const struct sct_dialect *sct_dialect_find(enum sct_arch arch, const char *flavour);

/* ---- from canonical names to a dialect's ---- */

/* How a dialect writes one canonical tensor. */
struct sct_dialect_name {
    const struct sct_dialect_rule *rule; /* NULL: under its own name */
    struct sct_name_match match;         /* numbers and words of the canonical name */
    struct sct_layout layout;
    uint32_t n_part;
};

/* False when the dialect has no name for it. */
bool sct_dialect_name(const struct sct_dialect *d, const char *canon,
                      struct sct_dialect_name *n);
/* Name of part i < n_part in a file (buf: SCT_NAME_MAX bytes). bare: without the optional
 * prefix of the model ("vit."). The parts are equal slices of the canonical tensor's first
 * axis; with a stacked layout the block's number, match.number[0], is the slice. False: there
 * is none. */
bool sct_dialect_part(const struct sct_dialect_name *n, const char *canon, uint32_t i,
                      bool bare, char *buf);

/* ---- from a file to canonical names ---- */

/* A tensor of a file as far as it matters here. Borrowed by a map while it lives. */
struct sct_named {
    const char *name;
    const uint64_t *dim;
    uint32_t nd;
};

struct sct_canon_part {
    uint32_t source; /* index into the file's tensors */
    uint32_t slice;  /* of a stacked layout, else 0 */
};

/* A canonical tensor and what it is made of: the parts one behind the other. */
struct sct_canon {
    const char *name;
    const char *layout_text; /* for people; NULL is a copy */
    struct sct_layout layout;
    struct sct_desc desc; /* f32 */
    struct sct_canon_part part[SCT_DIALECT_PARTS];
    uint32_t n_part;
    bool bad;                         /* a problem says why; desc is empty then */
    const struct sct_canon_name *row; /* of sct_canon_names */
    struct sct_name_match match;      /* of its name against the row */
};

/* What became of a tensor of the file: it is part of canon[...], or it is left out. */
struct sct_dialect_use {
    uint32_t canon;  /* the first of them, when it is stacked; UINT32_MAX: of none */
    const char *why; /* it is left out; NULL as well: nobody knows it */
};

struct sct_dialect_map {
    struct sct_arena arena;
    const struct sct_dialect *dialect; /* NULL: none fits, and problem[0] says so */
    const char *wrapper;               /* stripped from the names; "" for none */
    struct sct_canon *canon;           /* by name, ascending */
    struct sct_dialect_use *use;       /* one a tensor of the file */
    const char *problem[SCT_DIALECT_PROBLEMS];
    uint32_t n_canon, n_use, n_problem, n_more; /* n_more: problems not kept */
    uint32_t stages, depth[SCT_DIALECT_STAGES]; /* blocks found */
};

/* Finds the dialect of n tensors and maps all of them. A file that does not fit is no error of
 * this call: it has problems then. ENOMEM only; *m is NULL then. t must outlive the map. */
sct_status sct_dialect_map(struct sct_dialect_map **m, const struct sct_named *t, uint32_t n,
                           sct_error *err);
/* Accepts NULL, nulls *m. */
void sct_dialect_map_destroy(struct sct_dialect_map **m);
/* By canonical name, or NULL. */
const struct sct_canon *sct_dialect_canon(const struct sct_dialect_map *m, const char *name);
/* Adds a problem that somebody else found. ENOMEM. */
SCT_PRINTF(3, 4)
sct_status sct_dialect_problem(struct sct_dialect_map *m, sct_error *err, const char *fmt, ...);
/* SCT_OK without problems; else EFILE with the first ones. origin (a path) begins it. */
sct_status sct_dialect_check(const struct sct_dialect_map *m, const char *origin,
                             sct_error *err);

#endif
