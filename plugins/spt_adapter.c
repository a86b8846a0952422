/* SPDX-License-Identifier: MIT
 * spt_adapter.c - the plan in an adapter. Names follow from the model and are not stored. */
#include "plugins/spt_plan.h"

static const char fates[] = "spt.plan.fate", entries[] = "spt.plan.entries",
                  positions[] = "spt.plan.index";

static uint64_t all_entries(const struct spt_plan *p)
{
    uint64_t n = 0;
    for (size_t i = 0; i < p->n; i++)
        n += p->t[i].n_idx;
    return n;
}

/* v: room for as many numbers as there are candidates, and entries. */
static sct_status put_all(const struct spt_plan *p, const struct sct_strategy_host *h,
                          int32_t *v, uint64_t n, sct_adapter *a, sct_error *err)
{
    const uint32_t rows = (uint32_t)p->n, all = (uint32_t)n;
    const struct sct_desc row = sct_desc_make(SCT_I32, 1, &rows),
                          every = sct_desc_make(SCT_I32, 1, &all);
    size_t at = 0;
    for (size_t i = 0; i < p->n; i++)
        v[i] = (int32_t)p->t[i].fate;
    SCT_TRY(h->put(a, fates, &row, v, err));
    if (n == 0)
        return SCT_OK;
    for (size_t i = 0; i < p->n; i++)
        v[i] = (int32_t)p->t[i].n_idx;
    SCT_TRY(h->put(a, entries, &row, v, err));
    for (size_t i = 0; i < p->n; i++)
        for (size_t k = 0; k < p->t[i].n_idx; k++)
            v[at++] = (int32_t)p->t[i].idx[k];
    return h->put(a, positions, &every, v, err);
}

sct_status spt_plan_save(const struct spt_plan *p, const struct sct_strategy_host *h,
                         sct_adapter *a, sct_error *err)
{
    const uint64_t n = all_entries(p);
    if (n > INT32_MAX || p->n > INT32_MAX)
        return h->fail(err, SCT_EUNSUP, "a plan of %llu entries", (unsigned long long)n);
    int32_t *v = h->alloc((size_t)(n > p->n ? n : p->n) * sizeof *v);
    if (!v)
        return h->fail(err, SCT_ENOMEM, "out of memory");
    const sct_status rc = put_all(p, h, v, n, a, err);
    h->free(v);
    return rc;
}

/* A list of whole numbers; n 0: any length. */
static sct_status get(const struct sct_strategy_host *h, const sct_adapter *a, const char *name,
                      uint64_t n, const int32_t **v, uint64_t *got, sct_error *err)
{
    struct sct_desc d;
    const void *data;
    SCT_TRY(h->get(a, name, &d, &data, err));
    if (d.dtype != SCT_I32 || d.nd != 1 || (n && d.dim[0] != n))
        return h->fail(err, SCT_EFILE, "%s: expected a list of %llu whole numbers (i32)", name,
                       (unsigned long long)n);
    *v = data;
    *got = d.dim[0];
    return SCT_OK;
}

/* The next entries of a list, of which *left are left. */
static sct_status take(struct spt_tensor *t, const struct sct_strategy_host *h, int32_t n,
                       const int32_t **v, uint64_t *left, sct_error *err)
{
    if (n <= 0 || (uint64_t)n > *left || (uint64_t)n > spt_size(t))
        return h->fail(err, SCT_EFILE, "%s: %d entries of %s, of which %llu are stored",
                       entries, (int)n, t->name, (unsigned long long)*left);
    t->idx = h->alloc((size_t)n * sizeof *t->idx);
    if (!t->idx)
        return h->fail(err, SCT_ENOMEM, "out of memory");
    for (int32_t k = 0; k < n; k++) {
        const int32_t x = *(*v)++;
        if (x < 0 || (uint64_t)x >= spt_size(t) || (k && (uint32_t)x <= t->idx[k - 1]))
            return h->fail(err, SCT_EFILE,
                           "%s: entry %d of %s is %d; expected ascending positions below %llu",
                           positions, (int)k, t->name, (int)x, (unsigned long long)spt_size(t));
        t->idx[t->n_idx++] = (uint32_t)x;
    }
    *left -= (uint64_t)n;
    return SCT_OK;
}

static int fits(const struct spt_tensor *t, int32_t fate)
{
    return fate == SPT_FROZEN || fate == SPT_SPARSE ||
           fate == (t->kind == SPT_MATRIX ? SPT_STRUCTURED : SPT_VECTOR);
}

sct_status spt_plan_load(struct spt_plan *p, const struct spt_options *o,
                         const struct sct_strategy_host *h, const sct_adapter *a,
                         sct_error *err)
{
    const int32_t *fate, *count = NULL, *v = NULL;
    uint64_t left = 0, got;
    int sparse = 0;
    SCT_TRY(get(h, a, fates, p->n, &fate, &got, err));
    for (size_t i = 0; i < p->n; i++) {
        if (!fits(&p->t[i], fate[i]))
            return h->fail(err, SCT_EFILE, "%s: %d is nothing that can become of %s", fates,
                           (int)fate[i], p->t[i].name);
        p->t[i].fate = (uint32_t)fate[i];
        sparse |= fate[i] == SPT_SPARSE;
    }
    if (sparse) {
        SCT_TRY(get(h, a, entries, p->n, &count, &got, err));
        SCT_TRY(get(h, a, positions, 0, &v, &left, err));
    }
    for (size_t i = 0; i < p->n && sparse; i++) {
        if (p->t[i].fate == SPT_SPARSE)
            SCT_TRY(take(&p->t[i], h, count[i], &v, &left, err));
        else if (count[i] != 0)
            return h->fail(err, SCT_EFILE, "%s: %d entries of %s, which is not sparse", entries,
                           (int)count[i], p->t[i].name);
    }
    if (left)
        return h->fail(err, SCT_EFILE, "%s: %llu entries more than %s says", positions,
                       (unsigned long long)left, entries);
    spt_plan_count(p, o);
    return SCT_OK;
}
