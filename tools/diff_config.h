/* SPDX-License-Identifier: MIT
 * diff_config.h - what two JSON trees differ in, key by key. */
#ifndef SCT_TOOLS_DIFF_CONFIG_H
#define SCT_TOOLS_DIFF_CONFIG_H

#include "tools/cli.h"

/* A key of which the values differ: "sctrun.options.k". a, b: compact JSON; NULL: not there. */
struct config_diff {
    char *key, *a, *b;
};

struct config_diffs {
    struct config_diff *item;
    uint32_t n, cap;
};

/* Objects are compared key by key, arrays and numbers as a whole. On failure *d is empty.
 * ENOMEM. */
sct_status config_diff(struct config_diffs *d, const json_t *a, const json_t *b,
                       sct_error *err);
void config_diff_free(struct config_diffs *d);

#endif
