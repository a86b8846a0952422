/* SPDX-License-Identifier: MIT
 * list_parse.h - the part of list parsing that list.c needs; private to core/data. */
#ifndef SCT_DATA_LIST_PARSE_H
#define SCT_DATA_LIST_PARSE_H

#include "core/data/list.h"

/* Text of classes.txt -> ds->class_names and ds->classes; every label must have a name. */
sct_status sct_classes_parse(struct sct_dataset *ds, const char *text, size_t size,
                             const char *name, sct_error *err);

#endif
