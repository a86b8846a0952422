/* SPDX-License-Identifier: MIT
 * fingerprint.c - a Merkle hash over the nodes of a plan, in their order of execution. */
#include "core/tune/fingerprint.h"

#include <string.h>

#include "core/base/status.h"

typedef char hex_t[SCT_SHA256_HEX];

static void add_text(struct sct_sha256 *h, const char *text)
{
    sct_sha256_add(h, text, strlen(text) + 1);
}

static void add_number(struct sct_sha256 *h, uint32_t v)
{
    const unsigned char b[4] = {(unsigned char)v, (unsigned char)(v >> 8),
                                (unsigned char)(v >> 16), (unsigned char)(v >> 24)};
    sct_sha256_add(h, b, sizeof b);
}

static bool of_base(const struct sct_weights *base, const struct sct_tensor *t)
{
    for (uint32_t i = 0; i < base->n; i++)
        if (&base->item[i]->t == t)
            return true;
    return false;
}

static sct_status add_content(struct sct_sha256 *h, const struct sct_tensor *t, sct_error *err)
{
    const size_t bytes = (size_t)sct_desc_count(&t->desc) * sct_dtype_bytes(t->desc.dtype);
    void *v = sct_calloc(bytes ? bytes : 1, 1);
    if (!v)
        return sct_nomem(err);
    const sct_status rc = t->load(t, v, err);
    if (rc == SCT_OK)
        sct_sha256_add(h, v, bytes);
    sct_free(v);
    return rc;
}

static sct_status hash_source(const struct sct_value *v, const struct sct_weights *base,
                              hex_t out, sct_error *err)
{
    struct sct_sha256 h;
    const struct sct_tensor *t = v->source == SCT_SRC_TENSOR ? v->tensor : NULL;
    const char *name = t ? t->name : v->name;
    sct_sha256_init(&h);
    add_number(&h, v->source);
    add_number(&h, v->desc.dtype);
    add_number(&h, v->desc.nd);
    /* of a batch value the first dimension is that of the plan */
    for (uint32_t k = t ? 0 : 1; k < v->desc.nd; k++)
        add_number(&h, v->desc.dim[k]);
    add_text(&h, name ? name : "");
    if (t && !of_base(base, t))
        SCT_TRY(add_content(&h, t, err));
    sct_sha256_end(&h, out);
    return SCT_OK;
}

static void hash_node(const struct sct_plan *p, uint32_t n, hex_t *of)
{
    struct sct_sha256 h;
    hex_t made;
    const struct sct_gnode *node = &p->g->node[n];
    const char *row = p->node[n].view ? "" : p->node[n].choice.row;
    sct_sha256_init(&h);
    add_text(&h, sct_op_info(node->op)->name);
    add_text(&h, row ? row : "");
    add_number(&h, sct_op_info(node->op)->params_size);
    sct_sha256_add(&h, node->params, sct_op_info(node->op)->params_size);
    for (uint32_t i = 0; i < node->n_in; i++)
        add_text(&h, of[node->in[i]]); /* "" of an input that is absent */
    sct_sha256_end(&h, made);
    for (uint32_t i = 0; i < node->n_out; i++) {
        const struct sct_desc *d = &p->g->value[node->out[i]].desc;
        sct_sha256_init(&h);
        add_text(&h, made);
        add_number(&h, i);
        add_number(&h, d->dtype);
        add_number(&h, d->layout);
        sct_sha256_end(&h, of[node->out[i]]);
    }
}

static sct_status hash_all(const struct sct_plan *p, const struct sct_weights *base, hex_t *of,
                           sct_error *err)
{
    const struct sct_graph *g = p->g;
    for (uint32_t v = 1; v < g->n_value; v++)
        if (!g->value[v].removed && g->value[v].source != SCT_SRC_NONE)
            SCT_TRY(hash_source(&g->value[v], base, of[v], err));
    for (uint32_t n = 0; n < g->n_node; n++)
        hash_node(p, n, of);
    return SCT_OK;
}

sct_status sct_fingerprint(const struct sct_plan *p, const struct sct_weights *base,
                           const char *const *name, uint32_t n, char (*hex)[SCT_SHA256_HEX],
                           sct_error *err)
{
    hex_t *of = sct_calloc(p->g->n_value, sizeof *of);
    sct_status rc = of ? hash_all(p, base, of, err) : sct_nomem(err);
    for (uint32_t i = 0; rc == SCT_OK && i < n; i++) {
        const uint32_t v = sct_graph_find(p->g, name[i]).id;
        struct sct_sha256 h;
        if (!v) {
            rc = sct_fail(err, SCT_EINVAL, "the program has no output %s", name[i]);
            break;
        }
        sct_sha256_init(&h);
        add_text(&h, of[v]);
        add_number(&h, p->g->batch);
        add_number(&h, p->shape.b);
        add_number(&h, p->slots);
        sct_sha256_end(&h, hex[i]);
    }
    sct_free(of);
    return rc;
}
