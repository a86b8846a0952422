/* SPDX-License-Identifier: MIT
 * golden.h - what the golden tests share: the files made by tools/golden, the tiny ViT or Swin,
 * running a graph on a backend, comparing. Everything is in timm's names; "start/x" is where
 * trainable x starts, "grad/x" its gradient. */
#ifndef SCT_TEST_GOLDEN_H
#define SCT_TEST_GOLDEN_H

#include "core/checkpoint/safetensors.h"
#include "core/exec/exec.h"
#include "core/io/json.h"
#include "core/model/build.h"
#include "core/tune/tuner.h"
#include "tests/support/dev.h"

enum {
    GOLDEN_BATCH = 6,
    GOLDEN_ALL = 14,
    GOLDEN_CLASSES = 5,
    GOLDEN_IMAGE_BYTES = 32 * 32 * 3
};

/* The files every test needs, and the device. */
struct golden {
    struct sct_st *model, *forward;
    uint8_t *images; /* [GOLDEN_ALL][32][32][3] */
    struct test_dev dev;
    const char *backend;
    const struct golden_variant *base; /* what strategies are applied to */
    bool f64;
};

/* argv: [swin] [backend [option]], as in "ref f64=on", "swin cpu isa=base". Returns 0, 77 when
 * the backend's module or device is missing, or 1; what is wrong is printed. */
int golden_init(struct golden *g, int argc, char **argv);
void golden_fini(struct golden *g);
/* tests/golden/vit/<name>, or swin/<name> if golden_init was told so. */
sct_status golden_open(struct sct_st **st, const char *name, sct_error *err);
/* The same with the path of the file. */
const char *golden_path(const char *name, char *buf, size_t size);

/* A tensor as floats, or NULL with the error printed and counted. The caller frees it. */
float *golden_f32(const struct sct_st *st, const char *name, uint64_t *n);
/* The same without rounding; F64 tensors only. */
double *golden_f64(const struct sct_st *st, const char *name, uint64_t *n);
/* A tensor as an entry of an adapter. */
sct_status golden_put(struct sct_adapter *a, const char *name, const struct sct_st *st,
                      const struct sct_st_tensor *t, sct_error *err);

/* A form of the tiny model: tensors "@<name>/x" of the model file replace x, those that begin
 * with `without` do not belong to it. */
struct golden_variant {
    const char *name, *without;
    uint32_t pool, class_token, fc_norm; /* ViT */
    uint32_t image, window;              /* Swin; window 0: a ViT */
};

/* The weights of a variant; a tensor of `over` (may be NULL) replaces the one of its name. */
sct_status golden_weights(struct sct_weights **w, const struct golden *g,
                          const struct golden_variant *v, const struct sct_st *over,
                          sct_error *err);
/* keep_head: the file's head, frozen; otherwise a fresh one. */
sct_status golden_model(struct sct_model **m, const struct golden_variant *v,
                        struct sct_weights *w, uint32_t batch, bool keep_head, sct_error *err);
/* The same with stochastic depth up to that rate. */
sct_status golden_model_drop(struct sct_model **m, const struct golden_variant *v,
                             struct sct_weights *w, uint32_t batch, bool keep_head,
                             float drop_path, sct_error *err);

/* Ways to plan the same graph: the numbers must not depend on them. */
struct golden_plan {
    const char *name;
    struct sct_plan_opts opts;
};

enum { GOLDEN_PLANS = 4 };
extern const struct golden_plan golden_plans[GOLDEN_PLANS];

sct_status golden_exec(struct sct_exec **x, const struct golden *g, struct sct_store *store,
                       const struct sct_graph *graph, const struct sct_plan_opts *opts,
                       sct_error *err);
/* begin, body, end with `valid` images of the batch. */
sct_status golden_step(struct sct_exec *x, uint64_t step, float lr, uint32_t valid,
                       sct_error *err);

/* ---- results ---- */

/* Prints a line and counts a failure. */
SCT_PRINTF(2, 3)
void golden_expect(int ok, const char *fmt, ...);
/* Largest |a - b|, and ||a - b|| / ||b|| (a's norm where b is zero). */
double golden_max_diff(const float *a, const float *b, uint64_t n);
double golden_rel_diff(const float *a, const float *b, uint64_t n);
/* Prints the error and counts a failure when rc is not OK. Returns rc. */
sct_status golden_ok(sct_status rc, const sct_error *err, const char *what);
/* 0 when nothing failed. */
int golden_result(void);

#endif
