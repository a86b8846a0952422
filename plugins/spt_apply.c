/* SPDX-License-Identifier: MIT
 * spt_apply.c - from a plan to the tuned model (He et al. 2023, arXiv 2303.08566; the released
 * code, ziplab/SPT model/vision_transformer_timm.py:1101-1361): vectors that are trained as a
 * whole, single entries that get a delta, the class token, and the modules of spt_module.c.
 *
 * The plan knows q, k and v of a fused qkv apart, the model has one parameter for all three. It
 * is trained itself where all of its parts are tuned vectors; otherwise a part that is a tuned
 * vector gets a delta for each of its elements.
 *
 * A delta from 0 that is added to an element moves as the element itself would, for its
 * gradient is the same; only weight decay could tell them apart. What is trained here has one
 * dimension in the released code, whose decay is 0 for such tensors and for the class token
 * (lib/utils.py:334-375), so it has none here either. */
#include <stdio.h>

#include "plugins/spt_module.h"

static const struct sct_group no_decay = {sizeof no_decay, 1.0f, 0.0f};

static int is_trained(const struct spt_options *o, const struct spt_tensor *t)
{
    if (t->fate == SPT_VECTOR)
        return 1;
    return t->fate == SPT_SPARSE && t->n_idx &&
           (t->kind != SPT_NORM || o->norms == SPT_NORMS_TRAINED);
}

/* Deltas for the entries of t, or for all of a vector. */
static sct_status train_entries(const struct spt_tensor *t, const struct sct_strategy_host *h,
                                sct_model *m, sct_error *err)
{
    char name[SPT_NAME + 8];
    const uint32_t first = t->first_row * t->cols;
    const size_t n = t->fate == SPT_VECTOR ? (size_t)t->rows * t->cols : t->n_idx;
    uint32_t *at = h->alloc(n * sizeof *at);
    if (!at)
        return h->fail(err, SCT_ENOMEM, "out of memory");
    for (size_t i = 0; i < n; i++)
        at[i] = first + (t->fate == SPT_VECTOR ? (uint32_t)i : t->idx[i]);
    (void)snprintf(name, sizeof name, "spt.%s", t->name);
    const sct_status rc = h->train_some(m, t->param, name, at, n, &no_decay, err);
    h->free(at);
    return rc;
}

/* Whether every tensor of the parameter is trained as a whole vector. */
static int is_whole(const struct spt_plan *p, uint32_t param)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->t[i].param == param && p->t[i].fate != SPT_VECTOR)
            return 0;
    return 1;
}

static sct_status train_base(const struct spt_options *o, const struct spt_plan *p,
                             const struct sct_strategy_host *h, sct_model *m, sct_error *err)
{
    for (size_t i = 0; i < p->n; i++) {
        const struct spt_tensor *t = &p->t[i];
        if (!is_trained(o, t))
            continue;
        if (is_whole(p, t->param))
            SCT_TRY(h->train(m, t->param, &no_decay, err));
        else
            SCT_TRY(train_entries(t, h, m, err));
    }
    return SCT_OK;
}

/* A Swin, and some ViTs, have none. */
static sct_status train_class_token(const struct sct_strategy_host *h, sct_model *m,
                                    sct_error *err)
{
    uint32_t token;
    return h->params(m, "cls_token", &token, 1) ? h->train(m, token, &no_decay, err) : SCT_OK;
}

/* The structured tensors of one site; their number. */
static uint32_t structured_of(const struct spt_plan *p, const struct sct_site *site,
                              const struct spt_tensor *t[SPT_PARTS])
{
    uint32_t n = 0;
    for (size_t i = 0; i < p->n && n < SPT_PARTS; i++)
        if (p->t[i].fate == SPT_STRUCTURED && p->t[i].param + 1 == site->weight)
            t[n++] = &p->t[i];
    return n;
}

static sct_status insert_modules(const struct spt_options *o, const struct spt_plan *p,
                                 const struct sct_strategy_host *h, sct_model *m,
                                 struct sct_site *site, size_t n, sct_error *err)
{
    size_t placed = 0, wanted = 0;
    for (size_t i = 0; i < p->n; i++)
        wanted += p->t[i].fate == SPT_STRUCTURED;
    for (size_t i = 0; i < n; i++) {
        const struct spt_tensor *t[SPT_PARTS];
        (void)h->sites(m, "**", site, n); /* an edit moves values: ask again */
        if (site[i].kind != SCT_SITE_LINEAR || site[i].role == SCT_ROLE_HEAD)
            continue;
        const uint32_t parts = structured_of(p, &site[i], t);
        if (parts)
            SCT_TRY(spt_modules_insert(o, h, m, &site[i], t, parts, err));
        placed += parts;
    }
    if (placed == wanted)
        return SCT_OK;
    return h->fail(err, SCT_EFILE,
                   "the plan has %zu structured modules, the model has linear layers for %zu "
                   "of them; was the plan made for another model?",
                   wanted, placed);
}

sct_status spt_apply(const struct spt_options *o, const struct spt_plan *p,
                     const struct sct_strategy_host *h, sct_model *m, sct_error *err)
{
    SCT_TRY(train_base(o, p, h, m, err));
    if (o->class_token)
        SCT_TRY(train_class_token(h, m, err));
    const size_t n = h->sites(m, "**", NULL, 0);
    struct sct_site *site = h->alloc(n * sizeof *site);
    if (!site)
        return h->fail(err, SCT_ENOMEM, "out of memory");
    const sct_status rc = insert_modules(o, p, h, m, site, n, err);
    h->free(site);
    return rc;
}
