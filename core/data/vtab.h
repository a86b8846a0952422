/* SPDX-License-Identifier: MIT
 * vtab.h - the nineteen tasks of VTAB-1k: folder names, classes, groups.
 * Names are those of the export script that everybody's archives come from (NOAH's), classes
 * those of its loaders; docs/formats.md has the table. */
#ifndef SCT_DATA_VTAB_H
#define SCT_DATA_VTAB_H

#include <sctrun/base.h>

enum { SCT_VTAB_TASKS = 19 };

struct sct_vtab_task {
    const char *name;  /* of the folder */
    const char *alias; /* another name in use, or NULL */
    const char *group; /* "natural", "specialized", "structured" */
    uint32_t classes;
};

/* i < SCT_VTAB_TASKS. */
const struct sct_vtab_task *sct_vtab_at(uint32_t i);
/* The task with this name or alias, n bytes; NULL: none. */
const struct sct_vtab_task *sct_vtab_find(const char *name, size_t n);

#endif
