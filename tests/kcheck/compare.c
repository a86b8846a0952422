/* SPDX-License-Identifier: MIT
 * compare.c - is this result right? By the op's column in ops.def; no number here is felt.
 * EXACT bits | ULP k roundings | SUM integers equal, else 2 sqrt(K) 2^-24 ref(|inputs|) | NMSE.
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "tests/kcheck/kcheck.h"

struct judge {
    const struct sct_case *c;
    const struct kref *r;
    uint32_t i; /* which output */
    uint64_t lo, hi;
    bool flush;
    double *worst;
    sct_error *err;
};

static enum kresult wrong(const struct judge *j, uint64_t at, double got, double want,
                          double limit)
{
    (void)sct_fail(j->err, SCT_EFAIL,
                   "out %u element %llu of %llu: got %.9g, want %.9g, error %.3g, limit %.3g",
                   j->i, (unsigned long long)at, (unsigned long long)j->hi, got, want,
                   fabs(got - want), limit);
    return K_FAIL;
}

static void note(const struct judge *j, double part)
{
    if (part > *j->worst)
        *j->worst = part;
}

/* NaN of one kind is as good as of another. */
static bool same_float(uint32_t dtype, const uint8_t *a, const uint8_t *b)
{
    uint16_t x, y;
    float f, g;
    switch (dtype) {
    case SCT_F32:
        memcpy(&f, a, sizeof f);
        memcpy(&g, b, sizeof g);
        return isnan(f) && isnan(g);
    case SCT_BF16:
    case SCT_F16:
        memcpy(&x, a, sizeof x);
        memcpy(&y, b, sizeof y);
        x &= 0x7fff;
        y &= 0x7fff;
        return dtype == SCT_BF16 ? x > 0x7f80 && y > 0x7f80 : x > 0x7c00 && y > 0x7c00;
    default:
        return false;
    }
}

static enum kresult exact(const struct judge *j, const uint8_t *got)
{
    const uint32_t dtype = j->r->out[j->i].dtype, size = sct_dtype_bytes(dtype);
    const uint8_t *want = j->r->out32[j->i];
    for (uint64_t k = j->lo; k < j->hi; k++) {
        const uint8_t *a = got + k * size, *b = want + k * size;
        if (memcmp(a, b, size) == 0 || same_float(dtype, a, b))
            continue;
        uint32_t x = 0, y = 0;
        memcpy(&x, a, size);
        memcpy(&y, b, size);
        (void)sct_fail(j->err, SCT_EFAIL,
                       "out %u element %llu of %llu: got bits %08x, want %08x", j->i,
                       (unsigned long long)k, (unsigned long long)j->hi, x, y);
        return K_FAIL;
    }
    return K_OK;
}

/* NaN and infinity of the reference, and numbers no float holds, must come out as they are. */
static bool special(double want, float got, bool *ok)
{
    const float w = (float)want;
    if (isnan(w) || isnan(got))
        *ok = isnan(w) && isnan(got);
    else if (isinf(w) || isinf(got))
        *ok = !(w < got) && !(w > got);
    else
        return false;
    return true;
}

/* Distance of neighbouring floats at x; denormals are all as far apart. */
static double ulp(double x)
{
    int e;
    (void)frexp(fabs(x) < (double)FLT_MIN ? (double)FLT_MIN : fabs(x), &e);
    return ldexp(1.0, e - FLT_MANT_DIG);
}

/* What the result's roundings are relative to. An op of several steps may cancel. */
static double magnitude(const struct judge *j, uint64_t k)
{
    double m = fabs(j->r->out64[j->i][k]);
    if (!(j->c->flags & CASE_CANCEL))
        return m;
    m = fmax(m, fabs(j->r->abs64[j->i][k]));
    if (j->i < j->c->n_in && j->c->in[j->i].d.dtype == SCT_F32 &&
        sct_desc_count(&j->c->in[j->i].d) == sct_desc_count(&j->r->out[j->i]))
        m = fmax(m, fabs((double)((const float *)j->r->data[j->i])[k]));
    return m;
}

/* k roundings and the last one of the true value. */
static enum kresult ulps(const struct judge *j, const float *got)
{
    const double allowed = case_op(j->c->op)->tol_arg + 0.5;
    for (uint64_t k = j->lo; k < j->hi; k++) {
        const double want = j->r->out64[j->i][k];
        bool ok = true;
        if (special(want, got[k], &ok)) {
            if (!ok)
                return wrong(j, k, (double)got[k], want, 0.0);
            continue;
        }
        const double limit =
            allowed * ulp(magnitude(j, k)) + (j->flush ? (double)FLT_MIN : 0.0);
        const double error = fabs((double)got[k] - want);
        note(j, error / limit);
        if (error > limit)
            return wrong(j, k, (double)got[k], want, limit);
    }
    return K_OK;
}

static enum kresult sums(const struct judge *j, const float *got)
{
    const float *want32 = j->r->out32[j->i];
    const double factor = 2.0 * sqrt((double)j->c->terms) * 0x1p-24;
    for (uint64_t k = j->lo; k < j->hi; k++) {
        const bool integer = j->c->variant == CASE_INT;
        const double want = integer ? (double)want32[k] : j->r->out64[j->i][k];
        bool ok = true;
        if (special(want, got[k], &ok)) {
            if (!ok)
                return wrong(j, k, (double)got[k], want, 0.0);
            continue;
        }
        const double limit =
            integer ? 0.0
                    : factor * j->r->abs64[j->i][k] + (j->flush ? (double)FLT_MIN : 0x1p-149);
        const double error = fabs((double)got[k] - want);
        if (!integer)
            note(j, error / limit);
        if (error > limit)
            return wrong(j, k, (double)got[k], want, limit);
    }
    return K_OK;
}

static enum kresult nmse(const struct judge *j, const float *got)
{
    double error = 0.0, energy = 0.0, most = 0.0;
    uint64_t at = j->lo;
    for (uint64_t k = j->lo; k < j->hi; k++) {
        const double want = j->r->out64[j->i][k];
        bool ok = true;
        if (special(want, got[k], &ok)) {
            if (!ok)
                return wrong(j, k, (double)got[k], want, 0.0);
            continue;
        }
        const double e = (double)got[k] - want;
        error += e * e;
        energy += want * want;
        if (e * e > most) {
            most = e * e;
            at = k;
        }
    }
    const double limit = pow(10.0, -(double)case_op(j->c->op)->tol_arg);
    if (error <= limit * energy) {
        note(j, energy > 0.0 ? error / energy / limit : 0.0);
        return K_OK;
    }
    (void)sct_fail(
        j->err, SCT_EFAIL,
        "out %u: normalised error %.3g, limit %.3g; worst at element %llu of %llu: got "
        "%.9g, want %.9g",
        j->i, error / energy, limit, (unsigned long long)at, (unsigned long long)j->hi,
        (double)got[at], j->r->out64[j->i][at]);
    return K_FAIL;
}

/* The inputs of random ops hold no zero: a zero is an element that was dropped. */
static enum kresult survivors(const struct judge *j, const float *got)
{
    const float *want = j->r->out32[j->i];
    for (uint64_t k = j->lo; k < j->hi; k++)
        if ((fpclassify(got[k]) == FP_ZERO) != (fpclassify(want[k]) == FP_ZERO)) {
            (void)sct_fail(j->err, SCT_EFAIL, "out %u element %llu of %llu %s but should not",
                           j->i, (unsigned long long)k, (unsigned long long)j->hi,
                           fpclassify(got[k]) == FP_ZERO ? "was dropped" : "survived");
            return K_FAIL;
        }
    return K_OK;
}

enum kresult kcompare(const struct sct_case *c, const struct kref *r, uint32_t i,
                      const void *got, bool flush, double *worst, sct_error *err)
{
    struct judge j = {c, r, i, 0, sct_desc_count(&r->out[i]), flush, worst, err};
    const struct case_op *op = case_op(c->op);
    if (op->flags & SCT_OPF_EMIT) {
        const struct sct_micro m = case_micro(c);
        const uint64_t row = j.hi / r->out[i].dim[0];
        j.lo = m.first * row;
        j.hi = (uint64_t)(m.first + m.count) * row;
    }
    if (op->tol == SCT_TOL_EXACT || r->out[i].dtype != SCT_F32 || (c->exact >> i & 1))
        return exact(&j, got);
    if (op->flags & SCT_OPF_RANDOM && survivors(&j, got) != K_OK)
        return K_FAIL;
    if (op->tol == SCT_TOL_ULP)
        return ulps(&j, got);
    return op->tol == SCT_TOL_SUM ? sums(&j, got) : nmse(&j, got);
}
