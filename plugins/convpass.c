/* SPDX-License-Identifier: MIT
 * convpass.c - Convpass (Jie and Deng 2022, arXiv 2207.07039): a convolutional bypass beside
 * the attention and beside the MLP. With x what the branch's norm gives, the stream gets,
 * besides the branch, scale U(drop(act(conv(act(D(x)))))): D from C channels to h, a
 * convolution of 3 x 3 over the grid of patches, U back to C, act QuickGELU, all with biases. A
 * class token is convolved alone, as a grid of 1 x 1; so is every other token in front of the
 * grid. JieShibo/PETL-ViT, convpass/vtab/convpass.py: D Xavier-uniform, U zero, the convolution
 * gives its input (or Xavier), dropout 0.1; the bypass has a drop path of its own, with the
 * branch's rate. Forms: both  beside attention and MLP ("convpass" there) attn  beside
 * attention alone ("convpass_attn") */
#include "plugins/bottleneck.h"

enum { KERNEL = 3 };

/* A bypass reads `from` and is added to the stream at `to`. */
static const struct branch {
    const char *name, *from, *to;
} branches[] = {
    {"attn", "stage[*].block[*].attn.in", "stage[*].block[*].attn.res"},
    {"mlp", "stage[*].block[*].mlp.in", "stage[*].block[*].out"},
};

#define FORMS "both|attn"
#define INITS "identity|xavier"

enum { FORM_BOTH };

struct convpass {
    uint32_t form, h, init;
    float scale, dropout, drop_path;
};

static sct_val convolve(const struct convpass *c, const struct sct_strategy_host *h,
                        sct_model *m, struct sct_builder *b, sct_val x,
                        const struct sct_site *from, const char *name)
{
    const uint32_t dim[4] = {c->h, c->h, KERNEL, KERNEL};
    char full[128];
    (void)snprintf(full, sizeof full, "%s.conv.weight", name);
    const sct_val w = h->new_param(m, full, dim, 4, c->init ? "xavier_uniform" : "dirac", NULL);
    (void)snprintf(full, sizeof full, "%s.conv.bias", name);
    const sct_val bias = h->new_param(m, full, dim, 1, "zeros", NULL);
    return sct_conv_grid(b, x, w, bias, from->grid_h, from->grid_w);
}

/* rate: of this block's drop path. */
static sct_status edit(const struct convpass *c, const struct sct_strategy_host *h,
                       sct_model *m, const char *branch, const struct sct_site *from,
                       const struct sct_site *to, float rate, sct_error *err)
{
    char name[96], full[112];
    if (!from->grid_h || from->tokens - from->prefix_tokens != from->grid_h * from->grid_w)
        return h->fail(err, SCT_EUNSUP,
                       "%s: expected a grid of patches behind %u other tokens, found %u tokens "
                       "and a grid of %u x %u",
                       from->path, from->prefix_tokens, from->tokens, from->grid_h,
                       from->grid_w);
    SCT_TRY(bottleneck_same_tokens(h, from, to, err));
    bottleneck_name(name, sizeof name, "convpass", to, bottleneck_stages(h, m), branch);
    struct sct_builder *b = h->edit_begin(m, to);
    (void)snprintf(full, sizeof full, "%s.down", name);
    sct_val y =
        bottleneck_linear(h, m, b, from->out, full, c->h, from->channels, "xavier_uniform", 1);
    y = convolve(c, h, m, b, sct_gelu(b, y, SCT_GELU_QUICK), from, name);
    y = sct_gelu(b, y, SCT_GELU_QUICK);
    if (c->dropout > 0.0f)
        y = sct_dropout(b, y, c->dropout, h->random_key(m, from, "convpass.dropout"));
    (void)snprintf(full, sizeof full, "%s.up", name);
    y = bottleneck_linear(h, m, b, y, full, to->channels, c->h, "zeros", 1);
    if (rate > 0.0f)
        y = sct_droppath(b, y, rate, h->random_key(m, from, "convpass.drop_path"));
    if (c->scale != 1.0f)
        y = sct_scale(b, y, c->scale, 0.0f);
    return h->edit_commit(m, sct_add(b, to->out, y), err);
}

static sct_status bypass(const struct convpass *c, const struct sct_strategy_host *h,
                         sct_model *m, const struct branch *branch, sct_error *err)
{
    const size_t n = h->sites(m, branch->to, NULL, 0);
    if (n == 0 || h->sites(m, branch->from, NULL, 0) != n)
        return h->fail(err, SCT_EUNSUP, "expected blocks with %s and %s, found %zu and %zu",
                       branch->from, branch->to, h->sites(m, branch->from, NULL, 0), n);
    struct sct_site *site = h->alloc(2 * n * sizeof *site);
    if (!site)
        return h->fail(err, SCT_ENOMEM, "out of memory");
    sct_status rc = SCT_OK;
    for (size_t i = 0; i < n && rc == SCT_OK; i++) {
        /* timm: the rate grows linearly from 0 to drop_path over the blocks */
        const float rate = n > 1 ? c->drop_path * (float)i / (float)(n - 1) : 0.0f;
        (void)h->sites(m, branch->from, site, n); /* an edit moves values: ask again */
        (void)h->sites(m, branch->to, site + n, n);
        rc = edit(c, h, m, branch->name, &site[i], &site[n + i], rate, err);
    }
    h->free(site);
    return rc;
}

static sct_status apply(void *st, const struct sct_strategy_host *h, sct_model *m,
                        sct_error *err)
{
    const struct convpass *c = st;
    sct_status rc = bypass(c, h, m, &branches[0], err);
    if (rc == SCT_OK && c->form == FORM_BOTH)
        rc = bypass(c, h, m, &branches[1], err);
    return rc;
}

static const struct sct_option options[] = {
    {"form", "both = beside attention and MLP, attn = beside attention alone", SCT_OPT_CHOICE,
     offsetof(struct convpass, form), 0, 0, 0, FORMS},
    {"h", "channels of the convolution", SCT_OPT_UINT, offsetof(struct convpass, h), 8, 1, 4096,
     NULL},
    {"scale", "factor of the bypass", SCT_OPT_FLOAT, offsetof(struct convpass, scale), 1, -1000,
     1000, NULL},
    {"dropout", "rate behind the convolution", SCT_OPT_FLOAT,
     offsetof(struct convpass, dropout), 0.1, 0, 0.99, NULL},
    {"drop_path",
     "rate of stochastic depth of the bypass in the last block, growing linearly from 0",
     SCT_OPT_FLOAT, offsetof(struct convpass, drop_path), 0.1, 0, 0.99, NULL},
    {"init",
     "how the convolution starts: identity = it gives its input, xavier = Xavier-uniform",
     SCT_OPT_CHOICE, offsetof(struct convpass, init), 0, 0, 0, INITS},
    {NULL, NULL, 0, 0, 0, 0, 0, NULL},
};

const struct sct_strategy *sct_strategy_entry_v1(void)
{
    static const struct sct_strategy s = {
        .abi = SCT_STRATEGY_ABI,
        .size = sizeof s,
        .name = "convpass",
        .summary = "Convpass: a bottleneck with a convolution beside attention and MLP",
        .options = options,
        .state_size = sizeof(struct convpass),
        .apply = apply,
    };
    return &s;
}
