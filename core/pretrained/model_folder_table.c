/* SPDX-License-Identifier: MIT
 * model_folder_table.c - keys of config.json, types of models, activations: data only. */
#include "core/pretrained/model_folder_impl.h"

#include <string.h>

#define BIT(X) (1u << SCT_BY_##X)

enum {
    DINOS = BIT(DINO) | BIT(DINO_REG),
    VITS = BIT(VIT) | BIT(DEIT) | DINOS | BIT(CLIP),
    HUB = VITS | BIT(SWIN),
    TIMM = BIT(TIMM_VIT) | BIT(TIMM_SWIN)
};

/* clang-format off: a table */
const struct sct_told_row sct_told_rows[] = {
    /* transformers */
    {"hidden_size", "dim", SCT_TOLD_SAME, VITS, 0},
    {"num_hidden_layers", "depth", SCT_TOLD_SAME, VITS, 0},
    {"num_attention_heads", "heads", SCT_TOLD_SAME, VITS, 0},
    {"intermediate_size", "mlp", SCT_TOLD_SAME, BIT(VIT) | BIT(DEIT) | BIT(CLIP), 0},
    {"mlp_ratio", "mlp", SCT_TOLD_RATIO, DINOS, 0},
    {"qkv_bias", "no_qkv_bias", SCT_TOLD_NOT, BIT(VIT) | BIT(DEIT) | DINOS | BIT(SWIN), 0},
    {"num_register_tokens", "reg_tokens", SCT_TOLD_SAME, BIT(DINO_REG), 0},
    {"use_swiglu_ffn", NULL, SCT_TOLD_MUST, DINOS, 0},
    {"embed_dim", "dim", SCT_TOLD_SAME, BIT(SWIN), 0},
    {"depths", "depths", SCT_TOLD_SAME, BIT(SWIN), 0},
    {"num_heads", "heads", SCT_TOLD_SAME, BIT(SWIN), 0},
    {"window_size", "window", SCT_TOLD_SAME, BIT(SWIN), 0},
    {"mlp_ratio", "mlp_ratio", SCT_TOLD_SAME, BIT(SWIN), 0},
    {"use_absolute_embeddings", NULL, SCT_TOLD_MUST, BIT(SWIN), 0},
    {"image_size", "image_size", SCT_TOLD_SAME, HUB, 0},
    {"patch_size", "patch_size", SCT_TOLD_SAME, HUB | TIMM, 0},
    {"num_channels", NULL, SCT_TOLD_MUST, HUB, 3},
    {"layer_norm_eps", "eps", SCT_TOLD_SAME, HUB, 0},
    {"hidden_act", "gelu", SCT_TOLD_ACT, HUB, 0},
    /* arguments of timm's classes */
    {"img_size", "image_size", SCT_TOLD_SAME, TIMM, 0},
    {"in_chans", NULL, SCT_TOLD_MUST, TIMM, 3},
    {"embed_dim", "dim", SCT_TOLD_SAME, TIMM, 0},
    {"depth", "depth", SCT_TOLD_SAME, BIT(TIMM_VIT), 0},
    {"num_heads", "heads", SCT_TOLD_SAME, TIMM, 0},
    {"depths", "depths", SCT_TOLD_SAME, BIT(TIMM_SWIN), 0},
    {"window_size", "window", SCT_TOLD_SAME, BIT(TIMM_SWIN), 0},
    {"mlp_ratio", "mlp", SCT_TOLD_RATIO, BIT(TIMM_VIT), 0},
    {"mlp_ratio", "mlp_ratio", SCT_TOLD_SAME, BIT(TIMM_SWIN), 0},
    {"qkv_bias", "no_qkv_bias", SCT_TOLD_NOT, BIT(TIMM_VIT), 0},
    {"qkv_bias", NULL, SCT_TOLD_MUST, BIT(TIMM_SWIN), 1},
    {"qk_norm", "qk_norm", SCT_TOLD_SAME, BIT(TIMM_VIT), 0},
    {"init_values", "layer_scale", SCT_TOLD_SET, BIT(TIMM_VIT), 0},
    {"class_token", "class_token", SCT_TOLD_SAME, BIT(TIMM_VIT), 0},
    {"no_embed_class", "no_embed_class", SCT_TOLD_SAME, BIT(TIMM_VIT), 0},
    {"reg_tokens", "reg_tokens", SCT_TOLD_SAME, BIT(TIMM_VIT), 0},
    {"pre_norm", "pre_norm", SCT_TOLD_SAME, BIT(TIMM_VIT), 0},
    {"fc_norm", "fc_norm", SCT_TOLD_SAME, BIT(TIMM_VIT), 0},
    {"global_pool", "pool", SCT_TOLD_SAME, BIT(TIMM_VIT), 0},
    {"global_pool", NULL, SCT_TOLD_VOID, BIT(TIMM_SWIN), 0},
    {"act_layer", "gelu", SCT_TOLD_ACT, TIMM, 0},
    {"num_classes", NULL, SCT_TOLD_VOID, TIMM, 0},
    {"drop_rate", NULL, SCT_TOLD_VOID, TIMM, 0},
    {"drop_path_rate", NULL, SCT_TOLD_VOID, TIMM, 0},
    {"attn_drop_rate", NULL, SCT_TOLD_VOID, TIMM, 0},
    {"proj_drop_rate", NULL, SCT_TOLD_VOID, TIMM, 0},
    {"pos_drop_rate", NULL, SCT_TOLD_VOID, TIMM, 0},
    {"patch_drop_rate", NULL, SCT_TOLD_VOID, TIMM, 0},
    {"weight_init", NULL, SCT_TOLD_VOID, TIMM, 0},
    {"dynamic_img_size", NULL, SCT_TOLD_VOID, TIMM, 0},
    {"dynamic_img_pad", NULL, SCT_TOLD_VOID, TIMM, 0},
    {"strict_img_size", NULL, SCT_TOLD_VOID, TIMM, 0},
    {NULL, NULL, SCT_TOLD_VOID, 0, 0},
};

#define USUAL "\"num_channels\": 3, \"hidden_act\": \"gelu\", "

const struct sct_model_type sct_model_types[] = {
    {"vit", NULL,
     "{" USUAL "\"image_size\": 224, \"num_attention_heads\": 12, "
     "\"layer_norm_eps\": 1e-12}",
     SCT_ARCH_VIT, SCT_BY_VIT},
    {"deit", NULL,
     "{" USUAL "\"image_size\": 224, \"num_attention_heads\": 12, "
     "\"layer_norm_eps\": 1e-12}",
     SCT_ARCH_VIT, SCT_BY_DEIT},
    {"swin", NULL,
     "{" USUAL "\"image_size\": 224, \"window_size\": 7, "
     "\"layer_norm_eps\": 1e-5}",
     SCT_ARCH_SWIN, SCT_BY_SWIN},
    {"dinov2", NULL,
     "{" USUAL "\"image_size\": 224, \"num_attention_heads\": 12, "
     "\"layer_norm_eps\": 1e-6}",
     SCT_ARCH_VIT, SCT_BY_DINO},
    {"dinov2_with_registers", NULL,
     "{" USUAL "\"image_size\": 224, "
     "\"num_attention_heads\": 12, \"layer_norm_eps\": 1e-6}",
     SCT_ARCH_VIT, SCT_BY_DINO_REG},
    {"clip_vision_model", NULL,
     "{\"num_channels\": 3, \"hidden_act\": \"quick_gelu\", "
     "\"image_size\": 224, \"num_attention_heads\": 12, \"layer_norm_eps\": 1e-5}",
     SCT_ARCH_VIT, SCT_BY_CLIP},
    {"clip", "vision_config",
     "{\"num_channels\": 3, \"hidden_act\": \"quick_gelu\", "
     "\"image_size\": 224, \"num_attention_heads\": 12, \"layer_norm_eps\": 1e-5}",
     SCT_ARCH_VIT, SCT_BY_CLIP},
    {NULL, NULL, NULL, 0, 0},
};

static const struct {
    const char *name;
    enum sct_gelu gelu;
} acts[] = {
    {"gelu", SCT_GELU_ERF},
    {"gelu_python", SCT_GELU_ERF},
    {"gelu_new", SCT_GELU_TANH},
    {"gelu_fast", SCT_GELU_TANH},
    {"gelu_pytorch_tanh", SCT_GELU_TANH},
    {"gelu_tanh", SCT_GELU_TANH},
    {"quick_gelu", SCT_GELU_QUICK},
};

/* clang-format on */

bool sct_told_gelu(const char *name, uint32_t *gelu)
{
    for (size_t i = 0; i < sizeof acts / sizeof acts[0]; i++)
        if (strcmp(acts[i].name, name) == 0) {
            *gelu = acts[i].gelu;
            return true;
        }
    return false;
}
