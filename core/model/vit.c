/* SPDX-License-Identifier: MIT
 * vit.c - vision transformer, pre-norm, names and order as in timm's vision_transformer.py:
 *   x = [cls; patches W + b] + pos
 *   x = x + DP(attn(norm1(x)));  x = x + DP(mlp(norm2(x)))     for every block
 *   logits = head(pool(norm(x)))
 * Variants by keys of the configuration: register tokens and positions without prefix (DINOv2,
 * DeiT III), a norm in front (CLIP), layer scale (CaiT, DeiT III), norms of q and k (ViT-22B),
 * a second token and head (DeiT), no class token, average pooling, the norm after it (MAE), the
 * class token and the mean together (transformers' classifier of DINOv2).
 * Shapes: B images, N tokens, C channels, M mlp width. */
#include "core/model/vit.h"

#include "core/base/status.h"
#include "core/model/build_util.h"

/* A token that is the same for every image, [1][n][C] in the file, in front of x. */
static sct_val prepend(struct sct_build *c, sct_val x, const char *name, const char *init,
                       uint32_t n)
{
    const uint32_t C = c->m->cfg.dim, dim[3] = {1, n, C}, flat[2] = {n, C};
    if (n == 0)
        return x;
    sct_graph_label(c->m->g, "%s", name);
    const sct_val t = sct_build_param(c, name, init, 3, dim);
    return sct_concat_tokens(c->b, sct_reshape(c->b, t, 2, flat), x);
}

/* One position a token; the first `prefix` tokens are no patches. */
static sct_val add_positions(struct sct_build *c, sct_val x, uint32_t prefix)
{
    const uint32_t C = c->m->cfg.dim, tokens = prefix + c->grid_h * c->grid_w;
    const uint32_t dim[3] = {1, tokens, C}, flat[2] = {tokens, C};
    sct_graph_label(c->m->g, "pos_embed");
    sct_weights_prefix(c->w, "pos_embed", prefix);
    const sct_val pos = sct_build_param(c, "pos_embed", "trunc_normal(0.02)", 3, dim);
    return sct_add(c->b, x, sct_reshape(c->b, pos, 2, flat));
}

/* [cls; dist; reg; patches], positions before or after the prefix, then CLIP's norm. */
static sct_val embed(struct sct_build *c)
{
    const struct sct_model_config *cfg = &c->m->cfg;
    sct_val x = sct_build_patches(c, sct_build_images(c));
    if (cfg->no_embed_class)
        x = add_positions(c, x, 0);
    x = prepend(c, x, "reg_token", "normal(0, 1e-6)", cfg->reg_tokens);
    x = prepend(c, x, "dist_token", "trunc_normal(0.02)", cfg->distilled);
    x = prepend(c, x, "cls_token", "normal(0, 1e-6)", cfg->class_token);
    if (!cfg->no_embed_class)
        x = add_positions(c, x, c->prefix);
    if (cfg->pre_norm)
        x = sct_build_norm(c, x, "norm_pre", cfg->dim);
    sct_build_site(c, x, SCT_ROLE_EMBED_OUT);
    return x;
}

/* Channels [first, first + C) of qkv, normalised inside every head; [B][N][C]. */
static sct_val head_norm(struct sct_build *c, sct_val qkv, uint32_t first, const char *name)
{
    const struct sct_model_config *cfg = &c->m->cfg;
    const uint32_t C = cfg->dim, H = cfg->heads, split[4] = {0, 0, H, C / H},
                   flat[3] = {0, 0, C};
    const sct_val x = sct_reshape(c->b, sct_slice_ch(c->b, qkv, first, C), 4, split);
    return sct_reshape(c->b, sct_build_norm(c, x, name, C / H), 3, flat);
}

/* q and k of qkv [B][N][3C] through norms of their own. */
static sct_val normalise_qk(struct sct_build *c, sct_val qkv, uint32_t i)
{
    const uint32_t C = c->m->cfg.dim;
    char n[128];
    (void)snprintf(n, sizeof n, "blocks.%u.attn.q_norm", i);
    const sct_val q = head_norm(c, qkv, 0, n);
    (void)snprintf(n, sizeof n, "blocks.%u.attn.k_norm", i);
    const sct_val k = head_norm(c, qkv, C, n), v = sct_slice_ch(c->b, qkv, 2 * C, C);
    sct_val out = sct_pad_ch(c->b, v, 2 * C, 3 * C);
    out = sct_add_ch(c->b, out, q, 0);
    return sct_add_ch(c->b, out, k, C);
}

static sct_val layer_scale(struct sct_build *c, sct_val x, const char *name)
{
    if (!c->m->cfg.layer_scale)
        return x;
    sct_graph_label(c->m->g, "%s", name);
    return sct_mul(c->b, x, sct_build_vec(c, name, "constant(1e-5)", c->m->cfg.dim));
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
    y = sct_build_linear(c, y, NAME("attn.qkv"), 3 * C, C, !cfg->no_qkv_bias,
                         SCT_ROLE_ATTN_QKV);
    if (cfg->qk_norm)
        y = normalise_qk(c, y, i);
    sct_graph_label(c->m->g, "%s", NAME("attn"));
    y = sct_attention(c->b, y, cfg->heads, 0.0f);
    y = sct_build_linear(c, y, NAME("attn.proj"), C, C, true, SCT_ROLE_ATTN_PROJ);
    sct_build_site(c, y, SCT_ROLE_ATTN_OUT);
    y = layer_scale(c, y, NAME("ls1.gamma"));
    x = sct_add(c->b, x, sct_build_drop(c, y, rate, "attn"));
    sct_build_site(c, x, SCT_ROLE_ATTN_RES);
    y = sct_build_norm(c, x, NAME("norm2"), C);
    sct_build_site(c, y, SCT_ROLE_MLP_IN);
    y = sct_build_linear(c, y, NAME("mlp.fc1"), M, C, true, SCT_ROLE_MLP_FC1);
    y = sct_gelu(c->b, y, cfg->gelu);
    y = sct_build_linear(c, y, NAME("mlp.fc2"), C, M, true, SCT_ROLE_MLP_FC2);
    sct_build_site(c, y, SCT_ROLE_MLP_OUT);
    y = layer_scale(c, y, NAME("ls2.gamma"));
    x = sct_add(c->b, x, sct_build_drop(c, y, rate, "mlp"));
    sct_build_site(c, x, SCT_ROLE_BLOCK_OUT);
#undef NAME
    return x;
}

static sct_val token(struct sct_build *c, sct_val x, uint32_t i)
{
    const uint32_t dim[2] = {0, c->m->cfg.dim};
    return sct_reshape(c->b, sct_slice_tokens(c->b, x, i, 1), 2, dim);
}

static sct_val pool(struct sct_build *c, sct_val x)
{
    const struct sct_model_config *cfg = &c->m->cfg;
    if (!cfg->fc_norm) {
        x = sct_build_norm(c, x, "norm", cfg->dim);
        sct_build_site(c, x, SCT_ROLE_NORM_OUT);
    }
    sct_graph_label(c->m->g, "pool");
    sct_val y =
        cfg->pool == SCT_POOL_AVG ? sct_mean_tokens(c->b, x, c->prefix) : token(c, x, 0);
    if (cfg->pool == SCT_POOL_TOKEN_AVG)
        y = sct_add_ch(c->b, sct_pad_ch(c->b, y, 0, 2 * cfg->dim),
                       sct_mean_tokens(c->b, x, c->prefix), cfg->dim);
    if (cfg->fc_norm)
        y = sct_build_norm(c, y, "fc_norm", cfg->dim);
    sct_build_site(c, y, SCT_ROLE_POOLED);
    return y;
}

/* DeiT: the mean of two classifiers, one for the class token, one for the other. */
static void distilled_head(struct sct_build *c, sct_val x, bool keep)
{
    const uint32_t C = c->m->cfg.dim;
    x = sct_build_norm(c, x, "norm", C);
    sct_build_site(c, x, SCT_ROLE_NORM_OUT);
    sct_graph_label(c->m->g, "pool");
    const sct_val cls = token(c, x, 0), dist = token(c, x, 1);
    sct_build_site(c, cls, SCT_ROLE_POOLED);
    sct_build_two_heads(c, cls, dist, C, keep);
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
    if (c->pool != SCT_POOL_AVG && !c->class_token)
        return sct_fail(err, SCT_EUSAGE, "model %s: pool: token needs class_token: true",
                        c->name);
    if (c->pool == SCT_POOL_TOKEN_AVG && c->fc_norm)
        return sct_fail(err, SCT_EUSAGE, "model %s: pool: token_avg needs fc_norm: false",
                        c->name);
    if (c->distilled && (!c->class_token || c->pool != SCT_POOL_TOKEN || c->fc_norm))
        return sct_fail(err, SCT_EUSAGE,
                        "model %s: distilled needs class_token: true, pool: token and "
                        "fc_norm: false",
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
    c.prefix = cfg->class_token + cfg->distilled + cfg->reg_tokens;
    c.grid_h = c.grid_w = cfg->image / cfg->patch;
    c.tokens = c.grid_h * c.grid_w + c.prefix;
    sct_val x = embed(&c);
    for (uint32_t i = 0; i < cfg->depth && c.rc == SCT_OK; i++)
        x = block(&c, x, i);
    c.block = SCT_NO_BLOCK;
    c.m->g->block = 0;
    if (cfg->distilled)
        distilled_head(&c, x, opts->keep_head);
    else
        sct_build_head(&c, pool(&c, x),
                       cfg->pool == SCT_POOL_TOKEN_AVG ? 2 * cfg->dim : cfg->dim,
                       opts->keep_head);
    return sct_build_end(&c, out);
}
