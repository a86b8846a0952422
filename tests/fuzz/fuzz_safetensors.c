/* SPDX-License-Identifier: MIT
 * fuzz_safetensors.c - any bytes as a .safetensors file.
 * What is accepted must tile the data, be found by name, and be readable. */
#include "tests/fuzz/fuzz.h"

#include "core/checkpoint/safetensors.h"

#include <string.h>

static void read_tensor(const struct sct_st *st, const struct sct_st_tensor *t)
{
    uint64_t n = 1;
    for (uint32_t i = 0; i < t->nd; i++)
        n *= t->dim[i];
    fuzz_require(n == t->count);
    fuzz_require(t->size * 8 == t->count * sct_st_dtype_bits(t->dtype));
    fuzz_require(sct_st_find(st, t->name) == t);
    float *f = malloc(4 * (size_t)t->count + 1);
    int32_t *v = malloc(4 * (size_t)t->count + 1);
    fuzz_require(f && v);
    (void)sct_st_read_f32(st, t, f, NULL);
    (void)sct_st_read_i32(st, t, v, NULL);
    free(f);
    free(v);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sct_st *st;
    sct_error err = SCT_ERROR_INIT;
    const sct_status rc = sct_st_open_memory(&st, data, size, "fuzz", &err);
    fuzz_require((rc == SCT_OK) == (st != NULL) && err.code == rc);
    fuzz_require(rc == SCT_OK || rc == SCT_EFILE || rc == SCT_ENOMEM);
    if (rc != SCT_OK)
        return 0;
    const uint8_t *at = NULL;
    for (size_t i = 0; i < sct_st_count(st); i++) {
        const struct sct_st_tensor *t = sct_st_at(st, i);
        fuzz_require(!at || t->data == at);
        at = t->data + t->size;
        read_tensor(st, t);
    }
    fuzz_require(!at || at == data + size);
    sct_st_close(&st);
    return 0;
}
