/* SPDX-License-Identifier: MIT
 * train.c - the graph of a training step. */
#include "core/base/status.h"
#include "core/grad/grad.h"
#include "core/graphs/impl.h"

static sct_status train_graph(struct sct_graph *g, const struct sct_model *m,
                              const struct sct_optim_opts *opts, struct sct_optim *o,
                              bool grads, sct_val *want, sct_val *grad, sct_error *err)
{
    struct sct_builder *b = sct_graph_builder(g);
    const struct sct_labels l = sct_graph_label_inputs(g);
    sct_graph_label(g, "loss");
    const sct_val loss = sct_xent(b, m->logits, l.label, l.mix, l.weight, opts->smoothing);
    /* an accumulator, not the sum of emitted rows: micro-batches past the valid images do not
     * run, and their rows would keep the losses of an earlier step */
    sct_graph_output(g, sct_slot_sum(b, sct_sum_to(b, sct_zero(b, 0, NULL), loss)), "loss");
    uint32_t n = 0;
    for (uint32_t i = 0; i < m->n_param; i++)
        if (m->param[i]->trainable)
            want[n++] = sct_model_value(m->param[i]);
    SCT_TRY(sct_grad(g, loss, want, n, grad, err));
    g->phase = SCT_PHASE_UPDATE;
    g->block = 0;
    const sct_val coef = grads ? sct_none() : sct_optim_clip(g, grad, n, opts->clip);
    n = 0;
    for (uint32_t i = 0; i < m->n_param; i++) {
        const struct sct_param *p = m->param[i];
        if (!p->trainable)
            continue;
        if (!grad[n].id)
            return sct_fail(err, SCT_EINVAL,
                            "the loss does not depend on trainable parameter %s", p->name);
        char name[256];
        (void)snprintf(name, sizeof name, "grad.%s", p->name);
        if (grads)
            sct_graph_output(g, grad[n], name);
        else
            sct_optim_update(g, p, o, n, grad[n], coef, opts);
        n++;
    }
    return sct_graph_status(g, err);
}

sct_status sct_graph_train(struct sct_graph **out, const struct sct_model *m,
                           const struct sct_optim_opts *opts, struct sct_optim *o, bool grads,
                           sct_error *err)
{
    *out = NULL;
    uint32_t n = 0;
    for (uint32_t i = 0; i < m->n_param; i++)
        n += m->param[i]->trainable;
    if (n == 0)
        return sct_fail(err, SCT_EUSAGE,
                        "nothing is trainable: the strategy adds no parameter and "
                        "the head is kept");
    SCT_TRY(sct_optim_init(o, m, n, opts, err));
    struct sct_graph *g = sct_graph_clone(m->g);
    sct_val *want = sct_calloc(n, sizeof *want), *grad = sct_calloc(n, sizeof *grad);
    sct_status rc =
        g && want && grad ? train_graph(g, m, opts, o, grads, want, grad, err) : sct_nomem(err);
    sct_free(want);
    sct_free(grad);
    if (rc == SCT_OK)
        *out = g;
    else
        sct_graph_destroy(&g);
    return rc;
}
