/* SPDX-License-Identifier: MIT
 * merge_dora.c - magnitudes over a linear layer and its pairs (DoRA), folded into its weight.
 *
 * Their norms must be those of exactly what is multiplied: every range of rows has the layer's
 * weight, and the pairs in the norms are one by one those that are added to the layer. */
#include <math.h>

#include "core/base/status.h"
#include "core/export/merge_walk.h"

/* A linear layer without bias whose weight is stored. */
static const struct sct_gnode *projection(const struct sct_graph *g, uint32_t v)
{
    const struct sct_gnode *n = made_by_op(g, v, SCT_OP_LINEAR);
    return n && (n->n_in < 3 || n->in[2] == 0) && stored(g, n->in[1]) ? n : NULL;
}

/* Takes the pair that is added to value v; false when there is none. */
static bool read_pair(const struct sct_graph *g, uint32_t v, struct sct_merge_pair *p,
                      struct step *at)
{
    const struct sct_gnode *add = made_by_op(g, v, SCT_OP_ADD_CH);
    if (!add)
        return false;
    const struct sct_range_params *range = add->params;
    const uint32_t update = certain(g, add->in[1]);
    const struct sct_gnode *scale = made_by_op(g, update, SCT_OP_SCALE);
    const struct sct_gnode *up = projection(g, scale ? certain(g, scale->in[0]) : update);
    const struct sct_gnode *down = up ? projection(g, up->in[0]) : NULL;
    if (!down)
        return false;
    const struct sct_scale_params one = {1.0f, 0.0f}, *s = scale ? scale->params : &one;
    *p = (struct sct_merge_pair){stored(g, down->in[1]), stored(g, up->in[1]), s->mul,
                                 range->first};
    *at = (struct step){add->in[0], certain(g, down->in[0]), 0, 0};
    return s->add == 0.0f;
}

/* The product in a value: alone, behind a bias, or beside what stands at the layer's output,
 * (s->behind - d W^T) + factor * (d W^T + pairs), where d is the layer's input or its dropout;
 * then *plain is d W^T. */
static const struct sct_gnode *product(const struct sct_graph *g, uint32_t v, struct step *s,
                                       uint32_t *plain)
{
    const struct sct_gnode *mul = made_by_op(g, v, SCT_OP_MUL), *add, *rest, *minus;
    *plain = 0;
    if (mul || !(add = made_by_op(g, v, SCT_OP_ADD)))
        return mul;
    if ((mul = made_by_op(g, add->in[0], SCT_OP_MUL)) && sparsely_stored(g, add->in[1])) {
        s->bias = add->in[1];
        return mul;
    }
    mul = made_by_op(g, add->in[1], SCT_OP_MUL);
    rest = mul ? made_by_op(g, add->in[0], SCT_OP_ADD) : NULL;
    minus = rest ? made_by_op(g, rest->in[1], SCT_OP_SCALE) : NULL;
    const struct sct_scale_params *p = minus ? minus->params : NULL;
    if (!p || p->mul != -1.0f || p->add != 0.0f)
        return NULL;
    s->behind = rest->in[0];
    *plain = minus->in[0];
    return mul;
}

/* The layer that z is pairs on, without a bias, or NULL; *pairs: how many. */
static const struct sct_gnode *layer_of(const struct sct_graph *g, uint32_t z, uint32_t *at,
                                        uint32_t *pairs)
{
    struct sct_merge_pair p;
    struct step s = {.behind = z};
    uint32_t x = 0;
    for (*pairs = 0, *at = z; read_pair(g, *at, &p, &s); ++*pairs) {
        if (x && s.x != x)
            return NULL;
        x = s.x;
        *at = s.behind;
    }
    const struct sct_gnode *n = made_by_op(g, *at, SCT_OP_LINEAR);
    if (!n || (n->n_in > 2 && n->in[2]) || !sparsely_stored(g, n->in[1]))
        return NULL;
    return !x || x == certain(g, n->in[0]) ? n : NULL;
}

/* The pair of z whose product is in the norms of node f, a DORA_SCALE. */
static bool find_pair(const struct sct_graph *g, const struct sct_gnode *f, uint32_t z,
                      struct sct_merge_pair *pair)
{
    const struct sct_module_params *p = f->params;
    for (struct step s; read_pair(g, z, pair, &s); z = s.behind)
        if (pair->a == stored(g, f->in[2]) && pair->b == stored(g, f->in[3]) &&
            pair->scale == p->scale && pair->first == p->first)
            return true;
    return false;
}

/* Takes m / norm of a range, or the same padded with zeros to all rows. */
static bool read_range(const struct sct_graph *g, uint32_t v, const struct sct_gnode *layer,
                       uint32_t z, struct sct_merge_range *r)
{
    const struct sct_gnode *pad = made_by_op(g, v, SCT_OP_PAD_CH),
                           *f = made_by_op(g, pad ? pad->in[0] : v, SCT_OP_DORA_SCALE);
    *r = (struct sct_merge_range){.m = f ? stored(g, f->in[0]) : NULL};
    if (!r->m || f->in[1] != layer->in[1])
        return false;
    r->first = ((const struct sct_module_params *)f->params)->first;
    return r->first == (pad ? ((const struct sct_range_params *)pad->params)->first : 0) &&
           (f->n_in == 2 || find_pair(g, f, z, &r->pair));
}

/* The factor, a sum of ranges that do not overlap; pairs: of z. */
static bool read_factor(const struct sct_graph *g, uint32_t v, const struct sct_gnode *layer,
                        uint32_t z, uint32_t pairs, struct sct_merge_norm *n)
{
    uint32_t rows = 0;
    for (n->n = 0; v && n->n < SCT_MERGE_RANGES;) {
        const struct sct_gnode *sum = made_by_op(g, v, SCT_OP_ADD);
        struct sct_merge_range *r = &n->range[n->n++];
        if (!read_range(g, sum ? sum->in[1] : v, layer, z, r))
            return false;
        const uint32_t end = r->first + r->m->desc.dim[0];
        for (const struct sct_merge_range *o = n->range; o < r; o++)
            if (r->first < o->first + o->m->desc.dim[0] && o->first < end)
                return false;
        pairs -= r->pair.a != NULL;
        rows += r->m->desc.dim[0];
        v = sum ? sum->in[0] : 0;
    }
    return !v && pairs == 0 && rows == sparsely_stored(g, layer->in[1])->desc.dim[0];
}

bool sct_merge_norm_read(const struct sct_graph *g, uint32_t v, struct sct_merge_norm *n,
                         struct step *s)
{
    uint32_t plain, at, pairs;
    const struct sct_gnode *mul = product(g, v, s, &plain);
    const struct sct_gnode *layer = mul ? layer_of(g, mul->in[0], &at, &pairs) : NULL;
    if (!layer || (plain && plain != at) ||
        !read_factor(g, mul->in[1], layer, mul->in[0], pairs, n))
        return false;
    n->beside = plain != 0;
    s->behind = n->beside ? s->behind : at;
    s->x = certain(g, layer->in[0]);
    s->weight = layer->in[1];
    return true;
}

/* ---- values ---- */

/* Tensors of a range as floats; v [in]: room for a row. */
struct loaded {
    float *m, *a, *b;
    double *v;
};

static float *values(const struct sct_tensor *t, sct_status *rc, sct_error *err)
{
    float *v = *rc == SCT_OK ? sct_calloc((size_t)sct_desc_count(&t->desc), sizeof *v) : NULL;
    if (*rc == SCT_OK)
        *rc = v ? t->load(t, v, err) : sct_nomem(err);
    return v;
}

/* v = a row of W + pair, of length |v|: *norm. */
static void make_row(const struct sct_merge_range *r, const struct loaded *l, size_t o,
                     const float *plain, size_t in, double *norm)
{
    const uint32_t rank = r->pair.a ? r->pair.a->desc.dim[0] : 0;
    double sum = 0;
    for (size_t i = 0; i < in; i++) {
        double d = 0;
        for (uint32_t k = 0; k < rank; k++)
            d += (double)l->b[o * rank + k] * (double)l->a[(size_t)k * in + i];
        l->v[i] = (double)plain[i] + (double)r->pair.scale * d;
        sum += l->v[i] * l->v[i];
    }
    *norm = sqrt(sum);
}

static sct_status fold_range(const struct sct_merge_range *r, bool beside, size_t in,
                             const float *plain, float *w, sct_error *err)
{
    sct_status rc = SCT_OK;
    struct loaded l = {.m = values(r->m, &rc, err), .v = sct_calloc(in, sizeof *l.v)};
    if (r->pair.a) {
        l.a = values(r->pair.a, &rc, err);
        l.b = values(r->pair.b, &rc, err);
    }
    if (rc == SCT_OK && !l.v)
        rc = sct_nomem(err);
    for (size_t o = 0; o < r->m->desc.dim[0] && rc == SCT_OK; o++) {
        const float *from = plain + (r->first + o) * in;
        float *row = w + (r->first + o) * in;
        double norm;
        make_row(r, &l, o, from, in, &norm);
        /* a row of zeros stays one */
        const double factor = norm > 0 ? (double)l.m[o] / norm : 0;
        for (size_t i = 0; i < in; i++)
            row[i] =
                (float)(factor * l.v[i] + (beside ? (double)row[i] - (double)from[i] : 0.0));
    }
    sct_free(l.m);
    sct_free(l.a);
    sct_free(l.b);
    sct_free(l.v);
    return rc;
}

sct_status sct_merge_norm_fold(const struct sct_merge_norm *n, size_t in, const float *plain,
                               float *w, sct_error *err)
{
    for (uint32_t k = 0; k < n->n; k++)
        SCT_TRY(fold_range(&n->range[k], n->beside, in, plain, w, err));
    return SCT_OK;
}
