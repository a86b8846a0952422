/* SPDX-License-Identifier: MIT
 * grad.c - the reverse sweep and the sums of gradients.
 * An accumulator (ACCUM op) is threaded through all users of a source that run as often, so a
 * weight of two layers has one running sum; SLOT_SUM closes it when the sweep leaves the last
 * of them. What runs once a sample and what runs once a step cannot share one. */
#include "core/grad/grad.h"

#include <string.h>

#include "core/base/status.h"

/* Is the gradient an accumulator that is still added to, and by nodes that run how often? */
enum open { CLOSED, OPEN_STEP, OPEN_SAMPLE };

struct sweep {
    struct sct_vjp v; /* first: acc() gets back to the sweep */
    struct sct_graph *g;
    uint32_t *grad;             /* per value: its gradient so far, 0 = none */
    uint8_t *open;              /* per value: enum open, of grad */
    uint8_t *need;              /* per value: leads to a wanted source */
    uint8_t *sample;            /* per value: depends on a sample */
    uint32_t n_value;           /* values before the sweep began */
    uint32_t given[SCT_MAX_IN]; /* per input of the node: its accumulator, 0 = not asked for */
    uint32_t node;
    uint8_t runs; /* OPEN_STEP or OPEN_SAMPLE: how often the node and its gradient run */
};

/* The gradient of value v so far, closed; none if there is none. */
static sct_val closed(struct sweep *s, uint32_t v)
{
    sct_val x = {s->grad[v]};
    if (x.id && s->open[v]) {
        x = sct_slot_sum(sct_graph_builder(s->g), x);
        s->grad[v] = x.id;
        s->open[v] = CLOSED;
    }
    return x;
}

/* The accumulator that input i adds to: the one that is open, or a new one. */
static sct_val acc(struct sct_vjp *v, uint32_t i)
{
    struct sweep *s = (struct sweep *)(void *)v;
    const uint32_t *in = s->g->node[s->node].in, id = in[i];
    bool taken = false; /* by another input of this node, which is the same value */
    for (uint32_t k = 0; k < v->n_in; k++)
        taken |= s->given[k] != 0 && in[k] == id;
    if (!taken && s->grad[id] && s->open[id] == s->runs) {
        s->given[i] = s->grad[id];
    } else {
        const struct sct_desc d = s->g->value[id].desc;
        s->given[i] = sct_zero(sct_graph_builder(s->g), d.nd, d.dim).id;
    }
    const sct_val a = {s->given[i]};
    return a;
}

/* Adds d to the gradient of value `in`. given: d continues this accumulator; 0: d is no sum. */
static void add_to(struct sweep *s, uint32_t in, sct_val d, uint32_t given)
{
    if (!d.id)
        return;
    const sct_val before = given && s->grad[in] == given ? sct_none() : closed(s, in);
    s->grad[in] = d.id;
    s->open[in] = given ? s->runs : CLOSED;
    if (before.id) {
        const sct_val c = closed(s, in);
        s->grad[in] = sct_add(sct_graph_builder(s->g), before, c).id;
    }
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
    memset(s->given, 0, sizeof s->given);
    s->node = n;
    s->runs = OPEN_STEP;
    for (uint32_t i = 0; i < node.n_in; i++)
        if (s->sample[node.in[i]])
            s->runs = OPEN_SAMPLE;
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
    /* accumulators first: they are continued only while they are open */
    for (uint32_t k = 0; k < 2 * (uint32_t)node.n_in && g->err.code == SCT_OK; k++) {
        const uint32_t i = k % node.n_in;
        if (need[i] && (s->given[i] != 0) == (k < node.n_in))
            add_to(s, node.in[i], din[i], s->given[i]);
    }
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

static void mark_samples(struct sweep *s)
{
    const struct sct_graph *g = s->g;
    for (uint32_t k = 0; k < g->n_node; k++) {
        const uint32_t flags = sct_op_info(g->node[k].op)->flags;
        uint8_t any = (flags & SCT_OPF_FEED) != 0;
        for (uint32_t i = 0; i < g->node[k].n_in; i++)
            any |= s->sample[g->node[k].in[i]];
        if (any && !(flags & (SCT_OPF_ACCUM | SCT_OPF_EMIT)))
            for (uint32_t o = 0; o < g->node[k].n_out; o++)
                s->sample[g->node[k].out[o]] = 1;
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
    s.sample = sct_calloc(g->n_value, 1);
    sct_status rc = s.grad && s.open && s.need && s.sample ? SCT_OK : sct_nomem(err);
    if (rc == SCT_OK) {
        const char *label = g->label;
        const uint32_t block = g->block;
        const uint8_t phase = g->phase;
        g->phase = SCT_PHASE_BACKWARD;
        mark_needs(&s, want, n);
        mark_samples(&s);
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
    sct_free(s.sample);
    return rc;
}
