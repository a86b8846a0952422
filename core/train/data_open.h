/* SPDX-License-Identifier: MIT
 * data_open.h - the training and test sources behind --data. */
#ifndef SCT_TRAIN_DATA_OPEN_H
#define SCT_TRAIN_DATA_OPEN_H

#include "core/data/source.h"
#include "core/train/settings.h"

/* Sources for a VTAB-1k folder or explicit lists, a folder with train/ and test/ (or val/)
 * class folders, or "task:NAME". Either pointer may be NULL when that split is not needed.
 * EDATA, EUSAGE. On failure both are NULL. */
sct_status sct_data_open(const struct sct_settings *s, struct sct_source **train,
                         struct sct_source **test, sct_error *err);

#endif
