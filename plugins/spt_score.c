/* SPDX-License-Identifier: MIT
 * spt_score.c - the candidates of a model, in the order of named_parameters(), and their
 * sensitivities. The published code (engine.py:166-176) leaves out what is called head,
 * cls_token, patch_embed or pos_embed, and knows a ViT only; here a matrix is what a linear
 * layer of the backbone has as weight, so that a Swin's layers and its patch merging count, and
 * its tables of relative positions do not. */
#include <string.h>

#include "plugins/spt_plan.h"

struct look {
    const struct sct_strategy_host *h;
    const sct_model *m;
    struct sct_site *site; /* the LINEAR ones but the head */
    size_t n_site;
    struct spt_plan *p;
    sct_error *err;
};

static sct_status no_memory(const struct sct_strategy_host *h, sct_error *err)
{
    return h->fail(err, SCT_ENOMEM, "out of memory");
}

static sct_status find_sites(struct look *l)
{
    const size_t all = l->h->sites(l->m, "**", NULL, 0);
    l->site = l->h->alloc((all ? all : 1) * sizeof *l->site);
    if (!l->site)
        return no_memory(l->h, l->err);
    (void)l->h->sites(l->m, "**", l->site, all);
    for (size_t i = 0; i < all; i++)
        if (l->site[i].kind == SCT_SITE_LINEAR && l->site[i].role != SCT_ROLE_HEAD)
            l->site[l->n_site++] = l->site[i];
    if (l->n_site == 0)
        return l->h->fail(l->err, SCT_EUNSUP, "the model has no linear layer beside its head");
    return SCT_OK;
}

/* The layer that a parameter belongs to, or NULL. */
static const struct sct_site *layer_of(const struct look *l, uint32_t param)
{
    for (size_t i = 0; i < l->n_site; i++)
        if (l->site[i].weight == param + 1 || l->site[i].bias == param + 1)
            return &l->site[i];
    return NULL;
}

static sct_status append(struct look *l, const char *name, const struct spt_tensor *t)
{
    struct spt_tensor *x = &l->p->t[l->p->n++];
    *x = *t;
    if (snprintf(x->name, sizeof x->name, "%s", name) >= (int)sizeof x->name)
        return l->h->fail(l->err, SCT_EUNSUP, "parameter %s: a name of more than %d bytes",
                          name, SPT_NAME - 1);
    return SCT_OK;
}

/* q, k or v of a fused layer, as "attn.q.weight" for "attn.qkv.weight". */
static sct_status append_part(struct look *l, const char *name, const struct spt_tensor *whole,
                              const struct sct_site *s, uint32_t part)
{
    char text[2 * SPT_NAME];
    const char *at = strstr(name, "qkv.");
    if (!at || strlen(name) >= sizeof text)
        return l->h->fail(l->err, SCT_EUNSUP,
                          "parameter %.200s: expected a name like blocks.0.attn.qkv.weight",
                          name);
    (void)snprintf(text, sizeof text, "%.*s%c%s", (int)(at - name), name, "qkv"[part], at + 3);
    struct spt_tensor t = *whole;
    t.part = part;
    t.first_row = s->qkv[part];
    t.rows = s->qkv[part + 1] - s->qkv[part];
    return append(l, text, &t);
}

static int left_out(const char *name)
{
    static const char *const words[] = {"head", "cls_token", "patch_embed", "pos_embed"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strstr(name, words[i]))
            return 1;
    return 0;
}

static sct_status look_at(struct look *l, uint32_t param)
{
    const char *name = l->h->param_name(l->m, param);
    struct sct_desc d;
    if (l->h->param_desc(l->m, param, &d) != SCT_OK || left_out(name))
        return SCT_OK;
    const struct sct_site *s = layer_of(l, param);
    struct spt_tensor t = {.param = param,
                           .rows = d.dim[0],
                           .cols = d.nd == 2 ? d.dim[1] : 1,
                           .site = s ? s->id : SPT_NO_SITE,
                           .part = SPT_WHOLE};
    if (s)
        t.kind = s->weight == param + 1 ? SPT_MATRIX : SPT_BIAS;
    else if (d.nd == 1 && strstr(name, "norm"))
        t.kind = SPT_NORM;
    else
        return SCT_OK;
    if (d.nd != (t.kind == SPT_MATRIX ? 2 : 1))
        return l->h->fail(l->err, SCT_EUNSUP, "parameter %s has %u dimensions", name, d.nd);
    if (!s || s->role != SCT_ROLE_ATTN_QKV)
        return append(l, name, &t);
    for (uint32_t part = 0; part < 3; part++)
        SCT_TRY(append_part(l, name, &t, s, part));
    return SCT_OK;
}

/* The order in a model with three layers is q.weight, q.bias, k.weight, ...; fused parameters
 * gave q.weight, k.weight, v.weight, q.bias, ... */
static void untangle(struct spt_plan *p)
{
    for (size_t i = 0; i + 5 < p->n; i++) {
        struct spt_tensor *t = &p->t[i], six[6];
        if (t[0].part != 0 || t[3].part != 0 || t[0].site != t[3].site)
            continue;
        memcpy(six, t, sizeof six);
        for (size_t k = 0; k < 6; k++)
            t[k] = six[k / 2 + 3 * (k % 2)];
        i += 5;
    }
}

static void find_token(const struct spt_options *o, const struct sct_strategy_host *h,
                       const sct_model *m, struct spt_plan *p)
{
    uint32_t id;
    struct sct_desc d;
    if (o->class_token && h->params(m, "cls_token", &id, 1) == 1 &&
        h->param_desc(m, id, &d) == SCT_OK)
        p->class_token = sct_desc_count(&d);
}

sct_status spt_plan_init(struct spt_plan *p, const struct spt_options *o,
                         const struct sct_strategy_host *h, const sct_model *m, sct_error *err)
{
    *p = (struct spt_plan){0};
    struct look l = {.h = h, .m = m, .p = p, .err = err};
    const size_t n = h->params(m, "**", NULL, 0);
    uint32_t *id = h->alloc((n ? n : 1) * sizeof *id);
    p->t = h->alloc((3 * n + 1) * sizeof *p->t);
    sct_status rc = id && p->t ? find_sites(&l) : no_memory(h, err);
    if (rc == SCT_OK)
        (void)h->params(m, "**", id, n);
    for (size_t i = 0; i < n && rc == SCT_OK; i++)
        rc = look_at(&l, id[i]);
    if (rc == SCT_OK) {
        untangle(p);
        find_token(o, h, m, p);
    }
    h->free(id);
    h->free(l.site);
    if (rc != SCT_OK)
        spt_plan_fini(p, h);
    return rc;
}

void spt_plan_clear(struct spt_plan *p, const struct sct_strategy_host *h)
{
    for (size_t i = 0; i < p->n; i++) {
        h->free(p->t[i].idx);
        p->t[i].idx = NULL;
        p->t[i].n_idx = 0;
        p->t[i].fate = SPT_FROZEN;
    }
    p->structured = p->vectors = p->sparse = 0;
}

void spt_plan_fini(struct spt_plan *p, const struct sct_strategy_host *h)
{
    spt_plan_clear(p, h);
    h->free(p->t);
    *p = (struct spt_plan){0};
}

void spt_plan_count(struct spt_plan *p, const struct spt_options *o)
{
    p->structured = p->vectors = p->sparse = 0;
    for (size_t i = 0; i < p->n; i++) {
        const struct spt_tensor *t = &p->t[i];
        if (t->fate == SPT_STRUCTURED)
            p->structured += spt_module_cost(o, t->rows, t->cols);
        else if (t->fate == SPT_VECTOR)
            p->vectors += spt_size(t);
        p->sparse += t->n_idx;
    }
}

/* Parameters are scored once, whatever number of candidates they hold. */
static int is_first(const struct spt_plan *p, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (p->t[k].param == p->t[i].param)
            return 0;
    return 1;
}

sct_status spt_watch(const struct spt_options *o, const struct spt_plan *p,
                     const struct sct_strategy_host *h, sct_model *m, sct_error *err)
{
    struct sct_protocol pr = {.size = sizeof pr,
                              .train_mode = o->mode == SPT_MODE_TRAIN,
                              .batch = o->batch,
                              .max_batches = o->batches,
                              .list = SCT_LIST_TRAIN};
    if (o->score == SPT_SAMPLE_SQ) {
        pr.max_batches = o->batch * o->batches;
        pr.batch = 1;
    }
    for (size_t i = 0; i < p->n; i++)
        if (is_first(p, i))
            SCT_TRY(h->watch(m, SCT_WATCH_GRAD_SUMSQ, p->t[i].param, &pr, err));
    return SCT_OK;
}

sct_status spt_scores(const struct spt_plan *p, const struct sct_strategy_host *h,
                      const sct_readings *r, const float **score, sct_error *err)
{
    for (size_t i = 0; i < p->n; i++) {
        const struct spt_tensor *t = &p->t[i];
        const uint64_t first = (uint64_t)t->first_row * t->cols;
        size_t rows, cols;
        const float *v = h->reading(r, SCT_WATCH_GRAD_SUMSQ, t->param, &rows, &cols, NULL);
        if (!v || rows * cols < first + spt_size(t))
            return h->fail(err, SCT_EFAIL, "no reading for %s", t->name);
        score[i] = v + first;
    }
    return SCT_OK;
}
