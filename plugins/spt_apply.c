/* SPDX-License-Identifier: MIT
 * spt_apply.c - builds the sparse entries of a plan. */
#include "plugins/spt.h"

sct_status spt_apply(const struct spt_options *o, const struct spt_plan *p,
                     const struct sct_strategy_host *h, sct_model *m, sct_error *err)
{
    char name[256];
    (void)o;
    for (size_t i = 0; i < p->n; i++) {
        const struct spt_tensor *t = &p->t[i];
        if (t->fate != SPT_SPARSE || t->kind == SPT_NORM)
            continue;
        (void)snprintf(name, sizeof name, "spt.%s", t->name);
        uint32_t *idx = h->alloc(t->n_idx * 4);
        for (size_t k = 0; k < t->n_idx; k++)
            idx[k] = t->idx[k] + t->first_row * t->cols;
        sct_status rc = h->train_some(m, t->param, name, idx, t->n_idx, NULL, err);
        h->free(idx);
        SCT_TRY(rc);
    }
    return SCT_OK;
}
