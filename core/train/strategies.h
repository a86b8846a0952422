/* SPDX-License-Identifier: MIT
 * strategies.h - the strategy of a run: opening it with its options, calibration, building the
 * adapted model. */
#ifndef SCT_TRAIN_STRATEGIES_H
#define SCT_TRAIN_STRATEGIES_H

#include "core/data/loader.h"
#include "core/peft/host.h"
#include "core/train/device.h"
#include "core/train/readings_cache.h"
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

/* Runs what the watches of `plain` ask for over the training images and lets the strategy
 * choose. loader: over the training source, evaluation transform; batch images at once.
 * dry_bytes: NULL, or nothing is run: the strategy chooses by readings that are all 1, and
 * *dry_bytes receives the device bytes that the largest of the runs would take.
 * cache: where readings are looked for first, and kept; its say receives what is done.
 * readings: NULL, or receives what was measured, the caller's then; untouched on failure. */
sct_status sct_calibrate(struct sct_tuner *t, struct sct_model *plain,
                         struct sct_open_device *d, struct sct_loader *loader,
                         const struct sct_source *source, uint64_t seed,
                         const struct sct_plan_opts *plan, uint64_t *dry_bytes,
                         struct sct_readings_cache *cache, struct sct_readings **readings,
                         sct_error *err);

#endif
