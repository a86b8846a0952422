/* SPDX-License-Identifier: MIT
 * optim.c - state and nodes of the optimiser. */
#include <string.h>

#include "core/base/status.h"
#include "core/graphs/impl.h"

void sct_optim_fini(struct sct_optim *o)
{
    sct_free(o->state);
    sct_free(o->average);
    sct_arena_free(&o->arena);
    memset(o, 0, sizeof *o);
}

sct_status sct_optim_tensor(struct sct_optim *o, uint32_t at, const char *slot,
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

sct_status sct_optim_init(struct sct_optim *o, const struct sct_model *m, uint32_t n,
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
        SCT_TRY(sct_optim_tensor(o, 2 * o->n, kind == SCT_OPTIM_ADAMW ? "m" : "momentum",
                                 p->name, &d, err));
        SCT_TRY(sct_optim_tensor(o, 2 * o->n + 1, "v", p->name, &d, err));
        if (average)
            SCT_TRY(average_tensor(o, o->n, p, err));
        o->n++;
    }
    return SCT_OK;
}

sct_val sct_optim_clip(struct sct_graph *g, const sct_val *grad, uint32_t n, float max_norm)
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

void sct_optim_update(struct sct_graph *g, const struct sct_param *p, const struct sct_optim *o,
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
