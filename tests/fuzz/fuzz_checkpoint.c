/* SPDX-License-Identifier: MIT
 * fuzz_checkpoint.c - any bytes as a weight file of any container; built once for each, with a
 * corpus of its own. What is accepted must be consistent, be found by name, and be readable. */
#include "tests/fuzz/fuzz.h"

#include "core/checkpoint/checkpoint.h"
#include "core/io/text.h"

#include <string.h>

/* Views may claim more elements than the file has bytes; larger ones are not read. */
enum { MOST = 1 << 16 };

static void read_tensor(struct sct_ckpt *ck, const struct sct_ckpt_tensor *t)
{
    uint64_t n = 1;
    for (uint32_t i = 0; i < t->nd; i++)
        n *= t->dim[i];
    fuzz_require(n == t->count && t->name[0]);
    fuzz_require(t->size * 8 == t->count * sct_st_dtype_bits(t->dtype));
    fuzz_require(sct_ckpt_find(ck, t->name) == t);
    if (t->count > MOST)
        return;
    float *f = malloc(4 * (size_t)t->count + 1);
    int32_t *v = malloc(4 * (size_t)t->count + 1);
    fuzz_require(f && v);
    (void)sct_ckpt_read_f32(ck, t, f, NULL);
    (void)sct_ckpt_read_i32(ck, t, v, NULL);
    const float *there;
    if (sct_ckpt_view_f32(ck, t, 0, t->count, &there, NULL) == SCT_OK && there)
        fuzz_require(memcmp(there, f, 4 * (size_t)t->count) == 0);
    free(f);
    free(v);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sct_ckpt *ck;
    sct_error err = SCT_ERROR_INIT;
    const char *value;
    const sct_status rc = sct_ckpt_open_memory(&ck, data, size, "fuzz", &err);
    fuzz_require((rc == SCT_OK) == (ck != NULL) && err.code == rc);
    fuzz_require(rc == SCT_OK || rc == SCT_EFILE || rc == SCT_ENOMEM);
    fuzz_require(rc != SCT_EFILE || strncmp(err.msg, "fuzz", 4) == 0);
    if (rc != SCT_OK)
        return 0;
    fuzz_require(sct_ckpt_count(ck) > 0 && sct_ckpt_kind(ck));
    /* the first and the last few: inflating one member for each of thousands takes long */
    for (size_t i = 0; i < sct_ckpt_count(ck) && i < 64; i++)
        read_tensor(ck, sct_ckpt_at(ck, i));
    for (size_t i = 0; sct_ckpt_metadata_at(ck, i, &value); i++)
        fuzz_require(value != NULL);
    for (size_t i = 0; (value = sct_ckpt_note_at(ck, i)); i++)
        fuzz_require(value[0] && sct_utf8_valid(value, strlen(value)) == strlen(value));
    sct_ckpt_close(&ck);
    return 0;
}
