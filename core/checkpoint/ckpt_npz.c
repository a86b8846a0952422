/* SPDX-License-Identifier: MIT
 * ckpt_npz.c - NumPy .npz archives: a zip with one array a member. */
#include "core/checkpoint/ckpt_impl.h"

#include "core/checkpoint/npy.h"

#include <string.h>

static sct_status read_head(struct sct_ckpt *ck, uint32_t i, const char *what,
                            struct sct_npy_head *h, sct_error *err)
{
    const struct sct_zip_entry *x = sct_zip_at(ck->zip, i);
    if (x->data)
        return sct_npy_parse(h, x->data, (size_t)x->size, what, err);
    unsigned char head[SCT_NPY_MAX_HEAD];
    size_t got;
    SCT_TRY(sct_zip_head(ck->zip, i, head, sizeof head, &got, err));
    return sct_npy_parse(h, head, got, what, err);
}

/* Strides of Fortran order; an overflow is found with that of the product. */
static void column_major(const struct sct_npy_head *h, uint64_t *stride)
{
    uint64_t step = 1;
    for (uint32_t i = 0; i < h->nd; i++) {
        stride[i] = step;
        step *= h->dim[i];
    }
}

static sct_status add_array(struct sct_ckpt *ck, uint32_t i, size_t name_size, sct_error *err)
{
    const struct sct_zip_entry *x = sct_zip_at(ck->zip, i);
    struct sct_npy_head h;
    uint64_t stride[SCT_NPY_MAX_DIMS];
    char what[1024];
    (void)snprintf(what, sizeof what, "%s: member '%.200s'", ck->path, x->name);
    SCT_TRY(read_head(ck, i, what, &h, err));
    const struct sct_ckpt_blob b = {.data = x->data ? x->data + h.data_at : NULL,
                                    .size = x->size - h.data_at,
                                    .skip = h.data_at,
                                    .entry = i};
    struct sct_ckpt_claim c = {
        .name = x->name, .name_size = name_size, .dim = h.dim, .nd = h.nd, .dtype = h.dtype};
    if (h.fortran) {
        column_major(&h, stride);
        c.stride = stride;
    }
    SCT_TRY(sct_ckpt_add_blob(ck, &b, &c.blob, err));
    SCT_TRY(sct_ckpt_add_tensor(ck, &c, err));
    const struct sct_ckpt_tensor *t = &ck->tensor[ck->n - 1];
    if (t->size == b.size)
        return SCT_OK;
    return sct_fail(err, SCT_EFILE, "%s: expected %llu bytes of elements, found %llu", what,
                    (unsigned long long)t->size, (unsigned long long)b.size);
}

sct_status sct_ckpt_read_npz(struct sct_ckpt *ck, sct_error *err)
{
    static const char suffix[] = ".npy";
    const size_t tail = sizeof suffix - 1;
    for (uint32_t i = 0; i < sct_zip_count(ck->zip); i++) {
        const char *name = sct_zip_at(ck->zip, i)->name;
        const size_t n = strlen(name);
        if (n > tail && strcmp(name + n - tail, suffix) == 0)
            SCT_TRY(add_array(ck, i, n - tail, err));
        else if (n == 0 || name[n - 1] != '/')
            SCT_TRY(sct_ckpt_note(ck, err, "%.200s: not an array, skipped", name));
    }
    if (ck->n)
        return SCT_OK;
    return sct_fail(err, SCT_EFILE,
                    "%s: a zip archive with neither data.pkl (PyTorch) nor .npy arrays (NumPy)",
                    ck->path);
}
