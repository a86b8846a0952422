/* SPDX-License-Identifier: MIT
 * modules.c - the modules that can be found. */
#include "tools/modules.h"

#include <string.h>

#include "core/base/status.h"
#include "core/io/file.h"
#include "core/plug/module.h"

static void note(void *ctx, const char *name, const char *path)
{
    struct cli_modules *l = ctx;
    for (uint32_t i = 0; i < l->n; i++)
        if (strcmp(l->name[i], name) == 0)
            return;
    if (l->n == CLI_MAX_MODULES)
        return;
    (void)snprintf(l->name[l->n], sizeof l->name[0], "%s", name);
    (void)snprintf(l->path[l->n++], sizeof l->path[0], "%s", path);
}

void cli_modules_find(struct cli_modules *l, const char *kind)
{
    l->n = 0;
    sct_plug_list(kind, note, l);
}

sct_status cli_module_file(const char *name, char *buf, size_t size, sct_error *err)
{
    (void)snprintf(buf, size, "%s%s", strchr(name, '/') ? "" : "./", name);
    if (strlen(buf) + 1 < size && sct_file_exists(buf))
        return SCT_OK;
    return sct_fail(err, SCT_EUSAGE,
                    "%s: there is no such file; expected a module, as ./mine.so", name);
}
