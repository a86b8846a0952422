/* SPDX-License-Identifier: MIT
 * session.h - what the commands share: device, base, data, models, in the order they are
 * needed.
 *
 *   open   settings -> device -> base weights -> data sources -> (adapter)
 *   build  plain model -> calibration -> adapted model
 * Thread rule: one thread. */
#ifndef SCT_TRAIN_SESSION_H
#define SCT_TRAIN_SESSION_H

#include "core/adapter/stack.h"
#include "core/graphs/graphs.h"
#include "core/pretrained/base.h"
#include "core/train/data_open.h"
#include "core/train/share.h"
#include "core/tune/strategies.h"

struct sct_session {
    const struct sct_settings *s;
    struct sct_settings_run *run;
    struct sct_open_device device;
    bool has_device;
    struct sct_base base;
    struct sct_model_config cfg;
    struct sct_preprocess pre;
    struct sct_source *train, *test;
    struct sct_loader *train_loader, *test_loader;
    struct sct_data_about about; /* of the data, when there is any */
    char *skipped;               /* a line for every image left out by --skip-bad, or NULL */
    uint32_t n_skipped;
    struct sct_tuner tuner;
    struct sct_stack stack;       /* of --adapter; empty without */
    const char *adapter;          /* the folder whose head it is, or NULL */
    struct sct_adapter_info info; /* of that folder, or what will be saved */
    struct sct_model *model;      /* adapted */
    const char **class_names;
    char weights[4096];
    uint64_t seed;
    uint64_t feature_bytes;     /* that features may take */
    struct sct_share *share;    /* what this session has in common with others; NULL: nothing */
    uint32_t borrowed;          /* enum sct_shared: what belongs to share */
    uint64_t calibration_bytes; /* of a dry run: device bytes that calibration would take */
    bool keep_readings;         /* set after opening: calibration's readings are kept here */
    struct sct_readings *readings;
    uint32_t n_read, n_measured; /* of them: from the cache, new */
    struct sct_arena arena;
    void (*log)(void *ctx, int level, const char *line);
    void *log_ctx;
};

enum sct_session_need {
    SCT_NEED_TRAIN = 1,  /* training source */
    SCT_NEED_TEST = 2,   /* test source */
    SCT_NEED_DEVICE = 4, /* open the backend */
};

/* Opens everything up to the adapter. log may be NULL. On failure the session is empty. */
sct_status sct_session_open(struct sct_session *x, struct sct_settings_run *run, uint32_t need,
                            const char *(*env)(const char *),
                            void (*log)(void *ctx, int level, const char *line), void *log_ctx,
                            sct_error *err);
/* The same for one of several sessions, of which one at a time is open: device, base, data and
 * decoded pictures come from `share` where an earlier session left the same ones, and stay
 * there. Whatever is computed is the same as without. */
sct_status sct_session_open_shared(struct sct_session *x, struct sct_share *share,
                                   struct sct_settings_run *run, uint32_t need,
                                   const char *(*env)(const char *),
                                   void (*log)(void *ctx, int level, const char *line),
                                   void *log_ctx, sct_error *err);
/* The adapted model for batches of `batch`: calibrates when the strategy asks and no adapter is
 * given; with an adapter, loads it. train: keep what is needed to train (a fresh head). */
sct_status sct_session_model(struct sct_session *x, uint32_t batch, bool train, sct_error *err);
/* The same model without what a strategy adds to it, with a fresh head; after
 * sct_session_model. The caller destroys it before the session is closed. */
sct_status sct_session_plain(struct sct_session *x, struct sct_model **m, sct_error *err);
/* The same with what strategy `part` alone adds, from 0; its values are not filled in. The
 * caller destroys it before the session is closed. */
sct_status sct_session_part(struct sct_session *x, uint32_t part, struct sct_model **m,
                            sct_error *err);
void sct_session_close(struct sct_session *x);

/* Device options from the settings, but for the log. */
void sct_session_device_opts(struct sct_device_opts *o, const struct sct_settings *s,
                             const char *(*env)(const char *));
/* Plan options from the settings. */
sct_status sct_session_plan_opts(const struct sct_session *x, struct sct_plan_opts *o,
                                 sct_error *err);
/* Fills in the base's hash and what else a saved adapter says. */
sct_status sct_session_describe(struct sct_session *x, sct_error *err);
SCT_PRINTF(3, 4)
void sct_session_say(const struct sct_session *x, int level, const char *fmt, ...);

#endif
