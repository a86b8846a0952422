/* SPDX-License-Identifier: MIT
 * ema_weight.h - the weight of an EMA node's step: what the host kernels share. */
#ifndef SCT_EMA_WEIGHT_H
#define SCT_EMA_WEIGHT_H

#include <math.h>

#include "kernels/kargs.h"

/* weight, or with warm-up at least (1 + t)^(-2/3), t the step from 0 (ops.h, sct_ema). */
static inline double ema_weight(const struct sct_kargs *k)
{
    const struct sct_ema_params *a = k->d->params;
    const double weight = (double)a->weight,
                 first = pow((double)k->step->step + 1.0, -2.0 / 3.0);
    return a->warmup && first > weight ? first : weight;
}

#endif
