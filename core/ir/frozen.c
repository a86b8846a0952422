/* SPDX-License-Identifier: MIT
 * frozen.c - finds the values that are the same in every step, cuts the graph there. */
#include "core/ir/frozen.h"

#include <string.h>

#include "core/base/status.h"

/* What a value depends on. */
enum { FIXED, PICTURE, STEP }; /* nothing; the picture alone; more */

struct sets {
    const struct sct_graph *g;
    uint8_t *kind; /* per value */
    uint8_t *keep; /* per value: at the cut */
    uint8_t *redo; /* per node: cheap, made again behind the cut */
};

static bool is_costly(uint32_t op)
{
    switch (op) {
    case SCT_OP_LINEAR:
    case SCT_OP_ATTENTION:
    case SCT_OP_WATTENTION:
        return true;
    default:
        return false;
    }
}

static uint8_t node_kind(const struct sets *s, const struct sct_gnode *n)
{
    const uint32_t flags = sct_op_info(n->op)->flags;
    if (n->phase != SCT_PHASE_FORWARD || n->op == SCT_OP_ZERO ||
        (flags & (SCT_OPF_RANDOM | SCT_OPF_ACCUM | SCT_OPF_EMIT | SCT_OPF_UPDATE)))
        return STEP;
    uint8_t kind = FIXED;
    for (uint32_t i = 0; i < n->n_in; i++)
        if (s->kind[n->in[i]] > kind)
            kind = s->kind[n->in[i]];
    return kind;
}

static void kinds(struct sets *s)
{
    const struct sct_graph *g = s->g;
    for (uint32_t v = 1; v < g->n_value; v++) {
        const struct sct_value *x = &g->value[v];
        if (x->source == SCT_SRC_TENSOR)
            s->kind[v] = x->tensor->mutable ? STEP : FIXED;
        else if (x->source == SCT_SRC_BATCH)
            s->kind[v] = x->name && strcmp(x->name, "images") == 0 ? PICTURE : STEP;
    }
    for (uint32_t n = 0; n < g->n_node; n++)
        for (uint32_t o = 0; o < g->node[n].n_out; o++)
            s->kind[g->node[n].out[o]] = node_kind(s, &g->node[n]);
}

static bool is_picture_node(const struct sets *s, uint32_t n)
{
    return s->kind[s->g->node[n].out[0]] == PICTURE;
}

/* Picture values that the rest of the graph reads. */
static void frontier(struct sets *s)
{
    const struct sct_graph *g = s->g;
    for (uint32_t n = 0; n < g->n_node; n++) {
        if (is_picture_node(s, n))
            continue;
        for (uint32_t i = 0; i < g->node[n].n_in; i++)
            s->keep[g->node[n].in[i]] |= s->kind[g->node[n].in[i]] == PICTURE;
    }
}

/* A cheap node whose inputs are there behind the cut anyway need not have its outputs kept. In
 * the order of the graph, so that chains shrink to where they begin. */
static void shrink(struct sets *s)
{
    const struct sct_graph *g = s->g;
    for (uint32_t n = 0; n < g->n_node; n++) {
        const struct sct_gnode *node = &g->node[n];
        if (!is_picture_node(s, n) || is_costly(node->op))
            continue;
        bool kept = false, there = true;
        for (uint32_t o = 0; o < node->n_out; o++)
            kept |= s->keep[node->out[o]] != 0;
        for (uint32_t i = 0; i < node->n_in; i++) {
            const uint32_t v = node->in[i], by = g->value[v].node;
            there &= s->kind[v] == FIXED || s->keep[v] || (by != SCT_NO_NODE && s->redo[by]);
        }
        if (!kept || !there)
            continue;
        s->redo[n] = 1;
        for (uint32_t o = 0; o < node->n_out; o++)
            s->keep[node->out[o]] = 0;
    }
}

/* Whether the values at the cut can be fed, and a quarter of all attention is cut off: keeping
 * the features of less costs more memory than it saves time. */
static bool is_worth(const struct sets *s, uint32_t n_kept)
{
    for (uint32_t v = 1; v < s->g->n_value; v++) {
        const struct sct_desc *d = &s->g->value[v].desc;
        if (s->keep[v] && (d->nd == 0 || d->dim[0] != s->g->b || d->dtype != SCT_F32))
            return false;
    }
    uint32_t all = 0, cut = 0;
    for (uint32_t n = 0; n < s->g->n_node; n++) {
        const uint32_t op = s->g->node[n].op;
        if (op != SCT_OP_ATTENTION && op != SCT_OP_WATTENTION)
            continue;
        all++;
        cut += is_picture_node(s, n);
    }
    return n_kept && cut && 4 * cut >= all;
}

static sct_status record(struct sct_frozen *f, const struct sets *s, uint32_t n, sct_error *err)
{
    const struct sct_graph *g = s->g;
    f->value = sct_calloc(n, sizeof *f->value);
    f->floats = sct_calloc(n, sizeof *f->floats);
    if (!f->value || !f->floats)
        return sct_nomem(err);
    for (uint32_t v = 1; v < g->n_value; v++) {
        if (!s->keep[v])
            continue;
        f->value[f->n] = v;
        f->floats[f->n] = sct_desc_count(&g->value[v].desc) / g->b;
        f->image += f->floats[f->n++];
    }
    return SCT_OK;
}

/* A clone of the graph with nothing but the way from the pictures to the cut. */
static sct_status front(struct sct_frozen *f, const struct sets *s, sct_error *err)
{
    struct sct_graph *g = sct_graph_clone(s->g);
    uint8_t *dead = sct_calloc(s->g->n_node + 1u, 1);
    f->g = g;
    if (!g || !dead) {
        sct_free(dead);
        return sct_nomem(err);
    }
    for (uint32_t n = 0; n < g->n_node; n++)
        dead[n] = s->kind[g->node[n].out[0]] == STEP;
    sct_graph_drop(g, dead);
    sct_free(dead);
    for (uint32_t v = 1; v < g->n_value; v++)
        g->value[v].output = false;
    g->phase = SCT_PHASE_FORWARD;
    g->block = 0;
    sct_graph_label(g, "features");
    for (uint32_t i = 0; i < f->n; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "feature.%u", i);
        sct_graph_output(g, sct_emit_rows(sct_graph_builder(g), (sct_val){f->value[i]}), name);
    }
    SCT_TRY(sct_graph_status(g, err));
    SCT_TRY(sct_graph_prune(g, err));
    return sct_graph_sort(g, err);
}

sct_status sct_frozen_find(struct sct_frozen *f, const struct sct_graph *g, sct_error *err)
{
    memset(f, 0, sizeof *f);
    struct sets s = {g, sct_calloc(g->n_value, 1), sct_calloc(g->n_value, 1),
                     sct_calloc(g->n_node + 1u, 1)};
    sct_status rc = s.kind && s.keep && s.redo ? SCT_OK : sct_nomem(err);
    if (rc == SCT_OK) {
        uint32_t n = 0;
        kinds(&s);
        frontier(&s);
        shrink(&s);
        for (uint32_t v = 1; v < g->n_value; v++)
            n += s.keep[v];
        if (is_worth(&s, n)) {
            rc = record(f, &s, n, err);
            if (rc == SCT_OK)
                rc = front(f, &s, err);
        }
    }
    sct_free(s.kind);
    sct_free(s.keep);
    sct_free(s.redo);
    if (rc != SCT_OK)
        sct_frozen_fini(f);
    return rc;
}

sct_status sct_frozen_cut(struct sct_graph *g, const struct sct_frozen *f, sct_error *err)
{
    if (!f->n)
        return SCT_OK;
    const uint32_t n_node = g->n_node;
    g->phase = SCT_PHASE_FORWARD;
    g->block = 0;
    sct_graph_label(g, "features");
    for (uint32_t i = 0; i < f->n; i++) {
        char name[32];
        struct sct_desc d = g->value[f->value[i]].desc;
        (void)snprintf(name, sizeof name, "feature.%u", i);
        d.dim[0] = g->batch;
        const sct_val in = sct_graph_input(g, name, d.dtype, d.nd, d.dim);
        const sct_val v = sct_feed(sct_graph_builder(g), in);
        SCT_TRY(sct_graph_status(g, err));
        sct_graph_redirect(g, f->value[i], v.id, n_node);
    }
    SCT_TRY(sct_graph_sort(g, err)); /* the new nodes stand at the end */
    return sct_graph_prune(g, err);
}

void sct_frozen_fini(struct sct_frozen *f)
{
    sct_graph_destroy(&f->g);
    sct_free(f->value);
    sct_free(f->floats);
    memset(f, 0, sizeof *f);
}
