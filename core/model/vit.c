/* SPDX-License-Identifier: MIT
 * vit.c - vision transformer, pre-norm, names and order as in timm's vision_transformer.py:
 *   x = [cls; patches W + b] + pos
 *   x = x + DP(attn(norm1(x)));  x = x + DP(mlp(norm2(x)))     for every block
 *   logits = head(pool(norm(x)))
 * Shapes: B images, N tokens, C channels, M mlp width. */
#include "core/model/vit.h"

#include <string.h>

#include "core/base/hash.h"
#include "core/base/status.h"

struct ctx {
    struct sct_model *m;
    struct sct_builder *b;
    struct sct_weights *w;
    uint32_t N, prefix, grid;
    sct_error *err;
    sct_status rc;
};

/* Parameter `name` with these dims from the weights. */
static struct sct_param *take(struct ctx *c, const char *name, const char *init, uint32_t nd,
                              const uint32_t *dim)
{
    const struct sct_tensor *t = NULL;
    if (c->rc == SCT_OK)
        c->rc = sct_weights_take(c->w, name, nd, dim, init, &t, c->err);
    return t ? sct_model_param(c->m, t) : NULL;
}

static sct_val vec(struct ctx *c, const char *name, const char *init, uint32_t n)
{
    return sct_model_value(take(c, name, init, 1, &n));
}

/* A linear layer and its site: w [out][in], bias [out]. */
static sct_val linear(struct ctx *c, sct_val x, const char *name, uint32_t out, uint32_t in,
                      uint32_t role, uint32_t block, const char *site)
{
    char full[160];
    const uint32_t dim[2] = {out, in};
    (void)snprintf(full, sizeof full, "%s.weight", name);
    const uint32_t wid = c->m->n_param + 1;
    const sct_val w = sct_model_value(take(c, full, "trunc_normal(0.02)", 2, dim));
    (void)snprintf(full, sizeof full, "%s.bias", name);
    const sct_val bias = vec(c, full, "zeros", out);
    sct_graph_label(c->m->g, "%s", name);
    const sct_val y = sct_linear(c->b, x, w, bias);
    struct sct_site *s = sct_model_site(c->m, role, "stage[0].block[%u].%s", block, site);
    if (s) {
        s->in = x;
        s->out = y;
        s->channels = out;
        s->in_channels = in;
        s->weight = wid;
        s->bias = wid + 1;
        s->block = block;
        s->tokens = c->N;
        s->prefix_tokens = c->prefix;
        s->grid_h = s->grid_w = c->grid;
        if (role == SCT_ROLE_ATTN_QKV)
            for (uint32_t i = 0; i < 4; i++)
                s->qkv[i] = i * in;
    }
    return y;
}

static void value_site(struct ctx *c, sct_val v, uint32_t role, uint32_t block,
                       const char *name)
{
    struct sct_site *s = block == SCT_NO_BLOCK
                             ? sct_model_site(c->m, role, "%s", name)
                             : sct_model_site(c->m, role, "stage[0].block[%u].%s", block, name);
    const struct sct_desc *d = c->b->desc(c->b, v);
    if (!s || !d)
        return;
    s->out = v;
    s->block = block;
    s->channels = sct_desc_last(d);
    s->tokens = d->nd == 3 ? d->dim[1] : 1;
    s->prefix_tokens = d->nd == 3 ? c->prefix : 0;
    s->grid_h = s->grid_w = c->grid;
}

static sct_val norm(struct ctx *c, sct_val x, const char *name)
{
    char full[160];
    (void)snprintf(full, sizeof full, "%s.weight", name);
    const sct_val g = vec(c, full, "ones", c->m->cfg.dim);
    (void)snprintf(full, sizeof full, "%s.bias", name);
    const sct_val beta = vec(c, full, "zeros", c->m->cfg.dim);
    sct_graph_label(c->m->g, "%s", name);
    return sct_layernorm(c->b, x, g, beta, c->m->cfg.eps);
}

/* Stochastic depth: rate grows linearly from 0 to drop_path over the blocks (timm). */
static sct_val drop(struct ctx *c, sct_val x, uint32_t block, const char *role)
{
    const struct sct_model_config *cfg = &c->m->cfg;
    if (cfg->drop_path <= 0.0f || cfg->depth < 2 || block == 0)
        return x;
    char path[96];
    (void)snprintf(path, sizeof path, "stage[0].block[%u].%s", block, role);
    const float rate = cfg->drop_path * (float)block / (float)(cfg->depth - 1);
    return sct_droppath(c->b, x, rate, sct_hash_str(SCT_HASH_INIT, path));
}

static sct_val embed(struct ctx *c)
{
    struct sct_model *m = c->m;
    const struct sct_model_config *cfg = &m->cfg;
    const uint32_t C = cfg->dim, P = cfg->patch, in = 3 * P * P;
    const uint32_t images[4] = {m->g->batch, cfg->image, cfg->image, 3};
    const uint32_t table_dim[2] = {3, 256}, wdim[4] = {C, 3, P, P}, w2[2] = {C, in};
    struct sct_tensor *table = sct_arena_alloc(&m->arena, sizeof *table);
    m->table = sct_arena_alloc(&m->arena, 768 * sizeof *m->table);
    if (!table || !m->table) {
        c->rc = sct_nomem(c->err);
        return sct_none();
    }
    *table = (struct sct_tensor){.name = "preprocess.table",
                                 .desc = sct_desc_make(SCT_F32, 2, table_dim),
                                 .load = sct_tensor_load_data,
                                 .data = m->table};
    sct_graph_label(m->g, "input");
    const sct_val bytes = sct_feed(c->b, sct_graph_input(m->g, "images", SCT_U8, 4, images));
    const sct_val img = sct_image(c->b, bytes, sct_graph_tensor(m->g, table));
    value_site(c, img, SCT_ROLE_INPUT, SCT_NO_BLOCK, "input");
    sct_graph_label(m->g, "patch_embed.proj");
    /* Conv2d's default in timm: uniform(+-1/sqrt(fan_in)) */
    const sct_val w =
        sct_reshape(c->b,
                    sct_model_value(take(c, "patch_embed.proj.weight",
                                         "kaiming_uniform(2.2360679775)", 4, wdim)),
                    2, w2);
    const sct_val bias = vec(c, "patch_embed.proj.bias", "zeros", C);
    sct_val x = sct_linear(c->b, sct_patchify(c->b, img, P), w, bias);
    if (cfg->class_token) {
        const uint32_t cd[3] = {1, 1, C}, c2[2] = {1, C};
        sct_graph_label(m->g, "cls_token");
        const sct_val cls = sct_reshape(
            c->b, sct_model_value(take(c, "cls_token", "normal(0, 1e-6)", 3, cd)), 2, c2);
        x = sct_concat_tokens(c->b, cls, x);
    }
    const uint32_t pd[3] = {1, c->N, C}, p2[2] = {c->N, C};
    sct_graph_label(m->g, "pos_embed");
    const sct_val pos = sct_reshape(
        c->b, sct_model_value(take(c, "pos_embed", "trunc_normal(0.02)", 3, pd)), 2, p2);
    x = sct_add(c->b, x, pos);
    value_site(c, x, SCT_ROLE_EMBED_OUT, SCT_NO_BLOCK, "embed.out");
    return x;
}

static sct_val block(struct ctx *c, sct_val x, uint32_t i)
{
    const struct sct_model_config *cfg = &c->m->cfg;
    const uint32_t C = cfg->dim;
    char n[128];
    c->m->g->block = i + 1;
#define NAME(SUFFIX) ((void)snprintf(n, sizeof n, "blocks.%u." SUFFIX, i), n)
    sct_val y = norm(c, x, NAME("norm1"));
    value_site(c, y, SCT_ROLE_ATTN_IN, i, "attn.in");
    y = linear(c, y, NAME("attn.qkv"), 3 * C, C, SCT_ROLE_ATTN_QKV, i, "attn.qkv");
    sct_graph_label(c->m->g, "%s", NAME("attn"));
    y = sct_attention(c->b, y, cfg->heads, 0.0f);
    y = linear(c, y, NAME("attn.proj"), C, C, SCT_ROLE_ATTN_PROJ, i, "attn.proj");
    value_site(c, y, SCT_ROLE_ATTN_OUT, i, "attn.out");
    y = drop(c, y, i, "attn.drop_path");
    x = sct_add(c->b, x, y);
    value_site(c, x, SCT_ROLE_ATTN_RES, i, "attn.res");
    y = norm(c, x, NAME("norm2"));
    y = linear(c, y, NAME("mlp.fc1"), cfg->mlp, C, SCT_ROLE_MLP_FC1, i, "mlp.fc1");
    y = sct_gelu(c->b, y, cfg->gelu);
    y = linear(c, y, NAME("mlp.fc2"), C, cfg->mlp, SCT_ROLE_MLP_FC2, i, "mlp.fc2");
    value_site(c, y, SCT_ROLE_MLP_OUT, i, "mlp.out");
    y = drop(c, y, i, "mlp.drop_path");
    x = sct_add(c->b, x, y);
    value_site(c, x, SCT_ROLE_BLOCK_OUT, i, "out");
#undef NAME
    return x;
}

static sct_val pool(struct ctx *c, sct_val x)
{
    const struct sct_model_config *cfg = &c->m->cfg;
    c->m->g->block = 0;
    if (!cfg->fc_norm) {
        x = norm(c, x, "norm");
        value_site(c, x, SCT_ROLE_NORM_OUT, SCT_NO_BLOCK, "norm.out");
    }
    sct_graph_label(c->m->g, "pool");
    if (cfg->pool == SCT_POOL_TOKEN) {
        const uint32_t dim[2] = {0, cfg->dim};
        x = sct_reshape(c->b, sct_slice_tokens(c->b, x, 0, 1), 2, dim);
    } else {
        x = sct_mean_tokens(c->b, x, c->prefix);
    }
    if (cfg->fc_norm)
        x = norm(c, x, "fc_norm");
    value_site(c, x, SCT_ROLE_POOLED, SCT_NO_BLOCK, "pooled");
    return x;
}

static void head(struct ctx *c, sct_val x, bool keep)
{
    struct sct_model *m = c->m;
    const uint32_t L = m->cfg.classes, C = m->cfg.dim, wd[2] = {L, C}, bd[1] = {L};
    const uint32_t wid = m->n_param + 1;
    sct_val w, bias;
    if (keep) {
        w = sct_model_value(take(c, "head.weight", "trunc_normal(0.02)", 2, wd));
        bias = sct_model_value(take(c, "head.bias", "zeros", 1, bd));
    } else {
        const struct sct_desc dw = sct_desc_make(SCT_F32, 2, wd),
                              db = sct_desc_make(SCT_F32, 1, bd);
        w = sct_model_value(
            sct_model_add(m, "head.weight", &dw, m->cfg.head_init, NULL, false));
        bias = sct_model_value(sct_model_add(m, "head.bias", &db, "zeros", NULL, false));
        sct_weights_ignore(c->w, "head.weight");
        sct_weights_ignore(c->w, "head.bias");
    }
    sct_graph_label(m->g, "head");
    m->logits = sct_linear(c->b, x, w, bias);
    struct sct_site *s = sct_model_site(m, SCT_ROLE_HEAD, "head");
    if (s) {
        s->in = x;
        s->out = m->logits;
        s->channels = L;
        s->in_channels = C;
        s->tokens = 1;
        s->weight = wid;
        s->bias = wid + 1;
    }
    value_site(c, m->logits, SCT_ROLE_LOGITS, SCT_NO_BLOCK, "logits");
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
                         struct sct_weights *w, const struct sct_vit_opts *opts, sct_error *err)
{
    *out = NULL;
    SCT_TRY(check(cfg, err));
    struct sct_model *m = sct_model_create(cfg, opts->batch, opts->seed);
    if (!m)
        return sct_nomem(err);
    struct ctx c = {.m = m, .b = sct_graph_builder(m->g), .w = w, .err = err, .rc = SCT_OK};
    c.prefix = cfg->class_token ? 1 : 0;
    c.grid = cfg->image / cfg->patch;
    c.N = c.grid * c.grid + c.prefix;
    sct_val x = embed(&c);
    for (uint32_t i = 0; i < cfg->depth && c.rc == SCT_OK; i++)
        x = block(&c, x, i);
    x = pool(&c, x);
    head(&c, x, opts->keep_head);
    if (c.rc == SCT_OK)
        c.rc = sct_graph_status(m->g, err);
    if (c.rc == SCT_OK && !w->random)
        c.rc = sct_weights_leftovers(w, err);
    if (c.rc == SCT_OK)
        *out = m;
    else
        sct_model_destroy(&m);
    return c.rc;
}
