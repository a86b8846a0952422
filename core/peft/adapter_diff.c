/* SPDX-License-Identifier: MIT
 * adapter_diff.c - two lists of tensors merged by name. */
#include "core/peft/adapter_diff.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/status.h"

static int by_name(const void *x, const void *y)
{
    const struct sct_adapter_tensor *const *a = x, *const *b = y;
    return strcmp((*a)->name, (*b)->name);
}

static int ascending(const void *x, const void *y)
{
    const int32_t *a = x, *b = y;
    return (*a > *b) - (*a < *b);
}

/* A sorted copy without repeats, *n of them; sct_free. */
static int32_t *sorted(const int32_t *v, uint32_t *n)
{
    int32_t *s = sct_alloc((size_t)(*n + 1) * sizeof *s);
    uint32_t k = 0;
    if (!s)
        return NULL;
    memcpy(s, v, *n * sizeof *s);
    qsort(s, *n, sizeof *s, ascending);
    for (uint32_t i = 0; i < *n; i++)
        if (i == 0 || s[i] != s[k - 1])
            s[k++] = s[i];
    *n = k;
    return s;
}

sct_status sct_index_both(const int32_t *a, uint32_t n_a, const int32_t *b, uint32_t n_b,
                          uint32_t *both, uint32_t *either, sct_error *err)
{
    int32_t *x = sorted(a, &n_a), *y = sorted(b, &n_b);
    const sct_status rc = x && y ? SCT_OK : sct_nomem(err);
    *both = 0;
    for (uint32_t i = 0, k = 0; rc == SCT_OK && i < n_a && k < n_b;) {
        *both += x[i] == y[k];
        const int32_t least = x[i] < y[k] ? x[i] : y[k];
        i += x[i] == least;
        k += y[k] == least;
    }
    *either = n_a + n_b - *both;
    sct_free(x);
    sct_free(y);
    return rc;
}

static double element(const struct sct_adapter_tensor *t, uint64_t i)
{
    return t->desc.dtype == SCT_I32 ? (double)((const int32_t *)t->data)[i]
                                    : (double)((const float *)t->data)[i];
}

static double norm(const struct sct_adapter_tensor *t)
{
    double sum = 0;
    for (uint64_t i = 0; i < sct_desc_count(&t->desc); i++)
        sum += element(t, i) * element(t, i);
    return sqrt(sum);
}

static void compare_values(struct sct_tensor_diff *d)
{
    const uint64_t n = sct_desc_count(&d->a->desc);
    const uint32_t *x = d->a->data, *y = d->b->data; /* both types have 4 bytes */
    double sum = 0;
    d->kind = memcmp(x, y, (size_t)n * 4) ? SCT_DIFF_VALUES : SCT_DIFF_EQUAL;
    for (uint64_t i = 0; d->kind == SCT_DIFF_VALUES && i < n; i++) {
        double e = x[i] == y[i] ? 0 : fabs(element(d->a, i) - element(d->b, i));
        if (!isfinite(e))
            e = INFINITY;
        sum += e * e;
        d->max_abs = fmax(d->max_abs, e);
    }
    d->norm_diff = sqrt(sum);
}

static bool is_list(const struct sct_adapter_tensor *t)
{
    return t && t->desc.dtype == SCT_I32 && t->desc.nd == 1;
}

static sct_status compare(struct sct_tensor_diff *d, sct_error *err)
{
    const struct sct_adapter_tensor *a = d->a, *b = d->b;
    d->name = a ? a->name : b->name;
    d->kind = !a ? SCT_DIFF_ONLY_B : !b ? SCT_DIFF_ONLY_A : SCT_DIFF_SHAPE;
    d->norm_a = a ? norm(a) : 0;
    d->norm_b = b ? norm(b) : 0;
    if (a && b && a->desc.dtype == b->desc.dtype && sct_desc_same_dims(&a->desc, &b->desc))
        compare_values(d);
    d->index = is_list(a) && is_list(b);
    if (!d->index)
        return SCT_OK;
    return sct_index_both(a->data, a->desc.dim[0], b->data, b->desc.dim[0], &d->both,
                          &d->either, err);
}

static const struct sct_adapter_tensor **names(const struct sct_adapter *a)
{
    const struct sct_adapter_tensor **list = sct_calloc((size_t)a->n + 1, sizeof(*list));
    for (uint32_t i = 0; list && i < a->n; i++)
        list[i] = &a->item[i];
    if (list)
        qsort(list, a->n, sizeof(*list), by_name);
    return list;
}

sct_status sct_adapter_diff(struct sct_tensor_diff **out, uint32_t *n,
                            const struct sct_adapter *a, const struct sct_adapter *b,
                            sct_error *err)
{
    const struct sct_adapter_tensor **x = names(a), **y = names(b);
    struct sct_tensor_diff *d = sct_calloc((size_t)a->n + b->n + 1, sizeof *d);
    sct_status rc = x && y && d ? SCT_OK : sct_nomem(err);
    *n = 0;
    for (uint32_t i = 0, k = 0; rc == SCT_OK && (i < a->n || k < b->n);) {
        const int order = i == a->n ? 1 : k == b->n ? -1 : strcmp(x[i]->name, y[k]->name);
        struct sct_tensor_diff *e = &d[(*n)++];
        e->a = order <= 0 ? x[i++] : NULL;
        e->b = order >= 0 ? y[k++] : NULL;
        rc = compare(e, err);
    }
    sct_free(x);
    sct_free(y);
    if (rc != SCT_OK) {
        sct_free(d);
        d = NULL;
    }
    *out = d;
    return rc;
}

double sct_tensor_diff_relative(const struct sct_tensor_diff *d)
{
    const double larger = fmax(d->norm_a, d->norm_b);
    return d->norm_diff > 0 ? d->norm_diff / larger : 0;
}

double sct_tensor_diff_overlap(const struct sct_tensor_diff *d)
{
    const uint32_t a = d->a->desc.dim[0], b = d->b->desc.dim[0], k = a < b ? a : b;
    return k ? (double)d->both / (double)k : 1.0;
}

double sct_tensor_diff_jaccard(const struct sct_tensor_diff *d)
{
    return d->either ? (double)d->both / (double)d->either : 1.0;
}
