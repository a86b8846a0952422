/* SPDX-License-Identifier: MIT
 * merge_branch.c - what stands beside a linear layer and is a matrix times the layer's input:
 * LoRA's pairs, FacT's chains and their like, built of linear layers without bias, scales,
 * sums, slices of channels and views. Weights may be computed by the same ops from stored
 * tensors (FacT's cores).
 *
 * One walk serves both purposes: without values it tells whether a branch is linear, with them
 * it makes its matrix. A value of the branch has elements, those of one row of x, and each is a
 * linear form of the in channels of that row: in numbers. Of a constant it is one number. So
 * every op is written once for both, and a view changes nothing. */
#include <string.h>

#include "core/base/status.h"
#include "core/export/merge_walk.h"

enum kind { UNKNOWN, CONSTANT, INPUT, FORMS };

struct term {
    enum kind kind;
    double *v; /* [elements][numbers]; INPUT, and without values: NULL */
};

struct branch {
    const struct sct_graph *g;
    uint32_t x;
    bool values, linear;
    struct term *term; /* of every value */
    uint32_t *stack, n, cap;
    sct_error *err;
};

static uint32_t input(const struct branch *b, const struct sct_gnode *n, uint32_t i)
{
    return certain(b->g, n->in[i]);
}

static const struct term *term_of(const struct branch *b, const struct sct_gnode *n, uint32_t i)
{
    return &b->term[input(b, n, i)];
}

static size_t numbers(const struct branch *b, enum kind kind)
{
    return kind == CONSTANT ? 1 : sct_desc_last(&b->g->value[b->x].desc);
}

static size_t elements(const struct branch *b, uint32_t v, enum kind kind)
{
    const uint64_t all = sct_desc_count(&b->g->value[v].desc);
    return (size_t)(kind == CONSTANT ? all : all / sct_desc_rows(&b->g->value[b->x].desc));
}

/* ---- what is linear ---- */

/* Whether v has the rows of x, whatever its channels are split into. */
static bool has_rows(const struct branch *b, uint32_t v)
{
    const struct sct_desc *d = &b->g->value[v].desc, *x = &b->g->value[b->x].desc;
    return d->nd >= x->nd && memcmp(d->dim, x->dim, (x->nd - 1) * sizeof x->dim[0]) == 0;
}

/* Whether both inputs have the shape of the result: none is repeated. */
static bool alike(const struct sct_graph *g, const struct sct_gnode *n)
{
    return sct_desc_same_dims(&g->value[n->in[0]].desc, &g->value[n->in[1]].desc);
}

/* What node n makes of inputs that are known; UNKNOWN: nothing linear. */
static enum kind kind_of(const struct branch *b, const struct sct_gnode *n)
{
    const enum kind first = term_of(b, n, 0)->kind;
    switch (n->op) {
    case SCT_OP_RESHAPE:
        return first == CONSTANT || has_rows(b, n->out[0]) ? first : UNKNOWN;
    case SCT_OP_LINEAR:
        if ((n->n_in > 2 && n->in[2]) || term_of(b, n, 1)->kind != CONSTANT)
            return UNKNOWN;
        return first == INPUT ? FORMS : first;
    case SCT_OP_SCALE:
        return first == FORMS && ((const struct sct_scale_params *)n->params)->add == 0.0f
                   ? FORMS
                   : UNKNOWN;
    case SCT_OP_ADD:
        return first == FORMS && term_of(b, n, 1)->kind == FORMS && alike(b->g, n) ? FORMS
                                                                                   : UNKNOWN;
    case SCT_OP_SLICE_CH:
        return first == INPUT ? UNKNOWN : first;
    default:
        return UNKNOWN;
    }
}

/* ---- values ---- */

/* y[..] += w x, both of some numbers an element. x NULL: element k is channel k alone. */
static void linear(const struct sct_desc *weight, const double *w, const double *x,
                   size_t groups, size_t cols, double *y)
{
    const size_t out = weight->dim[0], in = weight->dim[1];
    for (size_t e = 0; e < groups * out; e++) {
        double *to = y + e * cols;
        for (size_t k = 0; k < in; k++) {
            const double f = w[e % out * in + k];
            const size_t from = e / out * in + k;
            if (!x)
                to[from] += f;
            for (size_t i = 0; x && i < cols; i++)
                to[i] += f * x[from * cols + i];
        }
    }
}

/* The values of node n, y [count][cols] of zeros. */
static void compute(const struct branch *b, const struct sct_gnode *n, size_t count,
                    size_t cols, double *y)
{
    const double *x = term_of(b, n, 0)->v;
    if (n->op == SCT_OP_LINEAR) {
        const struct sct_desc *w = &b->g->value[n->in[1]].desc;
        linear(w, term_of(b, n, 1)->v, x, count / w->dim[0], cols, y);
        return;
    }
    const struct sct_range_params *range = n->op == SCT_OP_SLICE_CH ? n->params : NULL;
    const struct sct_scale_params *scale = n->op == SCT_OP_SCALE ? n->params : NULL;
    const double *other = n->op == SCT_OP_ADD ? term_of(b, n, 1)->v : NULL;
    const size_t width = sct_desc_last(&b->g->value[n->in[0]].desc);
    for (size_t e = 0; e < count; e++) {
        const size_t from =
            range ? e / range->count * width + range->first + e % range->count : e;
        for (size_t i = 0; i < cols; i++)
            y[e * cols + i] = (scale ? (double)scale->mul : 1.0) * x[from * cols + i] +
                              (other ? other[e * cols + i] : 0.0);
    }
}

static sct_status load(const struct sct_tensor *t, double *v, sct_error *err)
{
    const size_t n = (size_t)sct_desc_count(&t->desc);
    float *f = sct_calloc(n, sizeof *f);
    const sct_status rc = f ? t->load(t, f, err) : sct_nomem(err);
    for (size_t i = 0; rc == SCT_OK && i < n; i++)
        v[i] = (double)f[i];
    sct_free(f);
    return rc;
}

/* ---- the walk ---- */

/* v is known from here on: made by n, or a source. */
static sct_status settle(struct branch *b, uint32_t v, const struct sct_gnode *n)
{
    const struct sct_tensor *t = stored(b->g, v);
    struct term *to = &b->term[v];
    if (v == b->x)
        to->kind = INPUT;
    else if (n)
        to->kind = kind_of(b, n);
    else if (t && t->desc.dtype == SCT_F32)
        to->kind = CONSTANT;
    b->linear &= to->kind != UNKNOWN;
    const bool view = n && n->op == SCT_OP_RESHAPE && term_of(b, n, 0)->kind == INPUT;
    if (!b->values || !b->linear || v == b->x || view)
        return SCT_OK;
    const size_t count = elements(b, v, to->kind), cols = numbers(b, to->kind);
    to->v = sct_calloc(count, cols * sizeof(double));
    if (!to->v)
        return sct_nomem(b->err);
    if (!n)
        return load(t, to->v, b->err);
    compute(b, n, count, cols, to->v);
    return SCT_OK;
}

static sct_status want(struct branch *b, uint32_t v)
{
    SCT_TRY(
        sct_grow((void **)&b->stack, &b->cap, (uint64_t)b->n + 1, sizeof *b->stack, b->err));
    b->stack[b->n++] = v;
    return SCT_OK;
}

/* Everything that v is made of, inputs first; stops where nothing is linear. */
static sct_status walk_back(struct branch *b, uint32_t v)
{
    b->linear = true;
    SCT_TRY(want(b, v));
    while (b->n && b->linear) {
        const uint32_t before = b->n;
        v = b->stack[b->n - 1];
        const struct sct_gnode *n = v == b->x ? NULL : made_by(b->g, v);
        for (uint32_t i = 0; n && i < n->n_in; i++)
            if (n->in[i] && term_of(b, n, i)->kind == UNKNOWN)
                SCT_TRY(want(b, input(b, n, i)));
        if (b->n > before)
            continue;
        b->n--;
        if (b->term[v].kind == UNKNOWN)
            SCT_TRY(settle(b, v, n));
    }
    return SCT_OK;
}

static sct_status open_branch(struct branch *b, const struct sct_graph *g, uint32_t x,
                              bool values, sct_error *err)
{
    *b = (struct branch){.g = g, .x = x, .values = values, .err = err};
    b->term = sct_calloc(g->n_value, sizeof *b->term);
    return b->term ? SCT_OK : sct_nomem(err);
}

static void close_branch(struct branch *b)
{
    for (uint32_t i = 0; b->term && i < b->g->n_value; i++)
        sct_free(b->term[i].v);
    sct_free(b->term);
    sct_free(b->stack);
}

bool sct_merge_branch_read(const struct sct_graph *g, uint32_t v, struct sct_merge_branch *p,
                           uint32_t *behind)
{
    const struct sct_gnode *n = made_by_op(g, v, SCT_OP_ADD_CH);
    const struct sct_range_params *range = n ? n->params : NULL;
    if (!n && (!(n = made_by_op(g, v, SCT_OP_ADD)) || !alike(g, n)))
        return false;
    *p = (struct sct_merge_branch){.update = certain(g, n->in[1]),
                                   .first = range ? range->first : 0};
    *behind = n->in[0];
    return true;
}

sct_status sct_merge_branch_check(const struct sct_graph *g, const struct sct_merge_branch *p,
                                  bool *linear, sct_error *err)
{
    struct branch b;
    sct_status rc = open_branch(&b, g, p->x, false, err);
    if (rc == SCT_OK)
        rc = walk_back(&b, p->update);
    *linear = rc == SCT_OK && b.linear && b.term[p->update].kind == FORMS;
    close_branch(&b);
    return rc;
}

sct_status sct_merge_branch_fold(const struct sct_graph *g, const struct sct_merge_branch *p,
                                 float *w, sct_error *err)
{
    struct branch b;
    sct_status rc = open_branch(&b, g, p->x, true, err);
    if (rc == SCT_OK)
        rc = walk_back(&b, p->update);
    if (rc == SCT_OK) {
        const double *m = b.term[p->update].v;
        const size_t in = numbers(&b, FORMS), n = elements(&b, p->update, FORMS) * in;
        float *to = w + p->first * in;
        for (size_t i = 0; i < n; i++)
            to[i] = (float)((double)to[i] + m[i]);
    }
    close_branch(&b);
    return rc;
}
