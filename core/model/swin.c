/* SPDX-License-Identifier: MIT
 * swin.c - Swin transformer v1 (Liu et al. 2021), names and order as in timm 1.0's
 * swin_transformer.py:
 *   x = norm(patches W + b);  stages 1..3 begin with  x = norm(merge(x)) W
 *   x = x + DP(attn(norm1(x)));  x = x + DP(mlp(norm2(x)))     for every block
 *   logits = fc(mean(norm(x)))
 * Stage s is dim 2^s wide. Every second block attends in windows of the grid rolled by
 * -window/2.
 *
 * A grid that is no multiple of the window: timm rolls norm1's output, pads it with zero tokens
 * below and to the right, and only then multiplies by qkv, so a padded token's key and value
 * are qkv's bias. Here PAD_GRID puts the zeros where the roll of WATTENTION brings them to that
 * place, and CROP_GRID takes the answers of padded queries away again. */
#include "core/model/swin.h"

#include "core/base/status.h"
#include "core/model/build_util.h"

/* The window of a stage. timm takes window and shift from the grid that image_size promises,
 * halved by division; the tokens are halved upwards, because an odd grid is padded. */
struct frame {
    uint32_t grid, promised; /* sides */
    uint32_t window, shift, padded;
};

static struct frame frame_of(uint32_t grid, uint32_t promised, uint32_t window)
{
    struct frame f = {.grid = grid, .promised = promised};
    f.window = promised <= window ? promised : window;
    f.shift = promised <= f.window ? 0 : window / 2;
    f.padded = (grid + f.window - 1) / f.window * f.window;
    return f;
}

void sct_swin_defaults(struct sct_model_config *c)
{
    static const float mean[3] = {0.485f, 0.456f, 0.406f}, std[3] = {0.229f, 0.224f, 0.225f};
    c->eps = 1e-5f;
    c->pool = SCT_POOL_AVG;
    c->class_token = 0;
    for (int i = 0; i < 3; i++) {
        c->mean[i] = mean[i];
        c->std[i] = std[i];
    }
}

/* ---- layers ---- */

static sct_val embed(struct sct_build *c)
{
    sct_val x = sct_build_patches(c, sct_build_images(c));
    x = sct_build_norm(c, x, "patch_embed.norm", c->m->cfg.dim);
    sct_build_site(c, x, SCT_ROLE_EMBED_OUT);
    return x;
}

/* Window attention of y [B][grid^2][C] as norm1 leaves it: with its qkv, before proj. */
static sct_val attend(struct sct_build *c, sct_val y, uint32_t C, uint32_t heads,
                      const struct frame *f, uint32_t shift, const char *name)
{
    const uint32_t rows = (2 * f->window - 1) * (2 * f->window - 1), dim[2] = {rows, heads};
    const struct sct_wattention_params p = {heads,     0.0f,      f->padded, f->padded,
                                            f->window, f->window, shift,     shift};
    const bool pad = f->padded != f->grid;
    char n[160];
    (void)snprintf(n, sizeof n, "%s.relative_position_bias_table", name);
    const sct_val table = sct_build_param(c, n, "trunc_normal(0.02)", 2, dim);
    sct_graph_label(c->m->g, "%s", name);
    c->grid_h = c->grid_w = f->padded; /* of the tokens that qkv sees */
    if (pad)
        y = sct_pad_grid(c->b, y, f->grid, f->grid, f->padded, f->padded, shift, shift);
    (void)snprintf(n, sizeof n, "%s.qkv", name);
    y = sct_build_linear(c, y, n, 3 * C, C, true, SCT_ROLE_ATTN_QKV);
    c->grid_h = c->grid_w = f->grid;
    sct_graph_label(c->m->g, "%s", name);
    y = sct_wattention(c->b, y, table, &p);
    return pad ? sct_crop_grid(c->b, y, f->padded, f->padded, f->grid, f->grid, shift, shift)
               : y;
}

/* Block i of stage s; nth of all blocks, which sets its rate of stochastic depth (timm: linear
 * from 0 to drop_path over the blocks of all stages). */
static sct_val block(struct sct_build *c, sct_val x, const struct frame *f, uint32_t s,
                     uint32_t i, uint32_t nth, uint32_t all)
{
    const struct sct_model_config *cfg = &c->m->cfg;
    const uint32_t C = cfg->dim << s, M = (uint32_t)((float)C * cfg->mlp_ratio);
    const float rate = all > 1 ? cfg->drop_path * (float)nth / (float)(all - 1) : 0.0f;
    char n[128];
    c->block = i;
    c->m->g->block = nth + 1;
#define NAME(SUFFIX) ((void)snprintf(n, sizeof n, "layers.%u.blocks.%u." SUFFIX, s, i), n)
    sct_val y = sct_build_norm(c, x, NAME("norm1"), C);
    sct_build_site(c, y, SCT_ROLE_ATTN_IN);
    y = attend(c, y, C, cfg->stage_heads[s], f, i % 2 ? f->shift : 0, NAME("attn"));
    y = sct_build_linear(c, y, NAME("attn.proj"), C, C, true, SCT_ROLE_ATTN_PROJ);
    sct_build_site(c, y, SCT_ROLE_ATTN_OUT);
    x = sct_add(c->b, x, sct_build_drop(c, y, rate, "attn"));
    sct_build_site(c, x, SCT_ROLE_ATTN_RES);
    y = sct_build_norm(c, x, NAME("norm2"), C);
    sct_build_site(c, y, SCT_ROLE_MLP_IN);
    y = sct_build_linear(c, y, NAME("mlp.fc1"), M, C, true, SCT_ROLE_MLP_FC1);
    y = sct_gelu(c->b, y, cfg->gelu);
    y = sct_build_linear(c, y, NAME("mlp.fc2"), C, M, true, SCT_ROLE_MLP_FC2);
    sct_build_site(c, y, SCT_ROLE_MLP_OUT);
    x = sct_add(c->b, x, sct_build_drop(c, y, rate, "mlp"));
    sct_build_site(c, x, SCT_ROLE_BLOCK_OUT);
#undef NAME
    return x;
}

/* Grid side `from` to half of it, C channels to 2 C. */
static sct_val merge(struct sct_build *c, sct_val x, uint32_t s, uint32_t from)
{
    const uint32_t C = c->m->cfg.dim << (s - 1), even = from + from % 2;
    char n[64];
    c->block = SCT_NO_BLOCK;
    c->m->g->block = 0;
    (void)snprintf(n, sizeof n, "layers.%u.downsample", s);
    sct_graph_label(c->m->g, "%s", n);
    if (even != from)
        x = sct_pad_grid(c->b, x, from, from, even, even, 0, 0);
    x = sct_patch_merge(c->b, x, even, even);
    (void)snprintf(n, sizeof n, "layers.%u.downsample.norm", s);
    x = sct_build_norm(c, x, n, 4 * C);
    sct_build_site(c, x, SCT_ROLE_DOWN_IN);
    (void)snprintf(n, sizeof n, "layers.%u.downsample.reduction", s);
    return sct_build_linear(c, x, n, 2 * C, 4 * C, false, SCT_ROLE_DOWN);
}

static sct_val pool(struct sct_build *c, sct_val x, uint32_t C)
{
    c->block = SCT_NO_BLOCK;
    c->m->g->block = 0;
    x = sct_build_norm(c, x, "norm", C);
    sct_build_site(c, x, SCT_ROLE_NORM_OUT);
    sct_graph_label(c->m->g, "pool");
    x = sct_mean_tokens(c->b, x, 0);
    sct_build_site(c, x, SCT_ROLE_POOLED);
    return x;
}

/* ---- the model ---- */

static sct_status check_stage(const struct sct_model_config *c, uint32_t s,
                              const struct frame *f, sct_error *err)
{
    const uint32_t wide = c->dim << s, windows = (f->promised + f->window - 1) / f->window;
    if (!c->stage_depth[s] || !c->stage_heads[s] || wide % c->stage_heads[s])
        return sct_fail(err, SCT_EUSAGE,
                        "model %s: stage %u is %u wide: expected at least one block, and heads "
                        "that divide the width, found depths %u, heads %u",
                        c->name, s, wide, c->stage_depth[s], c->stage_heads[s]);
    /* timm makes the mask of shifted windows from the promised grid */
    if (f->shift && f->padded != windows * f->window)
        return sct_fail(err, SCT_EUSAGE,
                        "model %s: image_size %u gives stage %u a grid of %u that needs more "
                        "windows of %u than the mask of timm's model has; choose a multiple of "
                        "%u",
                        c->name, c->image, s, f->grid, f->window, c->patch * 8);
    return SCT_OK;
}

static sct_status check(const struct sct_model_config *c, sct_error *err)
{
    const uint32_t last = SCT_STAGES - 1;
    if (!c->image || !c->patch || !c->dim || !c->window || !c->classes)
        return sct_fail(err, SCT_EUSAGE,
                        "model %s: image_size, patch_size, dim, window and the number of "
                        "classes must be positive",
                        c->name);
    if (c->image % c->patch || c->image / c->patch < (1u << last) || c->image / c->patch > 1024)
        return sct_fail(err, SCT_EUSAGE,
                        "model %s: image_size %u is not a multiple of patch_size %u, or has "
                        "less than %u or more than 1024 patches a side",
                        c->name, c->image, c->patch, 1u << last);
    if (c->dim > (16384u >> last) || !(c->mlp_ratio > 0.0f && c->mlp_ratio <= 64.0f) ||
        (float)c->dim * c->mlp_ratio < 1.0f || c->classes > 1000000)
        return sct_fail(err, SCT_EUSAGE,
                        "model %s: expected dim at most %u, mlp_ratio at most 64 and at least "
                        "one hidden channel, at most 1000000 classes",
                        c->name, 16384u >> last);
    return SCT_OK;
}

/* The frames of all stages and the number of all blocks. */
static sct_status lay_out(const struct sct_model_config *c, struct frame *f, uint32_t *all,
                          sct_error *err)
{
    uint32_t grid = c->image / c->patch, promised = grid;
    *all = 0;
    for (uint32_t s = 0; s < SCT_STAGES; s++) {
        if (s) {
            grid = (grid + 1) / 2;
            promised /= 2;
        }
        f[s] = frame_of(grid, promised, c->window);
        SCT_TRY(check_stage(c, s, &f[s], err));
        *all += c->stage_depth[s];
    }
    return SCT_OK;
}

sct_status sct_swin_build(struct sct_model **out, const struct sct_model_config *cfg,
                          struct sct_weights *w, const struct sct_build_opts *opts,
                          sct_error *err)
{
    struct frame f[SCT_STAGES];
    struct sct_build c;
    uint32_t all, nth = 0;
    *out = NULL;
    SCT_TRY(check(cfg, err));
    SCT_TRY(lay_out(cfg, f, &all, err));
    SCT_TRY(sct_build_begin(&c, cfg, w, opts, err));
    c.grid_h = c.grid_w = f[0].grid;
    sct_val x = embed(&c);
    for (uint32_t s = 0; s < SCT_STAGES; s++) {
        c.stage = s;
        c.grid_h = c.grid_w = f[s].grid;
        if (s)
            x = merge(&c, x, s, f[s - 1].grid);
        for (uint32_t i = 0; i < cfg->stage_depth[s] && c.rc == SCT_OK; i++)
            x = block(&c, x, &f[s], s, i, nth++, all);
    }
    const uint32_t wide = cfg->dim << (SCT_STAGES - 1);
    x = pool(&c, x, wide);
    sct_build_head(&c, x, wide, opts->keep_head);
    return sct_build_end(&c, out);
}
