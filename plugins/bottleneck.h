/* SPDX-License-Identifier: MIT
 * bottleneck.h - what adapter and adaptformer are made of: U(drop(act(D(x)))), D from C
 * channels to r, U back to C; names and layers of it serve convpass and repadapter too.
 * Included by each of them; a strategy shares no code at run time. */
#ifndef SCT_PLUGINS_BOTTLENECK_H
#define SCT_PLUGINS_BOTTLENECK_H

#include <sctrun/strategy.h>

enum bottleneck_act { ACT_GELU, ACT_QUICK_GELU, ACT_RELU };

/* How D and U start. zero: Kaiming-uniform (a = sqrt 5) and zeros, the model is what it was.
 * trunc_normal: both so, deviation 0.02, as code does that initialises the whole model after it
 * has put the modules in. Biases start at 0. */
enum bottleneck_init { INIT_FORM, INIT_ZERO, INIT_TRUNC_NORMAL };

#define BOTTLENECK_INITS "form|zero|trunc_normal"

struct bottleneck {
    uint32_t r, act, init; /* enum bottleneck_act, bottleneck_init without FORM */
    int biases;
    float dropout, scale; /* of what U gives */
};

/* "adapter.blocks.3" + "." + what; models with stages get "adapter.layers.2.blocks.3". */
static inline void bottleneck_name(char *buf, size_t size, const char *strategy,
                                   const struct sct_site *site, int stages, const char *what)
{
    if (stages)
        (void)snprintf(buf, size, "%s.layers.%u.blocks.%u.%s", strategy, site->stage,
                       site->block, what);
    else
        (void)snprintf(buf, size, "%s.blocks.%u.%s", strategy, site->block, what);
}

static inline int bottleneck_stages(const struct sct_strategy_host *h, const sct_model *m)
{
    return h->sites(m, "stage[1:].block[*].out", NULL, 0) > 0;
}

/* x W' + bias with <name>.weight [out][in] and, if asked for, <name>.bias [out]. */
static inline sct_val bottleneck_linear(const struct sct_strategy_host *h, sct_model *m,
                                        struct sct_builder *b, sct_val x, const char *name,
                                        uint32_t out, uint32_t in, const char *init, int bias)
{
    char full[128];
    const uint32_t dim[2] = {out, in};
    (void)snprintf(full, sizeof full, "%s.weight", name);
    const sct_val w = h->new_param(m, full, dim, 2, init, NULL);
    (void)snprintf(full, sizeof full, "%s.bias", name);
    return sct_linear(b, x, w,
                      bias ? h->new_param(m, full, dim, 1, "zeros", NULL) : sct_none());
}

/* scale U(drop(act(D(x)))) of x [..][C]; name is the stem of the parameters. */
static inline sct_val bottleneck_build(const struct bottleneck *k,
                                       const struct sct_strategy_host *h, sct_model *m,
                                       struct sct_builder *b, const struct sct_site *site,
                                       sct_val x, const char *name)
{
    const int zero = k->init == INIT_ZERO;
    const char *normal = "trunc_normal(0.02)";
    char full[112];
    (void)snprintf(full, sizeof full, "%s.down", name);
    sct_val y = bottleneck_linear(h, m, b, x, full, k->r, site->channels,
                                  zero ? "kaiming_uniform(2.2360679775)" : normal, k->biases);
    if (k->act == ACT_RELU)
        y = sct_relu(b, y);
    else
        y = sct_gelu(b, y, k->act == ACT_GELU ? SCT_GELU_ERF : SCT_GELU_QUICK);
    if (k->dropout > 0.0f)
        y = sct_dropout(b, y, k->dropout, h->random_key(m, site, "bottleneck.dropout"));
    (void)snprintf(full, sizeof full, "%s.up", name);
    y = bottleneck_linear(h, m, b, y, full, site->channels, k->r, zero ? "zeros" : normal,
                          k->biases);
    return k->scale == 1.0f ? y : sct_scale(b, y, k->scale, 0.0f);
}

/* A bypass from one site to another, refused where a strategy before this one has changed the
 * tokens in between: vpt takes its prompts away behind a block. */
static inline sct_status bottleneck_same_tokens(const struct sct_strategy_host *h,
                                                const struct sct_site *from,
                                                const struct sct_site *to, sct_error *err)
{
    if (from->tokens == to->tokens)
        return SCT_OK;
    return h->fail(err, SCT_EUNSUP,
                   "%s has %u tokens and %s %u: a strategy in front of this one adds tokens "
                   "and takes them away; expected it behind this one",
                   from->path, from->tokens, to->path, to->tokens);
}

/* Option `last`: how many of n sites, in model order and as many in every block, come before
 * the last so many blocks; 0 blocks are all. EUSAGE when the model has fewer. */
static inline sct_status bottleneck_skip(const struct sct_strategy_host *h, const sct_model *m,
                                         uint32_t last, size_t n, size_t *skip, sct_error *err)
{
    const size_t blocks = h->sites(m, "stage[*].block[*].out", NULL, 0);
    *skip = 0;
    if (last > blocks)
        return h->fail(err, SCT_EUSAGE, "last: %u blocks wanted, the model has %zu", last,
                       blocks);
    if (last)
        *skip = n - n / blocks * last;
    return SCT_OK;
}

#endif
