/* SPDX-License-Identifier: MIT
 * strategies.h - calibration: what the strategies of a run ask to see of the data. */
#ifndef SCT_TUNE_STRATEGIES_H
#define SCT_TUNE_STRATEGIES_H

#include "core/data/loader.h"
#include "core/exec/device.h"
#include "core/tune/readings_cache.h"
#include "core/tune/tuner.h"

/* Passes over the data that the watches of an observed model need: one a protocol, whoever
 * asked for it. */
uint32_t sct_calibration_runs(const struct sct_model *plain);

/* Most images of a batch that the watches of `plain` ask for; 0 without watches. */
uint32_t sct_calibration_batch(const struct sct_model *plain);

/* After sct_tuner_observe: runs what the watches of `plain` ask for over the training images
 * and lets every strategy choose by what it asked for. Watches that are equal are computed
 * once. loader: over the training source, evaluation transform, for batches of
 * sct_calibration_batch() images.
 * dry_bytes: NULL, or nothing is run: the strategies choose by readings that are all 1, and
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
