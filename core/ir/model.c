/* SPDX-License-Identifier: MIT
 * model.c - storage of a model's parameters and sites. */
#include "core/ir/model.h"

#include <math.h>
#include <string.h>

#include "core/base/status.h"

struct sct_model *sct_model_create(const struct sct_model_config *cfg, uint32_t batch,
                                   uint64_t seed)
{
    struct sct_model *m = sct_calloc(1, sizeof *m);
    if (!m)
        return NULL;
    m->cfg = *cfg;
    m->seed = seed;
    m->g = sct_graph_create(1, batch);
    if (!m->g)
        sct_model_destroy(&m);
    return m;
}

void sct_model_destroy(struct sct_model **m)
{
    if (!m || !*m)
        return;
    sct_graph_destroy(&(*m)->g);
    sct_arena_free(&(*m)->arena);
    sct_free((*m)->param);
    sct_free((*m)->site);
    sct_free((*m)->watch);
    sct_free(*m);
    *m = NULL;
}

static struct sct_param *append(struct sct_model *m, const char *name)
{
    struct sct_param *p = sct_arena_alloc(&m->arena, sizeof *p);
    const char *copy = sct_arena_strdup(&m->arena, name);
    if (!p || !copy) {
        (void)sct_nomem(&m->g->err);
        return NULL;
    }
    if (sct_grow((void **)&m->param, &m->cap_param, (uint64_t)m->n_param + 1, sizeof(p),
                 &m->g->err) != SCT_OK)
        return NULL;
    p->name = p->given = copy;
    p->group = (struct sct_group){sizeof p->group, 1.0f, 1.0f};
    m->param[m->n_param++] = p;
    return p;
}

struct sct_param *sct_model_param(struct sct_model *m, const struct sct_tensor *t)
{
    struct sct_param *p = t ? append(m, t->name) : NULL;
    if (!p)
        return NULL;
    p->t = t;
    p->value = sct_graph_tensor(m->g, t).id;
    return p->value ? p : NULL;
}

/* dst[i] = |row first + i| of t, sums in f64. */
static sct_status load_norms(const struct sct_param *p, float *dst, sct_error *err)
{
    const struct sct_tensor *t = p->norms_of;
    const size_t n = (size_t)sct_desc_count(&t->desc), in = n / t->desc.dim[0];
    float *w = sct_calloc(n, sizeof *w);
    if (!w)
        return sct_nomem(err);
    const sct_status rc = t->load(t, w, err);
    for (size_t o = 0; rc == SCT_OK && o < p->own.desc.dim[0]; o++) {
        const float *row = w + (p->norms_first + o) * in;
        double sum = 0;
        for (size_t i = 0; i < in; i++)
            sum += (double)row[i] * (double)row[i];
        dst[o] = (float)sqrt(sum);
    }
    sct_free(w);
    return rc;
}

static sct_status load_own(const struct sct_tensor *t, void *dst, sct_error *err)
{
    const struct sct_param *p = t->ctx;
    const size_t bytes = (size_t)sct_desc_count(&t->desc) * sct_dtype_bytes(t->desc.dtype);
    if (p->host) {
        memcpy(dst, p->host, bytes);
        return SCT_OK;
    }
    if (p->norms_of)
        return load_norms(p, dst, err);
    if (p->added)
        return sct_init_fill(p->init, p->seed, p->name, &t->desc, dst, err);
    const struct sct_tensor *base = t->data;
    return base->load(base, dst, err);
}

static void own_tensor(struct sct_param *p, const struct sct_desc *d, bool mutable)
{
    p->own = (struct sct_tensor){.name = p->name,
                                 .desc = *d,
                                 .mutable = mutable,
                                 .load = load_own,
                                 .data = p->t,
                                 .ctx = p};
    p->t = &p->own;
}

/* The name of a new parameter, or NULL with the error in m->g. */
static const char *free_name(struct sct_model *m, const char *name)
{
    const struct sct_param *p = sct_model_find(m, name);
    const bool other = p && p->part.number && p->part.number != m->part.number;
    if (other && m->part.stacked) {
        const char *full = sct_arena_printf(&m->arena, "%s/%s", m->part.label, name);
        if (!full)
            (void)sct_nomem(&m->g->err);
        else if (!sct_model_find(m, full))
            return full;
        name = full;
    }
    if (!p)
        return name;
    if (name)
        (void)sct_fail(&m->g->err, other ? SCT_EUSAGE : SCT_EINVAL,
                       "parameter %s exists already%s%s", name,
                       other ? ": it is one of strategy " : "", other ? p->part.label : "");
    return NULL;
}

struct sct_param *sct_model_add(struct sct_model *m, const char *name, const struct sct_desc *d,
                                const char *init, const struct sct_group *group, bool is_index)
{
    const char *full = free_name(m, name);
    struct sct_param *p = full ? append(m, full) : NULL;
    if (!p)
        return NULL;
    p->given = p->name + (strlen(full) - strlen(name)); /* "<label>/" is in front */
    p->part = m->part;
    p->added = true;
    p->is_index = is_index;
    p->site = m->edit_site;
    p->trainable = !is_index;
    p->seed = m->seed;
    if (group)
        p->group = *group;
    p->init = init ? sct_arena_strdup(&m->arena, init) : "zeros";
    if (!p->init) {
        (void)sct_nomem(&m->g->err);
        return NULL;
    }
    own_tensor(p, d, !is_index);
    p->value = sct_graph_tensor(m->g, p->t).id;
    return p->value ? p : NULL;
}

struct sct_param *sct_model_row_norms(struct sct_model *m, const char *name,
                                      const struct sct_param *of, uint32_t first, uint32_t n,
                                      bool trained)
{
    const struct sct_desc d = sct_desc_make(SCT_F32, 1, &n);
    struct sct_param *p = sct_model_add(m, name, &d, NULL, NULL, false);
    if (!p)
        return NULL;
    p->norms_of = of->t;
    p->norms_first = first;
    if (!trained)
        sct_model_keep(p);
    return p;
}

void sct_model_keep(struct sct_param *p)
{
    p->trainable = p->own.mutable = false;
    p->kept = true;
}

void sct_model_train(struct sct_model *m, struct sct_param *p, const struct sct_group *group)
{
    if (group)
        p->group = *group;
    if (p->trainable)
        return;
    const struct sct_desc d = p->t->desc;
    own_tensor(p, &d, true);
    p->trainable = true;
    m->g->value[p->value].tensor = p->t;
}

struct sct_param *sct_model_find(const struct sct_model *m, const char *name)
{
    for (uint32_t i = 0; i < m->n_param; i++)
        if (strcmp(m->param[i]->name, name) == 0)
            return m->param[i];
    return NULL;
}

sct_val sct_model_value(const struct sct_param *p)
{
    const sct_val v = {p ? p->value : 0};
    return v;
}

struct sct_site *sct_model_site(struct sct_model *m, uint32_t role, const char *fmt, ...)
{
    static const uint32_t kind[SCT_ROLE_COUNT] = {
#define SCT_SITE(ID, NAME, KIND) SCT_SITE_##KIND,
#include <sctrun/sites.def>
#undef SCT_SITE
    };
    char path[128];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(path, sizeof path, fmt, ap);
    va_end(ap);
    const char *copy = sct_arena_strdup(&m->arena, path);
    if (!copy || sct_grow((void **)&m->site, &m->cap_site, (uint64_t)m->n_site + 1,
                          sizeof *m->site, &m->g->err) != SCT_OK) {
        (void)sct_nomem(&m->g->err);
        return NULL;
    }
    struct sct_site *s = &m->site[m->n_site];
    memset(s, 0, sizeof *s);
    s->size = sizeof *s;
    s->id = m->n_site++;
    s->role = role;
    s->kind = kind[role];
    s->block = SCT_NO_BLOCK;
    s->path = copy;
    return s;
}

void sct_model_count(const struct sct_model *m, uint64_t *trainable, uint64_t *head,
                     uint64_t *all)
{
    *trainable = *head = *all = 0;
    for (uint32_t i = 0; i < m->n_param; i++) {
        const struct sct_param *p = m->param[i];
        if (p->is_index)
            continue;
        const uint64_t n = sct_desc_count(&p->t->desc);
        *all += n;
        if (p->trainable)
            *trainable += n;
        if (sct_name_is_head(p->name))
            *head += n;
    }
}
