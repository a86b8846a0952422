/* SPDX-License-Identifier: MIT
 * hub_hf.c - config.json and preprocessor_config.json of transformers, whose versions 4 and 5
 * read the same ones; the names of the tensors are what hf4 and hf5 differ in.
 * The keys are those that save_pretrained writes, but for the library's own version. */
#include <string.h>

#include "core/base/status.h"
#include "core/checkpoint/safetensors.h"
#include "core/export/hub.h"
#include "core/model/config.h"

/* Keys that ViTForImageClassification has no setting for, and the only value it knows. */
static const struct {
    const char *key;
    uint32_t value;
} fixed[] = {
    {"class_token", 1}, {"pool", SCT_POOL_TOKEN}, {"fc_norm", 0},  {"distilled", 0},
    {"reg_tokens", 0},  {"no_embed_class", 0},    {"pre_norm", 0}, {"layer_scale", 0},
    {"qk_norm", 0},     {"no_patch_bias", 0},
};

static sct_status check_vit(const struct sct_model_config *c, sct_error *err)
{
    for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++) {
        const struct sct_model_key *k = NULL;
        while ((k = sct_model_key_next(k, c->arch)) && strcmp(k->name, fixed[i].key) != 0)
            ;
        if (k &&
            *(const uint32_t *)(const void *)((const char *)c + k->offset) != fixed[i].value)
            return sct_fail(
                err, SCT_EUSAGE,
                "transformers' ViTForImageClassification cannot be told %s of model "
                "%s; --format timm or onnx can",
                k->name, c->name);
    }
    return SCT_OK;
}

/* Where windows do not divide the map, transformers pads before it rolls, timm after; where the
 * map is smaller than the window, transformers keeps a table for the whole window. */
static sct_status check_swin(const struct sct_model_config *c, sct_error *err)
{
    const uint32_t grid = c->image / c->patch;
    for (uint32_t s = 0; s < SCT_STAGES; s++)
        if (grid % (1u << s) || (grid >> s) < c->window || (grid >> s) % c->window)
            return sct_fail(err, SCT_EUSAGE,
                            "transformers' SwinForImageClassification computes something else "
                            "where windows of %u do not divide the map (stage %u of model %s, "
                            "%u x %u); --format timm or onnx does the same",
                            c->window, s, c->name, grid >> s, grid >> s);
    return SCT_OK;
}

static json_t *vit_keys(const struct sct_model_config *c)
{
    return json_pack("{s:i, s:i, s:i, s:i, s:i, s:s, s:i}", "hidden_size", (int)c->dim,
                     "num_hidden_layers", (int)c->depth, "num_attention_heads", (int)c->heads,
                     "intermediate_size", (int)c->mlp, "encoder_stride", (int)c->patch,
                     "pooler_act", "tanh", "pooler_output_size", (int)c->dim);
}

static json_t *swin_keys(const struct sct_model_config *c)
{
    const uint32_t *d = c->stage_depth, *h = c->stage_heads;
    return json_pack("{s:i, s:i, s:[i, i, i, i], s:[i, i, i, i], s:i, s:i, s:f, s:f, s:b, s:i, "
                     "s:[s], s:[i], s:[s, s, s, s, s]}",
                     "embed_dim", (int)c->dim, "hidden_size", (int)(c->dim << (SCT_STAGES - 1)),
                     "depths", (int)d[0], (int)d[1], (int)d[2], (int)d[3], "num_heads",
                     (int)h[0], (int)h[1], (int)h[2], (int)h[3], "num_layers", SCT_STAGES,
                     "window_size", (int)c->window, "mlp_ratio", (double)c->mlp_ratio,
                     "drop_path_rate", (double)c->drop_path, "use_absolute_embeddings", 0,
                     "encoder_stride", (int)c->patch << (SCT_STAGES - 1), "out_features",
                     "stage4", "out_indices", SCT_STAGES, "stage_names", "stem", "stage1",
                     "stage2", "stage3", "stage4");
}

static const struct {
    const char *model, *type;
    sct_status (*check)(const struct sct_model_config *c, sct_error *err);
    json_t *(*keys)(const struct sct_model_config *c);
} archs[SCT_ARCH_COUNT] = {
    [SCT_ARCH_VIT] = {"ViTForImageClassification", "vit", check_vit, vit_keys},
    [SCT_ARCH_SWIN] = {"SwinForImageClassification", "swin", check_swin, swin_keys},
};

static sct_status check(const struct sct_export *x, sct_error *err)
{
    struct sct_hub_steps steps;
    SCT_TRY(sct_hub_steps(x->pre, &steps, err));
    return archs[x->plain->cfg.arch].check(&x->plain->cfg, err);
}

static const char *dtype_name(uint32_t dtype)
{
    return dtype == SCT_ST_F16 ? "float16" : dtype == SCT_ST_BF16 ? "bfloat16" : "float32";
}

/* id2label and label2id; both complete, because without names the number of classes is 2. */
static bool add_labels(json_t *o, const struct sct_export *x)
{
    json_t *names = json_object(), *ids = json_object();
    int bad = 0;
    for (uint32_t i = 0; i < x->plain->cfg.classes; i++) {
        char id[16], name[32];
        (void)snprintf(id, sizeof id, "%u", i);
        (void)snprintf(name, sizeof name, "LABEL_%u", i);
        const char *text = x->class_names ? x->class_names[i] : name;
        bad |= json_object_set_new(names, id, json_string(text));
        bad |= json_object_set_new(ids, text, json_integer(i));
    }
    bad |= json_object_set_new(o, "id2label", names);
    bad |= json_object_set_new(o, "label2id", ids);
    return bad == 0;
}

static json_t *config(const struct sct_export *x, uint32_t dtype)
{
    const struct sct_model_config *c = &x->plain->cfg;
    json_t *own = archs[c->arch].keys(c);
    json_t *o = json_pack(
        "{s:[s], s:s, s:s, s:i, s:i, s:i, s:o, s:b, s:s, s:f, s:f, s:f}", "architectures",
        archs[c->arch].model, "model_type", archs[c->arch].type, "dtype", dtype_name(dtype),
        "image_size", (int)c->image, "patch_size", (int)c->patch, "num_channels", 3,
        "layer_norm_eps", sct_json_f32(c->eps), "qkv_bias", (int)!c->no_qkv_bias, "hidden_act",
        sct_hub_gelu(c->gelu, false), "hidden_dropout_prob", 0.0,
        "attention_probs_dropout_prob", 0.0, "initializer_range", 0.02);
    const bool done = o && own && json_object_update(o, own) == 0 && add_labels(o, x);
    json_decref(own);
    if (done)
        return o;
    json_decref(o);
    return NULL;
}

/* ViTImageProcessor squashes; CLIPImageProcessor sets the short side and crops the centre. */
static json_t *preprocessor(const struct sct_export *x)
{
    static const int pillow[] = {[SCT_FILTER_BOX] = 4,
                                 [SCT_FILTER_BILINEAR] = 2,
                                 [SCT_FILTER_HAMMING] = 5,
                                 [SCT_FILTER_BICUBIC] = 3,
                                 [SCT_FILTER_LANCZOS] = 1};
    const struct sct_preprocess *p = x->pre;
    struct sct_hub_steps s;
    if (sct_hub_steps(p, &s, NULL) != SCT_OK)
        return NULL; /* check() refused it */
    const bool crop = s.crop;
    const int size = (int)p->size;
    json_t *o =
        json_pack("{s:s, s:b, s:b, s:i, s:b, s:f, s:b, s:o, s:o}", "image_processor_type",
                  crop ? "CLIPImageProcessor" : "ViTImageProcessor", "do_convert_rgb", 1,
                  "do_resize", 1, "resample", pillow[s.filter], "do_rescale", 1,
                  "rescale_factor", 1.0 / 255.0, "do_normalize", 1, "image_mean",
                  sct_hub_triple(p->mean), "image_std", sct_hub_triple(p->std));
    json_t *square = json_pack("{s:i, s:i}", "height", size, "width", size);
    int bad = json_object_set_new(o, "do_center_crop", json_boolean(crop));
    bad |= json_object_set_new(o, crop ? "crop_size" : "size", square);
    if (crop)
        bad |= json_object_set_new(
            o, "size",
            s.squash ? json_pack("{s:i, s:i}", "height", (int)s.side, "width", (int)s.side)
                     : json_pack("{s:i}", "shortest_edge", (int)s.side));
    if (bad == 0)
        return o;
    json_decref(o);
    return NULL;
}

const struct sct_hub_format sct_hub_hf4 = {"hf4", check, config, preprocessor};
const struct sct_hub_format sct_hub_hf5 = {"hf5", check, config, preprocessor};
