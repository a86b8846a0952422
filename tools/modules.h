/* SPDX-License-Identifier: MIT
 * modules.h - the modules that can be found, for commands that list them. */
#ifndef SCT_TOOLS_MODULES_H
#define SCT_TOOLS_MODULES_H

#include "tools/cli.h"

enum { CLI_MAX_MODULES = 64 };

struct cli_modules {
    char name[CLI_MAX_MODULES][64], path[CLI_MAX_MODULES][1024];
    uint32_t n;
};

/* All modules of a kind ("backends", "strategies"); of two with one name the one that would be
 * opened. */
void cli_modules_find(struct cli_modules *l, const char *kind);
/* A module as a path that is searched nowhere: "./x.so" for "x.so". SCT_EUSAGE when there is no
 * such file. */
sct_status cli_module_file(const char *name, char *buf, size_t size, sct_error *err);

#endif
