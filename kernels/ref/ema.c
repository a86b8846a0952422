/* SPDX-License-Identifier: MIT
 * ema.c - EMA: one step of an exponential moving average (timm's ModelEmaV2, and ModelEmaV3's
 * warm-up), in place. Computed in double, rounded once. */
#include "kernels/ema_weight.h"
#include "kernels/ref/ref_util.h"

void REF(ema)(const struct sct_kargs *k)
{
    const size_t n = ref_count(&k->d->in[0]);
    const double weight = ema_weight(k);
    const REAL *x = k->in[1];
    REAL *average = k->out[0];
    for (size_t i = 0; i < n; i++) {
        const double a = (double)average[i];
        average[i] = (REAL)(a + weight * ((double)x[i] - a));
    }
}
