/* SPDX-License-Identifier: MIT
 * calibrate.c - the graph that gathers what strategies watch. */
#include "core/base/status.h"
#include "core/grad/grad.h"
#include "core/graphs/impl.h"
#include "core/ir/random.h"

static void watch_value(struct sct_graph *g, const struct sct_model *m,
                        const struct sct_watch_item *w, const struct sct_labels *l,
                        const char *name)
{
    struct sct_builder *b = sct_graph_builder(g);
    const struct sct_site *s = &m->site[w->id];
    const uint32_t dim[2] = {w->protocol.any_class ? 1 : m->cfg.classes, s->channels};
    sct_graph_label(g, "%s", s->path);
    const sct_val acc = sct_obs_sumsq_label(b, sct_zero(b, 2, dim), s->out, l->label, l->weight,
                                            w->protocol.skip_prefix ? s->prefix_tokens : 0,
                                            w->protocol.any_class);
    sct_graph_output(g, sct_slot_sum(b, acc), name);
}

/* Squared batch gradients gather in a tensor that outlives the step. */
static sct_status watch_grads(struct sct_graph *g, const struct sct_model *m,
                              const uint32_t *watch, uint32_t n, const struct sct_labels *l,
                              struct sct_optim *o, sct_error *err)
{
    struct sct_builder *b = sct_graph_builder(g);
    sct_val *want = sct_calloc(n, sizeof *want), *grad = sct_calloc(n, sizeof *grad);
    o->state = sct_calloc(n, sizeof *o->state);
    sct_status rc = want && grad && o->state ? SCT_OK : sct_nomem(err);
    uint32_t k = 0;
    for (uint32_t i = 0; i < n && rc == SCT_OK; i++)
        if (m->watch[watch[i]].what == SCT_WATCH_GRAD_SUMSQ)
            want[k++] = sct_model_value(m->param[m->watch[watch[i]].id]);
    if (rc == SCT_OK && k) {
        sct_graph_label(g, "loss");
        const sct_val loss = sct_xent(b, m->logits, l->label, l->mix, l->weight, 0.0f);
        rc = sct_grad(g, loss, want, k, grad, err);
    }
    g->phase = SCT_PHASE_UPDATE;
    k = 0;
    for (uint32_t i = 0; i < n && rc == SCT_OK; i++) {
        const struct sct_watch_item *w = &m->watch[watch[i]];
        if (w->what != SCT_WATCH_GRAD_SUMSQ)
            continue;
        char name[64];
        const struct sct_param *p = m->param[w->id];
        const struct sct_desc d = p->t->desc;
        rc = sct_optim_tensor(o, o->n, "watch", p->name, &d, err);
        if (rc != SCT_OK)
            break;
        const sct_val acc = sct_graph_tensor(g, &o->state[o->n++]);
        sct_graph_label(g, "%s", p->name);
        (void)snprintf(name, sizeof name, "watch.%u", i);
        if (grad[k].id)
            sct_graph_output(g, sct_obs_sumsq(b, acc, grad[k]), name);
        k++;
    }
    sct_free(want);
    sct_free(grad);
    return rc;
}

sct_status sct_graph_calibrate(struct sct_graph **out, const struct sct_model *m,
                               const uint32_t *watch, uint32_t n, struct sct_optim *o,
                               sct_error *err)
{
    *out = NULL;
    sct_optim_fini(o);
    const struct sct_protocol *p = n ? &m->watch[watch[0]].protocol : NULL;
    struct sct_graph *g = sct_graph_clone(m->g);
    if (!g)
        return sct_nomem(err);
    sct_status rc = p && p->batch ? sct_graph_rebatch(g, p->batch, err) : SCT_OK;
    if (rc != SCT_OK) {
        sct_graph_destroy(&g);
        return rc;
    }
    const struct sct_labels l = sct_graph_label_inputs(g);
    bool grads = false;
    for (uint32_t i = 0; i < n; i++) {
        char name[64];
        (void)snprintf(name, sizeof name, "watch.%u", i);
        if (m->watch[watch[i]].what == SCT_WATCH_SUMSQ_LABEL)
            watch_value(g, m, &m->watch[watch[i]], &l, name);
        else
            grads = true;
    }
    if (grads)
        rc = watch_grads(g, m, watch, n, &l, o, err);
    if (p && !p->train_mode)
        sct_graph_strip_random(g);
    return sct_graph_finish(out, g, rc, err);
}
