/* SPDX-License-Identifier: MIT
 * tensor.c - tensors whose data is in memory, or lies where it can be read. */
#include "core/ir/tensor.h"

#include <string.h>

sct_status sct_tensor_load_data(const struct sct_tensor *t, void *dst, sct_error *err)
{
    (void)err;
    const size_t n = (size_t)sct_desc_count(&t->desc) * sct_dtype_bytes(t->desc.dtype);
    if (t->data)
        memcpy(dst, t->data, n);
    else
        memset(dst, 0, n);
    return SCT_OK;
}

sct_status sct_tensor_view(const struct sct_tensor *t, const void **v, sct_error *err)
{
    *v = NULL;
    const sct_status rc = t->view ? t->view(t, v, err) : SCT_OK;
    if (rc != SCT_OK)
        *v = NULL;
    return rc;
}

void sct_tensor_viewed(const struct sct_tensor *t, const void *v)
{
    if (v && t->viewed)
        t->viewed(t);
}
