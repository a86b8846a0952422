/* SPDX-License-Identifier: MIT
 * recipe.h - published runs as files: configs/recipes/<name>.yaml.
 *
 *     recipe: {about, source, weights, expect}
 *     like: NAME
 *     <settings>, groups: [...], options: {...}
 *     tasks: {<task>: {expect, note, <settings>, options}}
 *     quirks: {<quirk>: {about, tasks: [...], off: {<settings>, options}}}
 *
 * `recipe` says what it is, whence, for which file, and what comes out. `like` names a recipe
 * whose settings, tasks and quirks hold here too, under this one's settings; its figures do
 * not. The settings are those of the publication, its quirks included. A quirk that is switched
 * off replaces settings, of the tasks that it names or of all. Everything wrong in a file, or
 * in a name, is SCT_EUSAGE. */
#ifndef SCT_SETTINGS_RECIPE_H
#define SCT_SETTINGS_RECIPE_H

#include <stdbool.h>

#include "core/base/str.h"
#include "core/io/config.h"

enum { SCT_RECIPE_LAYERS = 32 }; /* mappings of settings: the file, the task, quirks */

struct sct_recipe {
    struct sct_cfg *cfg, *like;                       /* like: NULL, or the file it builds on */
    const struct sct_cfg_node *root, *tasks, *quirks; /* tasks, quirks: of either; or NULL */
    const struct sct_cfg_node *task;                  /* NULL: none was named */
    const char *about, *source, *weights, *expect;
    const struct sct_cfg_node *layer[SCT_RECIPE_LAYERS]; /* weakest first */
    uint32_t n_layer;
};

/* Opens "NAME" or "NAME/TASK"; NAME is one of configs/recipes, or a file if it ends in .yaml
 * (then "FILE:TASK" names a task of it). A task of VTAB-1k has both its names. quirks: "all"
 * (as published), "none", or the names, with commas, of those to keep. need_task: a recipe with
 * tasks must be given one. On failure *r is empty. */
sct_status sct_recipe_open(struct sct_recipe *r, const char *name, const char *quirks,
                           bool need_task, sct_error *err);
void sct_recipe_close(struct sct_recipe *r);

/* 1 when the quirk changes what was opened: it names no tasks, or the one at hand. */
bool sct_recipe_concerned(const struct sct_recipe *r, const struct sct_cfg_node *quirk);

/* The figure to expect: the task's, or the recipe's. */
const char *sct_recipe_expect(const struct sct_recipe *r);
/* The value of a setting that is in force, or "". */
const char *sct_recipe_setting(const struct sct_recipe *r, const char *key);

/* Keys of a layer that are no settings, for sct_cfg_feed; NULL-terminated. */
extern const char *const sct_recipe_other_keys[];

/* What is in force, as a file that -c reads, appended to *text. */
void sct_recipe_text(const struct sct_recipe *r, struct sct_str *text);

#endif
