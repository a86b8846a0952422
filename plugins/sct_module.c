/* SPDX-License-Identifier: MIT
 * sct_module.c - the module in the graph. With x the values of the site, S the channels:
 *   form A            x[S] <- x[S] + scale (W x[S] + b)
 *   form A, scaleonx  x[S] <- scale x[S] + (W x[S] + b)
 *   form B, mode qkv  x[S] <- x[S] + (W x[S] + b)
 *   module wide       x[S] <- x[S] + (W x + b), W over all channels of the site or part
 * on all tokens. Weights start as those of every linear layer of timm's ViT. */
#include <stdio.h>

#include "plugins/sct_tuning.h"

static sct_val named(const struct sct_strategy_host *h, sct_model *m, const char *stem,
                     const char *what, const uint32_t *dim, uint32_t nd, const char *init)
{
    char name[96];
    (void)snprintf(name, sizeof name, "%s.%s", stem, what);
    return h->new_param(m, name, dim, nd, init, NULL);
}

/* The values that W reads. */
static sct_val input(const struct sct_tuning *t, struct sct_builder *b, sct_val x, sct_val idx,
                     const struct sct_spot *s)
{
    if (t->module == SCT_MODULE_SQUARE)
        return sct_gather_ch(b, x, idx);
    return s->width == s->at.channels ? x : sct_slice_ch(b, x, s->first, s->width);
}

sct_status sct_module_insert(const struct sct_tuning *t, const struct sct_strategy_host *h,
                             sct_model *m, const struct sct_spot *s, const struct sct_choice *c,
                             sct_error *err)
{
    const uint32_t dim[2] = {c->k, t->module == SCT_MODULE_WIDE ? s->width : c->k};
    const int scaled = t->form != SCT_FORM_B && !t->folded && t->mode != SCT_MODE_QKV &&
                       t->module == SCT_MODULE_SQUARE;
    char name[96];
    struct sct_site site;
    if (h->sites(m, s->at.path, &site, 1) != 1)
        return h->fail(err, SCT_EFAIL, "%s is not one site", s->at.path);
    struct sct_builder *b = h->edit_begin(m, &site);
    (void)snprintf(name, sizeof name, "%s.index", s->stem);
    const sct_val idx = h->new_index(m, name, c->idx, c->k);
    const sct_val w = named(h, m, s->stem, "weight", dim, 2, "trunc_normal(0.02)");
    const sct_val bias = named(h, m, s->stem, "bias", dim, 1, "zeros");
    const sct_val g = input(t, b, site.out, idx, s);
    const sct_val l = sct_linear(b, g, w, bias);
    sct_val out;
    if (scaled && t->scaleonx)
        out = sct_scatter_set_ch(b, site.out, idx,
                                 sct_add(b, sct_scale(b, g, t->scale, 0.0f), l));
    else
        out =
            sct_scatter_add_ch(b, site.out, idx, scaled ? sct_scale(b, l, t->scale, 0.0f) : l);
    return h->edit_commit(m, out, err);
}
