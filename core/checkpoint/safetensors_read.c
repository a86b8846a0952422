/* SPDX-License-Identifier: MIT
 * safetensors_read.c - elements and shape of a tensor. */
#include "core/checkpoint/safetensors.h"

#include "core/checkpoint/elements.h"

static struct sct_elements all_of(const struct sct_st *st, const struct sct_st_tensor *t)
{
    return (struct sct_elements){sct_st_path(st), t->name, 0, t->dtype};
}

sct_status sct_st_read_f32(const struct sct_st *st, const struct sct_st_tensor *t, float *dst,
                           sct_error *err)
{
    const struct sct_elements e = all_of(st, t);
    return sct_elements_f32(&e, t->data, (size_t)t->count, dst, err);
}

sct_status sct_st_read_i32(const struct sct_st *st, const struct sct_st_tensor *t, int32_t *dst,
                           sct_error *err)
{
    const struct sct_elements e = all_of(st, t);
    return sct_elements_i32(&e, t->data, (size_t)t->count, dst, err);
}

/* "[768, 3072]", cut with "..." when it does not fit. */
static void format_shape(char *buf, size_t size, const uint64_t *d64, const uint32_t *d32,
                         uint32_t nd)
{
    size_t at = 1;
    (void)snprintf(buf, size, "[");
    for (uint32_t i = 0; i < nd; i++) {
        if (at + 32 > size) {
            (void)snprintf(buf + at, size - at, "...");
            at += 3;
            break;
        }
        const int n = snprintf(buf + at, size - at, "%s%llu", i ? ", " : "",
                               (unsigned long long)(d64 ? d64[i] : d32[i]));
        at += n > 0 ? (size_t)n : 0;
    }
    (void)snprintf(buf + at, size - at, "]");
}

sct_status sct_st_expect(const struct sct_st *st, const struct sct_st_tensor *t,
                         const uint32_t *dim, uint32_t nd, sct_error *err)
{
    int same = t->nd == nd;
    for (uint32_t i = 0; same && i < nd; i++)
        same = t->dim[i] == dim[i];
    if (same)
        return SCT_OK;
    char expected[128], found[128];
    format_shape(expected, sizeof expected, NULL, dim, nd);
    format_shape(found, sizeof found, t->dim, NULL, t->nd);
    return sct_fail(err, SCT_EFILE, "%s: tensor '%s': expected shape %s, found %s",
                    sct_st_path(st), t->name, expected, found);
}
