/* SPDX-License-Identifier: MIT
 * elements.h - elements of a weight file as float or int32.
 * The bytes are little-endian and of any alignment; the host may be of either byte order. Pure
 * functions, any thread. */
#ifndef SCT_CHECKPOINT_ELEMENTS_H
#define SCT_CHECKPOINT_ELEMENTS_H

#include "core/checkpoint/safetensors.h"

/* Where a run of elements comes from, for messages. */
struct sct_elements {
    const char *file, *tensor;
    uint64_t first; /* number of the run's first element in the tensor */
    uint32_t dtype; /* enum sct_st_dtype */
};

/* F32, F16, BF16 (exact) and F64 (rounded to nearest; a finite value beyond the range of float
 * is refused). Other dtypes: SCT_EFILE with the list of what can be read. */
sct_status sct_elements_f32(const struct sct_elements *e, const unsigned char *src, size_t n,
                            float *dst, sct_error *err);
/* BOOL, U8, I8, I16, I32, I64; an I64 outside the range is SCT_EFILE with its element number.
 */
sct_status sct_elements_i32(const struct sct_elements *e, const unsigned char *src, size_t n,
                            int32_t *dst, sct_error *err);

#endif
