/* SPDX-License-Identifier: MIT
 * schedule.h - learning rate of a step. */
#ifndef SCT_TRAIN_SCHEDULE_H
#define SCT_TRAIN_SCHEDULE_H

#include <stdint.h>

enum sct_schedule { SCT_LR_COSINE, SCT_LR_CONSTANT, SCT_LR_TIMM };

struct sct_lr {
    uint32_t kind; /* enum sct_schedule */
    double lr, warmup_epochs, epochs;
    double warmup_lr, min_lr; /* timm only */
    uint64_t steps_per_epoch;
};

/* COSINE, per step: with e = step / steps per epoch, W warm-up epochs of E:
 *   e < W: lr (e + 1/steps)/W, at most lr;  else lr (1 + cos(pi (e - W)/(E - W)))/2.
 * CONSTANT: lr. TIMM: timm's CosineLRScheduler stepped once an epoch with the number of the
 * epoch before: epoch 0 runs at warmup_lr, epoch e at f(e - 1), f(t) = warmup_lr + t (lr -
 * warmup_lr)/W below W, else min_lr + (lr - min_lr)(1 + cos(pi t/E))/2. */
double sct_lr_at(const struct sct_lr *s, uint64_t step);

#endif
