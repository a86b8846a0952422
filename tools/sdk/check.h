/* SPDX-License-Identifier: MIT
 * check.h - the conformance suite of `sctrun plugins check FILE`: does a strategy keep the
 * contract of <sctrun/strategy.h>? Every check runs in a process of its own, so that a strategy
 * that crashes or hangs fails one check and no more. */
#ifndef SCT_TOOLS_SDK_CHECK_H
#define SCT_TOOLS_SDK_CHECK_H

#include "core/io/sha256.h"
#include "tools/cli.h"

enum check_verdict { CHECK_PASS, CHECK_FAIL, CHECK_SKIP };

/* What is checked, and where there is room to work. */
struct check {
    const char *file; /* with a '/' */
    char *const *set; /* "KEY=VALUE" for --set */
    uint32_t n_set;
    char dir[1024]; /* scratch; models and a task lie in it */
};

/* One check: fills why (what was found; also of a pass) and returns the verdict. arch: "vit" or
 * "swin", "" for checks that need no model. */
struct check_case {
    const char *name;
    bool per_arch;
    enum check_verdict (*run)(const struct check *c, const char *arch, char *why, size_t size);
};

/* The table, in order; ends with a NULL name. The first case that is per_arch says whether an
 * architecture is refused: the others then skip it. */
extern const struct check_case check_cases[];

/* Runs all, prints a line each, or one JSON object. EPLUGIN when one failed. */
sct_status check_all(const struct check *c, bool json, sct_error *err);
/* scratch/{vit,swin,task}.yaml in a new folder; c->dir. */
sct_status check_open(struct check *c, sct_error *err);
void check_close(struct check *c);

/* ---- runs, for the cases ---- */

struct check_run {
    const char *arch, *backend;
    const char *more[8]; /* further arguments, NULL at the end */
    const char *name;    /* of the run folder below dir */
};

struct check_result {
    float loss[4];
    uint32_t n_loss;
    double eval_loss;
    uint64_t trainable, head;
    char adapter[SCT_SHA256_HEX]; /* of last/adapter_model.safetensors */
};

/* A session of the tiny model with the strategy applied; *x is moved nowhere (its device points
 * into it). The caller ends both. */
sct_status check_session(const struct check *c, const struct check_run *r,
                         struct sct_settings_run *run, struct sct_session *x, sct_error *err);
/* Three steps and an evaluation. */
sct_status check_train(const struct check *c, const struct check_run *r,
                       struct check_result *out, sct_error *err);
/* Loss of an evaluation of the adapter folder that `of` made. */
sct_status check_eval(const struct check *c, const struct check_run *of, double *loss,
                      sct_error *err);

/* check_gradient.c */
enum check_verdict check_gradient(const struct check *c, const char *arch, char *why,
                                  size_t size);

#endif
