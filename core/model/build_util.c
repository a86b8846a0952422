/* SPDX-License-Identifier: MIT
 * build_util.c - parameters, layers and sites that all backbones share. */
#include "core/model/build_util.h"

#include <math.h>
#include <string.h>

#include "core/base/hash.h"
#include "core/base/status.h"

static const char *const role_name[SCT_ROLE_COUNT] = {
#define SCT_SITE(ID, NAME, KIND) [SCT_ROLE_##ID] = NAME,
#include <sctrun/sites.def>
#undef SCT_SITE
};

sct_status sct_build_begin(struct sct_build *c, const struct sct_model_config *cfg,
                           struct sct_weights *w, const struct sct_build_opts *opts,
                           sct_error *err)
{
    memset(c, 0, sizeof *c);
    c->m = sct_model_create(cfg, opts->batch, opts->seed);
    if (!c->m)
        return sct_nomem(err);
    c->b = sct_graph_builder(c->m->g);
    c->w = w;
    c->block = SCT_NO_BLOCK;
    c->err = err;
    c->rc = SCT_OK;
    return SCT_OK;
}

sct_status sct_build_end(struct sct_build *c, struct sct_model **out)
{
    *out = NULL;
    if (c->rc == SCT_OK)
        c->rc = sct_graph_status(c->m->g, c->err);
    if (c->rc == SCT_OK && !c->w->random)
        c->rc = sct_weights_leftovers(c->w, c->err);
    if (c->rc == SCT_OK)
        *out = c->m;
    else
        sct_model_destroy(&c->m);
    return c->rc;
}

/* ---- parameters ---- */

sct_val sct_build_param(struct sct_build *c, const char *name, const char *init, uint32_t nd,
                        const uint32_t *dim)
{
    const struct sct_tensor *t = NULL;
    if (c->rc == SCT_OK)
        c->rc = sct_weights_take(c->w, name, nd, dim, init, &t, c->err);
    return sct_model_value(t ? sct_model_param(c->m, t) : NULL);
}

sct_val sct_build_vec(struct sct_build *c, const char *name, const char *init, uint32_t n)
{
    return sct_build_param(c, name, init, 1, &n);
}

/* ---- sites ---- */

static struct sct_site *new_site(struct sct_build *c, uint32_t role)
{
    const char *name = role_name[role];
    struct sct_site *s;
    if (c->block != SCT_NO_BLOCK)
        s = sct_model_site(c->m, role, "stage[%u].block[%u].%s", c->stage, c->block, name);
    else if (role == SCT_ROLE_DOWN || role == SCT_ROLE_DOWN_IN)
        s = sct_model_site(c->m, role, "stage[%u].%s", c->stage, name);
    else
        s = sct_model_site(c->m, role, "%s", name);
    if (!s)
        return NULL;
    s->stage = c->stage;
    s->block = c->block;
    s->grid_h = c->grid_h;
    s->grid_w = c->grid_w;
    return s;
}

/* Channels and tokens of a value: [B][N][C] or [B][C]. */
static void site_shape(struct sct_build *c, struct sct_site *s, sct_val v)
{
    const struct sct_desc *d = c->b->desc(c->b, v);
    if (!d)
        return;
    s->out = v;
    s->channels = sct_desc_last(d);
    s->tokens = d->nd == 3 ? d->dim[1] : 1;
    s->prefix_tokens = d->nd == 3 ? c->prefix : 0;
}

void sct_build_site(struct sct_build *c, sct_val v, uint32_t role)
{
    struct sct_site *s = new_site(c, role);
    if (s)
        site_shape(c, s, v);
}

/* ---- layers ---- */

sct_val sct_build_linear(struct sct_build *c, sct_val x, const char *name, uint32_t out,
                         uint32_t in, bool with_bias, uint32_t role)
{
    char full[160];
    const uint32_t dim[2] = {out, in}, wid = c->m->n_param + 1;
    (void)snprintf(full, sizeof full, "%s.weight", name);
    const sct_val w = sct_build_param(c, full, "trunc_normal(0.02)", 2, dim);
    (void)snprintf(full, sizeof full, "%s.bias", name);
    const sct_val bias = with_bias ? sct_build_vec(c, full, "zeros", out) : sct_none();
    sct_graph_label(c->m->g, "%s", name);
    const sct_val y = sct_linear(c->b, x, w, bias);
    struct sct_site *s = new_site(c, role);
    if (s) {
        site_shape(c, s, y);
        s->in = x;
        s->in_channels = in;
        s->weight = wid;
        s->bias = with_bias ? wid + 1 : 0;
        if (role == SCT_ROLE_ATTN_QKV)
            for (uint32_t i = 0; i < 4; i++)
                s->qkv[i] = i * in;
    }
    return y;
}

sct_val sct_build_norm(struct sct_build *c, sct_val x, const char *name, uint32_t n)
{
    char full[160];
    (void)snprintf(full, sizeof full, "%s.weight", name);
    const sct_val g = sct_build_vec(c, full, "ones", n);
    (void)snprintf(full, sizeof full, "%s.bias", name);
    const sct_val beta = sct_build_vec(c, full, "zeros", n);
    sct_graph_label(c->m->g, "%s", name);
    return sct_layernorm(c->b, x, g, beta, c->m->cfg.eps);
}

sct_val sct_build_drop(struct sct_build *c, sct_val x, float rate, const char *branch)
{
    char path[96];
    if (!(rate > 0.0f))
        return x;
    (void)snprintf(path, sizeof path, "stage[%u].block[%u].%s.drop_path", c->stage, c->block,
                   branch);
    return sct_droppath(c->b, x, rate, sct_hash_str(SCT_HASH_INIT, path));
}

/* ---- ends ---- */

sct_val sct_build_images(struct sct_build *c)
{
    struct sct_model *m = c->m;
    const uint32_t images[4] = {m->g->batch, m->cfg.image, m->cfg.image, 3};
    const uint32_t table_dim[2] = {3, 256};
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
    sct_build_site(c, img, SCT_ROLE_INPUT);
    return img;
}

sct_val sct_build_patches(struct sct_build *c, sct_val img)
{
    const uint32_t C = c->m->cfg.dim, P = c->m->cfg.patch;
    const uint32_t dim[4] = {C, 3, P, P}, flat[2] = {C, 3 * P * P};
    sct_graph_label(c->m->g, "patch_embed.proj");
    /* Conv2d's default in timm: uniform(+-1/sqrt(fan_in)) */
    const sct_val w =
        sct_build_param(c, "patch_embed.proj.weight", "kaiming_uniform(2.2360679775)", 4, dim);
    const sct_val w2 = sct_reshape(c->b, w, 2, flat);
    const sct_val bias = c->m->cfg.no_patch_bias
                             ? sct_none()
                             : sct_build_vec(c, "patch_embed.proj.bias", "zeros", C);
    const sct_val x = sct_linear(c->b, sct_patchify(c->b, img, P), w2, bias);
    const uint32_t prefix = c->prefix;
    c->prefix = 0; /* it comes later */
    sct_build_site(c, x, SCT_ROLE_PATCHES);
    c->prefix = prefix;
    return x;
}

static sct_val head_param(struct sct_build *c, const char *name, const char *suffix,
                          const char *init, uint32_t nd, const uint32_t *dim, bool keep)
{
    char full[64];
    (void)snprintf(full, sizeof full, "%s.%s", name, suffix);
    if (keep)
        return sct_build_param(c, full, init, nd, dim);
    const struct sct_desc d = sct_desc_make(SCT_F32, nd, dim);
    sct_weights_ignore(c->w, full);
    return sct_model_value(sct_model_add(c->m, full, &d, init, NULL, false));
}

void sct_head_init(struct sct_head_init *h, const char *head_init, uint32_t in)
{
    (void)snprintf(h->weight, sizeof h->weight, "%s", head_init);
    (void)snprintf(h->bias, sizeof h->bias, "zeros");
    if (strcmp(head_init, "torch_linear") == 0) {
        const double bound = 1.0 / sqrt((double)in);
        (void)snprintf(h->bias, sizeof h->bias, "uniform(%.9g, %.9g)", -bound, bound);
        (void)snprintf(h->weight, sizeof h->weight, "%s", h->bias);
    }
}

/* name.weight and name.bias over x, without a site. */
static sct_val classifier(struct sct_build *c, sct_val x, const char *name, uint32_t in,
                          bool keep)
{
    const uint32_t L = c->m->cfg.classes, dim[2] = {L, in};
    struct sct_head_init h;
    sct_head_init(&h, keep ? "trunc_normal(0.02)" : c->m->cfg.head_init, in);
    const sct_val w = head_param(c, name, "weight", h.weight, 2, dim, keep);
    const sct_val bias = head_param(c, name, "bias", h.bias, 1, dim, keep);
    sct_graph_label(c->m->g, "%s", name);
    return sct_linear(c->b, x, w, bias);
}

static void head_sites(struct sct_build *c, sct_val x, uint32_t in, uint32_t weight)
{
    struct sct_site *s = new_site(c, SCT_ROLE_HEAD);
    if (s) {
        site_shape(c, s, c->m->logits);
        s->in = x;
        s->in_channels = in;
        s->weight = weight;
        s->bias = weight + 1;
        s->grid_h = s->grid_w = 0;
    }
    sct_build_site(c, c->m->logits, SCT_ROLE_LOGITS);
}

void sct_build_head(struct sct_build *c, sct_val x, uint32_t in, bool keep)
{
    const uint32_t weight = c->m->n_param + 1;
    c->m->logits = classifier(c, x, sct_arch_at(c->m->cfg.arch)->head, in, keep);
    head_sites(c, x, in, weight);
}

void sct_build_two_heads(struct sct_build *c, sct_val x, sct_val y, uint32_t in, bool keep)
{
    const sct_val a = classifier(c, x, "head", in, keep);
    const sct_val b = classifier(c, y, "head_dist", in, keep);
    c->m->logits = sct_scale(c->b, sct_add(c->b, a, b), 0.5f, 0.0f);
    sct_build_site(c, c->m->logits, SCT_ROLE_LOGITS);
}
