/* SPDX-License-Identifier: MIT
 * interp.c - resizing square grids of vectors, one axis after the other.
 * Coefficients and sums are f64; torch's are f32, which is what the difference of some 1e-7 of
 * the values comes from. */
#include "core/model/interp.h"

#include <math.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/base/status.h"

static const char *const names[SCT_INTERP_COUNT] = {"none", "timm", "timm-0.6", "hf", "ms"};

const char *sct_interp_name(enum sct_interp how)
{
    return how < SCT_INTERP_COUNT ? names[how] : "?";
}

enum sct_interp sct_interp_find(const char *name)
{
    uint32_t i = 0;
    while (i < SCT_INTERP_COUNT && strcmp(names[i], name) != 0)
        i++;
    return (enum sct_interp)i;
}

/* One axis: value i of the result is the sum over k of weight[i][k] times value at[i][k]. */
struct axis {
    uint32_t to, taps;
    uint32_t *at;
    double *weight;
};

static sct_status axis_init(struct axis *a, uint32_t to, uint32_t taps, sct_error *err)
{
    *a = (struct axis){.to = to, .taps = taps};
    a->at = sct_calloc((size_t)to * taps, sizeof *a->at);
    a->weight = sct_calloc((size_t)to * taps, sizeof *a->weight);
    return a->at && a->weight ? SCT_OK : sct_nomem(err);
}

static void axis_fini(struct axis *a)
{
    sct_free(a->at);
    sct_free(a->weight);
}

/* Keys' kernel: 1 at 0, 0 at the other integers, 0 from 2 on. */
static double cubic(double x, double a)
{
    x = fabs(x);
    if (x < 1)
        return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? a * (((x - 5) * x + 8) * x - 4) : 0;
}

static uint32_t clamp(int64_t v, uint32_t n)
{
    return v < 0 ? 0 : v >= n ? n - 1 : (uint32_t)v;
}

/* Four neighbours, those outside replaced by the edge. */
static sct_status bicubic(struct axis *a, uint32_t from, uint32_t to, sct_error *err)
{
    SCT_TRY(axis_init(a, to, 4, err));
    for (uint32_t i = 0; i < to; i++) {
        const double x = (i + 0.5) * from / to - 0.5, low = floor(x);
        for (uint32_t k = 0; k < 4; k++) {
            a->at[4 * i + k] = clamp((int64_t)low - 1 + k, from);
            a->weight[4 * i + k] = cubic(x - low + 1 - k, -0.75);
        }
    }
    return SCT_OK;
}

static sct_status bilinear(struct axis *a, uint32_t from, uint32_t to, sct_error *err)
{
    SCT_TRY(axis_init(a, to, 2, err));
    for (uint32_t i = 0; i < to; i++) {
        const double x = fmax((i + 0.5) * from / to - 0.5, 0), low = floor(x);
        a->at[2 * i] = clamp((int64_t)low, from);
        a->at[2 * i + 1] = clamp((int64_t)low + 1, from);
        a->weight[2 * i] = 1 - (x - low);
        a->weight[2 * i + 1] = x - low;
    }
    return SCT_OK;
}

/* The kernel is widened when shrinking, cut off at the edges and normalised. */
static sct_status bicubic_antialias(struct axis *a, uint32_t from, uint32_t to, sct_error *err)
{
    const double scale = (double)from / to, wide = fmax(scale, 1), support = 2 * wide;
    SCT_TRY(axis_init(a, to, (uint32_t)ceil(support) * 2 + 1, err));
    for (uint32_t i = 0; i < to; i++) {
        const double centre = (i + 0.5) * scale;
        const uint32_t first = (uint32_t)fmax(centre - support + 0.5, 0);
        const uint32_t end = (uint32_t)fmin(centre + support + 0.5, from);
        uint32_t *at = a->at + (size_t)i * a->taps;
        double *w = a->weight + (size_t)i * a->taps, sum = 0;
        for (uint32_t k = 0; first + k < end && k < a->taps; k++) {
            at[k] = first + k;
            sum += w[k] = cubic((first + k + 0.5 - centre) / wide, -0.5);
        }
        for (uint32_t k = 0; k < a->taps; k++)
            w[k] /= sum;
    }
    return SCT_OK;
}

/* The ratio for which n steps 1, q, q^2, ... reach just beyond `reach`. */
static double ratio(uint32_t n, uint32_t reach)
{
    double left = 1.01, right = 1.5, q = left;
    while (right - left > 1e-6) {
        q = (left + right) / 2;
        if ((1 - pow(q, n)) / (1 - q) > reach)
            right = q;
        else
            left = q;
    }
    return q;
}

/* timm: the old entries stand at 0, +-1, +-(1 + q), ...; the new ones at whole numbers, and
 * beyond the last old entry repeat it. */
static sct_status geometric(struct axis *a, uint32_t from, uint32_t to, sct_error *err)
{
    const uint32_t half = from / 2;
    const double q = ratio(half, to / 2);
    SCT_TRY(axis_init(a, to, 2, err));
    double *node = sct_calloc(from, sizeof *node);
    if (!node)
        return sct_nomem(err);
    double sum = 0;
    for (uint32_t i = 1; i <= half; i++) {
        sum += pow(q, i - 1);
        node[half + i] = (float)sum;
        node[half - i] = -(float)sum;
    }
    for (uint32_t i = 0; i < to; i++) {
        const double x = (double)i - to / 2;
        uint32_t k = 0;
        while (k + 1 < from && node[k] < x)
            k++;
        const uint32_t low = k ? k - 1 : 0;
        double w = k ? (x - node[low]) / (node[k] - node[low]) : 0;
        w = w < 0 ? 0 : w > 1 ? 1 : w;
        a->at[2 * i] = low;
        a->at[2 * i + 1] = k;
        a->weight[2 * i] = 1 - w;
        a->weight[2 * i + 1] = w;
    }
    sct_free(node);
    return SCT_OK;
}

/* One axis of a field [outer][from][inner]. */
static void apply(const struct axis *a, const double *src, uint32_t from, double *dst,
                  size_t outer, size_t inner)
{
    for (size_t o = 0; o < outer; o++)
        for (uint32_t i = 0; i < a->to; i++) {
            double *to = dst + (o * a->to + i) * inner;
            memset(to, 0, inner * sizeof *to);
            for (uint32_t k = 0; k < a->taps; k++) {
                const double w = a->weight[(size_t)i * a->taps + k];
                const double *v = src + (o * from + a->at[(size_t)i * a->taps + k]) * inner;
                for (size_t c = 0; c < inner; c++)
                    to[c] += w * v[c];
            }
        }
}

static sct_status resize(const struct axis *a, const float *src, uint32_t from, float *dst,
                         uint32_t channels, sct_error *err)
{
    const size_t n = (size_t)from * from * channels, m = (size_t)a->to * a->to * channels;
    double *field = sct_calloc(n, sizeof *field), *out = sct_calloc(m, sizeof *out);
    double *rows = sct_calloc((size_t)from * a->to * channels, sizeof *rows);
    const bool ok = field && out && rows;
    for (size_t i = 0; ok && i < n; i++)
        field[i] = (double)src[i];
    if (ok) {
        apply(a, field, from, rows, from, channels);
        apply(a, rows, from, out, 1, (size_t)a->to * channels);
    }
    for (size_t i = 0; ok && i < m; i++)
        dst[i] = (float)out[i];
    sct_free(field);
    sct_free(rows);
    sct_free(out);
    return ok ? SCT_OK : sct_nomem(err);
}

typedef sct_status (*method)(struct axis *a, uint32_t from, uint32_t to, sct_error *err);

static sct_status run(method make, const float *src, uint32_t from, float *dst, uint32_t to,
                      uint32_t channels, sct_error *err)
{
    struct axis a;
    if (!make || !from || !to || from > SCT_INTERP_MAX_SIDE || to > SCT_INTERP_MAX_SIDE)
        return sct_fail(err, SCT_EINVAL,
                        "a grid of side %u cannot be resized to %u: sides go from 1 to %d",
                        from, to, SCT_INTERP_MAX_SIDE);
    sct_status rc = make(&a, from, to, err);
    if (rc == SCT_OK)
        rc = resize(&a, src, from, dst, channels, err);
    axis_fini(&a);
    return rc;
}

static const method for_positions[SCT_INTERP_COUNT] = {
    [SCT_INTERP_TIMM] = bicubic_antialias,
    [SCT_INTERP_TIMM_06] = bicubic,
    [SCT_INTERP_HF] = bicubic,
    [SCT_INTERP_MS] = bicubic,
};
static const method for_tables[SCT_INTERP_COUNT] = {
    [SCT_INTERP_TIMM] = geometric,
    [SCT_INTERP_MS] = bicubic,
};

bool sct_interp_does(enum sct_interp how, bool table)
{
    return how < SCT_INTERP_COUNT && (table ? for_tables : for_positions)[how];
}

sct_status sct_interp_positions(enum sct_interp how, bool flax, const float *src, uint32_t from,
                                float *dst, uint32_t to, uint32_t prefix, uint32_t channels,
                                sct_error *err)
{
    const size_t kept = (size_t)prefix * channels;
    memcpy(dst, src, kept * sizeof *dst);
    return run(flax && how == SCT_INTERP_TIMM ? bilinear : for_positions[how], src + kept, from,
               dst + kept, to, channels, err);
}

sct_status sct_interp_table(enum sct_interp how, const float *src, uint32_t from, float *dst,
                            uint32_t to, uint32_t heads, sct_error *err)
{
    if (how != SCT_INTERP_NONE && !for_tables[how])
        return sct_fail(err, SCT_EUSAGE,
                        "--interp %s does not resize relative position bias tables; timm and "
                        "ms do",
                        sct_interp_name(how));
    if (from % 2 == 0 || to % 2 == 0)
        return sct_fail(err, SCT_EINVAL,
                        "a bias table of side %u cannot be resized to %u: sides are odd", from,
                        to);
    return run(for_tables[how], src, from, dst, to, heads, err);
}
