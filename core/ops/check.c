/* SPDX-License-Identifier: MIT
 * check.c - what the shape inferences of this folder ask of their inputs and parameters.
 * Only checks: nothing here writes an output description. */
#include "core/ops/check.h"

enum { TEXT = 96 };

sct_status sct_check_f32(const struct sct_infer *i, uint32_t first, uint32_t end)
{
    for (uint32_t j = first; j < end && j < i->n_in; j++)
        SCT_TRY(sct_infer_want_dtype(i, j, SCT_F32));
    return SCT_OK;
}

sct_status sct_check_nd(const struct sct_infer *i, uint32_t j, const char *what, uint32_t nd,
                        const char *form)
{
    char found[TEXT];
    if (i->in[j].nd == nd)
        return SCT_OK;
    return sct_fail(i->err, SCT_EINVAL, "%s is %s, expected %s", what,
                    sct_desc_text(&i->in[j], found, sizeof found), form);
}

sct_status sct_check_rows(const struct sct_infer *i, uint32_t j, const char *what)
{
    SCT_TRY(sct_infer_want_dtype(i, j, SCT_F32));
    if (i->in[j].nd == 0)
        return sct_fail(i->err, SCT_EINVAL, "%s is a scalar, expected [..][channels]", what);
    return SCT_OK;
}

sct_status sct_check_dims(const struct sct_infer *i, uint32_t j, const char *what, uint32_t nd,
                          const uint32_t *dim)
{
    const struct sct_desc want = sct_desc_make(i->in[j].dtype, nd, dim);
    char found[TEXT], expected[TEXT];
    if (sct_desc_same_dims(&i->in[j], &want))
        return SCT_OK;
    return sct_fail(i->err, SCT_EINVAL, "%s is %s, expected %s", what,
                    sct_desc_text(&i->in[j], found, sizeof found),
                    sct_desc_text(&want, expected, sizeof expected));
}

sct_status sct_check_like(const struct sct_infer *i, uint32_t j, const char *what,
                          uint32_t like)
{
    return sct_check_dims(i, j, what, i->in[like].nd, i->in[like].dim);
}

sct_status sct_check_like_rows(const struct sct_infer *i, uint32_t j, const char *what,
                               uint32_t like, uint32_t last)
{
    struct sct_desc want = i->in[like];
    if (want.nd)
        want.dim[want.nd - 1] = last;
    return sct_check_dims(i, j, what, want.nd, want.dim);
}

sct_status sct_check_index(const struct sct_infer *i, uint32_t j, uint64_t total)
{
    SCT_TRY(sct_infer_want_dtype(i, j, SCT_I32));
    SCT_TRY(sct_check_nd(i, j, "index", 1, "[K]"));
    if (i->in[j].dim[0] > total)
        return sct_fail(i->err, SCT_EINVAL,
                        "index has %u entries, expected at most %llu distinct positions",
                        i->in[j].dim[0], (unsigned long long)total);
    return SCT_OK;
}

sct_status sct_check_param_nd(const struct sct_infer *i, uint32_t nd)
{
    if (nd > SCT_MAX_DIMS)
        return sct_fail(i->err, SCT_EINVAL, "%u dimensions given, expected at most %u", nd,
                        (unsigned)SCT_MAX_DIMS);
    return SCT_OK;
}

sct_status sct_check_param(const struct sct_infer *i, const char *name, float value, float lo,
                           float hi)
{
    if (value >= lo && value <= hi)
        return SCT_OK;
    return sct_fail(i->err, SCT_EINVAL, "%s is %g, expected %g to %g", name, (double)value,
                    (double)lo, (double)hi);
}
