/* SPDX-License-Identifier: MIT
 * graphs.c - training, evaluation and calibration graphs. */
#include "core/train/graphs.h"

#include <string.h>

#include "core/base/status.h"
#include "core/grad/grad.h"
#include "core/ir/random.h"
#include "core/peft/pattern.h"

struct labels {
    sct_val label, mix, weight;
};

static struct labels label_inputs(struct sct_graph *g)
{
    struct sct_builder *b = sct_graph_builder(g);
    const uint32_t two[2] = {g->batch, 2}, one[1] = {g->batch};
    sct_graph_label(g, "labels");
    g->phase = SCT_PHASE_FORWARD;
    g->block = 0;
    return (struct labels){sct_feed(b, sct_graph_input(g, "labels", SCT_I32, 2, two)),
                           sct_feed(b, sct_graph_input(g, "mix", SCT_F32, 1, one)),
                           sct_feed(b, sct_graph_input(g, "weight", SCT_F32, 1, one))};
}

void sct_optim_fini(struct sct_optim *o)
{
    sct_free(o->state);
    sct_free(o->average);
    sct_arena_free(&o->arena);
    memset(o, 0, sizeof *o);
}

static sct_status state_tensor(struct sct_optim *o, uint32_t at, const char *slot,
                               const char *name, const struct sct_desc *d, sct_error *err)
{
    const char *full = sct_arena_printf(&o->arena, "optim.%s.%s", slot, name);
    if (!full)
        return sct_nomem(err);
    o->state[at] = (struct sct_tensor){
        .name = full, .desc = *d, .mutable = true, .load = sct_tensor_load_data};
    return SCT_OK;
}

/* A moving average starts at what its parameter starts at. */
static sct_status load_average(const struct sct_tensor *t, void *dst, sct_error *err)
{
    const struct sct_tensor *of = t->data;
    return of->load(of, dst, err);
}

static sct_status average_tensor(struct sct_optim *o, uint32_t at, const struct sct_param *p,
                                 sct_error *err)
{
    const char *full = sct_arena_printf(&o->arena, "optim.ema.%s", p->name);
    if (!full)
        return sct_nomem(err);
    o->average[at] = (struct sct_tensor){
        .name = full, .desc = p->t->desc, .mutable = true, .load = load_average, .data = p->t};
    return SCT_OK;
}

static sct_status optim_init(struct sct_optim *o, const struct sct_model *m, uint32_t n,
                             const struct sct_optim_opts *opts, sct_error *err)
{
    const uint32_t kind = opts->kind;
    const bool average = opts->ema > 0.0f;
    sct_optim_fini(o);
    o->state = sct_calloc((size_t)n * 2, sizeof *o->state);
    o->average = average ? sct_calloc(n, sizeof *o->average) : NULL;
    if (!o->state || (average && !o->average))
        return sct_nomem(err);
    for (uint32_t i = 0; i < m->n_param; i++) {
        const struct sct_param *p = m->param[i];
        if (!p->trainable)
            continue;
        const struct sct_desc d = p->t->desc;
        SCT_TRY(state_tensor(o, 2 * o->n, kind == SCT_OPTIM_ADAMW ? "m" : "momentum", p->name,
                             &d, err));
        SCT_TRY(state_tensor(o, 2 * o->n + 1, "v", p->name, &d, err));
        if (average)
            SCT_TRY(average_tensor(o, o->n, p, err));
        o->n++;
    }
    return SCT_OK;
}

/* One step of trained parameter p, number i of them, and of its moving average. */
static void update(struct sct_graph *g, const struct sct_param *p, const struct sct_optim *o,
                   uint32_t i, sct_val grad, sct_val coef, const struct sct_optim_opts *opts)
{
    struct sct_builder *b = sct_graph_builder(g);
    const struct sct_tensor *state = &o->state[(size_t)2 * i];
    const sct_val w = sct_model_value(p), s0 = sct_graph_tensor(g, &state[0]);
    sct_val next;
    sct_graph_label(g, "%s", p->name);
    if (opts->kind == SCT_OPTIM_ADAMW) {
        const struct sct_adamw_params a = {p->group.lr_mult,
                                           opts->weight_decay * p->group.wd_mult, opts->beta1,
                                           opts->beta2, opts->eps};
        next = sct_adamw(b, w, s0, sct_graph_tensor(g, &state[1]), grad, coef, &a);
    } else {
        const struct sct_sgd_params a = {
            p->group.lr_mult, opts->weight_decay * p->group.wd_mult, opts->momentum, 0};
        next = sct_sgd(b, w, s0, grad, coef, &a);
    }
    if (o->average) {
        const struct sct_ema_params e = {opts->ema, opts->ema_warmup};
        (void)sct_ema(b, sct_graph_tensor(g, &o->average[i]), next, &e);
    }
}

static sct_val clip_coef(struct sct_graph *g, const sct_val *grad, uint32_t n, float max_norm)
{
    struct sct_builder *b = sct_graph_builder(g);
    sct_val sum = sct_none();
    if (max_norm <= 0.0f)
        return sum;
    sct_graph_label(g, "clip");
    for (uint32_t i = 0; i < n; i++)
        if (grad[i].id)
            sum = sct_sumsq(b, grad[i], sum);
    return sct_clip_coef(b, sum, max_norm);
}

static sct_status train_graph(struct sct_graph *g, const struct sct_model *m,
                              const struct sct_optim_opts *opts, struct sct_optim *o,
                              bool grads, sct_val *want, sct_val *grad, sct_error *err)
{
    struct sct_builder *b = sct_graph_builder(g);
    const struct labels l = label_inputs(g);
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
    const sct_val coef = grads ? sct_none() : clip_coef(g, grad, n, opts->clip);
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
            update(g, p, o, n, grad[n], coef, opts);
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
    SCT_TRY(optim_init(o, m, n, opts, err));
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

/* Emits the value of every site that matches; returns how many. */
static uint32_t emit_sites(struct sct_graph *g, const struct sct_model *m, const char *pattern)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < m->n_site; i++) {
        const struct sct_site *s = &m->site[i];
        if (!sct_pattern_match(pattern, s->path))
            continue;
        n++;
        if (sct_graph_find(g, s->path).id)
            continue;
        sct_graph_label(g, "%s", s->path);
        sct_graph_output(g, sct_emit_rows(sct_graph_builder(g), s->out), s->path);
    }
    return n;
}

sct_status sct_graph_eval(struct sct_graph **out, const struct sct_model *m,
                          const char *const *sites, uint32_t n_sites, sct_error *err)
{
    *out = NULL;
    struct sct_graph *g = sct_graph_clone(m->g);
    if (!g)
        return sct_nomem(err);
    g->phase = SCT_PHASE_FORWARD;
    g->block = 0;
    sct_status rc = SCT_OK;
    for (uint32_t i = 0; i < n_sites && rc == SCT_OK; i++) {
        rc = sct_pattern_check(sites[i], err);
        if (rc == SCT_OK && emit_sites(g, m, sites[i]) == 0)
            rc = sct_fail(err, SCT_EUSAGE,
                          "no site matches \"%s\"; try \"**.out\" or \"input\"", sites[i]);
    }
    sct_graph_label(g, "logits");
    sct_graph_output(g, sct_emit_rows(sct_graph_builder(g), m->logits), "logits");
    sct_graph_strip_random(g);
    if (rc == SCT_OK)
        rc = sct_graph_sort(g, err);
    if (rc == SCT_OK)
        rc = sct_graph_status(g, err);
    if (rc == SCT_OK)
        *out = g;
    else
        sct_graph_destroy(&g);
    return rc;
}

void sct_graph_use_average(struct sct_graph *g, const struct sct_model *m,
                           const struct sct_optim *o)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < m->n_param; i++)
        if (m->param[i]->trainable)
            g->value[m->param[i]->value].tensor = &o->average[n++];
}

static void watch_value(struct sct_graph *g, const struct sct_model *m,
                        const struct sct_watch_item *w, const struct labels *l,
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
                              const uint32_t *watch, uint32_t n, const struct labels *l,
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
        rc = state_tensor(o, o->n, "watch", p->name, &d, err);
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
    const struct labels l = label_inputs(g);
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
    if (rc == SCT_OK)
        rc = sct_graph_sort(g, err);
    if (rc == SCT_OK)
        rc = sct_graph_status(g, err);
    if (rc == SCT_OK)
        *out = g;
    else
        sct_graph_destroy(&g);
    return rc;
}
