/* SPDX-License-Identifier: MIT
 * choices.c - index lists of an adapted model and the readings behind them. */
#include "core/tune/choices.h"

#include <math.h>
#include <string.h>

#include "core/base/status.h"

/* Length of the part of a site's path that names its block; 0 outside blocks. */
static size_t block_length(const char *path)
{
    const char *block = strstr(path, ".block["), *end = block ? strchr(block, ']') : NULL;
    return end ? (size_t)(end - path) + 1 : 0;
}

static bool same_block(const char *a, const char *b)
{
    const size_t n = block_length(a);
    return n && n == block_length(b) && strncmp(a, b, n) == 0;
}

/* The node that reads an index list; NULL when nobody does. */
static const struct sct_gnode *reader(const struct sct_graph *g, uint32_t value)
{
    for (uint32_t n = 0; n < g->n_node; n++)
        for (uint32_t i = 1; i < g->node[n].n_in; i++)
            if (g->node[n].in[i] == value)
                return &g->node[n];
    return NULL;
}

/* The parameter that elements are added to, behind what else is added to it. */
static const struct sct_tensor *target(const struct sct_graph *g, uint32_t v)
{
    while (g->value[v].node != SCT_NO_NODE &&
           g->node[g->value[v].node].op == SCT_OP_SCATTER_ADD_EL)
        v = g->node[g->value[v].node].in[0];
    return g->value[v].source == SCT_SRC_TENSOR ? g->value[v].tensor : NULL;
}

static const struct sct_reading *of_param(const struct sct_readings *r,
                                          const struct sct_model *m, const char *name)
{
    for (uint32_t i = 0; r && i < r->n; i++)
        if (r->item[i].what == SCT_WATCH_GRAD_SUMSQ &&
            strcmp(m->param[r->item[i].id]->name, name) == 0)
            return &r->item[i];
    return NULL;
}

/* The reading of the block of list `at`, counted as choices.h says. */
static const struct sct_reading *of_block(const struct sct_choices *c, uint32_t at,
                                          const struct sct_readings *r,
                                          const struct sct_model *m)
{
    const char *where = c->list[at].where;
    uint32_t turn = 0;
    for (uint32_t i = 0; i < at; i++)
        turn += !c->list[i].elements && same_block(c->list[i].where, where) &&
                strcmp(c->list[i].where, c->list[i + 1].where) != 0;
    const struct sct_reading *last = NULL;
    for (uint32_t i = 0; r && i < r->n; i++) {
        const struct sct_reading *x = &r->item[i];
        if (x->what != SCT_WATCH_SUMSQ_LABEL || !same_block(m->site[x->id].path, where))
            continue;
        last = x;
        if (turn-- == 0)
            break;
    }
    return last;
}

static void score_channels(const struct sct_reading *r, double *out)
{
    double classes = 0;
    for (uint32_t c = 0; c < r->rows; c++) {
        classes += r->row_weight[c] > 0;
        for (uint32_t d = 0; d < r->cols; d++)
            out[d] += sqrt((double)r->value[(size_t)c * r->cols + d]);
    }
    for (uint32_t d = 0; d < r->cols; d++)
        out[d] /= classes > 0 ? classes : 1;
}

static void score_rows(const struct sct_reading *r, uint32_t units, double *out)
{
    for (uint32_t e = 0; e < r->cols; e++)
        out[e / (r->cols / units)] += (double)r->value[e];
}

static sct_status measure(struct sct_choices *c, uint32_t at, const struct sct_readings *r,
                          const struct sct_model *m, sct_error *err)
{
    struct sct_choice_list *l = &c->list[at];
    uint32_t *count = sct_arena_alloc(&c->arena, l->units * sizeof *count);
    double *score = sct_arena_alloc(&c->arena, l->units * sizeof *score);
    if (!count || !score)
        return sct_nomem(err);
    for (uint32_t i = 0; i < l->k; i++)
        count[(uint32_t)l->idx[i] / (l->of / l->units)]++;
    l->count = count;
    l->reading = l->elements ? of_param(r, m, l->where) : of_block(c, at, r, m);
    if (l->reading && l->reading->cols != l->of)
        l->reading = NULL;
    if (l->reading && l->elements)
        score_rows(l->reading, l->units, score);
    else if (l->reading)
        score_channels(l->reading, score);
    l->score = l->reading ? score : NULL;
    return SCT_OK;
}

static sct_status add(struct sct_choices *c, const struct sct_model *m,
                      const struct sct_param *p, sct_error *err)
{
    const struct sct_gnode *n = reader(m->g, p->value);
    struct sct_choice_list l = {.idx = p->host, .k = p->t->desc.dim[0]};
    const char *dot = strrchr(p->name, '.');
    const size_t stem =
        dot && strcmp(dot, ".index") == 0 ? (size_t)(dot - p->name) : strlen(p->name);
    if (!n || !l.idx)
        return SCT_OK;
    const struct sct_tensor *t = n->op == SCT_OP_SCATTER_ADD_EL ? target(m->g, n->in[0]) : NULL;
    const struct sct_desc *d = t ? &t->desc : &m->g->value[n->in[0]].desc;
    l.elements = t != NULL;
    l.of = t ? (uint32_t)sct_desc_count(d) : sct_desc_last(d);
    l.units = t ? d->dim[0] : l.of;
    l.where = t ? t->name : n->label;
    l.name = sct_arena_printf(&c->arena, "%.*s", (int)stem, p->name);
    if (!l.name)
        return sct_nomem(err);
    SCT_TRY(sct_grow((void **)&c->list, &c->cap, (uint64_t)c->n + 1, sizeof *c->list, err));
    c->list[c->n++] = l;
    return SCT_OK;
}

sct_status sct_choices_find(struct sct_choices *c, const struct sct_model *adapted,
                            const struct sct_readings *readings, sct_error *err)
{
    sct_status rc = SCT_OK;
    memset(c, 0, sizeof *c);
    for (uint32_t i = 0; rc == SCT_OK && i < adapted->n_param; i++)
        if (adapted->param[i]->is_index)
            rc = add(c, adapted, adapted->param[i], err);
    for (uint32_t i = 0; rc == SCT_OK && i < c->n; i++)
        rc = measure(c, i, readings, adapted, err);
    if (rc == SCT_OK)
        rc = sct_choices_params(c, adapted, readings, err);
    if (rc != SCT_OK)
        sct_choices_fini(c);
    return rc;
}

void sct_choices_fini(struct sct_choices *c)
{
    sct_arena_free(&c->arena);
    sct_free(c->list);
    memset(c, 0, sizeof *c);
}

bool sct_choices_alike(const struct sct_choice_list *a, const struct sct_choice_list *b)
{
    return a->elements == b->elements && a->of == b->of && a->units == b->units;
}
