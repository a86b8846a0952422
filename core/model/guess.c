/* SPDX-License-Identifier: MIT
 * guess.c - architecture from names and shapes. */
#include "core/model/guess.h"

#include <string.h>

#include "core/base/status.h"
#include "core/model/guess_impl.h"

enum { HEAD_CHANNELS = 64 }; /* of one head in every ViT and most others that are published */

struct work {
    struct sct_guess *g;
    const struct sct_dialect_map *m;
    const struct sct_named *t;
    sct_error *err;
};

/* Notes why the value that cfg has now is what it is. */
SCT_PRINTF(4, 5)

static sct_status fact(struct work *w, const char *key, bool known, const char *fmt, ...)
{
    struct sct_guess *g = w->g;
    char value[96] = "", why[400];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(why, sizeof why, fmt, ap);
    va_end(ap);
    const struct sct_model_key *k = sct_model_key_find(g->cfg.arch, key);
    if (k)
        sct_guess_value_text(k, &g->cfg, value, sizeof value);
    else
        (void)snprintf(value, sizeof value, "%s", sct_arch_name(g->cfg.arch));
    struct sct_guess_fact *f = &g->fact[g->n_fact++];
    *f = (struct sct_guess_fact){key, sct_arena_strdup(&g->arena, value),
                                 sct_arena_strdup(&g->arena, why), known, false};
    return f->value && f->why ? SCT_OK : sct_nomem(w->err);
}

/* The tensor, if it is whole and has that many dimensions. */
static const struct sct_canon *find(const struct work *w, uint32_t nd, const char *name)
{
    const struct sct_canon *c = sct_dialect_canon(w->m, name);
    return c && !c->bad && c->desc.nd == nd ? c : NULL;
}

static const char *shape(const struct sct_canon *c, char *buf, size_t size)
{
    return sct_desc_text(&c->desc, buf, size);
}

/* Side of a square, 0 if n is none. */
static uint32_t side(uint32_t n)
{
    uint32_t s = 0;
    while ((uint64_t)(s + 1) * (s + 1) <= n)
        s++;
    return s * s == n ? s : 0;
}

static sct_status patches(struct work *w)
{
    struct sct_model_config *c = &w->g->cfg;
    char text[96];
    const struct sct_canon *p = find(w, 4, "patch_embed.proj.weight");
    if (!p)
        return sct_fail(w->err, SCT_EFILE,
                        "there is no patch_embed.proj.weight to tell the "
                        "width and the patches from");
    const uint32_t *d = p->desc.dim;
    (void)shape(p, text, sizeof text);
    if (d[1] != 3 || d[2] != d[3])
        return sct_fail(w->err, SCT_EFILE,
                        "patch_embed.proj.weight is %s: expected square patches of 3 channels",
                        text);
    c->dim = d[0];
    c->patch = d[2];
    SCT_TRY(fact(w, "dim", true, "patch_embed.proj.weight is %s", text));
    return fact(w, "patch_size", true, "patch_embed.proj.weight is %s", text);
}

static sct_status classes(struct work *w, const char *head)
{
    char name[64];
    (void)snprintf(name, sizeof name, "%s.weight", head);
    const struct sct_canon *h = find(w, 2, name);
    if (h)
        w->g->cfg.classes = h->desc.dim[0];
    return h ? fact(w, "classes", false, "rows of %s; a fresh head may have others", name)
             : fact(w, "classes", false, "there is no head; the default");
}

/* What no tensor tells, as the library has it whose names they are. */
static sct_status defaults(struct work *w)
{
    struct sct_model_config *c = &w->g->cfg;
    const struct sct_dialect *d = w->m->dialect;
    c->gelu = d->gelu;
    SCT_TRY(fact(w, "gelu", false, "not stored; the default of %s", d->what));
    c->eps = c->pre_norm ? 1e-5f : d->eps;
    if (c->pre_norm)
        return fact(w, "eps", false, "not stored; CLIP's");
    return fact(w, "eps", false, "not stored; the default of %s", d->what);
}

/* ---- ViT ---- */

/* The number of heads that makes them nearest to 64 channels, but for the widths of ViT-so400m,
 * H, g, giantopt and G, whose heads are wider (timm, OpenCLIP, SigLIP). DINOv2's giant, which
 * is as wide as giantopt, has 24; its SwiGLU is not built. */
static uint32_t usual_heads(uint32_t dim)
{
    static const uint32_t sixteen[] = {1152, 1280, 1408, 1536, 1664};
    uint32_t best = 1, off = UINT32_MAX;
    for (size_t i = 0; i < sizeof sixteen / sizeof sixteen[0]; i++)
        if (dim == sixteen[i])
            return 16;
    for (uint32_t h = 1; h <= 1024 && h <= dim; h++) {
        const uint32_t n = dim / h,
                       d = n > HEAD_CHANNELS ? n - HEAD_CHANNELS : HEAD_CHANNELS - n;
        if (dim % h == 0 && d < off) {
            best = h;
            off = d;
        }
    }
    return best;
}

/* Flax keeps the heads apart: (dim, heads, channels). A norm of queries is as wide as a head;
 * one that is as wide as all of them is not built, which its shape tells later. */
static sct_status vit_heads(struct work *w)
{
    const struct sct_canon *q = find(w, 2, "blocks.0.attn.qkv.weight");
    for (uint32_t k = 0; q && k < q->layout.n_src; k++) {
        const struct sct_named *t = &w->t[q->part[0].source];
        if (q->layout.letter[k] != 'h')
            continue;
        w->g->cfg.heads = (uint32_t)t->dim[k];
        return fact(w, "heads", true, "an axis of %.100s", t->name);
    }
    const struct sct_canon *norm = find(w, 1, "blocks.0.attn.q_norm.weight");
    const uint32_t dim = w->g->cfg.dim, n = norm ? norm->desc.dim[0] : 0;
    if (n && n < dim && dim % n == 0) {
        w->g->cfg.heads = dim / n;
        return fact(w, "heads", true, "%s has %u channels", norm->name, n);
    }
    w->g->cfg.heads = usual_heads(w->g->cfg.dim);
    return fact(w, "heads", false, "not stored; %u channels each",
                w->g->cfg.dim / w->g->cfg.heads);
}

static sct_status unbuilt(struct work *w, const char *what, const char *name)
{
    struct sct_guess *g = w->g;
    const size_t n = strlen(what);
    for (uint32_t i = 0; i < g->n_unbuilt; i++)
        if (strncmp(g->unbuilt[i], what, n) == 0 && g->unbuilt[i][n] == ' ')
            return SCT_OK;
    if (g->n_unbuilt == SCT_GUESS_UNBUILT)
        return SCT_OK;
    g->unbuilt[g->n_unbuilt] = sct_arena_printf(&g->arena, "%s (%.100s)", what, name);
    return g->unbuilt[g->n_unbuilt++] ? SCT_OK : sct_nomem(w->err);
}

static uint32_t tokens_of(const struct work *w, const char *name)
{
    const struct sct_canon *c = find(w, 3, name);
    return c ? c->desc.dim[1] : 0;
}

/* Positions of prefix and patches, or of the patches alone. Meta's DINOv2 with registers has
 * those of class token and patches. */
static sct_status vit_image(struct work *w)
{
    struct sct_model_config *c = &w->g->cfg;
    char text[96];
    const struct sct_canon *p = find(w, 3, "pos_embed");
    const uint32_t prefix = c->class_token + c->distilled + c->reg_tokens;
    c->image = 224;
    if (!p)
        return fact(w, "image_size", false, "there is no pos_embed; the usual size");
    (void)shape(p, text, sizeof text);
    const uint32_t n = p->desc.dim[1], alone = prefix ? side(n) : 0;
    uint32_t grid = n > prefix ? side(n - prefix) : 0;
    const bool sure = !grid || !alone;
    /* folded into the class token, what remains are those of the patches: see guess.h */
    const struct sct_canon *cls = find(w, 3, "cls_token");
    const bool unlike = !grid && !alone && c->reg_tokens && (grid = side(n - c->class_token));
    w->g->fold_class =
        unlike && !c->distilled && cls && sct_desc_count(&cls->desc) == p->desc.dim[2];
    if (unlike && !w->g->fold_class)
        SCT_TRY(
            unbuilt(w, "positions of the class token, but not of the registers", "pos_embed"));
    if (w->g->fold_class) {
        c->no_embed_class = 1;
        c->image = grid * c->patch;
        SCT_TRY(fact(w, "no_embed_class", true,
                     "pos_embed is %s: that of the class token is added to it", text));
        return fact(w, "image_size", true, "pos_embed is %s: 1 token in front, %u x %u patches",
                    text, grid, grid);
    }
    c->no_embed_class = !grid && alone;
    if (c->no_embed_class)
        grid = alone;
    if (!grid)
        return fact(w, "image_size", false,
                    "pos_embed is %s, which is no square; the usual size", text);
    c->image = grid * c->patch;
    const uint32_t front = n - grid * grid;
    SCT_TRY(fact(w, "no_embed_class", sure, "pos_embed is %s, %u token%s in front", text,
                 prefix, prefix == 1 ? "" : "s"));
    return fact(w, "image_size", sure, "pos_embed is %s: %u token%s in front, %u x %u patches",
                text, front, front == 1 ? "" : "s", grid, grid);
}

/* Keys that say whether there is a tensor. */
static sct_status vit_variants(struct work *w)
{
    struct sct_model_config *c = &w->g->cfg;

    const struct {
        const char *key, *name;
        uint32_t *field;
        bool absent; /* what the key says is that there is none */
    } row[] = {
        {"class_token", "cls_token", &c->class_token, false},
        {"distilled", "dist_token", &c->distilled, false},
        {"pre_norm", "norm_pre.weight", &c->pre_norm, false},
        {"layer_scale", "blocks.0.ls1.gamma", &c->layer_scale, false},
        {"qk_norm", "blocks.0.attn.q_norm.weight", &c->qk_norm, false},
        {"no_qkv_bias", "blocks.0.attn.qkv.bias", &c->no_qkv_bias, true},
        {"no_patch_bias", "patch_embed.proj.bias", &c->no_patch_bias, true},
    };

    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        const bool there = sct_dialect_canon(w->m, row[i].name) != NULL;
        *row[i].field = there != row[i].absent;
        SCT_TRY(fact(w, row[i].key, true, "%s is %sthere", row[i].name, there ? "" : "not "));
    }
    c->reg_tokens = tokens_of(w, "reg_token");
    return fact(w, "reg_tokens", true, "reg_token is %sthere", c->reg_tokens ? "" : "not ");
}

static sct_status vit_pool(struct work *w)
{
    struct sct_model_config *c = &w->g->cfg;
    const bool norm = sct_dialect_canon(w->m, "norm.weight") != NULL;
    c->fc_norm = !norm && sct_dialect_canon(w->m, "fc_norm.weight");
    c->pool = c->fc_norm || !c->class_token ? SCT_POOL_AVG : SCT_POOL_TOKEN;
    SCT_TRY(fact(w, "fc_norm", true, "the last norm is called %s",
                 c->fc_norm ? "fc_norm" : "norm"));
    if (c->fc_norm)
        return fact(w, "pool", true, "fc_norm follows a mean");
    const struct sct_canon *h = find(w, 2, "head.weight");
    if (h && c->class_token && !c->distilled && h->desc.dim[1] == 2 * c->dim) {
        c->pool = SCT_POOL_TOKEN_AVG;
        return fact(w, "pool", false, "head.weight has two columns for every channel");
    }
    return c->class_token ? fact(w, "pool", false, "not stored; there is a class token")
                          : fact(w, "pool", true, "there is no class token");
}

/* SwiGLU makes gate and value in one layer. */
static sct_status vit_mlp(struct work *w)
{
    struct sct_model_config *c = &w->g->cfg;
    char text[96];
    const struct sct_canon *fc = find(w, 2, "blocks.0.mlp.fc1.weight"),
                           *back = find(w, 2, "blocks.0.mlp.fc2.weight");
    c->mlp = fc ? fc->desc.dim[0] : 4 * c->dim;
    if (fc && back && fc->desc.dim[0] / 2 == back->desc.dim[1] && fc->desc.dim[0] % 2 == 0)
        SCT_TRY(unbuilt(w, "SwiGLU", fc->name));
    return fc ? fact(w, "mlp", true, "%s is %s", fc->name, shape(fc, text, sizeof text))
              : fact(w, "mlp", false, "four times dim");
}

static sct_status vit(struct work *w)
{
    struct sct_model_config *c = &w->g->cfg;
    SCT_TRY(patches(w));
    c->depth = w->m->depth[0];
    SCT_TRY(fact(w, "depth", true, "blocks in the file"));
    SCT_TRY(vit_heads(w));
    SCT_TRY(vit_mlp(w));
    SCT_TRY(vit_variants(w));
    SCT_TRY(vit_pool(w));
    SCT_TRY(vit_image(w));
    SCT_TRY(classes(w, "head"));
    return defaults(w);
}

/* ---- Swin ---- */

static const struct sct_canon *table(const struct work *w, uint32_t stage)
{
    char name[96];
    (void)snprintf(name, sizeof name, "layers.%u.blocks.0.attn.relative_position_bias_table",
                   stage);
    return find(w, 2, name);
}

/* Window of the tables, from the first one that is square; the image, where a later stage's map
 * is smaller than the window (timm cuts its table) or a mask is stored (windows, w^2, w^2). */
static sct_status swin_window(struct work *w)
{
    struct sct_model_config *c = &w->g->cfg;
    char text[96];
    const struct sct_canon *first = table(w, 0);
    const uint32_t s = first ? side(first->desc.dim[0]) : 0;
    if (s % 2 == 0) {
        c->window = 7;
        SCT_TRY(fact(w, "window", false, "no table of (2 w - 1)^2 rows; the usual one"));
    } else {
        /* a table that is larger than the next one's may itself be cut to its map */
        const struct sct_canon *next = table(w, 1);
        c->window = (s + 1) / 2;
        SCT_TRY(fact(w, "window", next && next->desc.dim[0] == first->desc.dim[0],
                     "%s is %s: (2 w - 1)^2 rows", first->name,
                     shape(first, text, sizeof text)));
    }
    for (uint32_t i = 1; i < w->m->stages; i++) {
        const struct sct_canon *t = table(w, i);
        const uint32_t r = t ? side(t->desc.dim[0]) : 0;
        if (s % 2 && r > s)
            SCT_TRY(unbuilt(w, "a window of its own in a later stage", t->name));
        if (r % 2 == 0 || r >= s)
            continue;
        c->image = (c->patch << i) * (r + 1) / 2;
        return fact(w, "image_size", false, "%s is of a map of %u x %u", t->name, (r + 1) / 2,
                    (r + 1) / 2);
    }
    for (uint32_t i = 0; i < w->m->n_use; i++) {
        const struct sct_named *t = &w->t[i];
        const size_t n = strlen(w->m->wrapper);
        struct sct_name_match m;
        if (strncmp(t->name, w->m->wrapper, n) != 0 ||
            !sct_name_match("layers.#.blocks.1.attn_mask", t->name + n, &m) || t->nd != 3 ||
            t->dim[0] > UINT32_MAX || m.number[0] >= SCT_STAGES)
            continue;
        const uint32_t windows = side((uint32_t)t->dim[0]);
        c->image = (c->patch << m.number[0]) * c->window * windows;
        return fact(w, "image_size", false, "%.100s is of %u x %u windows", t->name, windows,
                    windows);
    }
    c->image = (c->patch << (SCT_STAGES - 1)) * c->window;
    return fact(w, "image_size", false, "not stored; the last stage is one window");
}

static sct_status swin(struct work *w)
{
    struct sct_model_config *c = &w->g->cfg;
    char text[96];
    bool heads = true;
    SCT_TRY(patches(w));
    for (uint32_t i = 0; i < SCT_STAGES; i++) {
        const struct sct_canon *t = table(w, i);
        c->stage_depth[i] = w->m->depth[i];
        c->stage_heads[i] = t ? t->desc.dim[1] : 1;
        heads = heads && t;
    }
    if (w->m->stages != SCT_STAGES)
        SCT_TRY(unbuilt(w, "another number of stages than 4", "layers"));
    SCT_TRY(fact(w, "depths", true, "blocks in the file"));
    SCT_TRY(fact(w, "heads", heads, "columns of the relative position bias tables"));
    SCT_TRY(swin_window(w));
    const struct sct_canon *fc = find(w, 2, "layers.0.blocks.0.mlp.fc1.weight");
    if (fc)
        c->mlp_ratio = (float)fc->desc.dim[0] / (float)c->dim;
    SCT_TRY(fc ? fact(w, "mlp_ratio", true, "layers.0.blocks.0.mlp.fc1.weight is %s",
                      shape(fc, text, sizeof text))
               : fact(w, "mlp_ratio", false, "the usual one"));
    SCT_TRY(classes(w, "head.fc"));
    return defaults(w);
}

/* ---- */

static sct_status make(struct work *w)
{
    const struct sct_dialect *d = w->m->dialect;
    struct sct_model_config *c = &w->g->cfg;
    sct_model_config_default(c, d->arch);
    SCT_TRY(fact(w, "arch", true, "the names are of dialect %s", d->flavour));
    SCT_TRY(d->arch == SCT_ARCH_SWIN ? swin(w) : vit(w));
    for (uint32_t i = 0; i < w->m->n_canon; i++) {
        const struct sct_canon *k = &w->m->canon[i];
        if (k->row && k->row->feature)
            SCT_TRY(unbuilt(w, k->row->feature, k->name));
    }
    sct_guess_name(c);
    return SCT_OK;
}

sct_status sct_guess(struct sct_guess **out, const struct sct_dialect_map *m,
                     const struct sct_named *t, sct_error *err)
{
    struct work w = {sct_calloc(1, sizeof *w.g), m, t, err};
    *out = NULL;
    if (!w.g)
        return sct_nomem(err);
    const sct_status rc = make(&w);
    if (rc == SCT_OK)
        *out = w.g;
    else
        sct_guess_destroy(&w.g);
    return rc;
}

void sct_guess_destroy(struct sct_guess **g)
{
    if (!*g)
        return;
    sct_arena_free(&(*g)->arena);
    sct_free(*g);
    *g = NULL;
}
