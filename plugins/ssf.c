/* SPDX-License-Identifier: MIT
 * ssf.c - SSF (Lian et al. 2022, arXiv 2210.08823): y = scale * x + shift, channel by channel,
 * behind every operation of the published placement: the patch embedding, both norms, qkv, proj
 * and the two layers of the MLP in every block, the norm of Swin's patch merging, and the final
 * norm. The reduction behind Swin's patch merging has no module of its own there: it has no
 * bias, so that a shift behind it could not be folded. Each of the others folds into the weight
 * and bias in front of it. */
#include <stdio.h>

#include <sctrun/strategy.h>

struct ssf {
    float std;
};

static const struct place {
    const char *pattern, *module; /* sites; the base's name of the operation */
} places[] = {
    {"embed.patches", "patch_embed.proj"},
    {"embed.out", "patch_embed.norm"},
    {"**.attn.in", "norm1"},
    {"**.attn.qkv", "attn.qkv"},
    {"**.attn.proj", "attn.proj"},
    {"**.mlp.in", "norm2"},
    {"**.mlp.fc1", "mlp.fc1"},
    {"**.mlp.fc2", "mlp.fc2"},
    {"**.down.in", "downsample.norm"},
    {"norm.out", "norm"},
    {"pooled", "fc_norm"},
};

struct model_kind {
    int stages;    /* a Swin */
    int late_norm; /* the final norm comes after the pooling */
};

/* "blocks.3.norm1", "layers.2.blocks.3.norm1", "layers.2.downsample.norm", "norm". */
static void module_name(char *buf, size_t size, const struct sct_site *site, int stages,
                        const char *module)
{
    if (site->role == SCT_ROLE_DOWN_IN)
        (void)snprintf(buf, size, "layers.%u.%s", site->stage, module);
    else if (site->block == SCT_NO_BLOCK)
        (void)snprintf(buf, size, "%s", module);
    else if (stages)
        (void)snprintf(buf, size, "layers.%u.blocks.%u.%s", site->stage, site->block, module);
    else
        (void)snprintf(buf, size, "blocks.%u.%s", site->block, module);
}

/* A ViT has no norm in its patch embedding; the norm after the pooling takes the place of the
 * one before it. */
static int absent(const struct sct_site *site, const struct model_kind *kind)
{
    if (site->role == SCT_ROLE_EMBED_OUT)
        return !kind->stages;
    return site->role == SCT_ROLE_POOLED && !kind->late_norm;
}

static sct_status insert(const struct ssf *s, const struct sct_strategy_host *h, sct_model *m,
                         const struct sct_site *site, const char *module, sct_error *err)
{
    char name[160], init[48];
    const uint32_t dim = site->channels;
    struct sct_builder *b = h->edit_begin(m, site);
    (void)snprintf(name, sizeof name, "%s.ssf_scale", module);
    (void)snprintf(init, sizeof init, "normal(1, %.9g)", (double)s->std);
    const sct_val scale = h->new_param(m, name, &dim, 1, init, NULL);
    (void)snprintf(name, sizeof name, "%s.ssf_shift", module);
    (void)snprintf(init, sizeof init, "normal(0, %.9g)", (double)s->std);
    const sct_val shift = h->new_param(m, name, &dim, 1, init, NULL);
    return h->edit_commit(m, sct_add(b, sct_mul(b, site->out, scale), shift), err);
}

/* All sites of a place. An edit moves values, so the sites are asked for again after each. */
static sct_status fill(const struct ssf *s, const struct sct_strategy_host *h, sct_model *m,
                       const struct place *p, const struct model_kind *kind, sct_error *err)
{
    const size_t n = h->sites(m, p->pattern, NULL, 0);
    if (n == 0)
        return SCT_OK;
    struct sct_site *site = h->alloc(n * sizeof *site);
    if (!site)
        return h->fail(err, SCT_ENOMEM, "out of memory");
    sct_status rc = SCT_OK;
    for (size_t i = 0; i < n && rc == SCT_OK; i++) {
        char module[128];
        (void)h->sites(m, p->pattern, site, n);
        if (absent(&site[i], kind))
            continue;
        module_name(module, sizeof module, &site[i], kind->stages, p->module);
        rc = insert(s, h, m, &site[i], module, err);
    }
    h->free(site);
    return rc;
}

static sct_status apply(void *st, const struct sct_strategy_host *h, sct_model *m,
                        sct_error *err)
{
    const struct model_kind kind = {
        .stages = h->sites(m, "stage[1:].block[*].out", NULL, 0) > 0,
        .late_norm = h->sites(m, "norm.out", NULL, 0) == 0,
    };
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
        SCT_TRY(fill(st, h, m, &places[i], &kind, err));
    return SCT_OK;
}

static const struct sct_option options[] = {
    {"std", "scales start at N(1, std), shifts at N(0, std)", SCT_OPT_FLOAT,
     offsetof(struct ssf, std), 0.02, 0, 1, NULL},
    {NULL, NULL, 0, 0, 0, 0, 0, NULL},
};

const struct sct_strategy *sct_strategy_entry_v1(void)
{
    static const struct sct_strategy s = {
        .abi = SCT_STRATEGY_ABI,
        .size = sizeof s,
        .name = "ssf",
        .summary = "a scale and a shift of every channel behind every operation",
        .options = options,
        .state_size = sizeof(struct ssf),
        .apply = apply,
    };
    return &s;
}
