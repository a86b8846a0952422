/* SPDX-License-Identifier: MIT
 * table.h - files of a strategy's own as tables: the functions behind sct_strategy_host. What a
 * table is: strategy.h, table_read. docs/formats.md, "Tables". */
#ifndef SCT_PEFT_TABLE_H
#define SCT_PEFT_TABLE_H

#include "core/io/json.h"
#include "core/peft/adapter.h"

enum {
    SCT_TABLE_MAX_ITEMS = 1 << 14, /* tensors and keys of a table that is read */
    SCT_TABLE_MAX_NAME = 512,
    SCT_TABLE_MAX_BYTES = 64 << 20, /* of a JSON file */
};

sct_status sct_table_read(const char *path, sct_adapter **out, sct_error *err);
sct_status sct_table_write(const char *path, const sct_adapter *t,
                           const struct sct_table_form *forms, sct_error *err);

/* The two halves without files. Opens up a tree, which stays the caller's; EFILE: a table
 * cannot hold it. */
sct_status sct_table_from_json(const json_t *tree, const char *what, sct_adapter **out,
                               sct_error *err);
/* The tree of a table; EINVAL: names that contradict each other. */
sct_status sct_table_to_json(const sct_adapter *t, json_t **out, sct_error *err);

#endif
