/* SPDX-License-Identifier: MIT
 * share.h - what the sessions of a process, one after the other, have in common: the open
 * device, the base and what the device holds of it (packed weights), the lists of a data set
 * with their loaders and the decoded pictures in them.
 *
 * One of each is kept. A session that needs another one ends the old one, so that sessions that
 * agree should follow each other, and memory does not grow with their number. What goes with a
 * model (sct_store_forget_models) is gone when its session is closed; therefore a run is the
 * same, bit for bit, with and without. Features of a frozen part
 * are functions of base, data and preprocessing, and are kept here too.
 * Thread rule: one thread. */
#ifndef SCT_TRAIN_SHARE_H
#define SCT_TRAIN_SHARE_H

#include "core/data/loader.h"
#include "core/exec/device.h"
#include "core/io/sha256.h"
#include "core/pretrained/base.h"
#include "core/train/data_open.h"

struct sct_session;

enum sct_shared { SCT_SHARED_DEVICE = 1, SCT_SHARED_BASE = 2, SCT_SHARED_DATA = 4 };

/* A further list on which a model is tested. */
struct sct_share_target {
    char *key;
    struct sct_source *source;
    struct sct_loader *loader;
};

/* What frozen parts made of the pictures (core/train/features.h), the longest unused first. */
struct sct_share_features {
    char key[SCT_SHA256_HEX]; /* of the program that made them, and which pictures */
    float *data;
    uint64_t bytes;
};

/* Zero-initialised is empty. Must not move while it holds anything. */
struct sct_share {
    struct sct_open_device device;
    struct sct_base base;
    struct sct_source *train, *test;
    struct sct_loader *train_loader, *test_loader;
    struct sct_data_about about;
    struct sct_share_target *target;
    uint32_t n_target, cap_target;
    struct sct_share_features *features; /* of this device, base and data */
    uint32_t n_features, cap_features;
    char *device_key, *base_key, *data_key; /* NULL: there is none */
    uint64_t fetched, uploads, computed;    /* by loaders and devices that are gone */
    uint64_t featured;                      /* pictures whose features were computed */
    uint64_t measured;                      /* readings of calibrations */
    /* where readings are kept when the program has no cache folder; NULL: nowhere */
    const char *readings;
};

/* What was done since the share is there, for a report of what sharing saves. */
struct sct_share_counts {
    uint64_t decoded;  /* images decoded or drawn */
    uint64_t uploads;  /* tensors written to a device */
    uint64_t computed; /* packs and other values that setup made there */
    uint64_t featured; /* pictures that went through a frozen part to be kept as features */
    uint64_t measured; /* readings of calibrations that were in no folder */
};

/* No session may still be open. */
void sct_share_fini(struct sct_share *h);
void sct_share_counts(const struct sct_share *h, struct sct_share_counts *c);

/* ---- for session*.c, of a session with a share ---- */

/* x->device, x->base: those of the share, opened there if it has others or none. A base that
 * goes takes the device along, which holds values of it. interp, seed (of random weights): part
 * of what the base is. As sct_device_open, sct_base_open. */
sct_status sct_share_device(struct sct_session *x, const struct sct_device_opts *opts,
                            sct_error *err);
sct_status sct_share_base(struct sct_session *x, uint64_t seed, uint32_t interp,
                          sct_error *err);
/* Sources and loaders for batches of `batch`. get: true if x has those of the share now. put:
 * those that x has opened are the share's from now on, in the place of what it had. Data whose
 * settings change what is opened into something of its own (--class-map, --skip-bad) is not
 * shared. ENOMEM: x has what it had. */
sct_status sct_share_get_data(struct sct_session *x, uint32_t need, bool *found,
                              sct_error *err);
sct_status sct_share_put_data(struct sct_session *x, uint32_t need, uint32_t batch,
                              sct_error *err);
/* A further list: the loader and source that an earlier session has put under this key, while
 * the data is still that of then, or false. */
bool sct_share_get_target(const struct sct_session *x, const char *key,
                          struct sct_source **source, struct sct_loader **loader);
/* Gives a list to the share. On failure it is still the caller's. */
sct_status sct_share_put_target(struct sct_session *x, const char *key,
                                struct sct_source *source, struct sct_loader *loader,
                                sct_error *err);
/* Features under a key, or NULL; they are the share's, and stay until the session is closed if
 * what it asks for fits together in --feature-bytes. */
const float *sct_share_get_features(struct sct_session *x, const char *key);
/* Gives the share data of `images` pictures, which it frees; what has been unused for the
 * longest time goes when all together are more than --feature-bytes. ENOMEM: still the
 * caller's. */
sct_status sct_share_put_features(struct sct_session *x, const char *key, float *data,
                                  uint64_t bytes, uint32_t images, sct_error *err);
/* At the end of a session: nothing of its model stays on the device. */
void sct_share_leave(struct sct_session *x);

#endif
