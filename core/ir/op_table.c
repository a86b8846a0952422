/* SPDX-License-Identifier: MIT
 * op_table.c - ops.def as an array: name, arity, flags, inference, gradient. */
#include <inttypes.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/ir/op.h"
#include "core/ops/vjp.h"

#define VJP_DIFF(NAME)   vjp_##NAME
#define VJP_NODIFF(NAME) NULL

static const struct sct_op_info table[SCT_OP_COUNT] = {
    {.name = "none"},
#define SCT_OP(ID, NAME, IN_MIN, IN_MAX, OUT, GRAD, TOL, ARG, PARAMS, FLAGS)                   \
    {#NAME,                                                                                    \
     IN_MIN,                                                                                   \
     IN_MAX,                                                                                   \
     OUT,                                                                                      \
     SCT_TOL_##TOL,                                                                            \
     ARG,                                                                                      \
     sizeof(struct sct_##PARAMS##_params),                                                     \
     FLAGS,                                                                                    \
     infer_##NAME,                                                                             \
     VJP_##GRAD(NAME)},
#include <sctrun/ops.def>
#undef SCT_OP
};

const struct sct_op_info *sct_op_info(uint32_t op)
{
    return op > SCT_OP_NONE && op < SCT_OP_COUNT ? &table[op] : NULL;
}

uint32_t sct_op_find(const char *name)
{
    for (uint32_t op = 1; op < SCT_OP_COUNT; op++)
        if (strcmp(table[op].name, name) == 0)
            return op;
    return SCT_OP_NONE;
}

sct_status sct_infer_dims(const struct sct_infer *i, uint32_t k, uint32_t dtype, uint32_t nd,
                          const uint32_t *dim)
{
    if (nd > SCT_MAX_DIMS)
        return sct_fail(i->err, SCT_EINVAL, "result has %u dimensions, at most %d are possible",
                        nd, SCT_MAX_DIMS);
    /* 2^48 elements keep every byte count and product of two dims inside 63 bits */
    const uint64_t limit = UINT64_C(1) << 48;
    uint64_t n = 1;
    for (uint32_t j = 0; j < nd; j++) {
        if (dim[j] == 0)
            return sct_fail(i->err, SCT_EINVAL, "dimension %u of the result is 0", j);
        if (n > limit / dim[j])
            return sct_fail(i->err, SCT_EINVAL, "result has more than 2^48 elements");
        n *= dim[j];
    }
    i->out[k] = sct_desc_make(dtype, nd, dim);
    return SCT_OK;
}

sct_status sct_infer_same(const struct sct_infer *i, uint32_t k, uint32_t j)
{
    i->out[k] = i->in[j];
    i->out[k].layout = 0;
    return SCT_OK;
}

static const char *dtype_name(uint32_t dtype)
{
    static const char *const name[SCT_DTYPE_COUNT] = {
#define DTYPE_NAME(ID, VALUE, NAME, BYTES) NAME,
        SCT_DTYPE_MAP(DTYPE_NAME)
#undef DTYPE_NAME
    };
    return dtype < SCT_DTYPE_COUNT ? name[dtype] : "?";
}

const char *sct_desc_text(const struct sct_desc *d, char *buf, size_t size)
{
    size_t n = 0;
    for (uint32_t i = 0; i < d->nd && n + 16 < size; i++)
        n += (size_t)snprintf(buf + n, size - n, "[%" PRIu32 "]", d->dim[i]);
    (void)snprintf(buf + n, size - n, "%s%s", d->nd ? " " : "scalar ", dtype_name(d->dtype));
    return buf;
}

sct_status sct_infer_want_dtype(const struct sct_infer *i, uint32_t j, uint32_t dtype)
{
    if (i->in[j].dtype == dtype)
        return SCT_OK;
    char have[64];
    return sct_fail(i->err, SCT_EINVAL, "input %u must be %s, found %s", j, dtype_name(dtype),
                    sct_desc_text(&i->in[j], have, sizeof have));
}

int sct_desc_same_dims(const struct sct_desc *a, const struct sct_desc *b)
{
    return a->nd == b->nd && memcmp(a->dim, b->dim, a->nd * sizeof a->dim[0]) == 0;
}

int sct_desc_is_suffix(const struct sct_desc *x, const struct sct_desc *y)
{
    return y->nd <= x->nd &&
           memcmp(x->dim + (x->nd - y->nd), y->dim, y->nd * sizeof y->dim[0]) == 0;
}
