/* SPDX-License-Identifier: MIT
 * preset.h - the preset of configs/models that a checkpoint is of. */
#ifndef SCT_PRETRAINED_PRESET_H
#define SCT_PRETRAINED_PRESET_H

#include "core/model/guess.h"

struct sct_preset_found {
    char name[96];    /* "": none is like the file */
    bool named;       /* the file's name begins with it; else the shapes alone tell it */
    char others[480]; /* "deit_base_patch16_224 (mean, std), ...": those that the shapes fit as
                       * well, and in which keys they differ; "" when there is none, or named */
};

/* The preset that says nothing else than what the guess knows. Of several the one whose name
 * begins the file's name, then one with the activation that the guess supposes, then the
 * shortest, then the first by the alphabet. resized: image_size and window may differ, where
 * the file's name says the preset. EUSAGE: a preset that cannot be read; ENOMEM. */
sct_status sct_preset_find(const struct sct_guess *g, const char *path, bool resized,
                           struct sct_preset_found *found, sct_error *err);
/* The configuration of a preset that was found. Unless the file's name says it, eps and
 * activation remain those of the library whose names the tensors have. Errors as above. */
sct_status sct_preset_config(const struct sct_guess *g, const struct sct_preset_found *found,
                             struct sct_model_config *cfg, sct_error *err);
/* Facts that were supposed, and are otherwise in that configuration, become the preset's. */
sct_status sct_preset_tell(struct sct_guess *g, const struct sct_preset_found *found,
                           sct_error *err);

/* Whether there is a preset of the configuration's name that builds the same model but for the
 * number of classes. */
bool sct_preset_is(const struct sct_model_config *cfg);

#endif
