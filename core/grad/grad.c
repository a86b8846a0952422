/* SPDX-License-Identifier: MIT
 * grad.c - the reverse sweep and the sums of gradients.
 * An accumulator (ACCUM op) is threaded through all users of a source, so a shared weight has
 * one running sum; SLOT_SUM closes it when the sweep leaves its last user. */
#include "core/grad/grad.h"

#include <string.h>

#include "core/base/status.h"

struct sweep {
    struct sct_vjp v; /* first: acc() gets back to the sweep */
    struct sct_graph *g;
    uint32_t *grad;   /* per value: its gradient so far, 0 = none */
    uint8_t *open;    /* per value: grad is an accumulator still open */
    uint8_t *need;    /* per value: leads to a wanted source */
    uint32_t n_value; /* values before the sweep began */
    uint8_t asked[SCT_MAX_IN];
    uint32_t node;
};

static sct_val zero_like(struct sct_graph *g, const struct sct_desc *d)
{
    return sct_zero(sct_graph_builder(g), d->nd, d->dim);
}

static sct_val acc(struct sct_vjp *v, uint32_t i)
{
    struct sweep *s = (struct sweep *)(void *)v;
    const uint32_t id = s->g->node[s->node].in[i];
    s->asked[i] = 1;
    if (s->grad[id] && s->open[id]) {
        const sct_val a = {s->grad[id]};
        return a;
    }
    const struct sct_desc d = s->g->value[id].desc;
    return zero_like(s->g, &d);
}

/* The gradient of value v so far, closed; none if there is none. */
static sct_val closed(struct sweep *s, uint32_t v)
{
    sct_val x = {s->grad[v]};
    if (x.id && s->open[v]) {
        x = sct_slot_sum(sct_graph_builder(s->g), x);
        s->grad[v] = x.id;
        s->open[v] = 0;
    }
    return x;
}

static void add_to(struct sweep *s, uint32_t in, sct_val d, int is_acc)
{
    if (!d.id)
        return;
    if (is_acc) {
        const uint32_t before = s->open[in] ? 0 : s->grad[in];
        s->grad[in] = d.id;
        s->open[in] = 1;
        if (before) { /* an ordinary gradient was there first: close and add */
            const sct_val b = {before}, c = closed(s, in);
            s->grad[in] = sct_add(sct_graph_builder(s->g), b, c).id;
        }
        return;
    }
    const sct_val before = closed(s, in);
    s->grad[in] = before.id ? sct_add(sct_graph_builder(s->g), before, d).id : d.id;
}

static void sweep_node(struct sweep *s, uint32_t n)
{
    struct sct_graph *g = s->g;
    const struct sct_gnode node = g->node[n];
    const struct sct_op_info *op = sct_op_info(node.op);
    struct sct_desc in_desc[SCT_MAX_IN], out_desc[SCT_MAX_OUT];
    sct_val in[SCT_MAX_IN], out[SCT_MAX_OUT], dout[SCT_MAX_OUT], din[SCT_MAX_IN];
    uint8_t need[SCT_MAX_IN] = {0};
    int any_need = 0, any_out = 0;
    for (uint32_t i = 0; i < node.n_in; i++) {
        in[i].id = node.in[i];
        din[i].id = 0;
        in_desc[i] = g->value[node.in[i]].desc;
        need[i] = s->need[node.in[i]];
        any_need |= need[i];
    }
    for (uint32_t o = 0; o < node.n_out; o++)
        any_out |= s->grad[node.out[o]] != 0;
    if (!any_need || !any_out)
        return;
    g->label = node.label;
    g->block = node.block;
    if (!op->vjp) {
        (void)sct_fail(
            &g->err, SCT_EINVAL,
            "%s: %s has no gradient but lies between a trainable parameter and the loss",
            node.label, op->name);
        return;
    }
    for (uint32_t o = 0; o < node.n_out; o++) {
        out[o].id = node.out[o];
        out_desc[o] = g->value[node.out[o]].desc;
        dout[o] = closed(s, node.out[o]);
    }
    memset(s->asked, 0, sizeof s->asked);
    s->node = n;
    s->v = (struct sct_vjp){.b = sct_graph_builder(g),
                            .in = in,
                            .out = out,
                            .dout = dout,
                            .in_desc = in_desc,
                            .out_desc = out_desc,
                            .n_in = node.n_in,
                            .n_out = node.n_out,
                            .params = node.params,
                            .need = need,
                            .din = din,
                            .acc = acc};
    op->vjp(&s->v);
    for (uint32_t i = 0; i < node.n_in && g->err.code == SCT_OK; i++)
        if (need[i])
            add_to(s, node.in[i], din[i], s->asked[i]);
}

static void mark_needs(struct sweep *s, const sct_val *want, uint32_t n)
{
    const struct sct_graph *g = s->g;
    for (uint32_t i = 0; i < n; i++)
        s->need[want[i].id] = 1;
    for (uint32_t k = 0; k < g->n_node; k++) {
        uint8_t any = 0;
        for (uint32_t i = 0; i < g->node[k].n_in; i++)
            any |= s->need[g->node[k].in[i]];
        for (uint32_t o = 0; any && o < g->node[k].n_out; o++)
            s->need[g->node[k].out[o]] = 1;
    }
}

sct_status sct_grad(struct sct_graph *g, sct_val loss, const sct_val *want, uint32_t n,
                    sct_val *grad, sct_error *err)
{
    SCT_TRY(sct_graph_status(g, err));
    SCT_TRY(sct_graph_sort(g, err));
    struct sweep s = {.g = g, .n_value = g->n_value};
    s.grad = sct_calloc(g->n_value, sizeof *s.grad);
    s.open = sct_calloc(g->n_value, 1);
    s.need = sct_calloc(g->n_value, 1);
    sct_status rc = s.grad && s.open && s.need ? SCT_OK : sct_nomem(err);
    if (rc == SCT_OK) {
        const char *label = g->label;
        const uint32_t block = g->block;
        const uint8_t phase = g->phase;
        g->phase = SCT_PHASE_BACKWARD;
        mark_needs(&s, want, n);
        const uint32_t forward = g->n_node; /* before the seed: its values have no entry in s */
        s.grad[loss.id] = sct_fill_like(sct_graph_builder(g), loss, 1.0f).id;
        for (uint32_t k = forward; k-- > 0 && g->err.code == SCT_OK;)
            sweep_node(&s, k);
        g->block = 0;
        for (uint32_t i = 0; i < n; i++) {
            g->label = g->value[want[i].id].name ? g->value[want[i].id].name : "";
            grad[i] = closed(&s, want[i].id);
        }
        g->label = label;
        g->block = block;
        g->phase = phase;
        rc = sct_graph_status(g, err);
    }
    sct_free(s.grad);
    sct_free(s.open);
    sct_free(s.need);
    return rc;
}
