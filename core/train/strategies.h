/* SPDX-License-Identifier: MIT
 * strategies.h - the strategy of a run: opening it with its options, calibration, building the
 * adapted model. */
#ifndef SCT_TRAIN_STRATEGIES_H
#define SCT_TRAIN_STRATEGIES_H

#include "core/data/loader.h"
#include "core/peft/host.h"
#include "core/train/device.h"
#include "core/train/settings.h"

struct sct_tuner {
    struct sct_strategy_run run;
    struct sct_opts *opts; /* owns the strings of the state */
};

/* Opens strategy `name` and gives it the options in order. EPLUGIN, EUSAGE. On failure *t is
 * empty. */
sct_status sct_tuner_open(struct sct_tuner *t, const char *name, const struct sct_set *set,
                          uint32_t n_set, sct_error *err);
void sct_tuner_close(struct sct_tuner *t);

/* The most images of a batch, and of a list of `count`, that the watches of `plain` ask for; 0
 * without watches. */
struct sct_calibration_size {
    uint32_t batch, images;
};

struct sct_calibration_size sct_calibration_size(const struct sct_model *plain, uint32_t count);

/* After sct_strategy_observe: runs what the watches of `plain` ask for over the training images
 * and lets the strategy choose. loader: over the training source, evaluation transform, for
 * batches of sct_calibration_size() images.
 * dry_bytes: NULL, or nothing is run: the strategy chooses by readings that are all 1, and
 * *dry_bytes receives the device bytes that the largest of the runs would take. */
sct_status sct_calibrate(struct sct_tuner *t, struct sct_model *plain,
                         struct sct_open_device *d, struct sct_loader *loader,
                         const struct sct_source *source, uint64_t seed,
                         const struct sct_plan_opts *plan, uint64_t *dry_bytes, sct_error *err);

#endif
