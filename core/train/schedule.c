/* SPDX-License-Identifier: MIT
 * schedule.c - learning rate of a step. */
#include "core/train/schedule.h"

#include <math.h>

static const double pi = 3.14159265358979323846;

static double timm(const struct sct_lr *s, uint64_t epoch)
{
    const double W = s->warmup_epochs, E = s->epochs;
    if (epoch == 0)
        return W > 0 ? s->warmup_lr : s->lr;
    const double t = (double)(epoch - 1);
    if (t < W)
        return s->warmup_lr + t * (s->lr - s->warmup_lr) / W;
    if (t >= E)
        return s->min_lr;
    return s->min_lr + 0.5 * (s->lr - s->min_lr) * (1.0 + cos(pi * t / E));
}

double sct_lr_at(const struct sct_lr *s, uint64_t step)
{
    const uint64_t steps = s->steps_per_epoch ? s->steps_per_epoch : 1;
    const double e = (double)step / (double)steps, W = s->warmup_epochs, E = s->epochs;
    if (s->kind == SCT_LR_CONSTANT)
        return s->lr;
    if (s->kind == SCT_LR_TIMM)
        return timm(s, step / steps);
    if (e < W) {
        const double up = (e + 1.0 / (double)steps) / W;
        return s->lr * (up < 1.0 ? up : 1.0);
    }
    return E > W ? s->lr * 0.5 * (1.0 + cos(pi * (e - W) / (E - W))) : s->lr;
}
