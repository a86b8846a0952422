/* SPDX-License-Identifier: MIT
 * module.h - finds and opens backends and strategies.
 *
 * A name is searched as <dir>/<kind>/<name>.so in: the folders beside the executable (build
 * tree, tarball), the installed place, then every folder of SCTRUN_PLUGIN_PATH; never in the
 * working directory. A name that holds a '/' is taken as a path. Modules are never unloaded.
 * Thread rule: the registry is used by one thread. */
#ifndef SCT_PLUG_MODULE_H
#define SCT_PLUG_MODULE_H

#include <sctrun/backend.h>
#include <sctrun/strategy.h>

/* Where to look; strings are copied. exe_dir: folder of the program, or NULL; extra: a
 * colon-separated list (SCTRUN_PLUGIN_PATH), or NULL. ENOMEM only. */
sct_status sct_plug_init(const char *exe_dir, const char *extra, sct_error *err);
void sct_plug_fini(void);

/* The backend of that name ("ref" is built in). EDEVICE when there is none (the message lists
 * what was found where), EPLUGIN when it is there but its ABI is not ours. Static storage. */
sct_status sct_plug_backend(const char *name, const struct sct_backend **out, sct_error *err);
/* The strategy of that name. One that was opened by its path is found by its own name, too, and
 * first. EPLUGIN with the same messages. */
sct_status sct_plug_strategy(const char *name, const struct sct_strategy **out, sct_error *err);

/* Names and paths of everything found, one callback each; kind is "backends" or "strategies".
 */
void sct_plug_list(const char *kind,
                   void (*each)(void *ctx, const char *name, const char *path), void *ctx);

/* A file of the project's data ("configs/models/x.yaml"): beside the executable, then
 * installed. Writes the path to buf; EUSAGE says where it was looked for. */
sct_status sct_plug_data(const char *file, char *buf, size_t size, sct_error *err);

#endif
