/* SPDX-License-Identifier: MIT
 * onnx_build.h - an ONNX graph under construction: names, nodes, constants.
 *
 * The first error sticks (o->rc); afterwards every call does nothing and returns something
 * that may be used as before, so the rules of onnx_ops.c check nothing. Everything lives in
 * the arena until onnx_fini. One thread. */
#ifndef SCT_EXPORT_ONNX_BUILD_H
#define SCT_EXPORT_ONNX_BUILD_H

#include "core/ir/model.h"
#include <onnx.pb-c.h>

/* Element types of ONNX (onnx.proto, TensorProto.DataType). */
enum onnx_type { ONNX_FLOAT = 1, ONNX_INT32 = 6, ONNX_INT64 = 7 };

/* Name of a tensor in the file. */
typedef const char *onnx_name;

/* A tensor of the model that is an initializer: its data is read when the file is written. */
struct onnx_init {
    SctOnnx__Tensor proto;
    const struct sct_tensor *from; /* NULL: the data is in proto.raw_data already */
    bool transposed;               /* [out][in] of the model is [in][out] of the file */
    uint64_t bytes;
};

struct onnx {
    struct sct_arena arena;
    const struct sct_graph *g;
    onnx_name *name; /* of every value of g; NULL: none yet */
    uint8_t *varies; /* of every value: depends on the sample, so dim 0 is the batch */
    SctOnnx__Node **node;
    struct onnx_init **init;
    uint32_t n_node, cap_node, n_init, cap_init, serial;
    const char *label; /* of the node of g that is being translated */
    sct_error *err;
    sct_status rc;
};

/* A node with one output, named after the label. Inputs of NULL are "absent". */
SctOnnx__Node *sct_onnx_add(struct onnx *o, const char *type, uint32_t n_in,
                            const onnx_name *in);
void sct_onnx_attr_int(struct onnx *o, SctOnnx__Node *n, const char *name, int64_t v);
void sct_onnx_attr_float(struct onnx *o, SctOnnx__Node *n, const char *name, float v);
void sct_onnx_attr_string(struct onnx *o, SctOnnx__Node *n, const char *name, const char *v);
void sct_onnx_attr_ints(struct onnx *o, SctOnnx__Node *n, const char *name, uint32_t count,
                        const int64_t *v);

/* Constants; the data is copied. */
onnx_name sct_onnx_i64(struct onnx *o, uint32_t count, const int64_t *v);
onnx_name sct_onnx_i64_scalar(struct onnx *o, int64_t v);
onnx_name sct_onnx_f32(struct onnx *o, uint32_t nd, const uint32_t *dim, const float *v);

/* The name of a value of g; makes an initializer of a source tensor at its first use. */
onnx_name sct_onnx_value(struct onnx *o, uint32_t id);
/* w [out][in] as a matrix [in][out]: an initializer where w is a stored tensor (through
 * reshapes too), else a Transpose. */
onnx_name sct_onnx_transposed(struct onnx *o, uint32_t id);
/* The elements of an i32 tensor of g, in the arena; NULL and an error when the value is
 * computed. */
const int32_t *sct_onnx_index(struct onnx *o, uint32_t id);

/* Short forms of what most rules need. */
onnx_name sct_onnx_op1(struct onnx *o, const char *type, onnx_name x);
onnx_name sct_onnx_op2(struct onnx *o, const char *type, onnx_name x, onnx_name y);
/* dim 0 means "as in x", which is how the batch stays dynamic. */
onnx_name sct_onnx_reshape(struct onnx *o, onnx_name x, uint32_t nd, const int64_t *dim);
onnx_name sct_onnx_transpose(struct onnx *o, onnx_name x, uint32_t nd, const int64_t *perm);
onnx_name sct_onnx_gather(struct onnx *o, onnx_name x, onnx_name idx, int64_t axis);
/* Elements [first, first + count) of one axis. */
onnx_name sct_onnx_slice(struct onnx *o, onnx_name x, int64_t axis, uint32_t first,
                         uint32_t count);
/* Zeros in front of and behind one axis. */
onnx_name sct_onnx_pad(struct onnx *o, onnx_name x, int64_t axis, uint32_t before,
                       uint32_t after);

void sct_onnx_fail(struct onnx *o, sct_status rc, const char *fmt, ...) SCT_PRINTF(3, 4);

#endif
