/* SPDX-License-Identifier: MIT
 * reference.c - what the reference kernels make of a case: in f32, in f64, on absolute values.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/ref/ref.h"
#include "tests/kcheck/kcheck.h"

static const sct_kernel_fn ref32[SCT_OP_COUNT] = {
#define SCT_OP(ID, NAME, IN_MIN, IN_MAX, OUT, GRAD, TOL, ARG, PARAMS, FLAGS)                   \
    [SCT_OP_##ID] = ref_##NAME##_f32,
#include <sctrun/ops.def>
#undef SCT_OP
};

static const sct_kernel_fn ref64[SCT_OP_COUNT] = {
#define SCT_OP(ID, NAME, IN_MIN, IN_MAX, OUT, GRAD, TOL, ARG, PARAMS, FLAGS)                   \
    [SCT_OP_##ID] = ref_##NAME##_f64,
#include <sctrun/ops.def>
#undef SCT_OP
};

/* How many outputs are inputs' storage: they start with the input's numbers. */
static uint32_t shared(const struct sct_case *c, uint32_t n_out)
{
    const uint32_t flags = case_op(c->op)->flags;
    return flags & SCT_OPF_UPDATE ? n_out : flags & SCT_OPF_ACCUM ? 1 : 0;
}

static void call(const struct sct_case *c, const struct sct_desc *out, bool f64,
                 const void *const *in, void *const *res, const struct sct_micro *micro)
{
    struct sct_opdesc d;
    case_opdesc(c, out, &d);
    struct sct_kargs k = {.d = &d, .step = &c->step, .micro = micro, .parts = 1};
    for (uint32_t i = 0; i < c->n_in; i++)
        k.in[i] = in[i];
    for (uint32_t i = 0; i < d.n_out; i++)
        k.out[i] = res[i];
    for (uint32_t i = 0, n = shared(c, d.n_out); i < n; i++) {
        const size_t size = f64 ? sizeof(double) : sizeof(float);
        memcpy(res[i], in[i], sct_desc_count(&out[i]) * size);
        k.in[i] = res[i];
        d.alias_in0 = 1;
    }
    (f64 ? ref64 : ref32)[c->op](&k);
}

void kref_run32(const struct sct_case *c, const struct sct_desc *out, const void *const *in,
                void *const *res, const struct sct_micro *micro)
{
    call(c, out, false, in, res, micro);
}

/* f32 inputs as double, or as their absolute values; others as they are. */
static bool widen(const struct sct_case *c, void *const *data, bool magnitude, double **wide,
                  const void **in)
{
    for (uint32_t i = 0; i < c->n_in; i++) {
        const uint64_t n = sct_desc_count(&c->in[i].d);
        in[i] = data[i];
        if (c->in[i].d.dtype != SCT_F32)
            continue;
        const float *x = data[i];
        in[i] = wide[i] = malloc(n * sizeof *wide[i]);
        if (!wide[i])
            return false;
        for (uint64_t j = 0; j < n; j++)
            wide[i][j] = magnitude ? fabs((double)x[j]) : (double)x[j];
    }
    return true;
}

static bool run64(const struct sct_case *c, const struct kref *r, bool magnitude, double **res)
{
    double *wide[SCT_MAX_IN] = {NULL};
    const void *in[SCT_MAX_IN] = {NULL};
    void *out[SCT_MAX_OUT] = {NULL};
    const struct sct_micro micro = case_micro(c);
    bool ok = widen(c, r->data, magnitude, wide, in);
    for (uint32_t i = 0; i < r->n_out; i++) {
        res[i] = calloc(sct_desc_count(&r->out[i]), sizeof(double));
        out[i] = res[i];
        ok = ok && res[i];
    }
    if (ok)
        call(c, r->out, true, in, out, &micro);
    for (uint32_t i = 0; i < SCT_MAX_IN; i++)
        free(wide[i]);
    return ok;
}

static bool run32(const struct sct_case *c, struct kref *r)
{
    const void *in[SCT_MAX_IN] = {NULL};
    const struct sct_micro micro = case_micro(c);
    for (uint32_t i = 0; i < c->n_in; i++)
        in[i] = r->data[i];
    for (uint32_t i = 0; i < r->n_out; i++) {
        r->out32[i] = calloc(sct_desc_count(&r->out[i]), sct_dtype_bytes(r->out[i].dtype));
        if (!r->out32[i])
            return false;
    }
    call(c, r->out, false, in, r->out32, &micro);
    return true;
}

sct_status kref_make(struct kref *r, const struct sct_case *c, uint64_t seed, sct_error *err)
{
    memset(r, 0, sizeof *r);
    SCT_TRY(case_infer(c, r->out, err));
    r->n_out = sct_op_info(c->op)->n_out;
    bool ok = case_data(c, seed, r->data) && run32(c, r) && run64(c, r, false, r->out64);
    const uint32_t tol = case_op(c->op)->tol;
    if (ok && (tol == SCT_TOL_SUM || (c->flags & CASE_CANCEL)))
        ok = run64(c, r, true, r->abs64);
    if (ok)
        return SCT_OK;
    kref_free(r);
    return sct_fail(err, SCT_ENOMEM,
                    "out of memory for the reference, or no data for the case");
}

void kref_free(struct kref *r)
{
    case_data_free(r->data);
    for (uint32_t i = 0; i < SCT_MAX_OUT; i++) {
        free(r->out32[i]);
        free(r->out64[i]);
        free(r->abs64[i]);
    }
    memset(r, 0, sizeof *r);
}
