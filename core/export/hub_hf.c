/* SPDX-License-Identifier: MIT
 * hub_hf.c - config.json and preprocessor_config.json of transformers, whose versions 4 and 5
 * read the same ones; the names of the tensors are what hf4 and hf5 differ in.
 * The keys are those that save_pretrained writes, but for the library's own version. */
#include <math.h>
#include <string.h>

#include "core/base/status.h"
#include "core/export/hub.h"
#include "core/io/safetensors.h"
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

static sct_status check(const struct sct_export *x, sct_error *err)
{
    const struct sct_model_config *c = &x->plain->cfg;
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
    json_t *o = json_pack(
        "{s:[s], s:s, s:s, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:o, s:b, s:s, s:f, s:f, s:i, "
        "s:f, s:s, s:i}",
        "architectures", "ViTForImageClassification", "model_type", "vit", "dtype",
        dtype_name(dtype), "image_size", (int)c->image, "patch_size", (int)c->patch,
        "num_channels", 3, "hidden_size", (int)c->dim, "num_hidden_layers", (int)c->depth,
        "num_attention_heads", (int)c->heads, "intermediate_size", (int)c->mlp,
        "layer_norm_eps", sct_json_f32(c->eps), "qkv_bias", (int)!c->no_qkv_bias, "hidden_act",
        c->gelu == SCT_GELU_TANH ? "gelu_pytorch_tanh" : "gelu", "hidden_dropout_prob", 0.0,
        "attention_probs_dropout_prob", 0.0, "encoder_stride", (int)c->patch,
        "initializer_range", 0.02, "pooler_act", "tanh", "pooler_output_size", (int)c->dim);
    if (o && add_labels(o, x))
        return o;
    json_decref(o);
    return NULL;
}

/* ViTImageProcessor squashes; CLIPImageProcessor sets the short side and crops the centre. */
static json_t *preprocessor(const struct sct_export *x)
{
    enum { BILINEAR = 2, BICUBIC = 3 }; /* of Pillow */

    const struct sct_preprocess *p = x->pre;
    const bool crop = p->mode == SCT_RESIZE_CROP_BICUBIC || p->mode == SCT_RESIZE_CROP_BILINEAR;
    const bool bicubic =
        p->mode == SCT_RESIZE_SQUASH_BICUBIC || p->mode == SCT_RESIZE_CROP_BICUBIC;
    const int size = (int)p->size;
    json_t *o =
        json_pack("{s:s, s:b, s:b, s:i, s:b, s:f, s:b, s:o, s:o}", "image_processor_type",
                  crop ? "CLIPImageProcessor" : "ViTImageProcessor", "do_convert_rgb", 1,
                  "do_resize", 1, "resample", bicubic ? BICUBIC : BILINEAR, "do_rescale", 1,
                  "rescale_factor", 1.0 / 255.0, "do_normalize", 1, "image_mean",
                  sct_hub_triple(p->mean), "image_std", sct_hub_triple(p->std));
    json_t *square = json_pack("{s:i, s:i}", "height", size, "width", size);
    int bad = json_object_set_new(o, "do_center_crop", json_boolean(crop));
    bad |= json_object_set_new(o, crop ? "crop_size" : "size", square);
    if (crop)
        bad |= json_object_set_new(
            o, "size",
            json_pack("{s:i}", "shortest_edge", (int)floor((double)p->size / p->crop_pct)));
    if (bad == 0)
        return o;
    json_decref(o);
    return NULL;
}

const struct sct_hub_format sct_hub_hf4 = {"hf4", check, config, preprocessor};
const struct sct_hub_format sct_hub_hf5 = {"hf5", check, config, preprocessor};
