/* SPDX-License-Identifier: MIT
 * graph.h - dtypes, tensor descriptions, value handles, the builder interface.
 *
 * Every value is dense and row-major. A value of the body (one that depends on a sample) has
 * the number of images as its first dimension. */
#ifndef SCTRUN_GRAPH_H
#define SCTRUN_GRAPH_H

#include <sctrun/base.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { SCT_MAX_IN = 8, SCT_MAX_OUT = 4, SCT_MAX_DIMS = 6 };

/* What a value holds. Accumulation inside kernels is always f32 or better. */
#define SCT_DTYPE_MAP(X)                                                                       \
    X(F32, 0, "f32", 4)                                                                        \
    X(BF16, 1, "bf16", 2)                                                                      \
    X(F16, 2, "f16", 2)                                                                        \
    X(I32, 3, "i32", 4)                                                                        \
    X(U8, 4, "u8", 1)

enum sct_dtype {

#define SCT_DTYPE_ENUM(ID, VALUE, NAME, BYTES) SCT_##ID = VALUE,
    SCT_DTYPE_MAP(SCT_DTYPE_ENUM)
#undef SCT_DTYPE_ENUM
        SCT_DTYPE_COUNT
};

/* Element type and shape. layout 0 is dense row-major; any other number is private to the
 * backend that asked for it and occurs only on the output of a PACK node. nd = 0 is a scalar.
 */
struct sct_desc {
    uint32_t dtype, nd;
    uint32_t dim[SCT_MAX_DIMS];
    uint32_t layout;
};

/* A value of a graph under construction. id 0 is "none". */
typedef struct {
    uint32_t id;
} sct_val;

/* What the constructors of ops.h call. A failed emit records the first error (op, path, shapes)
 * in the builder and returns "none"; further calls with a required input of "none" do nothing,
 * so model code checks once, at the end. outs, if not NULL, receives all outputs of the node.
 * One thread at a time. */
struct sct_builder {
    uint32_t size;
    sct_val (*emit)(struct sct_builder *b, uint32_t op, const sct_val *in, uint32_t n_in,
                    sct_val *outs, const void *params, size_t params_size);
    /* Description of v, or NULL for "none". Valid until the next emit. */
    const struct sct_desc *(*desc)(const struct sct_builder *b, sct_val v);
};

static inline struct sct_desc sct_desc_make(uint32_t dtype, uint32_t nd, const uint32_t *dim)
{
    struct sct_desc d = {dtype, nd, {0}, 0};
    for (uint32_t i = 0; i < nd && i < SCT_MAX_DIMS; i++)
        d.dim[i] = dim[i];
    return d;
}

/* Number of elements. Descriptions inside a verified graph never overflow (infer checks). */
static inline uint64_t sct_desc_count(const struct sct_desc *d)
{
    uint64_t n = 1;
    for (uint32_t i = 0; i < d->nd; i++)
        n *= d->dim[i];
    return n;
}

/* Product of all dimensions but the last: the rows of a matrix of dim[nd-1] columns. */
static inline uint64_t sct_desc_rows(const struct sct_desc *d)
{
    uint64_t n = 1;
    for (uint32_t i = 0; i + 1 < d->nd; i++)
        n *= d->dim[i];
    return n;
}

static inline uint32_t sct_desc_last(const struct sct_desc *d)
{
    return d->nd ? d->dim[d->nd - 1] : 1;
}

static inline uint32_t sct_dtype_bytes(uint32_t dtype)
{
    static const uint8_t bytes[SCT_DTYPE_COUNT] = {
#define SCT_DTYPE_BYTES(ID, VALUE, NAME, BYTES) BYTES,
        SCT_DTYPE_MAP(SCT_DTYPE_BYTES)
#undef SCT_DTYPE_BYTES
    };
    return dtype < SCT_DTYPE_COUNT ? bytes[dtype] : 0;
}

#ifdef __cplusplus
}
#endif
#endif
