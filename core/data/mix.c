/* SPDX-License-Identifier: MIT
 * mix.c - mixup and cutmix on 8-bit pictures. */
#include "core/data/mix.h"

#include <math.h>

bool sct_mix_on(const struct sct_step *mix)
{
    return (mix->v[MIX_MIXUP] > 0 || mix->v[MIX_CUTMIX] > 0) && mix->v[MIX_P] > 0;
}

/* [*lo, *hi): a side of `side` pixels about a random centre, within [0, size). */
static void draw_side(struct sct_draw *d, uint32_t size, uint32_t side, uint32_t *lo,
                      uint32_t *hi)
{
    const uint32_t mid = sct_draw_below(d, size), half = side / 2;
    *lo = mid > half ? mid - half : 0;
    *hi = mid + half < size ? mid + half : size;
}

struct sct_mixing sct_mix_draw(const struct sct_step *mix, uint32_t size, struct sct_draw *draw)
{
    struct sct_mixing m = {.lam = 1.0};
    const double up = mix->v[MIX_MIXUP], cut = mix->v[MIX_CUTMIX];
    if (sct_draw_unit(draw) >= mix->v[MIX_P])
        return m;
    const bool coin = sct_draw_unit(draw) < mix->v[MIX_SWITCH];
    m.cut = cut > 0 && (up <= 0 || coin);
    m.lam = sct_draw_beta(draw, m.cut ? cut : up);
    if (!m.cut)
        return m;
    const uint32_t side = (uint32_t)((double)size * sqrt(1.0 - m.lam));
    draw_side(draw, size, side, &m.y0, &m.y1);
    draw_side(draw, size, side, &m.x0, &m.x1);
    m.lam = 1.0 - (double)(m.x1 - m.x0) * (double)(m.y1 - m.y0) / ((double)size * (double)size);
    return m;
}

/* One row of pixels: shares of both pictures where they are blended, x0 .. x1 where one is cut
 * into the other. */
struct row_mix {
    float own, other;
    uint32_t x0, x1;
};

static struct row_mix row_of(const struct sct_mixing *m, uint32_t y)
{
    const bool inside = m->cut && y >= m->y0 && y < m->y1;
    return (struct row_mix){m->cut ? 1.0f : (float)m->lam,
                            m->cut ? 0.0f : (float)(1.0 - m->lam), inside ? m->x0 : 0,
                            inside ? m->x1 : 0};
}

static uint8_t mixed(const struct row_mix *m, uint32_t x, uint8_t own, uint8_t other)
{
    if (x >= m->x0 && x < m->x1)
        return other;
    const float first = (float)own * m->own, second = (float)other * m->other;
    return (uint8_t)rintf(first + second);
}

void sct_mix_pair(uint8_t *a, uint8_t *b, uint32_t size, const struct sct_mixing *of_a,
                  const struct sct_mixing *of_b)
{
    for (uint32_t y = 0; y < size; y++) {
        const struct row_mix ma = row_of(of_a, y), mb = row_of(of_b, y);
        for (uint32_t x = 0; x < size; x++, a += 3, b += 3)
            for (int c = 0; c < 3; c++) {
                const uint8_t va = a[c], vb = b[c];
                a[c] = mixed(&ma, x, va, vb);
                b[c] = mixed(&mb, x, vb, va);
            }
    }
}

void sct_mix_batch(const struct sct_step *mix, uint64_t seed, uint32_t epoch,
                   const uint32_t *item, uint32_t valid, uint32_t size, uint8_t *images,
                   int32_t (*labels)[2], float *share)
{
    const size_t bytes = (size_t)size * size * 3;
    const bool alone = mix->v[MIX_PER] == MIX_PER_IMAGE;
    struct sct_mixing m = {.lam = 1.0};
    struct sct_draw d;
    for (uint32_t r = 0, s = valid - 1; r <= s && s < valid; r++, s--) {
        if (r == 0 || alone) {
            sct_draw_init(&d, seed, epoch, item[r], SCT_DRAW_BATCH);
            m = sct_mix_draw(mix, size, &d);
        }
        struct sct_mixing other = m;
        if (alone) {
            sct_draw_init(&d, seed, epoch, item[s], SCT_DRAW_BATCH);
            other = sct_mix_draw(mix, size, &d);
        }
        if (r == s) /* the middle row has itself */
            break;
        sct_mix_pair(images + r * bytes, images + s * bytes, size, &m, &other);
        labels[r][1] = labels[s][0];
        labels[s][1] = labels[r][0];
        share[r] = (float)m.lam;
        share[s] = (float)other.lam;
    }
}
