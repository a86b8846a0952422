/* SPDX-License-Identifier: MIT
 * inspect.h - what sctrun inspect prints of one file. Headers only are read. */
#ifndef SCT_TOOLS_INSPECT_H
#define SCT_TOOLS_INSPECT_H

#include "tools/cli.h"

/* A base: everything that is understood of it. EFILE, after all was printed, if it cannot be
 * used as one; also when it cannot be opened. */
sct_status inspect_base(const char *path, bool json, sct_error *err);
/* Tensors that are no base's (an adapter's); config is printed with them in JSON. */
sct_status inspect_tensors(const char *path, const json_t *config, bool json, sct_error *err);

#endif
