/* SPDX-License-Identifier: MIT
 * memory.h - how much memory a training run will take, before it takes any. */
#ifndef SCT_TRAIN_MEMORY_H
#define SCT_TRAIN_MEMORY_H

#include "core/train/loop.h"

/* Bytes. device: what the backend allocates at its peak, which is the training plan with what
 * evaluation adds beside it, or calibration or the computing of features (before training)
 * where that is more. features: on the host. process: the whole process at its peak, with the
 * device's bytes where a device of kind CPU takes them from the same memory, and without what
 * an OpenCL driver needs for itself. */
struct sct_memory_estimate {
    struct sct_plan_memory plan;
    uint64_t evaluation, calibration, features, device, process;
};

/* Counts of what would be trained (r; the rest of it is 0) and the memory it would take. The
 * model of the session is one that was made with --dry-run. *text (sct_free) is a table for
 * people. On failure *text is NULL. */
sct_status sct_train_dry_run(struct sct_session *x, struct sct_train_result *r,
                             struct sct_memory_estimate *m, char **text, sct_error *err);

/* Most bytes of memory the process has had; 0 where the system does not say. */
uint64_t sct_peak_process_bytes(void);

#endif
