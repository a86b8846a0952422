/* SPDX-License-Identifier: MIT
 * attention.h - attention, global and in windows. Shape letters: <sctrun/ops.h>. */
#ifndef SCTRUN_OPS_ATTENTION_H
#define SCTRUN_OPS_ATTENTION_H

#include <sctrun/op.h>

#ifdef __cplusplus
extern "C" {
#endif

/* qkv [B][N][3C], q|k|v each H heads of D -> out [B][N][C], lse [B][H][N] (natural log of the
 * softmax's denominator of the scaled scores). */
static inline sct_val sct_attention(struct sct_builder *b, sct_val qkv, uint32_t heads,
                                    float scale)
{
    const struct sct_attention_params p = {heads, scale};
    return sct_emit_(b, SCT_OP_ATTENTION, &qkv, 1, &p, sizeof p);
}

/* (qkv, out, lse, dout) -> dqkv [B][N][3C]; probabilities are recomputed from lse. */
static inline sct_val sct_attention_dx(struct sct_builder *b, sct_val qkv, sct_val out,
                                       sct_val lse, sct_val dout, uint32_t heads, float scale)
{
    const sct_val in[4] = {qkv, out, lse, dout};
    const struct sct_attention_params p = {heads, scale};
    return sct_emit_(b, SCT_OP_ATTENTION_DX, in, 4, &p, sizeof p);
}

/* Swin: qkv [B][grid_h*grid_w][3C], table [(2 win_h - 1)(2 win_w - 1)][H] -> out [B][N][C], lse
 * [B][H][N]. Tokens attend inside windows of the grid rolled by -shift; a score gets
 * table[(dy + win_h - 1)(2 win_w - 1) + dx + win_w - 1][head] (dy, dx: query minus key) and,
 * when shifted, -100 where the two tokens lie in different regions (Swin paper, 3.2; timm
 * swin_transformer.py). Scores are scaled before the table is added; out and lse stand at the
 * token's own place in the grid, not rolled. */
static inline sct_val sct_wattention(struct sct_builder *b, sct_val qkv, sct_val table,
                                     const struct sct_wattention_params *p)
{
    const sct_val in[2] = {qkv, table};
    return sct_emit_(b, SCT_OP_WATTENTION, in, 2, p, sizeof *p);
}

/* (qkv, table, out, lse, dout) -> dqkv. */
static inline sct_val sct_wattention_dx(struct sct_builder *b, sct_val qkv, sct_val table,
                                        sct_val out, sct_val lse, sct_val dout,
                                        const struct sct_wattention_params *p)
{
    const sct_val in[5] = {qkv, table, out, lse, dout};
    return sct_emit_(b, SCT_OP_WATTENTION_DX, in, 5, p, sizeof *p);
}

/* acc (table's shape) += gradient of table. (acc, qkv, table, out, lse, dout). */
static inline sct_val sct_wattention_dt(struct sct_builder *b, sct_val acc, sct_val qkv,
                                        sct_val table, sct_val out, sct_val lse, sct_val dout,
                                        const struct sct_wattention_params *p)
{
    const sct_val in[6] = {acc, qkv, table, out, lse, dout};
    return sct_emit_(b, SCT_OP_WATTENTION_DT, in, 6, p, sizeof *p);
}

#ifdef __cplusplus
}
#endif
#endif
