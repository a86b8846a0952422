/* SPDX-License-Identifier: MIT
 * onnx_ops.h - the ONNX form of the ops. */
#ifndef SCT_EXPORT_ONNX_OPS_H
#define SCT_EXPORT_ONNX_OPS_H

#include "core/export/onnx_build.h"

/* Translates a node of o->g: names its outputs. */
typedef void (*onnx_rule)(struct onnx *o, const struct sct_gnode *n);

/* NULL for an op without an ONNX form (gradients, optimisers, sums over the batch). */
onnx_rule sct_onnx_rule_of(uint32_t op);

void sct_onnx_attention(struct onnx *o, const struct sct_gnode *n);
void sct_onnx_wattention(struct onnx *o, const struct sct_gnode *n);
/* onnx_conv.c */
void sct_onnx_linear_grouped(struct onnx *o, const struct sct_gnode *n);
void sct_onnx_conv_grid(struct onnx *o, const struct sct_gnode *n);

#endif
