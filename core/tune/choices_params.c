/* SPDX-License-Identifier: MIT
 * choices_params.c - the base's parameters of which gradients were measured, and what became of
 * each: trained itself, entries of it, or tensors that an edit put beside its layer. */
#include "core/base/status.h"
#include "core/tune/choices.h"

/* The parameter of the base that p stands for: itself, the one whose elements it changes, or
 * the weight of the layer that was edited when it was added. NULL: none. */
static const struct sct_param *behind(const struct sct_model *m, const struct sct_param *p)
{
    if (p->of)
        return p->of;
    if (!p->added)
        return p;
    const uint32_t weight = p->site ? m->site[p->site - 1].weight : 0;
    return weight ? m->param[weight - 1] : NULL;
}

/* tensor: NULL to count, or room for what was counted. */
static void gather(struct sct_choice_param *c, const struct sct_model *m,
                   const struct sct_param *of, const char **tensor)
{
    c->n_tensor = 0;
    c->trained = 0;
    for (uint32_t i = 0; i < m->n_param; i++) {
        const struct sct_param *p = m->param[i];
        if (!p->trainable || behind(m, p) != of)
            continue;
        if (tensor)
            tensor[c->n_tensor] = p->name;
        c->n_tensor++;
        c->trained += sct_desc_count(&p->t->desc);
        c->whole |= p == of;
    }
}

static sct_status fill(struct sct_choices *c, struct sct_choice_param *x,
                       const struct sct_model *m, const struct sct_reading *r, sct_error *err)
{
    const struct sct_param *p = m->param[r->id];
    x->where = p->name;
    x->of = sct_desc_count(&p->t->desc);
    for (size_t e = 0; e < (size_t)r->rows * r->cols; e++)
        x->score += (double)r->value[e];
    gather(x, m, p, NULL);
    const char **tensor =
        sct_arena_alloc(&c->arena, ((size_t)x->n_tensor + 1) * sizeof *tensor);
    if (!tensor)
        return sct_nomem(err);
    gather(x, m, p, tensor);
    x->tensor = tensor;
    return SCT_OK;
}

sct_status sct_choices_params(struct sct_choices *c, const struct sct_model *adapted,
                              const struct sct_readings *readings, sct_error *err)
{
    uint32_t n = 0;
    for (uint32_t i = 0; readings && i < readings->n; i++)
        n += readings->item[i].what == SCT_WATCH_GRAD_SUMSQ;
    c->param = sct_arena_alloc(&c->arena, ((size_t)n + 1) * sizeof *c->param);
    if (!c->param)
        return sct_nomem(err);
    for (uint32_t i = 0; n && i < readings->n; i++) {
        const struct sct_reading *r = &readings->item[i];
        if (r->what != SCT_WATCH_GRAD_SUMSQ)
            continue;
        SCT_TRY(fill(c, &c->param[c->n_param], adapted, r, err));
        c->n_param++;
    }
    return SCT_OK;
}
