/* SPDX-License-Identifier: MIT
 * onnx.h - the forward graph of a model as an ONNX file: opset 20, IR version 9, f32.
 *
 * The file's input is "pixel_values", f32 [batch][3][height][width], normalised as training
 * saw it; its output "logits", f32 [batch][classes]. The batch is dynamic. Weights keep their
 * names; a linear layer's weight is stored as the [in][out] matrix that MatMul wants, under
 * its name with "_t" behind it.
 *
 * What a strategy added is exported as nodes of its own, so a model with SCT modules, which
 * cannot be merged, is one plain file too. Random ops are the identity, as in evaluation.
 *
 * Threads: independent calls at the same time; the model is only read. */
#ifndef SCT_EXPORT_ONNX_H
#define SCT_EXPORT_ONNX_H

#include "core/ir/model.h"

/* A line of the file's metadata_props. */
struct sct_onnx_meta {
    const char *key, *value;
};

/* A larger sum of weights goes into "<path>.data", which the file refers to: a protobuf
 * message ends at 2 GiB. */
#define SCT_ONNX_INLINE_MAX 0x70000000u

/* Writes `path` (and "<path>.data" when the weights exceed inline_max bytes; 0 means
 * SCT_ONNX_INLINE_MAX), each complete or not at all. Everything is borrowed. SCT_EUNSUP names
 * every op of the model that has no ONNX form; SCT_EFILE, what loading a weight says;
 * SCT_EFAIL, the system's reason; SCT_ENOMEM. */
sct_status sct_onnx_write(const char *path, const struct sct_model *m,
                          const struct sct_onnx_meta *meta, size_t n_meta, uint64_t inline_max,
                          sct_error *err);

#endif
