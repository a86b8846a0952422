/* SPDX-License-Identifier: MIT
 * op.h - what the core knows of an op: the row of ops.def, its shape inference, its gradient.
 */
#ifndef SCT_IR_OP_H
#define SCT_IR_OP_H

#include <sctrun/ops.h>

enum sct_tol { SCT_TOL_EXACT, SCT_TOL_ULP, SCT_TOL_SUM, SCT_TOL_NMSE };

/* Shape inference: read in[], params; fill out[] (zeroed before); or fail with EINVAL and a
 * message that names what was expected and found ("weight [768][3072] does not fit input
 * [..][768]"). b: images of a micro-batch; batch: images of the batch. All products of dims fit
 * 63 bits when it returns (sct_infer_dims checks). An absent optional input has nd = 0 and
 * n_in tells. */
struct sct_infer {
    const struct sct_desc *in;
    uint32_t n_in;
    const void *params; /* never NULL; zero-filled to the op's struct */
    struct sct_desc *out;
    uint32_t b, batch;
    sct_error *err;
};

typedef sct_status (*sct_infer_fn)(const struct sct_infer *);

/* Gradient of one node: from dout (id 0: that output has no gradient) emit ordinary nodes and
 * set din[i] for every i with need[i]. An input that is the same for all images while the
 * output is per image (a weight, a bias, a token) gets acc(v, i) as the accumulator of an ACCUM
 * op: din[1] = sct_linear_dw(v->b, v->acc(v, 1), dy, x); din[i] left at none means "no gradient
 * flows" (integer inputs). Descriptions are copies. */
struct sct_vjp {
    struct sct_builder *b;
    const sct_val *in, *out, *dout;
    const struct sct_desc *in_desc, *out_desc;
    uint32_t n_in, n_out;
    const void *params;
    const uint8_t *need;
    sct_val *din;
    sct_val (*acc)(struct sct_vjp *, uint32_t i);
};

typedef void (*sct_vjp_fn)(struct sct_vjp *);

struct sct_op_info {
    const char *name;
    uint8_t in_min, in_max, n_out, tol, tol_arg;
    uint16_t params_size;
    uint32_t flags; /* enum sct_op_flag */
    sct_infer_fn infer;
    sct_vjp_fn vjp; /* NULL: NODIFF */
};

/* NULL for a number that this build does not know. */
const struct sct_op_info *sct_op_info(uint32_t op);
/* SCT_OP_NONE when there is no such op. */
uint32_t sct_op_find(const char *name);

#define SCT_OP(ID, NAME, IN_MIN, IN_MAX, OUT, GRAD, TOL, ARG, PARAMS, FLAGS)                   \
    sct_status infer_##NAME(const struct sct_infer *i);
#include <sctrun/ops.def>
#undef SCT_OP
/* vjp_<name> exists for every DIFF row (declared in op_table.c and in the family files). */

/* ---- helpers for core/ops ---- */

/* out[k] = dtype and dims; fails when the product of dims overflows 63 bits or a dim is 0. */
sct_status sct_infer_dims(const struct sct_infer *i, uint32_t k, uint32_t dtype, uint32_t nd,
                          const uint32_t *dim);
/* out[k] = in[j] (dense). */
sct_status sct_infer_same(const struct sct_infer *i, uint32_t k, uint32_t j);
/* "[2][197][192] f32" into buf; returns buf. */
const char *sct_desc_text(const struct sct_desc *d, char *buf, size_t size);
/* EINVAL with op-independent wording unless in[j] has that dtype. */
sct_status sct_infer_want_dtype(const struct sct_infer *i, uint32_t j, uint32_t dtype);
/* nonzero when both have the same dims (dtype and layout aside). */
int sct_desc_same_dims(const struct sct_desc *a, const struct sct_desc *b);
/* nonzero when y's dims are a suffix of x's. */
int sct_desc_is_suffix(const struct sct_desc *x, const struct sct_desc *y);

#endif
