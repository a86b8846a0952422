/* SPDX-License-Identifier: MIT
 * calibrate.h - the parts of sctrun calibrate. */
#ifndef SCT_TOOLS_CALIBRATE_H
#define SCT_TOOLS_CALIBRATE_H

#include "core/tune/choices.h"
#include "tools/cli.h"

/* Of every pair of lists: entries in both over the shorter list, and Jaccard's index; -1 where
 * they are not alike. [n][n] each, row by row; the caller frees both (sct_free). */
struct overlaps {
    double *overlap, *jaccard;
};

sct_status overlaps_make(struct overlaps *o, const struct sct_choices *c, sct_error *err);
void overlaps_free(struct overlaps *o);

/* calibrate_picture.c: scores of every list, largest first, with what was chosen; below, the
 * overlaps. title: one line. SCT_EFAIL (writing), SCT_ENOMEM. */
sct_status calibrate_picture(const char *path, const char *title, const struct sct_choices *c,
                             const struct overlaps *o, sct_error *err);

/* calibrate_compare.c: results of `calibrate --json`, list by list. SCT_EFILE names file and
 * key; SCT_EUSAGE: they have no list in common. */
sct_status calibrate_compare(const char *const *path, uint32_t n, int json, sct_error *err);

#endif
