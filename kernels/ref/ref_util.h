/* SPDX-License-Identifier: MIT
 * ref_util.h - sizes and the few formulas that several reference kernels share.
 * Needs REAL. */
#ifndef SCT_REF_UTIL_H
#define SCT_REF_UTIL_H

#include <math.h>
#include <string.h>

#include "kernels/ref/ref.h"

static inline size_t ref_count(const struct sct_desc *d)
{
    return (size_t)sct_desc_count(d);
}

static inline size_t ref_rows(const struct sct_desc *d)
{
    return (size_t)sct_desc_rows(d);
}

/* Bytes of one stored element: f32 is REAL, everything else as it is. */
static inline size_t ref_element(const struct sct_desc *d)
{
    return d->dtype == SCT_F32 ? sizeof(REAL) : sct_dtype_bytes(d->dtype);
}

/* The first dimension of a value with more than one row: an accumulator takes one rounded
 * addition per image, so that its bits do not depend on how many images a micro-batch has. */
static inline size_t ref_images(const struct sct_desc *d)
{
    return d->nd > 1 ? d->dim[0] : 1;
}

static inline double ref_dot(const REAL *a, const REAL *b, size_t n)
{
    double sum = 0.0;
    for (size_t i = 0; i < n; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

/* sum_o dy[o] w[o][k], w of `in` columns. */
static inline double ref_dot_column(const REAL *dy, const REAL *w, size_t out, size_t in,
                                    size_t k)
{
    double sum = 0.0;
    for (size_t o = 0; o < out; o++)
        sum += (double)dy[o] * (double)w[o * in + k];
    return sum;
}

#define REF_SQRT1_2  0.70710678118654752440 /* 1/sqrt(2) */
#define REF_SQRT2_PI 0.79788456080286535588 /* sqrt(2/pi) */

/* u = sqrt(2/pi) (x + 0.044715 x^3) of the tanh form. */
static inline double ref_gelu_inner(double x)
{
    return REF_SQRT2_PI * (x + 0.044715 * x * x * x);
}

static inline double ref_gelu(double x, uint32_t kind)
{
    if (kind == SCT_GELU_TANH)
        return 0.5 * x * (1.0 + tanh(ref_gelu_inner(x)));
    if (kind == SCT_GELU_QUICK)
        return x / (1.0 + exp(-1.702 * x));
    /* Phi(x) = erfc(-x/sqrt 2)/2, which keeps its digits far below 0 */
    return 0.5 * x * erfc(-x * REF_SQRT1_2);
}

/* The derivative at x. */
static inline double ref_gelu_slope(double x, uint32_t kind)
{
    if (kind == SCT_GELU_TANH) {
        const double t = tanh(ref_gelu_inner(x));
        const double du = REF_SQRT2_PI * (1.0 + 3.0 * 0.044715 * x * x);
        return 0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * du;
    }
    if (kind == SCT_GELU_QUICK) {
        const double s = 1.0 / (1.0 + exp(-1.702 * x));
        return s + 1.702 * x * s * (1.0 - s);
    }
    /* phi(x) = exp(-x^2/2) / sqrt(2 pi), and 1/sqrt(2 pi) is half of sqrt(2/pi) */
    return 0.5 * erfc(-x * REF_SQRT1_2) + x * 0.5 * REF_SQRT2_PI * exp(-0.5 * x * x);
}

#endif
