/* SPDX-License-Identifier: MIT
 * adaptformer.c - AdaptFormer (Chen et al. 2022, arXiv 2205.13535): a bottleneck beside the MLP
 * and its norm, h <- h + MLP(norm2(h)) + scale U(drop(ReLU(D(h)))), h the stream after the
 * attention. Drop path, where there is one, is the MLP's alone. Forms:
 *   original  ShoufaChen/AdaptFormer: r 64, scale 0.1, biases, starts as the identity
 *   petl      JieShibo/PETL-ViT: r 8 and no biases; scale by task from 0.01, 0.1, 1, 10
 *   sct       the baseline of showlab/SCT: r 96, scale 1, a LayerNorm of its own in front of D,
 *             and no start at the identity: there the model's initialisation comes last
 * All have dropout 0.1. */
#include "plugins/bottleneck.h"

struct form {
    uint32_t r, init;
    float scale;
    int biases, norm;
};

static const struct form forms[] = {
    {64, INIT_ZERO, 0.1f, 1, 0},
    {8, INIT_ZERO, 0.1f, 0, 0},
    {96, INIT_TRUNC_NORMAL, 1.0f, 1, 1},
};
#define FORMS   "original|petl|sct"
#define DROPOUT 0.1f

struct adaptformer {
    uint32_t form, r, init, last;
    float scale, dropout;
};

/* h after a LayerNorm with parameters of its own; eps is PyTorch's default. */
static sct_val own_norm(const struct sct_strategy_host *h, sct_model *m, struct sct_builder *b,
                        sct_val x, uint32_t channels, const char *name)
{
    char full[112];
    (void)snprintf(full, sizeof full, "%s.norm.weight", name);
    const sct_val g = h->new_param(m, full, &channels, 1, "ones", NULL);
    (void)snprintf(full, sizeof full, "%s.norm.bias", name);
    const sct_val beta = h->new_param(m, full, &channels, 1, "zeros", NULL);
    return sct_layernorm(b, x, g, beta, 1e-5f);
}

/* out: the block's end; res: the stream that its MLP reads. */
static sct_status edit(const struct adaptformer *a, const struct sct_strategy_host *h,
                       sct_model *m, const struct sct_site *out, const struct sct_site *res,
                       sct_error *err)
{
    const struct form *f = &forms[a->form];
    const struct bottleneck k = {.r = a->r ? a->r : f->r,
                                 .act = ACT_RELU,
                                 .init = a->init == INIT_FORM ? f->init : a->init,
                                 .biases = f->biases,
                                 .dropout = a->dropout < 0.0f ? DROPOUT : a->dropout,
                                 .scale = a->scale == 0.0f ? f->scale : a->scale};
    char name[96];
    SCT_TRY(bottleneck_same_tokens(h, res, out, err));
    bottleneck_name(name, sizeof name, "adaptformer", out, bottleneck_stages(h, m), "mlp");
    struct sct_builder *b = h->edit_begin(m, out);
    const sct_val x = f->norm ? own_norm(h, m, b, res->out, out->channels, name) : res->out;
    const sct_val y = bottleneck_build(&k, h, m, b, out, x, name);
    return h->edit_commit(m, sct_add(b, out->out, y), err);
}

static sct_status apply(void *st, const struct sct_strategy_host *h, sct_model *m,
                        sct_error *err)
{
    static const char ends[] = "stage[*].block[*].out",
                      streams[] = "stage[*].block[*].attn.res";
    const struct adaptformer *a = st;
    const size_t n = h->sites(m, ends, NULL, 0);
    if (n == 0 || h->sites(m, streams, NULL, 0) != n)
        return h->fail(err, SCT_EUNSUP, "expected blocks with %s and %s, found %zu and %zu",
                       ends, streams, n, h->sites(m, streams, NULL, 0));
    size_t skip;
    SCT_TRY(bottleneck_skip(h, m, a->last, n, &skip, err));
    struct sct_site *out = h->alloc(2 * n * sizeof *out);
    if (!out)
        return h->fail(err, SCT_ENOMEM, "out of memory");
    sct_status rc = SCT_OK;
    for (size_t i = skip; i < n && rc == SCT_OK; i++) {
        (void)h->sites(m, ends, out, n); /* an edit moves values: ask again */
        (void)h->sites(m, streams, out + n, n);
        rc = edit(a, h, m, &out[i], &out[n + i], err);
    }
    h->free(out);
    return rc;
}

static const struct sct_option options[] = {
    {"form", "original, petl = without biases, sct = with a norm in front", SCT_OPT_CHOICE,
     offsetof(struct adaptformer, form), 0, 0, 0, FORMS},
    {"r", "channels of the bottleneck; 0: the form's own (64, petl 8, sct 96)", SCT_OPT_UINT,
     offsetof(struct adaptformer, r), 0, 0, 4096, NULL},
    {"scale", "factor of the bottleneck's output; 0: the form's own (0.1, sct 1)",
     SCT_OPT_FLOAT, offsetof(struct adaptformer, scale), 0, -1000, 1000, NULL},
    {"dropout", "rate in the bottleneck; -1: the form's own (0.1)", SCT_OPT_FLOAT,
     offsetof(struct adaptformer, dropout), -1, -1, 0.99, NULL},
    {"init", "how it starts: zero = as the plain model, form = sct trunc_normal, others zero",
     SCT_OPT_CHOICE, offsetof(struct adaptformer, init), 0, 0, 0, BOTTLENECK_INITS},
    {"last", "only in the last so many blocks (11 in SCT's Swin-B baselines); 0: all",
     SCT_OPT_UINT, offsetof(struct adaptformer, last), 0, 0, 4096, NULL},
    {NULL, NULL, 0, 0, 0, 0, 0, NULL},
};

const struct sct_strategy *sct_strategy_entry_v1(void)
{
    static const struct sct_strategy s = {
        .abi = SCT_STRATEGY_ABI,
        .size = sizeof s,
        .name = "adaptformer",
        .summary = "AdaptFormer: a bottleneck beside every MLP",
        .options = options,
        .state_size = sizeof(struct adaptformer),
        .apply = apply,
    };
    return &s;
}
