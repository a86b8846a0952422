/* SPDX-License-Identifier: MIT
 * draw.c - the random numbers of one sample. */
#include "core/data/draw.h"

#include <math.h>

#include "kernels/philox.h"

void sct_draw_init(struct sct_draw *d, uint64_t seed, uint32_t epoch, uint32_t item,
                   uint32_t tag)
{
    *d = (struct sct_draw){.key = {(uint32_t)seed, (uint32_t)(seed >> 32)},
                           .counter = {0, epoch, item, tag},
                           .used = 4};
}

uint32_t sct_draw_word(struct sct_draw *d)
{
    if (d->used == 4) {
        philox4x32_10(d->counter, d->key, d->word);
        d->counter[0]++;
        d->used = 0;
    }
    return d->word[d->used++];
}

double sct_draw_unit(struct sct_draw *d)
{
    const uint64_t high = sct_draw_word(d) >> 5, low = sct_draw_word(d) >> 6;
    return (double)(high << 26 | low) * 0x1p-53;
}

double sct_draw_range(struct sct_draw *d, double lo, double hi)
{
    return lo + (hi - lo) * sct_draw_unit(d);
}

uint32_t sct_draw_below(struct sct_draw *d, uint32_t n)
{
    return (uint32_t)((uint64_t)sct_draw_word(d) * n >> 32);
}

double sct_draw_normal(struct sct_draw *d)
{
    const double r = sqrt(-2.0 * log(1.0 - sct_draw_unit(d)));
    return r * cos(2.0 * 3.14159265358979323846 * sct_draw_unit(d));
}

/* Gamma(a, 1): squeeze-free form; a below 1 through a + 1. */
static double gamma_of(struct sct_draw *d, double a)
{
    const double lift = a < 1.0 ? pow(1.0 - sct_draw_unit(d), 1.0 / a) : 1.0;
    const double m = (a < 1.0 ? a + 1.0 : a) - 1.0 / 3.0, c = 1.0 / sqrt(9.0 * m);
    for (;;) {
        const double x = sct_draw_normal(d), t = 1.0 + c * x, v = t * t * t;
        const double u = 1.0 - sct_draw_unit(d);
        if (t > 0.0 && log(u) < 0.5 * x * x + m - m * v + m * log(v))
            return m * v * lift;
    }
}

double sct_draw_beta(struct sct_draw *d, double a)
{
    const double x = gamma_of(d, a), y = gamma_of(d, a);
    if (x + y > 0.0)
        return x / (x + y);
    return sct_draw_unit(d) < 0.5 ? 0.0 : 1.0; /* a tiny a, where both underflow */
}
