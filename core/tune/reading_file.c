/* SPDX-License-Identifier: MIT
 * reading_file.c - one reading in a safetensors file. Believes nothing: the key must be the one
 * that is asked for, the shapes those of the watch, the SHA-256 that of the values. */
#include <string.h>

#include "core/base/status.h"
#include "core/checkpoint/safetensors.h"
#include "core/tune/readings_cache.h"

static void checksum(const struct sct_reading *r, char hex[SCT_SHA256_HEX])
{
    struct sct_sha256 h;
    sct_sha256_init(&h);
    sct_sha256_add(&h, r->value, (size_t)r->rows * r->cols * sizeof *r->value);
    if (r->row_weight)
        sct_sha256_add(&h, r->row_weight, r->rows * sizeof *r->row_weight);
    sct_sha256_end(&h, hex);
}

static sct_status get(const struct sct_st *st, const char *name, const uint32_t *dim,
                      uint32_t nd, float *dst, sct_error *err)
{
    const struct sct_st_tensor *t = sct_st_find(st, name);
    if (!t || t->dtype != SCT_ST_F32)
        return sct_fail(err, SCT_EFILE, "%s: expected a reading with a tensor %s of F32",
                        sct_st_path(st), name);
    SCT_TRY(sct_st_expect(st, t, dim, nd, err));
    return sct_st_read_f32(st, t, dst, err);
}

static sct_status read_st(const struct sct_st *st, const char *key, struct sct_reading *r,
                          sct_error *err)
{
    char hex[SCT_SHA256_HEX];
    const uint32_t dim[2] = {r->rows, r->cols};
    const char *own = sct_st_metadata(st, "key"), *sum = sct_st_metadata(st, "sha256");
    if (!own || !sum)
        return sct_fail(err, SCT_EFILE, "%s: expected a reading with its key and sha256",
                        sct_st_path(st));
    if (strcmp(own, key) != 0)
        return sct_fail(err, SCT_EFILE, "%s: holds the reading of another calibration",
                        sct_st_path(st));
    if (sct_st_count(st) != (r->row_weight ? 2u : 1u))
        return sct_fail(err, SCT_EFILE, "%s: expected %d tensors, found %zu", sct_st_path(st),
                        r->row_weight ? 2 : 1, sct_st_count(st));
    SCT_TRY(get(st, "value", dim, 2, r->value, err));
    if (r->row_weight)
        SCT_TRY(get(st, "row_weight", dim, 1, r->row_weight, err));
    checksum(r, hex);
    if (strcmp(hex, sum) != 0)
        return sct_fail(err, SCT_EFILE, "%s: its values do not have the sha256 that it says",
                        sct_st_path(st));
    return SCT_OK;
}

sct_status sct_reading_parse(const void *data, size_t n, const char *name, const char *key,
                             struct sct_reading *r, sct_error *err)
{
    struct sct_st *st = NULL;
    SCT_TRY(sct_st_open_memory(&st, data, n, name, err));
    const sct_status rc = read_st(st, key, r, err);
    sct_st_close(&st);
    return rc;
}

sct_status sct_reading_load(const char *path, const char *key, struct sct_reading *r,
                            sct_error *err)
{
    struct sct_st *st = NULL;
    SCT_TRY(sct_st_open(&st, path, err));
    const sct_status rc = read_st(st, key, r, err);
    sct_st_close(&st);
    return rc;
}

sct_status sct_reading_save(const char *path, const char *key, const struct sct_reading *r,
                            sct_error *err)
{
    char hex[SCT_SHA256_HEX];
    const uint32_t dim[2] = {r->rows, r->cols};
    const struct sct_st_item item[] = {
        {.name = "value", .dim = dim, .f32 = r->value, .dtype = SCT_ST_F32, .nd = 2},
        {.name = "row_weight", .dim = dim, .f32 = r->row_weight, .dtype = SCT_ST_F32, .nd = 1}};
    checksum(r, hex);
    const struct sct_st_meta meta[] = {
        {"format", "sctrun reading"}, {"key", key}, {"sha256", hex}};
    return sct_st_write(path, item, r->row_weight ? 2 : 1, meta, 3, err);
}
