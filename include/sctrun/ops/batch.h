/* SPDX-License-Identifier: MIT
 * batch.h - pictures, patches, and what goes between the batch and the body. Shape letters:
 * <sctrun/ops.h>. */
#ifndef SCTRUN_OPS_BATCH_H
#define SCTRUN_OPS_BATCH_H

#include <sctrun/op.h>

#ifdef __cplusplus
extern "C" {
#endif

/* batch [batch][..] -> [B][..]: rows first.. of the micro-batch; rows past its count are zero.
 */
static inline sct_val sct_feed(struct sct_builder *b, sct_val batch)
{
    return sct_emit_(b, SCT_OP_FEED, &batch, 1, NULL, 0);
}

/* [B][..] -> batch [batch][..]: writes rows first.. first + count - 1. */
static inline sct_val sct_emit_rows(struct sct_builder *b, sct_val x)
{
    return sct_emit_(b, SCT_OP_EMIT, &x, 1, NULL, 0);
}

/* u8 [B][H][W][3], table f32 [3][256] -> f32 [B][3][H][W]: out[c] = table[c][byte]. */
static inline sct_val sct_image(struct sct_builder *b, sct_val bytes, sct_val table)
{
    const sct_val in[2] = {bytes, table};
    return sct_emit_(b, SCT_OP_IMAGE, in, 2, NULL, 0);
}

/* [B][3][H][W] -> [B][H/P * W/P][3*P*P], patches row-major, inside one (channel, y, x). */
static inline sct_val sct_patchify(struct sct_builder *b, sct_val x, uint32_t patch)
{
    const struct sct_patchify_params p = {patch, 0, 0, 0};
    return sct_emit_(b, SCT_OP_PATCHIFY, &x, 1, &p, sizeof p);
}

/* The inverse. */
static inline sct_val sct_unpatchify(struct sct_builder *b, sct_val x, uint32_t patch,
                                     uint32_t channels, uint32_t height, uint32_t width)
{
    const struct sct_patchify_params p = {patch, channels, height, width};
    return sct_emit_(b, SCT_OP_UNPATCHIFY, &x, 1, &p, sizeof p);
}

#ifdef __cplusplus
}
#endif
#endif
