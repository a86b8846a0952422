/* SPDX-License-Identifier: MIT
 * exec.h - a plan made ready to run: its program, its buffers, its inputs and outputs.
 *
 *   sct_exec_create(&x, plan, store, &err);
 *   for each step:
 *       sct_exec_feed(x, "images", ...);  sct_exec_feed(x, "labels", ...);
 *       sct_exec_begin(x, &state, &err);  prologue
 *       sct_exec_body(x, valid, &err);    one batch; again for further batches of a run
 *       sct_exec_end(x, &err);            epilogue
 *       sct_exec_fetch(x, "loss", &loss, &err);
 *
 * begin, body and end may return before the device is done; fetch waits. No allocation between
 * begin and end. Thread rule: one thread at a time, the device's. */
#ifndef SCT_EXEC_H
#define SCT_EXEC_H

#include "core/exec/store.h"

struct sct_exec;

/* Takes over *plan on success (it is freed with the exec), leaves it to the caller on failure.
 * The store must outlive the exec. */
sct_status sct_exec_create(struct sct_exec **out, struct sct_plan **plan,
                           struct sct_store *store, sct_error *err);
void sct_exec_destroy(struct sct_exec **x);

const struct sct_plan *sct_exec_plan(const struct sct_exec *x);

/* rows rows of the batch input `name` from src; the other rows keep their values. */
sct_status sct_exec_feed(struct sct_exec *x, const char *name, const void *src, uint32_t rows,
                         sct_error *err);
sct_status sct_exec_begin(struct sct_exec *x, const struct sct_step_state *state,
                          sct_error *err);
/* The state of a further batch of the same run (evaluation). */
sct_status sct_exec_state(struct sct_exec *x, const struct sct_step_state *state,
                          sct_error *err);
/* The micro-batches that hold the first `valid` images. */
sct_status sct_exec_body(struct sct_exec *x, uint32_t valid, sct_error *err);
sct_status sct_exec_end(struct sct_exec *x, sct_error *err);
/* All elements of the output `name`. */
sct_status sct_exec_fetch(struct sct_exec *x, const char *name, void *dst, sct_error *err);
/* The same of an f32 output, with all digits of a device that computes in f64. */
sct_status sct_exec_fetch_f64(struct sct_exec *x, const char *name, double *dst,
                              sct_error *err);
/* Time by op and row since the exec was made, slowest first, as a table; NULL when the backend
 * does not measure (option profile). String from sct_alloc. */
char *sct_exec_profile(struct sct_exec *x);
/* Description of an input or output; NULL if there is none. */
const struct sct_desc *sct_exec_desc(const struct sct_exec *x, const char *name);

#endif
