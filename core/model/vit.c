/* SPDX-License-Identifier: MIT
 * vit.c - vision transformer, pre-norm, names and order as in timm's vision_transformer.py:
 *   x = [cls; patches W + b] + pos
 *   x = x + DP(attn(norm1(x)));  x = x + DP(mlp(norm2(x)))     for every block
 *   logits = head(pool(norm(x)))
 * Shapes: B images, N tokens, C channels, M mlp width. */
#include "core/model/vit.h"

#include "core/base/status.h"
#include "core/model/build_util.h"

static sct_val embed(struct sct_build *c)
{
    struct sct_model *m = c->m;
    const uint32_t C = m->cfg.dim;
    sct_val x = sct_build_patches(c, sct_build_images(c));
    if (m->cfg.class_token) {
        const uint32_t cd[3] = {1, 1, C}, c2[2] = {1, C};
        sct_graph_label(m->g, "cls_token");
        const sct_val cls = sct_build_param(c, "cls_token", "normal(0, 1e-6)", 3, cd);
        x = sct_concat_tokens(c->b, sct_reshape(c->b, cls, 2, c2), x);
    }
    const uint32_t pd[3] = {1, c->tokens, C}, p2[2] = {c->tokens, C};
    sct_graph_label(m->g, "pos_embed");
    const sct_val pos = sct_build_param(c, "pos_embed", "trunc_normal(0.02)", 3, pd);
    x = sct_add(c->b, x, sct_reshape(c->b, pos, 2, p2));
    sct_build_site(c, x, SCT_ROLE_EMBED_OUT);
    return x;
}

static sct_val block(struct sct_build *c, sct_val x, uint32_t i)
{
    const struct sct_model_config *cfg = &c->m->cfg;
    const uint32_t C = cfg->dim, M = cfg->mlp;
    /* timm: the rate grows linearly from 0 to drop_path over the blocks */
    const float rate =
        cfg->depth > 1 ? cfg->drop_path * (float)i / (float)(cfg->depth - 1) : 0.0f;
    char n[128];
    c->block = i;
    c->m->g->block = i + 1;
#define NAME(SUFFIX) ((void)snprintf(n, sizeof n, "blocks.%u." SUFFIX, i), n)
    sct_val y = sct_build_norm(c, x, NAME("norm1"), C);
    sct_build_site(c, y, SCT_ROLE_ATTN_IN);
    y = sct_build_linear(c, y, NAME("attn.qkv"), 3 * C, C, true, SCT_ROLE_ATTN_QKV);
    sct_graph_label(c->m->g, "%s", NAME("attn"));
    y = sct_attention(c->b, y, cfg->heads, 0.0f);
    y = sct_build_linear(c, y, NAME("attn.proj"), C, C, true, SCT_ROLE_ATTN_PROJ);
    sct_build_site(c, y, SCT_ROLE_ATTN_OUT);
    x = sct_add(c->b, x, sct_build_drop(c, y, rate, "attn"));
    sct_build_site(c, x, SCT_ROLE_ATTN_RES);
    y = sct_build_norm(c, x, NAME("norm2"), C);
    y = sct_build_linear(c, y, NAME("mlp.fc1"), M, C, true, SCT_ROLE_MLP_FC1);
    y = sct_gelu(c->b, y, cfg->gelu);
    y = sct_build_linear(c, y, NAME("mlp.fc2"), C, M, true, SCT_ROLE_MLP_FC2);
    sct_build_site(c, y, SCT_ROLE_MLP_OUT);
    x = sct_add(c->b, x, sct_build_drop(c, y, rate, "mlp"));
    sct_build_site(c, x, SCT_ROLE_BLOCK_OUT);
#undef NAME
    return x;
}

static sct_val pool(struct sct_build *c, sct_val x)
{
    const struct sct_model_config *cfg = &c->m->cfg;
    c->block = SCT_NO_BLOCK;
    c->m->g->block = 0;
    if (!cfg->fc_norm) {
        x = sct_build_norm(c, x, "norm", cfg->dim);
        sct_build_site(c, x, SCT_ROLE_NORM_OUT);
    }
    sct_graph_label(c->m->g, "pool");
    if (cfg->pool == SCT_POOL_TOKEN) {
        const uint32_t dim[2] = {0, cfg->dim};
        x = sct_reshape(c->b, sct_slice_tokens(c->b, x, 0, 1), 2, dim);
    } else {
        x = sct_mean_tokens(c->b, x, c->prefix);
    }
    if (cfg->fc_norm)
        x = sct_build_norm(c, x, "fc_norm", cfg->dim);
    sct_build_site(c, x, SCT_ROLE_POOLED);
    return x;
}

static sct_status check(const struct sct_model_config *c, sct_error *err)
{
    if (!c->image || !c->patch || !c->dim || !c->depth || !c->heads || !c->mlp || !c->classes)
        return sct_fail(
            err, SCT_EUSAGE,
            "model %s: image_size, patch_size, dim, depth, heads, mlp and the number "
            "of classes must be positive",
            c->name);
    if (c->image % c->patch || c->image / c->patch > 1024)
        return sct_fail(
            err, SCT_EUSAGE,
            "model %s: image_size %u is not a multiple of patch_size %u, or has more "
            "than 1024 patches a side",
            c->name, c->image, c->patch);
    if (c->dim % c->heads || c->dim > 16384 || c->depth > 1024 || c->mlp > 65536 ||
        c->classes > 1000000)
        return sct_fail(
            err, SCT_EUSAGE,
            "model %s: dim %u must be a multiple of heads %u and at most 16384; depth "
            "at most 1024, mlp at most 65536, classes at most 1000000",
            c->name, c->dim, c->heads);
    if (c->pool == SCT_POOL_TOKEN && !c->class_token)
        return sct_fail(err, SCT_EUSAGE, "model %s: pool: token needs class_token: true",
                        c->name);
    return SCT_OK;
}

sct_status sct_vit_build(struct sct_model **out, const struct sct_model_config *cfg,
                         struct sct_weights *w, const struct sct_build_opts *opts,
                         sct_error *err)
{
    struct sct_build c;
    *out = NULL;
    SCT_TRY(check(cfg, err));
    SCT_TRY(sct_build_begin(&c, cfg, w, opts, err));
    c.prefix = cfg->class_token ? 1 : 0;
    c.grid_h = c.grid_w = cfg->image / cfg->patch;
    c.tokens = c.grid_h * c.grid_w + c.prefix;
    sct_val x = embed(&c);
    for (uint32_t i = 0; i < cfg->depth && c.rc == SCT_OK; i++)
        x = block(&c, x, i);
    x = pool(&c, x);
    sct_build_head(&c, x, cfg->dim, opts->keep_head);
    return sct_build_end(&c, out);
}
