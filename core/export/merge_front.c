/* SPDX-License-Identifier: MIT
 * merge_front.c - linear bottlenecks in front of a linear layer: what of a graph is one, and
 * the weights behind it. With v = W B, one row of r numbers for each output, W[o] += scale * v
 * A and bias[o] += scale * (v . a + W[o] . b). */
#include "core/export/merge_front.h"

#include "core/base/status.h"

/* ---- in a graph ---- */

static const struct sct_gnode *made_by_op(const struct sct_graph *g, uint32_t v, uint32_t op)
{
    const uint32_t n = g->value[v].node;
    return n != SCT_NO_NODE && g->node[n].op == op ? &g->node[n] : NULL;
}

/* v without the dropout behind it. */
static uint32_t certain(const struct sct_graph *g, uint32_t v)
{
    for (const struct sct_gnode *n = made_by_op(g, v, SCT_OP_DROPOUT); n;
         n = made_by_op(g, v, SCT_OP_DROPOUT))
        v = n->in[0];
    return v;
}

/* A layer with stored weight and bias. */
static const struct sct_gnode *layer(const struct sct_graph *g, uint32_t v, uint32_t op,
                                     const struct sct_tensor **weight,
                                     const struct sct_tensor **bias)
{
    const struct sct_gnode *n = made_by_op(g, v, op);
    if (!n || n->n_in < 3 || !n->in[2])
        return NULL;
    const struct sct_value *w = &g->value[n->in[1]], *b = &g->value[n->in[2]];
    *weight = w->tensor;
    *bias = b->tensor;
    return w->source == SCT_SRC_TENSOR && b->source == SCT_SRC_TENSOR ? n : NULL;
}

bool sct_merge_front_read(const struct sct_graph *g, uint32_t v, struct sct_merge_front *f,
                          uint32_t *x)
{
    const struct sct_gnode *add = made_by_op(g, v, SCT_OP_ADD);
    if (!add)
        return false;
    const struct sct_gnode *scale = made_by_op(g, add->in[1], SCT_OP_SCALE);
    const struct sct_scale_params *p = scale ? scale->params : NULL;
    const uint32_t y = scale ? scale->in[0] : add->in[1];
    const struct sct_gnode *up = layer(g, y, SCT_OP_LINEAR_GROUPED, &f->b, &f->b_bias);
    if (!up)
        up = layer(g, y, SCT_OP_LINEAR, &f->b, &f->b_bias);
    const struct sct_gnode *down =
        up ? layer(g, certain(g, up->in[0]), SCT_OP_LINEAR, &f->a, &f->a_bias) : NULL;
    f->scale = p ? p->mul : 1.0f;
    *x = add->in[0];
    return down && down->in[0] == add->in[0] && !(p && p->add != 0.0f);
}

/* ---- values ---- */

/* Tensors as doubles, and room for a row of W B. */
struct numbers {
    double *a, *a_bias, *b, *b_bias, *row;
};

static void release(struct numbers *n)
{
    sct_free(n->a);
    sct_free(n->a_bias);
    sct_free(n->b);
    sct_free(n->b_bias);
    sct_free(n->row);
}

static sct_status read(const struct sct_tensor *t, double **out, sct_error *err)
{
    const size_t n = (size_t)sct_desc_count(&t->desc);
    float *v = sct_calloc(n, sizeof *v);
    *out = sct_calloc(n, sizeof(**out));
    sct_status rc = v && *out ? t->load(t, v, err) : sct_nomem(err);
    for (size_t i = 0; i < n && rc == SCT_OK; i++)
        (*out)[i] = (double)v[i];
    sct_free(v);
    return rc;
}

/* row[r] = w [in] B: channel c of group g meets the r / groups columns of the group. */
static void times_b(const struct sct_desc *b, const double *B, const float *w, double *row)
{
    const bool grouped = b->nd == 3;
    const uint32_t groups = grouped ? b->dim[0] : 1, in = b->dim[grouped],
                   r = b->dim[1 + grouped];
    for (uint32_t k = 0; k < groups * r; k++)
        row[k] = 0;
    for (uint32_t c = 0; c < groups * in; c++)
        for (uint32_t k = 0; k < r; k++)
            row[c / in * r + k] += (double)w[c] * B[(size_t)c * r + k];
}

sct_status sct_merge_front_fold(const struct sct_merge_front *f, const float *weight,
                                uint32_t out, uint32_t in, bool bias, float *w, sct_error *err)
{
    const uint32_t r = f->a->desc.dim[0];
    struct numbers n = {.row = sct_calloc(r, sizeof(double))};
    sct_status rc = n.row ? read(f->a, &n.a, err) : sct_nomem(err);
    rc = rc == SCT_OK ? read(f->a_bias, &n.a_bias, err) : rc;
    rc = rc == SCT_OK ? read(f->b, &n.b, err) : rc;
    rc = rc == SCT_OK ? read(f->b_bias, &n.b_bias, err) : rc;
    for (uint32_t o = 0; o < out && rc == SCT_OK; o++) {
        const float *row = weight + (size_t)o * in;
        double sum = 0;
        times_b(&f->b->desc, n.b, row, n.row);
        for (uint32_t k = 0; k < r; k++)
            sum += n.row[k] * n.a_bias[k];
        for (uint32_t c = 0; c < in; c++)
            sum += (double)row[c] * n.b_bias[c];
        if (bias)
            w[o] = (float)((double)w[o] + (double)f->scale * sum);
        for (uint32_t c = 0; c < in && !bias; c++) {
            sum = 0;
            for (uint32_t k = 0; k < r; k++)
                sum += n.row[k] * n.a[(size_t)k * in + c];
            w[(size_t)o * in + c] = (float)((double)row[c] + (double)f->scale * sum);
        }
    }
    release(&n);
    return rc;
}
