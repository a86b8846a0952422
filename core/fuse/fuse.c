/* SPDX-License-Identifier: MIT
 * fuse.c - drives the rules over the graph, module rules before the linear ones whose parts
 * they contain. */
#include "core/fuse/match.h"

#include "core/base/status.h"

static const fuse_rule rules[] = {
    fuse_sct_module,     fuse_sct_module_dx, fuse_lora_module,   fuse_linear_gelu,
    fuse_linear_dx_gelu, fuse_linear_add,    fuse_linear_dx_add, fuse_layernorm_dx_add,
};

struct sct_gnode fuse_candidate(struct fuse *f, uint32_t n, uint32_t op, const void *params,
                                size_t size)
{
    struct sct_gnode c = {.op = op,
                          .n_out = sct_op_info(op)->n_out,
                          .phase = f->g->node[n].phase,
                          .block = f->g->node[n].block,
                          .label = f->g->node[n].label};
    c.params = sct_arena_alloc(&f->g->arena, sct_op_info(op)->params_size);
    if (!c.params)
        (void)sct_nomem(&f->err);
    else if (params)
        memcpy(c.params, params, size);
    return c;
}

bool fuse_commit(struct fuse *f, uint32_t n, struct sct_gnode *c, const uint32_t *gone,
                 uint32_t n_gone)
{
    if (!c->params || !f->has(f->ctx, c))
        return false;
    for (uint32_t i = 0; i < f->g->node[n].n_in; i++)
        f->uses[f->g->node[n].in[i]]--;
    for (uint32_t k = 0; k < n_gone; k++) {
        const uint32_t m = f->g->value[gone[k]].node;
        f->dead[m] = 1;
        for (uint32_t i = 0; i < f->g->node[m].n_in; i++)
            f->uses[f->g->node[m].in[i]]--;
    }
    for (uint32_t i = 0; i < c->n_in; i++)
        f->uses[c->in[i]]++;
    for (uint32_t o = 0; o < c->n_out; o++) {
        if (!c->out[o])
            c->out[o] = sct_graph_new_value(f->g);
        f->g->value[c->out[o]].node = n;
        f->g->value[c->out[o]].out = (uint8_t)o;
    }
    f->g->node[n] = *c;
    f->changed = true;
    return true;
}

static sct_status count_uses(struct fuse *f)
{
    struct sct_graph *g = f->g;
    for (uint32_t n = 0; n < g->n_node; n++)
        for (uint32_t i = 0; i < g->node[n].n_in; i++)
            f->uses[g->node[n].in[i]]++;
    for (uint32_t v = 1; v < g->n_value; v++)
        f->uses[v] += g->value[v].output;
    return SCT_OK;
}

sct_status sct_fuse(struct sct_graph *g, sct_fuse_has has, void *ctx, sct_error *err)
{
    struct fuse f = {.g = g, .has = has, .ctx = ctx};
    SCT_TRY(fuse_gradients_of_some(g, has, ctx, err));
    /* a rule may add at most one value a node */
    f.uses = sct_calloc((size_t)g->n_value + g->n_node + 1, sizeof *f.uses);
    f.dead = sct_calloc(g->n_node + 1u, 1);
    sct_status rc = f.uses && f.dead ? count_uses(&f) : sct_nomem(err);
    for (size_t r = 0; rc == SCT_OK && r < sizeof rules / sizeof rules[0]; r++)
        for (uint32_t n = 0; n < g->n_node; n++)
            if (!f.dead[n])
                (void)rules[r](&f, n);
    if (rc == SCT_OK && f.err.code != SCT_OK)
        rc = sct_fail(err, f.err.code, "%s", f.err.msg);
    if (rc == SCT_OK && f.changed) {
        sct_graph_drop(g, f.dead);
        rc = sct_graph_sort(g, err);
        if (rc == SCT_OK)
            rc = sct_graph_infer(g, g->b, err);
        if (rc == SCT_OK)
            rc = sct_graph_prune(g, err);
    }
    sct_free(f.uses);
    sct_free(f.dead);
    return rc;
}
