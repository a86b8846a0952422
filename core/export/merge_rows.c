/* SPDX-License-Identifier: MIT
 * merge_rows.c - a linear layer on channels of a linear layer's output, folded into the latter.
 */
#include "core/base/status.h"
#include "core/export/merge_walk.h"

/* mul of v = mul * u + 0, and u; 1 and v itself where no scale is. */
static uint32_t unscaled(const struct sct_graph *g, uint32_t v, float *mul)
{
    const struct sct_gnode *s = made_by_op(g, v, SCT_OP_SCALE);
    const struct sct_scale_params *p = s ? s->params : NULL;
    *mul = p && p->add == 0.0f ? p->mul : 1.0f;
    return p && p->add == 0.0f ? s->in[0] : v;
}

/* Whether v is x[idx]. */
static bool gathers(const struct sct_graph *g, uint32_t v, uint32_t x, uint32_t idx)
{
    const struct sct_gnode *n = made_by_op(g, v, SCT_OP_GATHER_CH);
    return n && n->in[0] == x && n->in[1] == idx;
}

/* Takes M and c of v = M y[J] + c, and where J is. */
static bool read_linear(const struct sct_graph *g, uint32_t v, uint32_t x, uint32_t idx,
                        struct sct_merge_rows *r)
{
    const struct sct_gnode *l = made_by_op(g, v, SCT_OP_LINEAR);
    if (!l || l->n_in < 3 || !l->in[2])
        return false;
    r->m = stored(g, l->in[1]);
    r->c = stored(g, l->in[2]);
    r->gathered = gathers(g, l->in[0], x, idx);
    r->first = 0;
    const struct sct_gnode *slice = made_by_op(g, l->in[0], SCT_OP_SLICE_CH);
    const bool part = slice && slice->in[0] == x;
    if (part)
        r->first = ((const struct sct_range_params *)slice->params)->first;
    return r->m && r->c && (r->gathered || part || l->in[0] == x);
}

bool sct_merge_rows_read(const struct sct_graph *g, uint32_t v, struct sct_merge_rows *r,
                         uint32_t *behind)
{
    const struct sct_gnode *n = made_by_op(g, v, SCT_OP_SCATTER_ADD_CH);
    uint32_t l, x;
    r->keep = 1.0f;
    if (n) {
        l = unscaled(g, n->in[2], &r->mul);
    } else {
        n = made_by_op(g, v, SCT_OP_SCATTER_SET_CH);
        const struct sct_gnode *sum = n ? made_by_op(g, n->in[2], SCT_OP_ADD) : NULL;
        if (!sum || !gathers(g, unscaled(g, sum->in[0], &r->keep), n->in[0], n->in[1]))
            return false;
        r->mul = 1.0f;
        l = sum->in[1];
    }
    x = n->in[0];
    *behind = certain(g, x);
    r->index = stored(g, n->in[1]);
    return r->index && read_linear(g, l, x, n->in[1], r);
}

/* ---- values ---- */

struct loaded {
    int32_t *index;
    float *m, *c;
    double *sum; /* [n][in] */
    uint32_t n, cols, in;
};

static void unload(struct loaded *l)
{
    sct_free(l->index);
    sct_free(l->m);
    sct_free(l->c);
    sct_free(l->sum);
}

/* in: values of a row of the parameter. */
static sct_status load(struct loaded *l, const struct sct_merge_rows *r, uint32_t in,
                       sct_error *err)
{
    *l = (struct loaded){.n = r->m->desc.dim[0], .cols = r->m->desc.dim[1], .in = in};
    l->index = sct_calloc(l->n, sizeof *l->index);
    l->m = sct_calloc((size_t)l->n * l->cols, sizeof *l->m);
    l->c = sct_calloc(l->n, sizeof *l->c);
    l->sum = sct_calloc((size_t)l->n * in, sizeof *l->sum);
    if (!l->index || !l->m || !l->c || !l->sum)
        return sct_nomem(err);
    SCT_TRY(r->index->load(r->index, l->index, err));
    SCT_TRY(r->m->load(r->m, l->m, err));
    return r->c->load(r->c, l->c, err);
}

/* w [rows][in]: all sums are of the old rows, so they are made before any is replaced. */
static void apply(const struct loaded *l, const struct sct_merge_rows *r, bool bias, float *w)
{
    for (uint32_t j = 0; j < l->n; j++) {
        double *sum = l->sum + (size_t)j * l->in;
        for (uint32_t k = 0; k < l->cols; k++) {
            const uint32_t from = r->gathered ? (uint32_t)l->index[k] : r->first + k;
            const double m = (double)l->m[(size_t)j * l->cols + k];
            for (uint32_t i = 0; i < l->in; i++)
                sum[i] += m * (double)w[(size_t)from * l->in + i];
        }
        sum[0] += bias ? (double)l->c[j] : 0.0;
    }
    for (uint32_t j = 0; j < l->n; j++) {
        float *row = w + (size_t)(uint32_t)l->index[j] * l->in;
        for (uint32_t i = 0; i < l->in; i++)
            row[i] = (float)((double)r->keep * (double)row[i] +
                             (double)r->mul * l->sum[(size_t)j * l->in + i]);
    }
}

sct_status sct_merge_rows_fold(const struct sct_merge_rows *r, uint32_t in, bool bias, float *w,
                               sct_error *err)
{
    struct loaded l;
    const sct_status rc = load(&l, r, in, err);
    if (rc == SCT_OK)
        apply(&l, r, bias, w);
    unload(&l);
    return rc;
}
