/* SPDX-License-Identifier: MIT
 * sct_hooks.c - the calls of a strategy: look, choose or load, apply. */
#include <stdio.h>

#include "plugins/sct_tuning.h"

sct_status sct_tuning_observe(void *st, const struct sct_strategy_host *h, sct_model *m,
                              sct_error *err)
{
    const struct sct_tuning *t = st;
    struct sct_spot *spot;
    size_t n;
    const struct sct_protocol p = {.size = sizeof p, .list = SCT_LIST_TRAIN, .skip_prefix = 1};
    SCT_TRY(sct_place(t, h, m, &spot, &n, err));
    sct_place_idle(t, h, m);
    sct_status rc = SCT_OK;
    /* q and v of a layer are scored by one reading */
    for (size_t i = 0; i < n && rc == SCT_OK && sct_select_measures(t); i++)
        if (i == 0 || spot[i].scored != spot[i - 1].scored)
            rc = h->watch(m, SCT_WATCH_SUMSQ_LABEL, spot[i].scored, &p, err);
    h->free(spot);
    return rc;
}

static sct_status alloc_choices(struct sct_tuning *t, const struct sct_strategy_host *h,
                                const sct_model *m, struct sct_spot **spot, sct_error *err)
{
    SCT_TRY(sct_place(t, h, m, spot, &t->n, err));
    t->choice = h->alloc(t->n * sizeof *t->choice);
    return t->choice ? SCT_OK : h->fail(err, SCT_ENOMEM, "out of memory");
}

sct_status sct_tuning_choose(void *st, const struct sct_strategy_host *h, const sct_model *m,
                             const struct sct_readings *r, sct_error *err)
{
    struct sct_tuning *t = st;
    struct sct_spot *spot = NULL;
    sct_status rc = alloc_choices(t, h, m, &spot, err);
    for (size_t i = 0; i < t->n && rc == SCT_OK; i++)
        rc = sct_select(t, h, m, r, &spot[i], &t->choice[i], err);
    h->free(spot);
    return rc;
}

/* An index list must be ascending and lie in the part that the module acts on. */
static sct_status load_one(const struct sct_strategy_host *h, const struct sct_spot *s,
                           const sct_adapter *a, struct sct_choice *out, sct_error *err)
{
    char name[96];
    struct sct_desc d;
    const void *data;
    const uint32_t end = s->first + s->width;
    (void)snprintf(name, sizeof name, "%s.index", s->stem);
    SCT_TRY(h->get(a, name, &d, &data, err));
    if (d.dtype != SCT_I32 || d.nd != 1 || d.dim[0] == 0 || d.dim[0] > s->width)
        return h->fail(err, SCT_EFILE,
                       "%s: expected 1 to %u channel indices (i32, one dimension)", name,
                       s->width);
    out->k = d.dim[0];
    out->idx = h->alloc(out->k * sizeof *out->idx);
    if (!out->idx)
        return h->fail(err, SCT_ENOMEM, "out of memory");
    const int32_t *idx = data;
    for (uint32_t j = 0; j < out->k; j++) {
        if (idx[j] < 0 || (uint32_t)idx[j] < s->first || (uint32_t)idx[j] >= end ||
            (j && idx[j] <= idx[j - 1]))
            return h->fail(err, SCT_EFILE,
                           "%s: entry %u is %d; expected ascending channels from %u, below %u",
                           name, j, (int)idx[j], s->first, end);
        out->idx[j] = (uint32_t)idx[j];
    }
    return SCT_OK;
}

sct_status sct_tuning_load(void *st, const struct sct_strategy_host *h, const sct_model *m,
                           const sct_adapter *a, sct_error *err)
{
    struct sct_tuning *t = st;
    struct sct_spot *spot = NULL;
    sct_status rc = alloc_choices(t, h, m, &spot, err);
    for (size_t i = 0; i < t->n && rc == SCT_OK; i++)
        rc = load_one(h, &spot[i], a, &t->choice[i], err);
    h->free(spot);
    return rc;
}

sct_status sct_tuning_apply(void *st, const struct sct_strategy_host *h, sct_model *m,
                            sct_error *err)
{
    const struct sct_tuning *t = st;
    struct sct_spot *spot;
    size_t n;
    SCT_TRY(sct_place(t, h, m, &spot, &n, err));
    sct_status rc = SCT_OK;
    if (n != t->n)
        rc = h->fail(err, SCT_EFAIL, "%zu sites now, %zu were chosen", n, t->n);
    for (size_t i = 0; i < n && rc == SCT_OK; i++)
        rc = sct_module_insert(t, h, m, &spot[i], &t->choice[i], err);
    h->free(spot);
    return rc;
}

void sct_tuning_fini(void *st, const struct sct_strategy_host *h)
{
    struct sct_tuning *t = st;
    for (size_t i = 0; t->choice && i < t->n; i++)
        h->free(t->choice[i].idx);
    h->free(t->choice);
}
