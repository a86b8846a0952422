/* SPDX-License-Identifier: MIT
 * layout.h - which file of a data set's folder is which split, and where its images lie.
 * Pure looking: nothing is read but the names of files. The layouts are described in
 * docs/formats.md. */
#ifndef SCT_DATA_LAYOUT_H
#define SCT_DATA_LAYOUT_H

#include "core/data/list.h"
#include "core/data/vtab.h"

#ifdef __cplusplus
extern "C" {
#endif

#define SCT_LAYOUTS(X)                                                                         \
    X(AUTO, "auto")                                                                            \
    X(LIST, "list")                                                                            \
    X(FEW_SHOT, "few-shot")                                                                    \
    X(FGVC, "fgvc")                                                                            \
    X(CSV, "csv")                                                                              \
    X(FOLDER, "folder")

enum sct_layout {

#define SCT_LAYOUT_ENUM(ID, NAME) SCT_LAYOUT_##ID,
    SCT_LAYOUTS(SCT_LAYOUT_ENUM)
#undef SCT_LAYOUT_ENUM
        SCT_LAYOUT_COUNT
};

const char *sct_layout_name(enum sct_layout l);

/* What a split is read as. */
enum sct_form { SCT_FORM_LIST, SCT_FORM_CSV, SCT_FORM_JSON, SCT_FORM_FOLDER };

struct sct_layout_ask {
    const char *data; /* a folder, or a CSV file with a column split */
    enum sct_layout layout;
    bool tune;              /* train on train, test on val; else train (and val) and test */
    uint32_t shots, seed;   /* few-shot lists; 0 shots: none asked for */
    const char *list[2];    /* files given for train and test, or NULL: the layout's own */
    const char *image_root; /* or NULL: the layout's own */
};

/* Where one split is. Strings belong to the arena of what was found. */
struct sct_split_place {
    const char *file;   /* the list, or the folder of class folders; it exists */
    const char *images; /* root of the paths in a list */
    const char *names;  /* where class names may be, or NULL */
    enum sct_form form;
    uint32_t splits; /* SCT_IN_*: rows of a CSV file that holds all splits, else 0 */
};

struct sct_layout_found {
    enum sct_layout layout;
    const struct sct_vtab_task *task; /* a list folder with the name of one, or NULL */
    const char *root;
    struct sct_split_place place[2]; /* train, test */
    sct_status missing[2];           /* not SCT_OK: that split is not there; why says it */
    sct_error why[2];
    struct sct_arena arena;
};

/* Finds both splits; one that is missing is no failure until it is needed. A root that does not
 * exist is looked for under its alias (cifar, cifar100). SCT_EDATA, SCT_EUSAGE, SCT_ENOMEM; *f
 * is then empty. */
sct_status sct_layout_find(struct sct_layout_found *f, const struct sct_layout_ask *ask,
                           sct_error *err);
/* Accepts empty ones. */
void sct_layout_fini(struct sct_layout_found *f);

#ifdef __cplusplus
}
#endif
#endif
