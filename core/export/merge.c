/* SPDX-License-Identifier: MIT
 * merge.c - two graphs in lockstep; low-rank pairs, magnitudes, scales with shifts.
 * Every value of the plain graph is paired with one of the adapted graph, starting with the
 * logits; a value that is reached again must have the same partner. So when the walk ends, both
 * graphs are the same expression but for what was folded. */
#include "core/export/merge.h"

#include <math.h>
#include <string.h>

#include "core/base/status.h"

struct both {
    uint32_t a, b; /* values of the adapted and of the plain graph */
};

struct walk {
    struct sct_merge *m;
    const struct sct_graph *a, *b;
    uint32_t *partner; /* of every value of b, 0: not reached yet */
    struct both *todo;
    uint32_t n, cap;
    sct_error *err;
};

static const struct sct_gnode *made_by(const struct sct_graph *g, uint32_t v)
{
    const uint32_t n = g->value[v].node;
    return n == SCT_NO_NODE ? NULL : &g->node[n];
}

static const struct sct_gnode *made_by_op(const struct sct_graph *g, uint32_t v, uint32_t op)
{
    const struct sct_gnode *n = made_by(g, v);
    return n && n->op == op ? n : NULL;
}

/* v without the random ops behind it. */
static uint32_t certain(const struct sct_graph *g, uint32_t v)
{
    for (const struct sct_gnode *n = made_by(g, v);
         n && (n->op == SCT_OP_DROPOUT || n->op == SCT_OP_DROPPATH); n = made_by(g, v))
        v = n->in[0];
    return v;
}

/* The stored tensor that v is, or NULL. */
static const struct sct_tensor *stored(const struct sct_graph *g, uint32_t v)
{
    return g->value[v].source == SCT_SRC_TENSOR ? g->value[v].tensor : NULL;
}

/* A linear layer without bias whose weight is stored. */
static const struct sct_gnode *projection(const struct sct_graph *g, uint32_t v)
{
    const struct sct_gnode *n = made_by_op(g, v, SCT_OP_LINEAR);
    return n && (n->n_in < 3 || n->in[2] == 0) && stored(g, n->in[1]) ? n : NULL;
}

/* Takes the pair that node `add` adds, with input x; false when it is none. */
static bool read_pair(const struct sct_graph *g, const struct sct_gnode *add,
                      struct sct_merge_pair *p, uint32_t *x)
{
    const struct sct_range_params *range = add->params;
    const struct sct_gnode *scale = made_by_op(g, add->in[1], SCT_OP_SCALE);
    const struct sct_gnode *up = scale ? projection(g, scale->in[0]) : NULL;
    const struct sct_gnode *down = up ? projection(g, up->in[0]) : NULL;
    if (!down)
        return false;
    const struct sct_scale_params *s = scale->params;
    *p = (struct sct_merge_pair){NULL, stored(g, down->in[1]), stored(g, up->in[1]), s->mul,
                                 range->first};
    *x = certain(g, down->in[0]);
    return s->add == 0.0f;
}

/* Follows value *a through the pairs that are added to a linear layer, and notes them. weight:
 * the layer's in the plain graph; one that others use too is left alone. */
static sct_status fold(struct walk *w, uint32_t *a, uint32_t weight)
{
    const struct sct_graph *g = w->a;
    const struct sct_gnode *n, *linear;
    struct sct_merge_pair p;
    uint32_t v = *a, x;
    while ((n = made_by_op(g, v, SCT_OP_ADD_CH)) && read_pair(g, n, &p, &x))
        v = n->in[0];
    if (v == *a || !(linear = made_by_op(g, v, SCT_OP_LINEAR)) || !stored(g, linear->in[1]) ||
        w->partner[weight])
        return SCT_OK;
    for (uint32_t u = *a; u != v; u = made_by(g, u)->in[0]) {
        (void)read_pair(g, made_by(g, u), &p, &x);
        if (x != certain(g, linear->in[0]))
            return SCT_OK;
    }
    for (uint32_t u = *a; u != v; u = made_by(g, u)->in[0]) {
        struct sct_merge *m = w->m;
        (void)read_pair(g, made_by(g, u), &p, &x);
        p.weight = stored(g, linear->in[1])->name;
        SCT_TRY(
            sct_grow((void **)&m->pair, &m->cap, (uint64_t)m->n + 1, sizeof *m->pair, w->err));
        m->pair[m->n++] = p;
    }
    *a = v;
    return SCT_OK;
}

/* ---- DoRA ---- */

/* A decomposed layer: factor * (x W^T + pairs), and what else is in the expression. */
struct dora {
    uint32_t z, factor;             /* values of the product */
    const struct sct_gnode *linear; /* x W^T */
};

/* The product in a value: behind a bias, or beside the layer that dropout does not touch:
 * (x W^T + bias - d W^T) + factor * (d W^T + pairs), d = dropout(x). */
static const struct sct_gnode *product(const struct sct_graph *g, uint32_t v, uint32_t *bias)
{
    const struct sct_gnode *mul = made_by_op(g, v, SCT_OP_MUL), *add, *rest, *minus, *plain;
    *bias = 0;
    if (mul || !(add = made_by_op(g, v, SCT_OP_ADD)))
        return mul;
    if ((mul = made_by_op(g, add->in[0], SCT_OP_MUL)) && stored(g, add->in[1])) {
        *bias = add->in[1];
        return mul;
    }
    mul = made_by_op(g, add->in[1], SCT_OP_MUL);
    rest = mul ? made_by_op(g, add->in[0], SCT_OP_ADD) : NULL;
    minus = rest ? made_by_op(g, rest->in[1], SCT_OP_SCALE) : NULL;
    plain = minus ? projection(g, minus->in[0]) : NULL;
    const struct sct_gnode *kept = plain ? made_by_op(g, rest->in[0], SCT_OP_LINEAR) : NULL;
    if (!kept || kept->in[1] != plain->in[1] ||
        certain(g, kept->in[0]) != certain(g, plain->in[0]) ||
        ((const struct sct_scale_params *)minus->params)->mul != -1.0f ||
        ((const struct sct_scale_params *)minus->params)->add != 0.0f)
        return NULL;
    *bias = kept->n_in > 2 ? kept->in[2] : 0;
    return mul;
}

/* Follows the factor: sums of padded ranges, each m / norm of its rows. Notes the magnitudes;
 * *rows: how many rows they are of. False: something else. */
static sct_status read_factor(struct walk *w, const struct dora *d, bool *fits, uint32_t *rows)
{
    const struct sct_graph *g = w->a;
    struct sct_merge *m = w->m;
    uint32_t v = d->factor, rest;
    *rows = 0;
    for (*fits = true; *fits && v; v = rest) {
        const struct sct_gnode *sum = made_by_op(g, v, SCT_OP_ADD), *pad, *f;
        rest = sum ? sum->in[0] : 0;
        v = sum ? sum->in[1] : v;
        pad = made_by_op(g, v, SCT_OP_PAD_CH);
        f = made_by_op(g, pad ? pad->in[0] : v, SCT_OP_DORA_SCALE);
        *fits = f && f->in[1] == d->linear->in[1] && stored(g, f->in[0]);
        if (!*fits)
            break;
        const struct sct_module_params *p = f->params;
        const struct sct_merge_pair *pair = NULL;
        for (uint32_t i = 0; i < m->n; i++)
            if (f->n_in > 2 && m->pair[i].a == stored(g, f->in[2]))
                pair = &m->pair[i];
        *fits = (pad ? ((const struct sct_range_params *)pad->params)->first == p->first
                     : p->first == 0) &&
                (f->n_in == 2 || (pair && pair->b == stored(g, f->in[3]) &&
                                  pair->scale == p->scale && pair->first == p->first));
        if (!*fits)
            break;
        SCT_TRY(sct_grow((void **)&m->norm, &m->cap_norm, (uint64_t)m->n_norm + 1,
                         sizeof *m->norm, w->err));
        m->norm[m->n_norm++] = (struct sct_merge_norm){stored(g, d->linear->in[1])->name,
                                                       stored(g, f->in[0]), p->first};
        *rows += stored(g, f->in[0])->desc.dim[0];
    }
    return SCT_OK;
}

static sct_status push(struct walk *w, uint32_t a, uint32_t b);

/* *done: value v is the decomposed form of layer y of the plain graph; it is noted, and what
 * both read is compared further. */
static sct_status fold_dora(struct walk *w, uint32_t v, const struct sct_gnode *y, bool *done)
{
    const struct sct_graph *g = w->a;
    uint32_t bias, rows;
    const struct sct_gnode *mul = product(g, v, &bias);
    *done = false;
    if (!mul || w->partner[y->in[1]])
        return SCT_OK;
    const uint32_t n = w->m->n, n_norm = w->m->n_norm;
    struct dora d = {mul->in[0], mul->in[1], NULL};
    SCT_TRY(fold(w, &d.z, y->in[1]));
    d.linear = projection(g, d.z);
    if (d.linear)
        SCT_TRY(read_factor(w, &d, done, &rows));
    *done = *done && rows == stored(g, d.linear->in[1])->desc.dim[0] &&
            !bias == (y->n_in < 3 || !y->in[2]);
    if (!*done) {
        w->m->n = n;
        w->m->n_norm = n_norm;
        return SCT_OK;
    }
    SCT_TRY(push(w, d.linear->in[0], y->in[0]));
    SCT_TRY(push(w, d.linear->in[1], y->in[1]));
    return bias ? push(w, bias, y->in[2]) : SCT_OK;
}

/* ---- scales and shifts ---- */

/* The name of a stored tensor that is read through views; NULL: it is computed. */
static const char *stored_name(const struct sct_graph *g, uint32_t v)
{
    for (const struct sct_gnode *n = made_by_op(g, v, SCT_OP_RESHAPE); n;
         n = made_by_op(g, v, SCT_OP_RESHAPE))
        v = n->in[0];
    const struct sct_tensor *t = stored(g, v);
    return t ? t->name : NULL;
}

/* Takes scale and shift of a value that is one; false when it is none. */
static bool read_affine(const struct sct_graph *g, uint32_t v, struct sct_merge_affine *p,
                        uint32_t *x)
{
    const struct sct_gnode *add = made_by_op(g, v, SCT_OP_ADD);
    const struct sct_gnode *mul = add ? made_by_op(g, add->in[0], SCT_OP_MUL) : NULL;
    if (!mul)
        return false;
    p->scale = stored(g, mul->in[1]);
    p->shift = stored(g, add->in[1]);
    *x = mul->in[0];
    return p->scale && p->shift && p->scale->desc.nd == 1 && p->shift->desc.nd == 1;
}

/* Follows value *a through the scales and shifts behind what node y of the plain graph
 * computes, and notes them. Without a bias in y, or with a weight that others use too, they are
 * left alone. */
static sct_status fold_affine(struct walk *w, uint32_t *a, const struct sct_gnode *y)
{
    struct sct_merge *m = w->m;
    struct sct_merge_affine p = {0};
    uint32_t x;
    if (y->n_in < 3 || !y->in[2] || w->partner[y->in[1]] || w->partner[y->in[2]])
        return SCT_OK;
    p.weight = stored_name(w->b, y->in[1]);
    p.bias = stored_name(w->b, y->in[2]);
    while (p.weight && p.bias && read_affine(w->a, *a, &p, &x)) {
        SCT_TRY(sct_grow((void **)&m->affine, &m->cap_affine, (uint64_t)m->n_affine + 1,
                         sizeof *m->affine, w->err));
        m->affine[m->n_affine++] = p;
        *a = x;
    }
    return SCT_OK;
}

static sct_status differ(const struct walk *w, uint32_t a)
{
    const struct sct_gnode *n = made_by(w->a, a);
    return sct_fail(w->err, SCT_EUSAGE,
                    "%s: %s cannot be merged into the weights; --format onnx keeps what was "
                    "added",
                    n ? n->label : "an input", n ? sct_op_info(n->op)->name : "what is read");
}

static bool same_source(const struct sct_value *a, const struct sct_value *b)
{
    const char *x = a->tensor ? a->tensor->name : a->name;
    const char *y = b->tensor ? b->tensor->name : b->name;
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
    if (y && (y->op == SCT_OP_LINEAR || y->op == SCT_OP_LAYERNORM))
        SCT_TRY(fold_affine(w, &v.a, y));
    if (y && y->op == SCT_OP_LINEAR) {
        bool done;
        SCT_TRY(fold_dora(w, v.a, y, &done));
        if (done)
            return SCT_OK;
        SCT_TRY(fold(w, &v.a, y->in[1]));
    }
    const struct sct_gnode *x = made_by(w->a, v.a);
    if (!x && !y)
        return same_source(&w->a->value[v.a], &w->b->value[v.b]) ? SCT_OK : differ(w, v.a);
    if (!x || !y || x->op != y->op || x->n_in != y->n_in ||
        w->a->value[v.a].out != w->b->value[v.b].out ||
        memcmp(x->params, y->params, sct_op_info(x->op)->params_size) != 0)
        return differ(w, v.a);
    for (uint32_t i = 0; i < x->n_in; i++) {
        if (!x->in[i] != !y->in[i])
            return differ(w, v.a);
        if (x->in[i])
            SCT_TRY(push(w, x->in[i], y->in[i]));
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
    sct_free(m->pair);
    sct_free(m->affine);
    sct_free(m->norm);
    *m = (struct sct_merge){.model = NULL};
}

/* ---- values ---- */

/* w[rows][in] += scale * b[rows][r] a[r][in]; sum: room for a row. */
static void add_product(float *w, const struct sct_merge_pair *p, const float *a,
                        const float *b, double *sum)
{
    const uint32_t r = p->a->desc.dim[0], in = p->a->desc.dim[1], rows = p->b->desc.dim[0];
    for (uint32_t o = 0; o < rows; o++) {
        float *row = w + ((size_t)p->first + o) * in;
        for (uint32_t i = 0; i < in; i++)
            sum[i] = 0;
        for (uint32_t k = 0; k < r; k++)
            for (uint32_t i = 0; i < in; i++)
                sum[i] += (double)b[(size_t)o * r + k] * (double)a[(size_t)k * in + i];
        for (uint32_t i = 0; i < in; i++)
            row[i] = (float)((double)row[i] + (double)p->scale * sum[i]);
    }
}

static float *values(const struct sct_tensor *t, sct_error *err)
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

static sct_status fold_pair(const struct sct_merge_pair *p, float *w, sct_error *err)
{
    sct_error own = SCT_ERROR_INIT;
    double *sum = sct_calloc(p->a->desc.dim[1], sizeof *sum);
    float *a = sum ? values(p->a, &own) : NULL, *b = a ? values(p->b, &own) : NULL;
    if (b)
        add_product(w, p, a, b, sum);
    const bool done = b != NULL;
    sct_free(sum);
    sct_free(a);
    sct_free(b);
    if (done)
        return SCT_OK;
    return own.code == SCT_OK ? sct_nomem(err) : sct_fail(err, own.code, "%s", own.msg);
}

/* Rows first.. of w get the norms m; a row of zeros stays one. */
static sct_status fold_norm(const struct sct_merge_norm *f, float *w, const struct sct_desc *d,
                            sct_error *err)
{
    const size_t in = (size_t)(sct_desc_count(d) / d->dim[0]), rows = f->m->desc.dim[0];
    sct_error own = SCT_ERROR_INIT;
    float *m = values(f->m, &own);
    if (!m)
        return own.code == SCT_OK ? sct_nomem(err) : sct_fail(err, own.code, "%s", own.msg);
    for (size_t o = 0; o < rows; o++) {
        float *row = w + (f->first + o) * in;
        double sum = 0;
        for (size_t i = 0; i < in; i++)
            sum += (double)row[i] * (double)row[i];
        for (size_t i = 0; sum > 0 && i < in; i++)
            row[i] = (float)((double)row[i] * ((double)m[o] / sqrt(sum)));
    }
    sct_free(m);
    return SCT_OK;
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

sct_status sct_merge_load(const struct sct_merge *m, const char *name, float *dst,
                          sct_error *err)
{
    const struct sct_param *p = sct_model_find(m->model, name);
    if (!p)
        return sct_fail(err, SCT_EINVAL, "the model has no parameter %s", name);
    SCT_TRY(p->t->load(p->t, dst, err));
    for (uint32_t i = 0; i < m->n; i++)
        if (strcmp(m->pair[i].weight, name) == 0)
            SCT_TRY(fold_pair(&m->pair[i], dst, err));
    for (uint32_t i = 0; i < m->n_norm; i++)
        if (strcmp(m->norm[i].weight, name) == 0)
            SCT_TRY(fold_norm(&m->norm[i], dst, &p->t->desc, err));
    for (uint32_t i = m->n_affine; i-- > 0;) {
        const struct sct_merge_affine *f = &m->affine[i];
        const bool bias = strcmp(f->bias, name) == 0;
        if (bias || strcmp(f->weight, name) == 0)
            SCT_TRY(fold_channels(f->scale, bias ? f->shift : NULL, dst,
                                  sct_desc_count(&p->t->desc), err));
    }
    return SCT_OK;
}
