/* SPDX-License-Identifier: MIT
 * op.h - the numbers and flags of all ops, and what every constructor ends in. */
#ifndef SCTRUN_OP_H
#define SCTRUN_OP_H

#include <sctrun/op_params.h>

#ifdef __cplusplus
extern "C" {
#endif

enum sct_op {
    SCT_OP_NONE,

#define SCT_OP(ID, NAME, IN_MIN, IN_MAX, OUT, GRAD, TOL, ARG, PARAMS, FLAGS) SCT_OP_##ID,
#include <sctrun/ops.def>
#undef SCT_OP
    SCT_OP_COUNT
};

enum sct_op_flag {
    SCT_OPF_INPLACE = 1u << 0, /* out[0] may take the storage of in[0] */
    SCT_OPF_ACCUM = 1u << 1,   /* out[0] IS in[0]'s storage, added to; ends the body */
    SCT_OPF_UPDATE = 1u << 2,  /* every out[i] IS in[i]'s storage, replaced */
    SCT_OPF_RANDOM = 1u << 3,  /* reads seed and step of the step state */
    SCT_OPF_VIEW = 1u << 4,    /* out[0] is in[0] under another shape; no kernel runs */
    SCT_OPF_FEED = 1u << 5,    /* reads rows of a batch value */
    SCT_OPF_EMIT = 1u << 6,    /* writes rows of a batch value; ends the body */
    SCT_OPF_FUSED = 1u << 7,   /* equals a composition of other ops */
    SCT_OPF_MOVE = 1u << 8,    /* moves data, computes nothing */
};

static inline sct_val sct_none(void)
{
    const sct_val v = {0};
    return v;
}

static inline sct_val sct_emit_(struct sct_builder *b, enum sct_op op, const sct_val *in,
                                uint32_t n_in, const void *params, size_t size)
{
    sct_val out[SCT_MAX_OUT] = {{0}};
    return b->emit(b, (uint32_t)op, in, n_in, out, params, size);
}

#ifdef __cplusplus
}
#endif
#endif
