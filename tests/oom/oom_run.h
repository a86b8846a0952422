/* SPDX-License-Identifier: MIT
 * oom_run.h - whole runs as scenarios of "fail at the n-th allocation": the public entry, and
 * an evaluation as the program makes it. */
#ifndef SCT_TEST_OOM_RUN_H
#define SCT_TEST_OOM_RUN_H

#include <sctrun/base.h>

/* A temporary folder with a tiny model and what a first run leaves there. fini removes it. */
sct_status oom_run_init(sct_error *err);
void oom_run_fini(void);
/* sct_finetune: SCT with calibration, two steps, clipping, moving averages, evaluations. */
sct_status oom_finetune(sct_error *err);
/* The same with every parameter trained, from pictures in every step. */
sct_status oom_finetune_full(sct_error *err);
/* A session with the adapter of the first run, evaluated. */
sct_status oom_evaluate(sct_error *err);

#endif
