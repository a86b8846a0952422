/* SPDX-License-Identifier: MIT
 * vpt.c - visual prompt tuning (Jia et al. 2022, arXiv 2203.12119): n trained tokens behind the
 * class token, at the input of the first block (shallow) or, replaced, of every block (deep):
 *   x_i = [cls; P_i; patches],  P_i [n][C] for i = 0, or for every block i
 * They are taken away after the last block, which changes nothing for a head that reads the
 * class token, and leaves everything behind the blocks as it was. */
#include <math.h>
#include <stdio.h>

#include <sctrun/strategy.h>

enum { DEEP, SHALLOW };

enum { AFTER_CLASS = 1 }; /* tokens in front of the prompts */

struct vpt {
    uint32_t mode, n;
    float dropout;
};

static int has(const struct sct_strategy_host *h, const sct_model *m, const char *param)
{
    return h->params(m, param, NULL, 0) > 0;
}

static sct_status check(const struct sct_strategy_host *h, const sct_model *m, sct_error *err)
{
    if (has(h, m, "**.relative_position_bias_table"))
        return h->fail(err, SCT_EUNSUP,
                       "a Swin has no class token, and its windows have no room for prompts; "
                       "expected a ViT");
    if (!has(h, m, "cls_token"))
        return h->fail(err, SCT_EUNSUP,
                       "prompts stand behind the class token, and this model has none");
    return SCT_OK;
}

/* "uniform(-b, b)" with b = sqrt(6 / (3 P^2 + C)), Glorot's bound of the patch embedding. */
static sct_status initialiser(char *buf, size_t size, const struct sct_strategy_host *h,
                              const sct_model *m, sct_error *err)
{
    uint32_t id = 0;
    struct sct_desc d;
    if (h->params(m, "patch_embed.proj.weight", &id, 1) != 1 ||
        h->param_desc(m, id, &d) != SCT_OK || d.nd != 4)
        return h->fail(err, SCT_EUNSUP,
                       "expected a model with patch_embed.proj.weight [C][3][P][P]");
    const double inputs = (double)d.dim[1] * d.dim[2] * d.dim[3];
    const double bound = sqrt(6.0 / (inputs + d.dim[0]));
    (void)snprintf(buf, size, "uniform(%.9g, %.9g)", -bound, bound);
    return SCT_OK;
}

/* x [B][N][C] without `skip` tokens behind the class token; `put` (0: none) [n][C] or
 * [B][n][C] in their place. */
static sct_val replace(struct sct_builder *b, sct_val x, uint32_t tokens, uint32_t skip,
                       sct_val put)
{
    const uint32_t rest = AFTER_CLASS + skip;
    sct_val head = sct_slice_tokens(b, x, 0, AFTER_CLASS);
    if (put.id)
        head = sct_concat_tokens(b, head, put);
    return sct_concat_tokens(b, head, sct_slice_tokens(b, x, rest, tokens - rest));
}

/* Prompts at the input of a block, which is the value of `site`. */
static sct_status prompt(const struct vpt *v, const struct sct_strategy_host *h, sct_model *m,
                         const struct sct_site *site, uint32_t block, const char *init,
                         sct_error *err)
{
    char name[64];
    const uint32_t dim[2] = {v->n, site->channels};
    struct sct_builder *b = h->edit_begin(m, site);
    (void)snprintf(name, sizeof name, "vpt.blocks.%u.prompts", block);
    sct_val p = h->new_param(m, name, dim, 2, init, NULL);
    if (v->dropout > 0.0f) {
        /* every image has a mask of its own: [n][C] -> [B][n][C] with the help of a token */
        const sct_val cls = sct_slice_tokens(b, site->out, 0, AFTER_CLASS);
        p = sct_slice_tokens(b, sct_concat_tokens(b, cls, p), AFTER_CLASS, v->n);
        p = sct_dropout(b, p, v->dropout, h->random_key(m, site, "vpt.dropout"));
    }
    return h->edit_commit(m, replace(b, site->out, site->tokens, block > 0 ? v->n : 0, p), err);
}

/* The blocks' outputs, asked for again after an edit. */
static sct_status blocks(const struct sct_strategy_host *h, const sct_model *m,
                         struct sct_site **site, size_t *n, sct_error *err)
{
    static const char pattern[] = "stage[0].block[*].out";
    if (!*site) {
        *n = h->sites(m, pattern, NULL, 0);
        *site = *n ? h->alloc(*n * sizeof **site) : NULL;
        if (!*site)
            return *n ? h->fail(err, SCT_ENOMEM, "out of memory")
                      : h->fail(err, SCT_EUNSUP, "this model has no %s", pattern);
    }
    (void)h->sites(m, pattern, *site, *n);
    return SCT_OK;
}

/* The prompts of two would stand between each other's and the class token, where each takes its
 * own away. */
static sct_status check_alone(const struct sct_strategy_host *h, const sct_model *m,
                              sct_error *err)
{
    return h->params(m, "vpt.blocks.*.prompts", NULL, 0) == 0
               ? SCT_OK
               : h->fail(err, SCT_EUSAGE,
                         "the model has prompts already; vpt cannot be composed with vpt");
}

static sct_status apply(void *st, const struct sct_strategy_host *h, sct_model *m,
                        sct_error *err)
{
    const struct vpt *v = st;
    struct sct_site first, *site = NULL;
    char init[64];
    size_t n = 0;
    SCT_TRY(check(h, m, err));
    SCT_TRY(check_alone(h, m, err));
    SCT_TRY(initialiser(init, sizeof init, h, m, err));
    if (h->sites(m, "embed.out", &first, 1) != 1)
        return h->fail(err, SCT_EUNSUP, "this model has no embed.out");
    SCT_TRY(prompt(v, h, m, &first, 0, init, err));
    sct_status rc = blocks(h, m, &site, &n, err);
    for (size_t i = 1; i < n && v->mode == DEEP && rc == SCT_OK; i++) {
        rc = prompt(v, h, m, &site[i - 1], (uint32_t)i, init, err);
        if (rc == SCT_OK)
            rc = blocks(h, m, &site, &n, err);
    }
    if (rc == SCT_OK) {
        const struct sct_site *last = &site[n - 1];
        struct sct_builder *b = h->edit_begin(m, last);
        rc = h->edit_commit(m, replace(b, last->out, last->tokens, v->n, sct_none()), err);
    }
    h->free(site);
    return rc;
}

static const struct sct_option options[] = {
    {"mode", "deep: prompts of its own for every block; shallow: for the first", SCT_OPT_CHOICE,
     offsetof(struct vpt, mode), 0, 0, 0, "deep|shallow"},
    {"n", "prompts behind the class token", SCT_OPT_UINT, offsetof(struct vpt, n), 50, 1, 4096,
     NULL},
    {"dropout", "dropout rate of the prompts", SCT_OPT_FLOAT, offsetof(struct vpt, dropout), 0,
     0, 0.99, NULL},
    {NULL, NULL, 0, 0, 0, 0, 0, NULL},
};

const struct sct_strategy *sct_strategy_entry_v1(void)
{
    static const struct sct_strategy s = {
        .abi = SCT_STRATEGY_ABI,
        .size = sizeof s,
        .name = "vpt",
        .summary = "trained tokens beside those of the picture",
        .options = options,
        .state_size = sizeof(struct vpt),
        .apply = apply,
    };
    return &s;
}
