/* SPDX-License-Identifier: MIT
 * preprocess_io.h - preprocessing from a preset, into an adapter folder, and back. */
#ifndef SCT_DATA_PREPROCESS_IO_H
#define SCT_DATA_PREPROCESS_IO_H

#include "core/data/preprocess.h"
#include "core/io/json.h"

/* Reads configs/preprocess/<name>.yaml, or a file when name holds a '/' or ends in .yaml, over
 * what *p holds: both lists of steps and mix are replaced, the rest where the file says so.
 * docs/preprocessing.md. SCT_EUSAGE with file, line and column; *p is then unchanged. */
sct_status sct_preprocess_load(struct sct_preprocess *p, const char *name, sct_error *err);

/* Everything in *p as an object; NULL when memory is short. */
json_t *sct_preprocess_to_json(const struct sct_preprocess *p);

/* The object at key "preprocess" of `own`. An object with "resize" in place of "eval" (a name
 * of
 * --resize, what the first adapters have) is read too. Status own->bad with file and key. */
sct_status sct_preprocess_from_json(struct sct_preprocess *p, const struct sct_json_at *own,
                                    sct_error *err);

#endif
