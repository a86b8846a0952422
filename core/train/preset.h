/* SPDX-License-Identifier: MIT
 * preset.h - the preset of configs/models that a checkpoint is of. */
#ifndef SCT_TRAIN_PRESET_H
#define SCT_TRAIN_PRESET_H

#include "core/model/guess.h"

/* The preset that says nothing else than what the guess knows, written to name. Of several the
 * one whose name begins the file's name, then the shortest, then the first by the alphabet; ""
 * when there is none. resized: image_size and window may differ, where the file's name says the
 * preset. EUSAGE: a preset that cannot be read; ENOMEM. */
sct_status sct_preset_find(const struct sct_guess *g, const char *path, bool resized,
                           char *name, size_t size, sct_error *err);

/* Whether there is a preset of the configuration's name that builds the same model but for the
 * number of classes. */
bool sct_preset_is(const struct sct_model_config *cfg);

#endif
