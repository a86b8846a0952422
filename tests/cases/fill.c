/* SPDX-License-Identifier: MIT
 * fill.c - the numbers of a case's inputs.
 * They follow from (seed, op, case, input) alone, so one failing case can be repeated by
 * itself. */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/ref/ref.h"
#include "tests/cases/cases.h"

/* SplitMix64 (Steele, Lea, Flood 2014). */
uint64_t case_rng_u64(struct case_rng *r)
{
    uint64_t z = r->s += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

struct case_rng case_rng(uint64_t seed, uint64_t a, uint64_t b, uint64_t c)
{
    struct case_rng r = {seed};
    r.s = case_rng_u64(&r) ^ a;
    r.s = case_rng_u64(&r) ^ b;
    r.s = case_rng_u64(&r) ^ c;
    return r;
}

double case_rng_unit(struct case_rng *r)
{
    return (double)(case_rng_u64(r) >> 11) * 0x1p-53;
}

double case_rng_normal(struct case_rng *r)
{
    const double u = 1.0 - case_rng_unit(r), v = case_rng_unit(r);
    return sqrt(-2.0 * log(u)) * cos(6.283185307179586 * v);
}

static uint32_t below(struct case_rng *r, uint32_t n)
{
    return (uint32_t)(case_rng_u64(r) % n);
}

static float special(uint64_t i)
{
    static const float v[] = {0.0f,     -0.0f,  1.0f,      FLT_MIN / 8, -1e-45f,         1.5f,
                              NAN,      -2.0f,  FLT_MIN,   INFINITY,    -0x1.fffffep-3f, 1e30f,
                              -FLT_MIN, 3e-20f, -INFINITY, FLT_MAX,     -FLT_MAX,        0.1f,
                              7e-42f};
    return v[i % (sizeof v / sizeof v[0])];
}

static float draw(const struct case_fill *f, uint32_t variant, struct case_rng *r)
{
    const double a = (double)f->a, b = (double)f->b;
    if (f->kind == FILL_VALUE)
        return f->a;
    if (f->kind == FILL_UNIT)
        return variant == CASE_INT ? (float)below(r, 3)
                                   : (float)(a + (b - a) * case_rng_unit(r));
    return variant == CASE_INT ? (float)below(r, 7) - 3.0f
                               : (float)(case_rng_normal(r) * a + b);
}

static void fill_f32(const struct sct_case *c, const struct case_in *in, struct case_rng *r,
                     float *x)
{
    const uint64_t n = sct_desc_count(&in->d);
    const uint32_t row = sct_desc_last(&in->d);
    const bool is_auto = in->fill.kind == FILL_AUTO;
    const uint64_t skew = case_rng_u64(r) % 19;
    for (uint64_t i = 0; i < n; i++)
        x[i] = is_auto && c->variant == CASE_SPECIAL ? special(i + skew)
                                                     : draw(&in->fill, c->variant, r);
    if (in->fill.kind == FILL_ROWS)
        for (uint64_t i = 0; i < n; i++)
            if (i / row % 3 == 2)
                x[i] = 0.75f;
    if (in->fill.kind == FILL_HUGE)
        for (uint64_t i = 0; i + row <= n; i += row)
            x[i + i / row % row] *= 60.0f;
}

/* Fisher and Yates: the first k of a permutation of n. */
static bool fill_index(int32_t *x, uint64_t k, uint32_t n, struct case_rng *r)
{
    int32_t *all = malloc(n * sizeof *all);
    if (!all)
        return false;
    for (uint32_t i = 0; i < n; i++)
        all[i] = (int32_t)i;
    for (uint32_t i = 0; i < k && i < n; i++) {
        const uint32_t j = i + below(r, n - i);
        const int32_t t = all[i];
        all[i] = all[j];
        all[j] = t;
        x[i] = all[i];
    }
    free(all);
    return true;
}

/* Any bits of bf16 or f16 but NaN and infinity: the exponent's first bit is zero. */
static void fill_half(const struct sct_desc *d, struct case_rng *r, uint16_t *x)
{
    for (uint64_t i = 0, n = sct_desc_count(d); i < n; i++)
        x[i] = (uint16_t)(case_rng_u64(r) & 0xbfff);
}

static void *widen(const struct sct_desc *d, const void *x)
{
    const uint64_t n = sct_desc_count(d);
    if (d->dtype != SCT_F32)
        return NULL;
    const float *f = x;
    double *y = malloc(n * sizeof *y);
    for (uint64_t i = 0; y && i < n; i++)
        y[i] = (double)f[i];
    return y;
}

/* Runs fill.op's f64 reference on inputs that are there already and rounds what is asked for.
 */
static bool fill_from(const struct sct_case *c, const struct case_in *in, void *const *data,
                      float *x)
{
    static const sct_kernel_fn ref[SCT_OP_COUNT] = {
#define SCT_OP(ID, NAME, IN_MIN, IN_MAX, OUT, GRAD, TOL, ARG, PARAMS, FLAGS)                   \
    [SCT_OP_##ID] = ref_##NAME##_f64,
#include <sctrun/ops.def>
#undef SCT_OP
    };
    const struct case_fill *f = &in->fill;
    struct sct_case sub = *c;
    sub.op = f->op;
    sub.n_in = f->n_from;
    for (uint32_t i = 0; i < f->n_from; i++)
        sub.in[i] = c->in[f->from[i]];
    if (f->op == SCT_OP_LAYERNORM) {
        const struct sct_norm_params p = {f->a};
        case_params(&sub, &p, sizeof p);
    }
    struct sct_desc out[SCT_MAX_OUT];
    struct sct_opdesc d;
    if (case_infer(&sub, out, NULL) != SCT_OK)
        return false;
    case_opdesc(&sub, out, &d);
    const struct sct_micro micro = case_micro(c);
    struct sct_kargs k = {.d = &d, .step = &c->step, .micro = &micro, .parts = 1};
    void *wide[3] = {NULL}, *res[SCT_MAX_OUT] = {NULL};
    bool ok = true;
    for (uint32_t i = 0; i < f->n_from; i++) {
        wide[i] = widen(&sub.in[i].d, data[f->from[i]]);
        k.in[i] = wide[i] ? wide[i] : data[f->from[i]];
    }
    for (uint32_t i = 0; i < d.n_out; i++) {
        k.out[i] = res[i] = calloc(sct_desc_count(&out[i]), sizeof(double));
        ok = ok && res[i];
    }
    ok = ok && sct_desc_count(&out[f->out]) == sct_desc_count(&in->d);
    if (ok) {
        ref[f->op](&k);
        const double *y = res[f->out];
        for (uint64_t i = 0, n = sct_desc_count(&in->d); i < n; i++)
            x[i] = (float)y[i];
    }
    for (uint32_t i = 0; i < 3; i++)
        free(wide[i]);
    for (uint32_t i = 0; i < SCT_MAX_OUT; i++)
        free(res[i]);
    return ok;
}

static bool fill_one(const struct sct_case *c, uint32_t i, uint64_t seed, void *const *data)
{
    const struct case_in *in = &c->in[i];
    const uint64_t n = sct_desc_count(&in->d);
    struct case_rng r = case_rng(seed, c->op, c->index, i);
    switch (in->fill.kind) {
    case FILL_INDEX:
        return fill_index(data[i], n, in->fill.n, &r);
    case FILL_LABEL:
        for (uint64_t j = 0; j < n; j++)
            ((int32_t *)data[i])[j] = (int32_t)below(&r, in->fill.n);
        return true;
    case FILL_BYTE:
        for (uint64_t j = 0; j < n; j++)
            ((uint8_t *)data[i])[j] = (uint8_t)case_rng_u64(&r);
        return true;
    case FILL_FROM:
        return fill_from(c, in, data, data[i]);
    default:
        break;
    }
    if (in->d.dtype == SCT_BF16 || in->d.dtype == SCT_F16)
        fill_half(&in->d, &r, data[i]);
    else if (in->d.dtype == SCT_F32)
        fill_f32(c, in, &r, data[i]);
    else
        for (uint64_t j = 0; j < n * sct_dtype_bytes(in->d.dtype); j++)
            ((uint8_t *)data[i])[j] = (uint8_t)case_rng_u64(&r);
    return true;
}

/* The accumulator is input 0 of an ACCUM op: there the NaN goes into what is added. */
static void add_nan(const struct sct_case *c, void *const *data)
{
    for (uint32_t i = 0; i < c->n_in; i++) {
        const uint64_t n = sct_desc_count(&c->in[i].d);
        if (c->in[i].d.dtype != SCT_F32 || c->in[i].scope == SCT_SLOTS)
            continue;
        ((float *)data[i])[n / 3] = NAN;
        return;
    }
}

bool case_data(const struct sct_case *c, uint64_t seed, void *data[CASE_MAX_IN])
{
    const uint32_t n = c->n_in + c->n_extra;
    bool ok = true;
    memset(data, 0, CASE_MAX_IN * sizeof *data);
    for (uint32_t i = 0; ok && i < n; i++) {
        data[i] = malloc(sct_desc_count(&c->in[i].d) * sct_dtype_bytes(c->in[i].d.dtype));
        ok = data[i] != NULL;
    }
    for (uint32_t pass = 0; pass < 2; pass++) { /* what is derived comes last */
        for (uint32_t i = 0; ok && i < n; i++)
            if ((c->in[i].fill.kind == FILL_FROM) == (pass == 1))
                ok = fill_one(c, i, seed, data);
        if (ok && pass == 0 && c->variant == CASE_NAN)
            add_nan(c, data);
    }
    if (!ok)
        case_data_free(data);
    return ok;
}

void case_data_free(void *data[CASE_MAX_IN])
{
    for (uint32_t i = 0; i < CASE_MAX_IN; i++) {
        free(data[i]);
        data[i] = NULL;
    }
}
