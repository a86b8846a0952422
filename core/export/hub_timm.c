/* SPDX-License-Identifier: MIT
 * hub_timm.c - config.json of timm's "local-dir:" folders.
 * timm merges nothing with the defaults of an architecture here, so everything is said:
 * model_args are the arguments of VisionTransformer or
 * SwinTransformer, pretrained_cfg the preprocessing. */
#include <math.h>
#include <string.h>

#include "core/base/status.h"
#include "core/export/hub.h"
#include "core/model/build.h"

static const float plain_eps = 1e-6f, clip_eps = 1e-5f;

/* A function of timm whose arguments can make any model that passed check(). The eps of the
 * norms is no argument that JSON can hold, so it comes with the function. */
static const char *architecture(const struct sct_export *x)
{
    const struct sct_model_config *c = &x->plain->cfg;
    if (x->timm_name)
        return c->name;
    if (c->arch == SCT_ARCH_SWIN)
        return "swin_tiny_patch4_window7_224";
    if (c->distilled)
        return "deit_base_distilled_patch16_224";
    return c->eps == clip_eps ? "vit_base_patch16_clip_224" : "vit_base_patch16_224";
}

static sct_status check_eps(const struct sct_export *x, sct_error *err)
{
    const struct sct_model_config *c = &x->plain->cfg;
    const bool six = c->arch == SCT_ARCH_VIT, five = c->arch == SCT_ARCH_SWIN || !c->distilled;
    if (x->timm_name || (six && c->eps == plain_eps) || (five && c->eps == clip_eps))
        return SCT_OK;
    return sct_fail(
        err, SCT_EUSAGE,
        "timm's config.json cannot say eps %g, only %s%s%s; --format hf4 or onnx can",
        (double)c->eps, six ? "1e-6" : "", six && five ? " and " : "", five ? "1e-5" : "");
}

static sct_status check(const struct sct_export *x, sct_error *err)
{
    const struct sct_model_config *c = &x->plain->cfg;
    struct sct_hub_steps steps;
    SCT_TRY(sct_hub_steps(x->pre, &steps, err));
    SCT_TRY(check_eps(x, err));
    if (c->arch == SCT_ARCH_SWIN && c->gelu != SCT_GELU_ERF)
        return sct_fail(err, SCT_EUSAGE,
                        "timm's Swin has no gelu: %s; --format hf4 or onnx does it",
                        c->gelu == SCT_GELU_TANH ? "tanh" : "quick");
    if (c->pool == SCT_POOL_TOKEN_AVG)
        return sct_fail(err, SCT_EUSAGE, "timm has no pool: token_avg; --format onnx does it");
    if (c->no_patch_bias != c->pre_norm)
        return sct_fail(err, SCT_EUSAGE,
                        "timm's patches have a bias exactly when there is no norm in front of "
                        "the blocks (no_patch_bias %s, pre_norm %s); --format onnx does it",
                        c->no_patch_bias ? "true" : "false", c->pre_norm ? "true" : "false");
    if (c->distilled && (c->reg_tokens || c->no_embed_class))
        return sct_fail(err, SCT_EUSAGE,
                        "timm's distilled models have no %s; --format onnx does it",
                        c->reg_tokens ? "registers" : "no_embed_class");
    return SCT_OK;
}

/* timm takes int(dim * ratio). */
static double mlp_ratio(const struct sct_model_config *c)
{
    const double ratio = (double)c->mlp / c->dim;
    return floor(c->dim * ratio) == c->mlp ? ratio : (c->mlp + 0.5) / c->dim;
}

static json_t *vit_args(const struct sct_model_config *c)
{
    /* The initial value of layer scale; that there is one is what matters. */
    json_t *scale = c->layer_scale ? json_real(1e-5) : json_null();
    return json_pack(
        "{s:i, s:i, s:i, s:i, s:i, s:f, s:b, s:b, s:o, s:b, s:b, s:i, s:b, s:b, s:s, s:s}",
        "img_size", (int)c->image, "patch_size", (int)c->patch, "embed_dim", (int)c->dim,
        "depth", (int)c->depth, "num_heads", (int)c->heads, "mlp_ratio", mlp_ratio(c),
        "qkv_bias", (int)!c->no_qkv_bias, "qk_norm", (int)c->qk_norm, "init_values", scale,
        "class_token", (int)c->class_token, "no_embed_class", (int)c->no_embed_class,
        "reg_tokens", (int)c->reg_tokens, "pre_norm", (int)c->pre_norm, "fc_norm",
        (int)c->fc_norm, "global_pool", c->pool == SCT_POOL_AVG ? "avg" : "token", "act_layer",
        sct_hub_gelu(c->gelu, true));
}

static json_t *swin_args(const struct sct_model_config *c)
{
    const uint32_t *d = c->stage_depth, *h = c->stage_heads;
    return json_pack("{s:i, s:i, s:i, s:[i, i, i, i], s:[i, i, i, i], s:i, s:f}", "img_size",
                     (int)c->image, "patch_size", (int)c->patch, "embed_dim", (int)c->dim,
                     "depths", (int)d[0], (int)d[1], (int)d[2], (int)d[3], "num_heads",
                     (int)h[0], (int)h[1], (int)h[2], (int)h[3], "window_size", (int)c->window,
                     "mlp_ratio", (double)c->mlp_ratio);
}

static json_t *pretrained_cfg(const struct sct_export *x)
{
    const struct sct_model_config *c = &x->plain->cfg;
    const struct sct_preprocess *p = x->pre;
    struct sct_hub_steps s;
    if (sct_hub_steps(p, &s, NULL) != SCT_OK)
        return NULL; /* check() refused it */
    /* timm takes floor(size / crop_pct); half a pixel more than the side is its middle */
    const double pct = s.side == (uint32_t)floor((double)p->size / p->crop_pct)
                           ? p->crop_pct
                           : (double)p->size / ((double)s.side + 0.5);
    json_t *head = c->distilled ? json_pack("[s, s]", "head", "head_dist")
                                : json_string(sct_arch_at(c->arch)->head);
    /* timm squashes to size / crop_pct and crops the rest away */
    return json_pack(
        "{s:[i, i, i], s:b, s:s, s:f, s:s, s:o, s:o, s:i, s:n, s:s, s:o}", "input_size", 3,
        (int)p->size, (int)p->size, "fixed_input_size", 1, "interpolation", s.filter_name,
        "crop_pct", s.crop ? pct : 1.0, "crop_mode", s.squash ? "squash" : "center", "mean",
        sct_hub_triple(p->mean), "std", sct_hub_triple(p->std), "num_classes", (int)c->classes,
        "pool_size", "first_conv", "patch_embed.proj", "classifier", head);
}

static json_t *config(const struct sct_export *x, uint32_t dtype)
{
    const struct sct_model_config *c = &x->plain->cfg;
    (void)dtype; /* the weight file says it */
    json_t *o = json_pack("{s:s, s:i, s:i, s:s, s:o, s:o}", "architecture", architecture(x),
                          "num_classes", (int)c->classes, "num_features",
                          (int)(c->arch == SCT_ARCH_SWIN ? c->dim << (SCT_STAGES - 1) : c->dim),
                          "global_pool", c->pool == SCT_POOL_AVG ? "avg" : "token",
                          "model_args", c->arch == SCT_ARCH_SWIN ? swin_args(c) : vit_args(c),
                          "pretrained_cfg", pretrained_cfg(x));
    json_t *names = x->class_names ? json_array() : NULL;
    int bad = o ? 0 : -1;
    for (uint32_t i = 0; names && i < c->classes; i++)
        bad |= json_array_append_new(names, json_string(x->class_names[i]));
    if (x->class_names)
        bad |= json_object_set_new(o, "label_names", names);
    if (bad == 0)
        return o;
    json_decref(o);
    return NULL;
}

const struct sct_hub_format sct_hub_timm = {"timm", check, config, NULL};
