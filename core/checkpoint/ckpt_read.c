/* SPDX-License-Identifier: MIT
 * ckpt_read.c - elements of a checkpoint's tensors, in C order.
 * Contiguous tensors are converted straight from the file; others are gathered, a few hundred
 * elements at a time. */
#include "core/checkpoint/ckpt_impl.h"

#include "core/base/status.h"
#include "core/checkpoint/elements.h"

#include <string.h>

/* Converts n elements at src into the destination from element `first` on. */
typedef sct_status (*convert_fn)(const struct sct_elements *e, const unsigned char *src,
                                 size_t n, void *dst, sct_error *err);

static sct_status to_f32(const struct sct_elements *e, const unsigned char *src, size_t n,
                         void *dst, sct_error *err)
{
    return sct_elements_f32(e, src, n, (float *)dst + e->first, err);
}

static sct_status to_i32(const struct sct_elements *e, const unsigned char *src, size_t n,
                         void *dst, sct_error *err)
{
    return sct_elements_i32(e, src, n, (int32_t *)dst + e->first, err);
}

/* Steps a C-order index by one element and keeps *at, its place in the storage. */
static void step(const struct sct_ckpt_tensor *t, const uint64_t *stride, uint64_t *index,
                 uint64_t *at)
{
    for (uint32_t k = t->nd; k-- > 0;) {
        *at += stride[k];
        if (++index[k] < t->dim[k])
            return;
        *at -= stride[k] * t->dim[k];
        index[k] = 0;
    }
}

static sct_status gather(const struct sct_ckpt_tensor *t, const uint64_t *stride,
                         const unsigned char *src, struct sct_elements *e, convert_fn convert,
                         void *dst, sct_error *err)
{
    enum { RUN = 512, MAX_WIDTH = 8 };

    unsigned char run[RUN * MAX_WIDTH];
    uint64_t index[SCT_CKPT_MAX_DIMS] = {0}, at = 0;
    const size_t width = sct_st_dtype_bits(t->dtype) / 8;
    for (e->first = 0; e->first < t->count;) {
        const uint64_t left = t->count - e->first;
        const size_t n = left < RUN ? (size_t)left : RUN;
        for (size_t i = 0; i < n; i++) {
            memcpy(run + i * width, src + at * width, width);
            step(t, stride, index, &at);
        }
        SCT_TRY(convert(e, run, n, dst, err));
        e->first += n;
    }
    return SCT_OK;
}

static sct_status convert_all(const struct sct_ckpt *ck, const struct sct_ckpt_tensor *t,
                              const unsigned char *blob, convert_fn convert, void *dst,
                              sct_error *err)
{
    const struct sct_ckpt_place *p = &ck->place[t - ck->tensor];
    struct sct_elements e = {ck->path, t->name, 0, t->dtype};
    if (p->stride)
        return gather(t, p->stride, blob + p->offset, &e, convert, dst, err);
    return convert(&e, blob + p->offset, (size_t)t->count, dst, err);
}

/* Zips only: compares the checksum of a stored member, or inflates a compressed one. */
static sct_status read_tensor(struct sct_ckpt *ck, const struct sct_ckpt_tensor *t,
                              convert_fn convert, void *dst, sct_error *err)
{
    struct sct_ckpt_blob *b = &ck->blob[ck->place[t - ck->tensor].blob];
    if (t->count == 0)
        return SCT_OK;
    if (b->data) {
        if (!b->checked)
            SCT_TRY(sct_zip_check(ck->zip, b->entry, err));
        b->checked = true;
        return convert_all(ck, t, b->data, convert, dst, err);
    }
    unsigned char *all = sct_alloc((size_t)(b->skip + b->size));
    if (!all)
        return sct_nomem(err);
    sct_status rc = sct_zip_read(ck->zip, b->entry, all, err);
    if (rc == SCT_OK)
        rc = convert_all(ck, t, all + b->skip, convert, dst, err);
    sct_free(all);
    return rc;
}

sct_status sct_ckpt_read_f32(struct sct_ckpt *ck, const struct sct_ckpt_tensor *t, float *dst,
                             sct_error *err)
{
    return read_tensor(ck, t, to_f32, dst, err);
}

/* The n elements from number `first` on as the file has them, in *src; NULL where they do not
 * lie in C order, uncompressed. */
static sct_status part(struct sct_ckpt *ck, const struct sct_ckpt_tensor *t, uint64_t first,
                       uint64_t n, const unsigned char **src, sct_error *err)
{
    const struct sct_ckpt_place *p = &ck->place[t - ck->tensor];
    struct sct_ckpt_blob *b = &ck->blob[p->blob];
    *src = NULL;
    if (first > t->count || n > t->count - first)
        return sct_fail(err, SCT_EINVAL, "%s: tensor %s has %llu elements, not those asked for",
                        ck->path, t->name, (unsigned long long)t->count);
    if (!n || !b->data || p->stride)
        return SCT_OK;
    if (!b->checked)
        SCT_TRY(sct_zip_check(ck->zip, b->entry, err));
    b->checked = true;
    *src = b->data + p->offset + first * (sct_st_dtype_bits(t->dtype) / 8);
    return SCT_OK;
}

sct_status sct_ckpt_view_f32(struct sct_ckpt *ck, const struct sct_ckpt_tensor *t,
                             uint64_t first, uint64_t n, const float **v, sct_error *err)
{
    const unsigned char *src;
    *v = NULL;
    SCT_TRY(part(ck, t, first, n, &src, err));
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    if (src && t->dtype == SCT_ST_F32 && (uintptr_t)src % sizeof **v == 0)
        *v = (const void *)src;
#endif
    return SCT_OK;
}

sct_status sct_ckpt_read_f32_part(struct sct_ckpt *ck, const struct sct_ckpt_tensor *t,
                                  uint64_t first, uint64_t n, float *dst, sct_error *err)
{
    const unsigned char *src;
    SCT_TRY(part(ck, t, first, n, &src, err));
    if (src)
        return sct_elements_f32(
            &(const struct sct_elements){ck->path, t->name, first, t->dtype}, src, (size_t)n,
            dst, err);
    float *all = n ? sct_calloc((size_t)t->count, sizeof *all) : NULL;
    if (n && !all)
        return sct_nomem(err);
    const sct_status rc = n ? sct_ckpt_read_f32(ck, t, all, err) : SCT_OK;
    if (rc == SCT_OK && n)
        memcpy(dst, all + first, (size_t)n * sizeof *dst);
    sct_free(all);
    return rc;
}

sct_status sct_ckpt_read_i32(struct sct_ckpt *ck, const struct sct_ckpt_tensor *t, int32_t *dst,
                             sct_error *err)
{
    return read_tensor(ck, t, to_i32, dst, err);
}

void sct_ckpt_drop(const struct sct_ckpt *ck, const struct sct_ckpt_tensor *t)
{
    const struct sct_ckpt_place *p = &ck->place[t - ck->tensor];
    const struct sct_ckpt_blob *b = &ck->blob[p->blob];
    for (uint32_t i = 0; b->data && t->size && i < ck->n_file; i++) {
        const struct sct_map *m = &ck->file[i].map;
        if (m->base && b->data >= m->base && b->data < m->base + m->size)
            sct_map_drop(m, b->data + p->offset,
                         (size_t)(p->stride ? b->size - p->offset : t->size));
    }
}
