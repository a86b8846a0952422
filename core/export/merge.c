/* SPDX-License-Identifier: MIT
 * merge.c - two graphs in lockstep; scales with shifts (merge_branch.c: what stands beside a
 * layer; merge_dora.c: magnitudes; merge_rows.c: linear layers on channels; merge_front.c:
 * bottlenecks), and single elements. Every value of the plain graph is paired with one of the
 * adapted graph, starting with the logits; a value that is reached again must have the same
 * partner. So when the walk ends, both graphs are the same expression but for what was folded.
 */
#include "core/export/merge_walk.h"

#include <string.h>

#include "core/base/status.h"
#include "core/export/merge_front.h"

/* Takes scale and shift of a value that is one, and what they are of; false when it is none. */
static bool read_affine(const struct sct_graph *g, uint32_t v, struct sct_merge_affine *p,
                        uint32_t *of)
{
    const struct sct_gnode *add = made_by_op(g, v, SCT_OP_ADD);
    const struct sct_gnode *mul = add ? made_by_op(g, add->in[0], SCT_OP_MUL) : NULL;
    if (!mul)
        return false;
    p->scale = stored(g, mul->in[1]);
    p->shift = stored(g, add->in[1]);
    *of = mul->in[0];
    return p->scale && p->shift && p->scale->desc.nd == 1 && p->shift->desc.nd == 1;
}

/* One step back from v: the fold that stands there, and what it is behind. */
static bool read_fold(const struct sct_graph *g, uint32_t v, struct sct_merge_fold *f,
                      struct step *s)
{
    *s = (struct step){0};
    if (read_affine(g, v, &f->affine, &s->behind))
        f->kind = SCT_MERGE_AFFINE;
    else if (sct_merge_rows_read(g, v, &f->rows, &s->behind))
        f->kind = SCT_MERGE_ROWS;
    else if (sct_merge_norm_read(g, v, &f->norm, s))
        f->kind = SCT_MERGE_NORM;
    else if (sct_merge_branch_read(g, v, &f->branch, &s->behind))
        f->kind = SCT_MERGE_BRANCH;
    else
        return false;
    return true;
}

/* Whether the layer's bias changes too. */
static bool takes_bias(const struct sct_merge_fold *f)
{
    return f->kind == SCT_MERGE_AFFINE || f->kind == SCT_MERGE_ROWS;
}

/* *yes: whether f can be folded into `layer`, the node of the adapted graph that computes what
 * y does. Gives a branch its x. */
static sct_status fits(const struct walk *w, struct sct_merge_fold *f, const struct step *s,
                       const struct sct_gnode *y, const struct sct_gnode *layer, bool *yes)
{
    const bool bias = y->n_in > 2 && y->in[2] && !w->partner[y->in[2]];
    const bool branch = f->kind == SCT_MERGE_BRANCH;
    *yes = false;
    if (takes_bias(f) && (!bias || !stored_name(w->b, y->in[2])))
        return SCT_OK;
    if (f->kind != SCT_MERGE_AFFINE && y->op != SCT_OP_LINEAR)
        return SCT_OK;
    if ((branch || s->x) && !sparsely_stored(w->a, layer->in[1]))
        return SCT_OK;
    if (s->x && s->x != certain(w->a, layer->in[0]))
        return SCT_OK;
    *yes = !s->weight || s->weight == layer->in[1];
    if (!branch)
        return SCT_OK;
    f->branch.x = certain(w->a, layer->in[0]);
    return sct_merge_branch_check(w->a, &f->branch, yes, w->err);
}

/* The same of all that stands between value v and the layer. */
static sct_status all_fit(const struct walk *w, uint32_t v, const struct sct_gnode *y,
                          const struct sct_gnode *layer, bool *yes)
{
    struct sct_merge_fold f = {0};
    struct step s;
    *yes = !w->partner[y->in[1]] && stored_name(w->b, y->in[1]);
    for (; *yes && read_fold(w->a, v, &f, &s); v = s.behind)
        SCT_TRY(fits(w, &f, &s, y, layer, yes));
    return SCT_OK;
}

/* Follows value *a back through what is folded into node y of the plain graph, and notes it. A
 * weight or bias that others use too is left alone. *bias: the layer's, where it is none of its
 * inputs; else it stays. */
static sct_status fold(struct walk *w, uint32_t *a, uint32_t *bias, const struct sct_gnode *y)
{
    struct sct_merge *m = w->m;
    struct sct_merge_fold f = {0};
    struct step s;
    uint32_t v = *a, outside = 0;
    bool yes;
    while (read_fold(w->a, v, &f, &s)) {
        v = s.behind;
        outside = s.bias;
    }
    const struct sct_gnode *layer = made_by_op(w->a, v, y->op);
    if (v == *a || !layer)
        return SCT_OK;
    SCT_TRY(all_fit(w, *a, y, layer, &yes));
    for (; yes && *a != v; *a = s.behind) {
        f = (struct sct_merge_fold){.weight = stored_name(w->b, y->in[1])};
        (void)read_fold(w->a, *a, &f, &s);
        f.branch.x = certain(w->a, layer->in[0]);
        f.bias = takes_bias(&f) ? stored_name(w->b, y->in[2]) : NULL;
        SCT_TRY(
            sct_grow((void **)&m->fold, &m->cap, (uint64_t)m->n + 1, sizeof *m->fold, w->err));
        m->fold[m->n++] = f;
    }
    *bias = yes ? outside : 0;
    return SCT_OK;
}

/* Steps *a, the input of linear layer y of the plain graph, over a bottleneck in front of it,
 * and notes that. As above: a bias is needed, and parameters of this layer alone. */
static sct_status fold_front(struct walk *w, uint32_t *a, const struct sct_gnode *y)
{
    struct sct_merge *m = w->m;
    struct sct_merge_front p;
    uint32_t x;
    if (y->n_in < 3 || !y->in[2] || w->partner[y->in[1]] || w->partner[y->in[2]] ||
        !sct_merge_front_read(w->a, *a, &p, &x))
        return SCT_OK;
    const struct sct_tensor *weight = stored(w->b, y->in[1]), *bias = stored(w->b, y->in[2]);
    if (!weight || !bias)
        return SCT_OK;
    p.weight = weight->name;
    p.bias = bias->name;
    SCT_TRY(sct_grow((void **)&m->front, &m->cap_front, (uint64_t)m->n_front + 1,
                     sizeof *m->front, w->err));
    m->front[m->n_front++] = p;
    *a = x;
    return SCT_OK;
}

/* Of a value that no node made: what it is called. */
static const char *source_name(const struct sct_value *v)
{
    return v->tensor ? v->tensor->name : v->name;
}

/* Follows *a through what is added to single elements of a stored tensor, and notes it. */
static sct_status fold_elements(struct walk *w, uint32_t *a)
{
    struct sct_merge *m = w->m;
    const struct sct_tensor *to = sparsely_stored(w->a, *a);
    for (const struct sct_gnode *n; to && (n = made_by_op(w->a, *a, SCT_OP_SCATTER_ADD_EL));
         *a = n->in[0]) {
        const struct sct_merge_some s = {to->name, stored(w->a, n->in[1]),
                                         stored(w->a, n->in[2])};
        if (!s.index || !s.delta)
            return SCT_OK;
        SCT_TRY(sct_grow((void **)&m->some, &m->cap_some, (uint64_t)m->n_some + 1,
                         sizeof *m->some, w->err));
        m->some[m->n_some++] = s;
    }
    return SCT_OK;
}

static sct_status differ(const struct walk *w, uint32_t a)
{
    const struct sct_gnode *n = made_by(w->a, a);
    const char *where = n ? n->label : source_name(&w->a->value[a]);
    return sct_fail(w->err, SCT_EUSAGE,
                    "%s: %s cannot be merged into the weights; --format onnx keeps what was "
                    "added",
                    where ? where : "an input", n ? sct_op_info(n->op)->name : "what is read");
}

static bool same_source(const struct sct_value *a, const struct sct_value *b)
{
    const char *x = source_name(a), *y = source_name(b);
    return a->source == b->source && sct_desc_same_dims(&a->desc, &b->desc) && x && y &&
           strcmp(x, y) == 0;
}

static sct_status push(struct walk *w, uint32_t a, uint32_t b)
{
    a = certain(w->a, a);
    b = certain(w->b, b);
    if (w->partner[b])
        return w->partner[b] == a ? SCT_OK : differ(w, a);
    SCT_TRY(sct_grow((void **)&w->todo, &w->cap, (uint64_t)w->n + 1, sizeof *w->todo, w->err));
    w->partner[b] = a;
    w->todo[w->n++] = (struct both){a, b};
    return SCT_OK;
}

static sct_status compare(struct walk *w, struct both v)
{
    const struct sct_gnode *y = made_by(w->b, v.b);
    uint32_t bias = 0;
    if (y && (y->op == SCT_OP_LINEAR || y->op == SCT_OP_LAYERNORM))
        SCT_TRY(fold(w, &v.a, &bias, y));
    if (!y)
        SCT_TRY(fold_elements(w, &v.a));
    const struct sct_gnode *x = made_by(w->a, v.a);
    if (!x && !y)
        return same_source(&w->a->value[v.a], &w->b->value[v.b]) ? SCT_OK : differ(w, v.a);
    if (!x || !y || x->op != y->op || x->n_in + (bias != 0) != y->n_in ||
        w->a->value[v.a].out != w->b->value[v.b].out ||
        memcmp(x->params, y->params, sct_op_info(x->op)->params_size) != 0)
        return differ(w, v.a);
    for (uint32_t i = 0; i < y->n_in; i++) {
        uint32_t in = i < x->n_in ? certain(w->a, x->in[i]) : bias;
        if (!in != !y->in[i])
            return differ(w, v.a);
        if (i == 0 && y->op == SCT_OP_LINEAR)
            SCT_TRY(fold_front(w, &in, y));
        if (in)
            SCT_TRY(push(w, in, y->in[i]));
    }
    return SCT_OK;
}

sct_status sct_merge_find(struct sct_merge *m, const struct sct_model *adapted,
                          const struct sct_model *plain, sct_error *err)
{
    struct walk w = {.m = m, .a = adapted->g, .b = plain->g, .err = err};
    *m = (struct sct_merge){.model = adapted};
    w.partner = sct_calloc(w.b->n_value, sizeof *w.partner);
    sct_status rc = w.partner ? push(&w, adapted->logits.id, plain->logits.id) : sct_nomem(err);
    while (rc == SCT_OK && w.n)
        rc = compare(&w, w.todo[--w.n]);
    sct_free(w.partner);
    sct_free(w.todo);
    if (rc != SCT_OK)
        sct_merge_fini(m);
    return rc;
}

void sct_merge_fini(struct sct_merge *m)
{
    sct_free(m->fold);
    sct_free(m->front);
    sct_free(m->some);
    *m = (struct sct_merge){.model = NULL};
}

/* ---- values ---- */

/* Elements of 4 bytes, f32 or i32 as its desc says. */
static void *values(const struct sct_tensor *t, sct_error *err)
{
    float *v = sct_calloc((size_t)sct_desc_count(&t->desc), sizeof *v);
    if (!v) {
        (void)sct_nomem(err);
        return NULL;
    }
    if (t->load(t, v, err) == SCT_OK)
        return v;
    sct_free(v);
    return NULL;
}

static sct_status fold_some(const struct sct_merge_some *s, float *w, sct_error *err)
{
    sct_error own = SCT_ERROR_INIT;
    const uint64_t n = sct_desc_count(&s->delta->desc);
    int32_t *index = values(s->index, &own);
    float *delta = index ? values(s->delta, &own) : NULL;
    for (uint64_t k = 0; delta && k < n; k++)
        w[index[k]] += delta[k];
    const bool done = delta != NULL;
    sct_free(index);
    sct_free(delta);
    if (done)
        return SCT_OK;
    return own.code == SCT_OK ? sct_nomem(err) : sct_fail(err, own.code, "%s", own.msg);
}

/* w [rows][..] of n values: row o times scale[o], plus shift[o] where there is one. */
static sct_status fold_channels(const struct sct_tensor *scale, const struct sct_tensor *shift,
                                float *w, uint64_t n, sct_error *err)
{
    sct_error own = SCT_ERROR_INIT;
    const uint32_t rows = scale->desc.dim[0];
    float *s = values(scale, &own), *t = s && shift ? values(shift, &own) : NULL;
    const bool done = s && (t || !shift);
    for (uint64_t e = 0; done && e < n; e++) {
        const uint64_t o = e / (n / rows);
        w[e] = (float)((double)w[e] * (double)s[o] + (t ? (double)t[o] : 0.0));
    }
    sct_free(s);
    sct_free(t);
    if (done)
        return SCT_OK;
    return own.code == SCT_OK ? sct_nomem(err) : sct_fail(err, own.code, "%s", own.msg);
}

/* The parameter's own values, with what is added to its elements. */
static sct_status load_plain(const struct sct_merge *m, const struct sct_param *p, float *dst,
                             sct_error *err)
{
    SCT_TRY(p->t->load(p->t, dst, err));
    for (uint32_t i = m->n_some; i-- > 0;)
        if (strcmp(m->some[i].weight, p->name) == 0)
            SCT_TRY(fold_some(&m->some[i], dst, err));
    return SCT_OK;
}

static sct_status fold_norm(const struct sct_merge *m, const struct sct_merge_norm *f,
                            const struct sct_param *p, float *dst, sct_error *err)
{
    const uint64_t n = sct_desc_count(&p->t->desc);
    float *plain = f->beside ? sct_calloc((size_t)n, sizeof *plain) : dst;
    sct_status rc = plain ? SCT_OK : sct_nomem(err);
    if (rc == SCT_OK && f->beside)
        rc = load_plain(m, p, plain, err);
    if (rc == SCT_OK)
        rc = sct_merge_norm_fold(f, (size_t)(n / p->t->desc.dim[0]), plain, dst, err);
    if (f->beside)
        sct_free(plain);
    return rc;
}

/* One fold into the values of its layer's weight or bias, which is p. */
static sct_status fold_into(const struct sct_merge *m, const struct sct_merge_fold *f,
                            const struct sct_param *p, bool bias, float *dst, sct_error *err)
{
    const struct sct_desc *d = &p->t->desc;
    const uint64_t n = sct_desc_count(d);
    switch (f->kind) {
    case SCT_MERGE_AFFINE:
        return fold_channels(f->affine.scale, bias ? f->affine.shift : NULL, dst, n, err);
    case SCT_MERGE_NORM:
        return fold_norm(m, &f->norm, p, dst, err);
    case SCT_MERGE_ROWS:
        return sct_merge_rows_fold(&f->rows, (uint32_t)(n / d->dim[0]), bias, dst, err);
    default:
        return sct_merge_branch_fold(m->model->g, &f->branch, dst, err);
    }
}

/* The parameter's own values, with what stands behind its layer. */
static sct_status load_folded(const struct sct_merge *m, const char *name, float *dst,
                              sct_error *err)
{
    const struct sct_param *p = sct_model_find(m->model, name);
    if (!p)
        return sct_fail(err, SCT_EINVAL, "the model has no parameter %s", name);
    SCT_TRY(load_plain(m, p, dst, err));
    for (uint32_t i = m->n; i-- > 0;) {
        const struct sct_merge_fold *f = &m->fold[i];
        const bool bias = f->bias && strcmp(f->bias, name) == 0;
        if (!bias && strcmp(f->weight, name) != 0)
            continue;
        SCT_TRY(fold_into(m, f, p, bias, dst, err));
    }
    return SCT_OK;
}

/* A bottleneck in front of the layer, into its weight or bias; both need the folded weight. */
static sct_status fold_front_into(const struct sct_merge *m, const struct sct_merge_front *f,
                                  bool bias, float *dst, sct_error *err)
{
    const struct sct_param *layer = sct_model_find(m->model, f->weight);
    if (!layer)
        return sct_fail(err, SCT_EINVAL, "the model has no parameter %s", f->weight);
    const struct sct_desc *d = &layer->t->desc;
    float *w = sct_calloc((size_t)sct_desc_count(d), sizeof *w);
    if (!w)
        return sct_nomem(err);
    sct_status rc = load_folded(m, f->weight, w, err);
    if (rc == SCT_OK)
        rc = sct_merge_front_fold(f, w, d->dim[0], d->dim[1], bias, dst, err);
    sct_free(w);
    return rc;
}

sct_status sct_merge_load(const struct sct_merge *m, const char *name, float *dst,
                          sct_error *err)
{
    SCT_TRY(load_folded(m, name, dst, err));
    for (uint32_t i = 0; i < m->n_front; i++) {
        const struct sct_merge_front *f = &m->front[i];
        const bool bias = strcmp(f->bias, name) == 0;
        if (bias || strcmp(f->weight, name) == 0)
            SCT_TRY(fold_front_into(m, f, bias, dst, err));
    }
    return SCT_OK;
}
