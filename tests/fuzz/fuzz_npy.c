/* SPDX-License-Identifier: MIT
 * fuzz_npy.c - any bytes as the head of a NumPy array. */
#include "tests/fuzz/fuzz.h"

#include "core/checkpoint/npy.h"
#include "core/checkpoint/safetensors.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sct_npy_head h;
    sct_error err = SCT_ERROR_INIT;
    const sct_status rc = sct_npy_parse(&h, data, size, "fuzz", &err);
    fuzz_require(err.code == rc);
    fuzz_require(rc == SCT_OK || (rc == SCT_EFILE && strncmp(err.msg, "fuzz: ", 6) == 0));
    if (rc == SCT_OK) {
        fuzz_require(h.nd <= SCT_NPY_MAX_DIMS && h.data_at <= size);
        fuzz_require(h.data_at <= SCT_NPY_MAX_HEAD && sct_st_dtype_bits(h.dtype) >= 8);
    }
    return 0;
}
