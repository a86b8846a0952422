/* SPDX-License-Identifier: MIT
 * shape.h - other shapes and types of a value, constants, layouts. Shape letters:
 * <sctrun/ops.h>. */
#ifndef SCTRUN_OPS_SHAPE_H
#define SCTRUN_OPS_SHAPE_H

#include <sctrun/op.h>

#ifdef __cplusplus
extern "C" {
#endif

static inline sct_val sct_reshape(struct sct_builder *b, sct_val x, uint32_t nd,
                                  const uint32_t *dim)
{
    struct sct_reshape_params p = {nd, {0}};
    for (uint32_t i = 0; i < nd && i < SCT_MAX_DIMS; i++)
        p.dim[i] = dim[i];
    return sct_emit_(b, SCT_OP_RESHAPE, &x, 1, &p, sizeof p);
}

static inline sct_val sct_copy(struct sct_builder *b, sct_val x)
{
    return sct_emit_(b, SCT_OP_COPY, &x, 1, NULL, 0);
}

/* f32 <-> bf16, f16 (round to nearest even). */
static inline sct_val sct_cast(struct sct_builder *b, sct_val x, uint32_t dtype)
{
    const struct sct_cast_params p = {dtype};
    return sct_emit_(b, SCT_OP_CAST, &x, 1, &p, sizeof p);
}

/* A constant in the shape of `like` (or, with like = none, of p). */
static inline sct_val sct_fill_like(struct sct_builder *b, sct_val like, float value)
{
    const struct sct_fill_params p = {value, 0, {0}};
    return sct_emit_(b, SCT_OP_FILL, &like, 1, &p, sizeof p);
}

/* A fresh accumulator: zero at the start of every step (of every run in an evaluation plan). */
static inline sct_val sct_zero(struct sct_builder *b, uint32_t nd, const uint32_t *dim)
{
    struct sct_zero_params p = {nd, {0}};
    for (uint32_t i = 0; i < nd && i < SCT_MAX_DIMS; i++)
        p.dim[i] = dim[i];
    return sct_emit_(b, SCT_OP_ZERO, NULL, 0, &p, sizeof p);
}

/* x in a private layout of the backend. Inserted by the choose pass, never by models. */
static inline sct_val sct_pack(struct sct_builder *b, sct_val x, uint32_t layout)
{
    const struct sct_pack_params p = {layout};
    return sct_emit_(b, SCT_OP_PACK, &x, 1, &p, sizeof p);
}

#ifdef __cplusplus
}
#endif
#endif
