/* SPDX-License-Identifier: MIT
 * merge_dora.c - magnitudes over a linear layer and its pairs (DoRA), folded into its weight.
 *
 * Their norms must be those of exactly the weight that folding makes: every range of rows has
 * the layer's weight, and the pairs in the norms are one by one those that are added. */
#include <math.h>

#include "core/base/status.h"
#include "core/export/merge_walk.h"

/* The product in a value: alone, behind a bias, or beside the layer whose input dropout does
 * not touch, (x W^T + bias - d W^T) + factor * (d W^T + pairs), d = dropout(x); then *plain is
 * d W^T and *kept the layer. */
static const struct sct_gnode *product(const struct sct_graph *g, uint32_t v, uint32_t *bias,
                                       uint32_t *plain, const struct sct_gnode **kept)
{
    const struct sct_gnode *mul = made_by_op(g, v, SCT_OP_MUL), *add, *rest, *minus;
    *bias = *plain = 0;
    if (mul || !(add = made_by_op(g, v, SCT_OP_ADD)))
        return mul;
    if ((mul = made_by_op(g, add->in[0], SCT_OP_MUL)) && sparsely_stored(g, add->in[1])) {
        *bias = add->in[1];
        return mul;
    }
    mul = made_by_op(g, add->in[1], SCT_OP_MUL);
    rest = mul ? made_by_op(g, add->in[0], SCT_OP_ADD) : NULL;
    minus = rest ? made_by_op(g, rest->in[1], SCT_OP_SCALE) : NULL;
    *kept = minus ? made_by_op(g, rest->in[0], SCT_OP_LINEAR) : NULL;
    if (!*kept || ((const struct sct_scale_params *)minus->params)->mul != -1.0f ||
        ((const struct sct_scale_params *)minus->params)->add != 0.0f)
        return NULL;
    *plain = minus->in[0];
    *bias = (*kept)->n_in > 2 ? (*kept)->in[2] : 0;
    return mul;
}

/* The layer that z is pairs on, without a bias, or NULL; *pairs: how many. */
static const struct sct_gnode *layer_of(const struct sct_graph *g, uint32_t z, uint32_t *layer,
                                        uint32_t *pairs)
{
    struct sct_merge_pair p;
    uint32_t x;
    *layer = z;
    for (*pairs = 0; sct_merge_pair_read(g, *layer, &p, &x, layer);)
        ++*pairs;
    const struct sct_gnode *n = made_by_op(g, *layer, SCT_OP_LINEAR);
    return n && (n->n_in < 3 || !n->in[2]) && sparsely_stored(g, n->in[1]) ? n : NULL;
}

/* Whether node f, a DORA_SCALE, has the pair in its norms that z has in the same rows. */
static bool has_pair(const struct sct_graph *g, const struct sct_gnode *f, uint32_t z)
{
    const struct sct_module_params *p = f->params;
    struct sct_merge_pair pair;
    for (uint32_t x; sct_merge_pair_read(g, z, &pair, &x, &z);)
        if (pair.a == stored(g, f->in[2]) && pair.b == stored(g, f->in[3]) &&
            pair.scale == p->scale && pair.first == p->first)
            return true;
    return false;
}

/* Takes the magnitudes of one range, m / norm, or the same padded with zeros to all rows. */
static bool read_range(const struct sct_graph *g, uint32_t v, const struct sct_gnode *layer,
                       uint32_t z, struct sct_merge_norm *n, uint32_t *pairs)
{
    const struct sct_gnode *pad = made_by_op(g, v, SCT_OP_PAD_CH),
                           *f = made_by_op(g, pad ? pad->in[0] : v, SCT_OP_DORA_SCALE);
    const struct sct_tensor *m = f ? stored(g, f->in[0]) : NULL;
    if (!m || f->in[1] != layer->in[1] || n->n == SCT_MERGE_RANGES)
        return false;
    const struct sct_module_params *p = f->params;
    const uint32_t at = pad ? ((const struct sct_range_params *)pad->params)->first : 0;
    n->m[n->n] = m;
    n->first[n->n++] = p->first;
    if (f->n_in > 2 && !has_pair(g, f, z))
        return false;
    *pairs += f->n_in > 2;
    return at == p->first;
}

/* The factor: a sum of ranges that do not overlap. */
static bool read_factor(const struct sct_graph *g, uint32_t v, const struct sct_gnode *layer,
                        uint32_t z, struct sct_merge_norm *n, uint32_t *pairs)
{
    uint32_t rows = 0;
    *pairs = n->n = 0;
    while (v) {
        const struct sct_gnode *sum = made_by_op(g, v, SCT_OP_ADD);
        if (!read_range(g, sum ? sum->in[1] : v, layer, z, n, pairs))
            return false;
        v = sum ? sum->in[0] : 0;
    }
    for (uint32_t i = 0; i < n->n; i++) {
        const uint32_t first = n->first[i], end = first + n->m[i]->desc.dim[0];
        rows += end - first;
        for (uint32_t k = 0; k < i; k++)
            if (first < n->first[k] + n->m[k]->desc.dim[0] && n->first[k] < end)
                return false;
    }
    return rows == sparsely_stored(g, layer->in[1])->desc.dim[0];
}

bool sct_merge_norm_read(const struct sct_graph *g, uint32_t v, struct sct_merge_norm *n,
                         uint32_t *behind, uint32_t *bias)
{
    uint32_t plain, outside, at, have, used;
    const struct sct_gnode *kept = NULL, *mul = product(g, v, &outside, &plain, &kept);
    const struct sct_gnode *layer = mul ? layer_of(g, mul->in[0], &at, &have) : NULL;
    if (!layer || !read_factor(g, mul->in[1], layer, mul->in[0], n, &used) || used != have)
        return false;
    if (kept && (plain != at || kept->in[1] != layer->in[1] ||
                 certain(g, kept->in[0]) != certain(g, layer->in[0])))
        return false;
    *behind = mul->in[0];
    *bias = outside;
    return true;
}

/* ---- values ---- */

sct_status sct_merge_norm_fold(const struct sct_merge_norm *n, size_t in, float *w,
                               sct_error *err)
{
    for (uint32_t k = 0; k < n->n; k++) {
        const size_t rows = n->m[k]->desc.dim[0];
        float *m = sct_calloc(rows, sizeof *m);
        const sct_status rc = m ? n->m[k]->load(n->m[k], m, err) : sct_nomem(err);
        for (size_t o = 0; o < rows && rc == SCT_OK; o++) {
            float *row = w + (n->first[k] + o) * in;
            double sum = 0;
            for (size_t i = 0; i < in; i++)
                sum += (double)row[i] * (double)row[i];
            for (size_t i = 0; sum > 0 && i < in; i++)
                row[i] = (float)((double)row[i] * ((double)m[o] / sqrt(sum)));
        }
        sct_free(m);
        SCT_TRY(rc);
    }
    return SCT_OK;
}
