/* SPDX-License-Identifier: MIT
 * readings_cache.h - what calibration measured, kept on disk for other runs and strategies.
 *
 * One file a watch, "<folder>/<hash of its key>.safetensors": tensor "value" [rows][cols],
 * where there are row weights tensor "row_weight" [rows], the key as text and a SHA-256 of the
 * values. The key has everything that the bits of a reading follow from:
 *   - the planned program as far as the reading depends on it (core/tune/fingerprint.h), so
 *     also architecture, normalisation, batch, kernels, and what else is watched if it matters
 *   - the SHA-256 of the base's tensors
 *   - the labels and the content of the pictures in the order in which they are read; not their
 *     names or times: a copied folder is the same data, a picture that was replaced is not.
 *     Measuring reads every file anyway, so this costs little
 *   - the steps of preprocessing; how batches are made; version, backend and device
 *   - the run's seed, where random numbers or a fresh head are part of it
 * A file that is no such reading, was cut off or changed, or has another key, is named in a
 * warning and measured again. Nothing here ends a run but what would end the calibration, too.
 * Thread rule: one thread at a time; any number of processes may share a folder. */
#ifndef SCT_TUNE_READINGS_CACHE_H
#define SCT_TUNE_READINGS_CACHE_H

#include "core/data/loader.h"
#include "core/exec/device.h"
#include "core/io/sha256.h"
#include "core/model/weights.h"
#include "core/peft/readings.h"

/* Bytes of a folder of readings; beyond that the ones unused for the longest time go. */
#define SCT_READINGS_CACHE_BYTES (UINT64_C(1) << 30)

struct sct_readings_key; /* private: of a watch */

/* The caller fills the first part, all of it borrowed, and zeroes the rest. */
struct sct_readings_cache {
    const char *dir;               /* of the readings; NULL or "": neither read nor written */
    const struct sct_model *model; /* the plain one, observed */
    const struct sct_open_device *device;
    const struct sct_plan_opts *plan;
    const struct sct_source *source;
    const struct sct_preprocess *pre;
    const struct sct_weights *base;
    const char *base_hash; /* sct_base_hash_of(base) */
    uint64_t seed;
    void (*say)(void *ctx, int level, const char *line); /* or NULL */
    void *say_ctx;
    /* filled here */
    uint32_t n_read, n_measured;  /* readings so far */
    struct sct_readings_key *key; /* of what take left to be measured */
    uint32_t n_key;
    bool failed; /* a file could not be written; said once */
};

/* watch[0..*n) of the model share one run. Those that are in the folder are appended to *out;
 * the others stay in watch, *n of them, to be measured in one run: if leaving the rest away
 * changed a bit of them, all stay. SCT_ENOMEM; SCT_EDATA (a picture), and as planning. */
sct_status sct_readings_cache_take(struct sct_readings_cache *c, uint32_t *watch, uint32_t *n,
                                   struct sct_readings *out, sct_error *err);
/* After take: item[0..n) are the readings of what it left, in its order. Writes them; that this
 * fails is said, and no error. */
void sct_readings_cache_keep(struct sct_readings_cache *c, const struct sct_reading *item,
                             uint32_t n);
void sct_readings_cache_fini(struct sct_readings_cache *c);

/* One file: reads it into *r, whose value [rows][cols] and row_weight [rows] (or NULL) are
 * filled, if it holds the reading `key`. SCT_EFILE: it does not, and why; r's numbers are then
 * whatever. SCT_ENOMEM. */
sct_status sct_reading_load(const char *path, const char *key, struct sct_reading *r,
                            sct_error *err);
/* The same for bytes in memory. */
sct_status sct_reading_parse(const void *data, size_t n, const char *name, const char *key,
                             struct sct_reading *r, sct_error *err);
/* SCT_EFAIL with the system's reason, SCT_ENOMEM. */
sct_status sct_reading_save(const char *path, const char *key, const struct sct_reading *r,
                            sct_error *err);

#endif
