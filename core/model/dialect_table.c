/* SPDX-License-Identifier: MIT
 * dialect_table.c - canonical names, dialects, wrappers, what is left out: data only.
 *
 * Sources: timm 1.0 (vision_transformer.py, swin_transformer.py and their checkpoint filters),
 * transformers 4.57 and 5.23 (state dicts of ViT and Swin), the conversion of Flax files in
 * timm, Microsoft's Swin, MAE, MoCo v3 and DINO releases. docs/models.md lists what is read.
 * The language of the patterns is that of name_pattern.h, of the layouts that of layout.h. */
#include "core/model/dialect.h"

#include <string.h>

#include <sctrun/op_params.h>

#define WB "(weight|bias)"
#define SB "(scale|bias)"

/* ---- canonical names: timm's ---- */

static const struct sct_canon_name vit_names[] = {
    {"cls_token", NULL, SCT_CANON_MAY},
    {"dist_token", NULL, SCT_CANON_MAY},
    {"reg_token", NULL, SCT_CANON_MAY},
    {"pos_embed", NULL, SCT_CANON_ONCE},
    {"patch_embed.proj.weight", NULL, SCT_CANON_ONCE},
    {"patch_embed.proj.bias", NULL, SCT_CANON_MAY},
    {"norm_pre." WB, NULL, SCT_CANON_MAY},
    {"blocks.#.norm1." WB, NULL, SCT_CANON_BLOCK},
    {"blocks.#.attn.qkv.weight", NULL, SCT_CANON_BLOCK},
    {"blocks.#.attn.qkv.bias", NULL, SCT_CANON_ALIKE},
    {"blocks.#.attn.(q_norm|k_norm)." WB, NULL, SCT_CANON_ALIKE},
    {"blocks.#.attn.proj." WB, NULL, SCT_CANON_BLOCK},
    {"blocks.#.(ls1|ls2).gamma", NULL, SCT_CANON_ALIKE},
    {"blocks.#.norm2." WB, NULL, SCT_CANON_BLOCK},
    {"blocks.#.mlp.fc1." WB, NULL, SCT_CANON_BLOCK},
    {"blocks.#.mlp.fc2." WB, NULL, SCT_CANON_BLOCK},
    {"norm." WB, NULL, SCT_CANON_MAY},
    {"fc_norm." WB, NULL, SCT_CANON_MAY},
    {"head." WB, NULL, SCT_CANON_MAY},
    {"head_dist." WB, NULL, SCT_CANON_MAY},
    {"attn_pool.*", "attention pooling", SCT_CANON_MAY},
    {"blocks.#.attn.norm." WB, "scale norms", SCT_CANON_MAY},
    {"blocks.#.mlp.norm." WB, "scale norms", SCT_CANON_MAY},
    {"blocks.#.mlp.(w12|w3|fc1_g|fc1_x)." WB, "SwiGLU", SCT_CANON_MAY},
    {NULL, NULL, 0},
};

static const struct sct_canon_name swin_names[] = {
    {"patch_embed.proj." WB, NULL, SCT_CANON_ONCE},
    {"patch_embed.norm." WB, NULL, SCT_CANON_ONCE},
    {"layers.#.blocks.#.norm1." WB, NULL, SCT_CANON_BLOCK},
    {"layers.#.blocks.#.attn.relative_position_bias_table", NULL, SCT_CANON_BLOCK},
    {"layers.#.blocks.#.attn.qkv." WB, NULL, SCT_CANON_BLOCK},
    {"layers.#.blocks.#.attn.proj." WB, NULL, SCT_CANON_BLOCK},
    {"layers.#.blocks.#.norm2." WB, NULL, SCT_CANON_BLOCK},
    {"layers.#.blocks.#.mlp.fc1." WB, NULL, SCT_CANON_BLOCK},
    {"layers.#.blocks.#.mlp.fc2." WB, NULL, SCT_CANON_BLOCK},
    {"layers.#.downsample.norm." WB, NULL, SCT_CANON_LATER},
    {"layers.#.downsample.reduction.weight", NULL, SCT_CANON_LATER},
    {"norm." WB, NULL, SCT_CANON_ONCE},
    {"head.fc." WB, NULL, SCT_CANON_MAY},
    {"absolute_pos_embed", "an absolute position embedding", SCT_CANON_MAY},
    {NULL, NULL, 0},
};

const struct sct_canon_name *const sct_canon_names[SCT_ARCH_COUNT] = {
    [SCT_ARCH_VIT] = vit_names,
    [SCT_ARCH_SWIN] = swin_names,
};

/* ---- what is left out ---- */

#define PRETEXT_HEAD "the projection head of its pre-training"
#define MAE_DECODER  "the decoder of its pre-training"
#define BUFFER       "a buffer that follows from the architecture"

const struct sct_dialect_ignore sct_dialect_training[] = {
    {"optimizer*", "state of the optimiser", false},
    {"opt/state/*", "state of the optimiser", false},
    {"lr_scheduler.*", "state of the schedule", false},
    {"scheduler.*", "state of the schedule", false},
    {"scaler.*", "state of loss scaling", false},
    {"amp_scaler.*", "state of loss scaling", false},
    {"amp.*", "state of loss scaling", false},
    {"criterion.*", "state of the loss", false},
    {"dino_loss.*", "state of the loss", false},
    {"callbacks.*", "state of the training loop", false},
    {"loops.*", "state of the training loop", false},
    {"rng_state*", "state of random numbers", false},
    {"momentum_encoder.*", "the momentum encoder of its pre-training", false},
    {"target_encoder.*", "the momentum encoder of its pre-training", false},
    {"predictor.*", "the predictor of its pre-training", false},
    {"decoder.*", MAE_DECODER, false},
    {"mask_token", MAE_DECODER, false},
    {NULL, NULL, false},
};

static const struct sct_dialect_ignore vit_ignore[] = {
    {"pre_logits.*", "the layer in front of the head, which timm dropped", true},
    {"decoder_*", MAE_DECODER, false},
    {"head.#.*", PRETEXT_HEAD, false},
    {"head.(mlp|last_layer)*", PRETEXT_HEAD, false},
    {NULL, NULL, false},
};

static const struct sct_dialect_ignore swin_ignore[] = {
    {"layers.#.blocks.#.attn.relative_position_index", BUFFER, false},
    {"layers.#.blocks.#.attn_mask", BUFFER, false},
    {NULL, NULL, false},
};

static const struct sct_dialect_ignore hf_vit_ignore[] = {
    {"[vit.]pooler.*", "the pooler, which the classifier does not use", false},
    {"[vit.]embeddings.mask_token", MAE_DECODER, false},
    {NULL, NULL, false},
};

static const struct sct_dialect_ignore hf_deit_ignore[] = {
    {"[deit.]pooler.*", "the pooler, which the classifier does not use", false},
    {"[deit.]embeddings.mask_token", MAE_DECODER, false},
    {NULL, NULL, false},
};

static const struct sct_dialect_ignore hf_dino_ignore[] = {
    {"[dinov2.]embeddings.mask_token", "the mask of its pre-training", false},
    {"[dinov2_with_registers.]embeddings.mask_token", "the mask of its pre-training", false},
    {NULL, NULL, false},
};

static const struct sct_dialect_ignore hf_clip_ignore[] = {
    {"[vision_model.]embeddings.position_ids", BUFFER, false},
    {"text_model.*", "the text tower", false},
    {"(text_projection|visual_projection).weight", "the projection to the common space", false},
    {"logit_scale", "the scale of the common space", false},
    {"classifier.*", "a head of the patches' mean without a norm, which is not built", false},
    {NULL, NULL, false},
};

static const struct sct_dialect_ignore hf_swin_ignore[] = {
    {"[swin.]encoder.layers.#.blocks.#.attention.self.relative_position_index", BUFFER, false},
    {"[swin.]encoder.layers.#.blocks.#.attention.relative_position_bias."
     "relative_position_index",
     BUFFER, false},
    {"[swin.]embeddings.mask_token", MAE_DECODER, false},
    {NULL, NULL, false},
};

static const struct sct_dialect_ignore flax_ignore[] = {
    {"pre_logits/*", "the layer in front of the head, which timm dropped", true},
    {NULL, NULL, false},
};

/* ---- rules ---- */

#define COPY(CANON, SOURCE)                                                                    \
    {                                                                                          \
        CANON, SOURCE, NULL, false                                                             \
    }
#define LAID(CANON, SOURCE, LAYOUT)                                                            \
    {                                                                                          \
        CANON, SOURCE, LAYOUT, false                                                           \
    }
#define ALIAS(CANON, SOURCE)                                                                   \
    {                                                                                          \
        CANON, SOURCE, NULL, true                                                              \
    }
#define END                                                                                    \
    {                                                                                          \
        NULL, NULL, NULL, false                                                                \
    }

/* Names of raw DeiT III, BEiT and DINOv2 files; timm renames them in the same way. */
static const struct sct_dialect_rule timm_vit[] = {
    ALIAS("blocks.#.ls1.gamma", "blocks.#.gamma_1"),
    ALIAS("blocks.#.ls2.gamma", "blocks.#.gamma_2"),
    ALIAS("reg_token", "register_tokens"),
    END,
};

static const struct sct_dialect_rule split_vit[] = {
    COPY("blocks.#.attn.qkv." WB, "blocks.#.attn.<q|k|v>." WB),
    END,
};

/* P: what may stand in front, as "[vit.]". */
#define HF_ENDS(P)                                                                             \
    COPY("cls_token", P "embeddings.cls_token"),                                               \
        COPY("pos_embed", P "embeddings.position_embeddings"),                                 \
        COPY("patch_embed.proj." WB, P "embeddings.patch_embeddings.projection." WB),          \
        COPY("norm." WB, P "layernorm." WB)
#define HF4_ATTN(B)                                                                            \
    COPY("blocks.#.attn.qkv." WB, B "attention.attention.<query|key|value>." WB),              \
        COPY("blocks.#.attn.proj." WB, B "attention.output.dense." WB)
#define HF5_ATTN(B)                                                                            \
    COPY("blocks.#.attn.qkv." WB, B "attention.<q_proj|k_proj|v_proj>." WB),                   \
        COPY("blocks.#.attn.proj." WB, B "attention.o_proj." WB)
#define HF_NORMS(B)                                                                            \
    COPY("blocks.#.norm1." WB, B "layernorm_before." WB),                                      \
        COPY("blocks.#.norm2." WB, B "layernorm_after." WB)
#define HF_MLP(B) COPY("blocks.#.mlp.(fc1|fc2)." WB, B "mlp.(fc1|fc2)." WB)
#define HF4_VIT(P)                                                                             \
    HF_ENDS(P), HF_NORMS(P "encoder.layer.#."), HF4_ATTN(P "encoder.layer.#."),                \
        COPY("blocks.#.mlp.fc1." WB, P "encoder.layer.#.intermediate.dense." WB),              \
        COPY("blocks.#.mlp.fc2." WB, P "encoder.layer.#.output.dense." WB)
#define HF5_VIT(P)                                                                             \
    HF_ENDS(P), HF_NORMS(P "layers.#."), HF5_ATTN(P "layers.#."), HF_MLP(P "layers.#.")
#define HF_HEAD COPY("head." WB, "classifier." WB)

static const struct sct_dialect_rule hf4_vit[] = {HF4_VIT("[vit.]"), HF_HEAD, END};
static const struct sct_dialect_rule hf5_vit[] = {HF5_VIT("[vit.]"), HF_HEAD, END};

/* DeiTForImageClassificationWithTeacher averages two heads, as timm does. The one of
 * DeiTForImageClassification sees the class token only: the other token is a register then. */
#define HF_TEACHER                                                                             \
    COPY("dist_token", "[deit.]embeddings.distillation_token"),                                \
        COPY("head." WB, "cls_classifier." WB),                                                \
        COPY("head_dist." WB, "distillation_classifier." WB)
#define HF_STUDENT COPY("reg_token", "[deit.]embeddings.distillation_token"), HF_HEAD

static const struct sct_dialect_rule hf4_deit[] = {HF4_VIT("[deit.]"), HF_TEACHER, END};
static const struct sct_dialect_rule hf5_deit[] = {HF5_VIT("[deit.]"), HF_TEACHER, END};
static const struct sct_dialect_rule hf4_deit_class[] = {HF4_VIT("[deit.]"), HF_STUDENT, END};
static const struct sct_dialect_rule hf5_deit_class[] = {HF5_VIT("[deit.]"), HF_STUDENT, END};

#define HF_DINO(P)                                                                             \
    HF_ENDS(P), COPY("blocks.#.(norm1|norm2)." WB, P "encoder.layer.#.(norm1|norm2)." WB),     \
        COPY("blocks.#.(ls1|ls2).gamma",                                                       \
             P "encoder.layer.#.(layer_scale1|layer_scale2).lambda1"),                         \
        HF_MLP(P "encoder.layer.#."), HF_HEAD,                                                 \
        COPY("blocks.#.mlp.(w12|w3)." WB,                                                      \
             P "encoder.layer.#.mlp.(weights_in|weights_out)." WB)
#define HF_DINO_REG(P) HF_DINO(P), COPY("reg_token", P "embeddings.register_tokens")
#define DINO           "[dinov2.]"
#define DINO_REG       "[dinov2_with_registers.]"

static const struct sct_dialect_rule hf4_dino[] = {HF_DINO(DINO),
                                                   HF4_ATTN(DINO "encoder.layer.#."), END};
static const struct sct_dialect_rule hf5_dino[] = {HF_DINO(DINO),
                                                   HF5_ATTN(DINO "encoder.layer.#."), END};
static const struct sct_dialect_rule hf4_dino_reg[] = {
    HF_DINO_REG(DINO_REG), HF4_ATTN(DINO_REG "encoder.layer.#."), END};
static const struct sct_dialect_rule hf5_dino_reg[] = {
    HF_DINO_REG(DINO_REG), HF5_ATTN(DINO_REG "encoder.layer.#."), END};

/* Class token and positions lack timm's axes of 1. */
#define CLIP "[vision_model.]"
static const struct sct_dialect_rule hf_clip[] = {
    LAID("cls_token", CLIP "embeddings.class_embedding", "d>11d"),
    LAID("pos_embed", CLIP "embeddings.position_embedding.weight", "nd>1nd"),
    COPY("patch_embed.proj." WB, CLIP "embeddings.patch_embedding." WB),
    COPY("norm_pre." WB, CLIP "pre_layrnorm." WB), /* sic */
    COPY("norm." WB, CLIP "post_layernorm." WB),
    COPY("blocks.#.norm1." WB, CLIP "encoder.layers.#.layer_norm1." WB),
    COPY("blocks.#.norm2." WB, CLIP "encoder.layers.#.layer_norm2." WB),
    COPY("blocks.#.attn.qkv." WB, CLIP "encoder.layers.#.self_attn.<q_proj|k_proj|v_proj>." WB),
    COPY("blocks.#.attn.proj." WB, CLIP "encoder.layers.#.self_attn.out_proj." WB),
    HF_MLP(CLIP "encoder.layers.#."),
    END,
};

/* Flax keeps kernels as (in, out), those of attention with heads h apart. */
#define FLAX_ENDS(POS)                                                                         \
    COPY("cls_token", "cls"), COPY("pos_embed", POS),                                          \
        LAID("patch_embed.proj.weight", "embedding/kernel", "hwio>oihw"),                      \
        COPY("patch_embed.proj.bias", "embedding/bias"),                                       \
        COPY("norm." WB, "Transformer/encoder_norm/" SB),                                      \
        LAID("head.weight", "head/kernel", "io>oi"), COPY("head.bias", "head/bias")
#define FLAX_BLOCK(B, MHA, LN2, MLP, L)                                                        \
    LAID("blocks.#.norm1." WB, B "LayerNorm_0/" SB, L "d>d"),                                  \
        LAID("blocks.#.attn.qkv.weight", B MHA "<query|key|value>/kernel", L "dhk>(hk)d"),     \
        LAID("blocks.#.attn.qkv.bias", B MHA "<query|key|value>/bias", L "hk>(hk)"),           \
        LAID("blocks.#.attn.proj.weight", B MHA "out/kernel", L "hkd>d(hk)"),                  \
        LAID("blocks.#.attn.proj.bias", B MHA "out/bias", L "d>d"),                            \
        LAID("blocks.#.norm2." WB, B LN2 SB, L "d>d"),                                         \
        LAID("blocks.#.mlp.(fc1|fc2).weight", B MLP "(Dense_0|Dense_1)/kernel", L "io>oi"),    \
        LAID("blocks.#.mlp.(fc1|fc2).bias", B MLP "(Dense_0|Dense_1)/bias", L "d>d")

static const struct sct_dialect_rule flax_vit[] = {
    FLAX_ENDS("Transformer/posembed_input/pos_embedding"),
    FLAX_BLOCK("Transformer/encoderblock_#/", "MultiHeadDotProductAttention_1/", "LayerNorm_2/",
               "MlpBlock_3/", ""),
    END,
};

static const struct sct_dialect_rule big_vision[] = {
    FLAX_ENDS("pos_embedding"),
    FLAX_BLOCK("Transformer/encoderblock_#/", "MultiHeadDotProductAttention_0/", "LayerNorm_1/",
               "MlpBlock_0/", ""),
    END,
};

static const struct sct_dialect_rule big_vision_scan[] = {
    FLAX_ENDS("pos_embedding"),
    FLAX_BLOCK("Transformer/encoderblock/", "MultiHeadDotProductAttention_0/", "LayerNorm_1/",
               "MlpBlock_0/", "L"),
    END,
};

static const struct sct_dialect_rule timm_swin[] = {END};

/* A stage ends, not begins, with the reduction of its map. */
static const struct sct_dialect_rule ms_swin[] = {
    COPY("layers.#.downsample.norm." WB, "layers.#-1.downsample.norm." WB),
    COPY("layers.#.downsample.reduction.weight", "layers.#-1.downsample.reduction.weight"),
    COPY("head.fc." WB, "head." WB),
    END,
};

#define HF_SWIN(BLOCK, TABLE, QKV, PROJ, FC1, FC2)                                             \
    COPY("patch_embed.proj." WB, "[swin.]embeddings.patch_embeddings.projection." WB),         \
        COPY("patch_embed.norm." WB, "[swin.]embeddings.norm." WB),                            \
        COPY("layers.#.blocks.#.norm1." WB, BLOCK "layernorm_before." WB),                     \
        COPY("layers.#.blocks.#.attn.relative_position_bias_table", BLOCK TABLE),              \
        COPY("layers.#.blocks.#.attn.qkv." WB, BLOCK QKV WB),                                  \
        COPY("layers.#.blocks.#.attn.proj." WB, BLOCK PROJ WB),                                \
        COPY("layers.#.blocks.#.norm2." WB, BLOCK "layernorm_after." WB),                      \
        COPY("layers.#.blocks.#.mlp.fc1." WB, BLOCK FC1 WB),                                   \
        COPY("layers.#.blocks.#.mlp.fc2." WB, BLOCK FC2 WB),                                   \
        COPY("layers.#.downsample.norm." WB, "[swin.]encoder.layers.#-1.downsample.norm." WB), \
        COPY("layers.#.downsample.reduction.weight",                                           \
             "[swin.]encoder.layers.#-1.downsample.reduction.weight"),                         \
        COPY("norm." WB, "[swin.]layernorm." WB), COPY("head.fc." WB, "classifier." WB)

static const struct sct_dialect_rule hf4_swin[] = {
    HF_SWIN("[swin.]encoder.layers.#.blocks.#.", "attention.self.relative_position_bias_table",
            "attention.self.<query|key|value>.", "attention.output.dense.",
            "intermediate.dense.", "output.dense."),
    END,
};

static const struct sct_dialect_rule hf5_swin[] = {
    HF_SWIN("[swin.]encoder.layers.#.blocks.#.",
            "attention.relative_position_bias.relative_position_bias_table",
            "attention.<q_proj|k_proj|v_proj>.", "attention.o_proj.", "mlp.fc1.", "mlp.fc2."),
    END,
};

/* ---- dialects; the first whose patterns hold is taken ---- */

#define SWIN_TABLE "layers.#.blocks.#.attn.relative_position_bias_table"
#define SWIN_ENDS  "layers.0.downsample.reduction.weight"
#define FLAX_QUERY(BLOCK, MHA)                                                                 \
    "Transformer/" BLOCK "/MultiHeadDotProductAttention_" MHA "/query/kernel"
#define HF4 "transformers up to 4; 5 as it saves by default"
#define HF5 "transformers 5, saved with save_original_format=False"

static const struct sct_dialect vit_timm = {
    .arch = SCT_ARCH_VIT,
    .flavour = "timm",
    .what = "timm, MAE, MoCo v3, DINO",
    .has = {"blocks.#.attn.qkv.weight"},
    .same = true,
    .eps = 1e-6f,
    .rule = timm_vit,
    .ignore = vit_ignore,
};

static const struct sct_dialect vit_split = {
    .arch = SCT_ARCH_VIT,
    .flavour = "split",
    .what = "timm with q, k and v apart: SPT, NOAH",
    .has = {"blocks.#.attn.q.weight"},
    .same = true,
    .eps = 1e-6f,
    .rule = split_vit,
    .ignore = vit_ignore,
};

static const struct sct_dialect vit_hf4 = {
    .arch = SCT_ARCH_VIT,
    .flavour = "hf4",
    .what = HF4,
    .has = {"[vit.]encoder.layer.#.attention.attention.query.weight"},
    .eps = 1e-12f,
    .rule = hf4_vit,
    .ignore = hf_vit_ignore,
};

static const struct sct_dialect vit_hf5 = {
    .arch = SCT_ARCH_VIT,
    .flavour = "hf5",
    .what = HF5,
    .has = {"[vit.]layers.#.attention.q_proj.weight"},
    .eps = 1e-12f,
    .rule = hf5_vit,
    .ignore = hf_vit_ignore,
};

static const struct sct_dialect deit_hf4 = {
    .arch = SCT_ARCH_VIT,
    .flavour = "hf4-deit",
    .what = HF4,
    .has = {"[deit.]encoder.layer.#.attention.attention.query.weight",
            "[deit.]embeddings.distillation_token"},
    .hasnt = "classifier.weight",
    .eps = 1e-12f,
    .rule = hf4_deit,
    .ignore = hf_deit_ignore,
};

static const struct sct_dialect deit_class_hf4 = {
    .arch = SCT_ARCH_VIT,
    .flavour = "hf4-deit-class",
    .what = HF4,
    .has = {"[deit.]encoder.layer.#.attention.attention.query.weight",
            "[deit.]embeddings.distillation_token", "classifier.weight"},
    .eps = 1e-12f,
    .rule = hf4_deit_class,
    .ignore = hf_deit_ignore,
};

static const struct sct_dialect dino_hf4 = {
    .arch = SCT_ARCH_VIT,
    .flavour = "hf4-dinov2",
    .what = HF4,
    .has = {DINO "encoder.layer.#.attention.attention.query.weight",
            DINO "encoder.layer.#.layer_scale1.lambda1"},
    .hasnt = DINO "embeddings.register_tokens",
    .eps = 1e-6f,
    .rule = hf4_dino,
    .ignore = hf_dino_ignore,
};

static const struct sct_dialect dino_reg_hf4 = {
    .arch = SCT_ARCH_VIT,
    .flavour = "hf4-dinov2-reg",
    .what = HF4,
    .has = {DINO_REG "encoder.layer.#.attention.attention.query.weight",
            DINO_REG "embeddings.register_tokens"},
    .eps = 1e-6f,
    .rule = hf4_dino_reg,
    .ignore = hf_dino_ignore,
};

static const struct sct_dialect deit_hf5 = {
    .arch = SCT_ARCH_VIT,
    .flavour = "hf5-deit",
    .what = HF5,
    .has = {"[deit.]layers.#.attention.q_proj.weight", "[deit.]embeddings.distillation_token"},
    .hasnt = "classifier.weight",
    .eps = 1e-12f,
    .rule = hf5_deit,
    .ignore = hf_deit_ignore,
};

static const struct sct_dialect deit_class_hf5 = {
    .arch = SCT_ARCH_VIT,
    .flavour = "hf5-deit-class",
    .what = HF5,
    .has = {"[deit.]layers.#.attention.q_proj.weight", "[deit.]embeddings.distillation_token",
            "classifier.weight"},
    .eps = 1e-12f,
    .rule = hf5_deit_class,
    .ignore = hf_deit_ignore,
};

static const struct sct_dialect dino_hf5 = {
    .arch = SCT_ARCH_VIT,
    .flavour = "hf5-dinov2",
    .what = HF5,
    .has = {DINO "encoder.layer.#.attention.q_proj.weight",
            DINO "encoder.layer.#.layer_scale1.lambda1"},
    .hasnt = DINO "embeddings.register_tokens",
    .eps = 1e-6f,
    .rule = hf5_dino,
    .ignore = hf_dino_ignore,
};

static const struct sct_dialect dino_reg_hf5 = {
    .arch = SCT_ARCH_VIT,
    .flavour = "hf5-dinov2-reg",
    .what = HF5,
    .has = {DINO_REG "encoder.layer.#.attention.q_proj.weight",
            DINO_REG "embeddings.register_tokens"},
    .eps = 1e-6f,
    .rule = hf5_dino_reg,
    .ignore = hf_dino_ignore,
};

static const struct sct_dialect clip_hf = {
    .arch = SCT_ARCH_VIT,
    .flavour = "hf-clip",
    .what = "transformers' CLIP, its vision tower",
    .has = {CLIP "encoder.layers.#.self_attn.q_proj.weight", CLIP "embeddings.class_embedding"},
    .eps = 1e-5f,
    .gelu = SCT_GELU_QUICK,
    .rule = hf_clip,
    .ignore = hf_clip_ignore,
};

static const struct sct_dialect vit_flax = {
    .arch = SCT_ARCH_VIT,
    .flavour = "flax",
    .what = "google-research/vision_transformer",
    .has = {FLAX_QUERY("encoderblock_#", "1")},
    .npz = true,
    .eps = 1e-6f,
    .rule = flax_vit,
    .ignore = flax_ignore,
};

static const struct sct_dialect vit_big_vision = {
    .arch = SCT_ARCH_VIT,
    .flavour = "big_vision",
    .what = "google-research/big_vision",
    .has = {FLAX_QUERY("encoderblock_#", "0")},
    .npz = true,
    .eps = 1e-6f,
    .rule = big_vision,
    .ignore = flax_ignore,
};

static const struct sct_dialect vit_big_vision_scan = {
    .arch = SCT_ARCH_VIT,
    .flavour = "big_vision-scan",
    .what = "google-research/big_vision, blocks stacked",
    .has = {FLAX_QUERY("encoderblock", "0")},
    .npz = true,
    .eps = 1e-6f,
    .rule = big_vision_scan,
    .ignore = flax_ignore,
};

static const struct sct_dialect swin_timm = {
    .arch = SCT_ARCH_SWIN,
    .flavour = "timm",
    .what = "timm from 0.9 on",
    .has = {SWIN_TABLE},
    .hasnt = SWIN_ENDS,
    .same = true,
    .eps = 1e-5f,
    .rule = timm_swin,
    .ignore = swin_ignore,
};

static const struct sct_dialect swin_ms = {
    .arch = SCT_ARCH_SWIN,
    .flavour = "ms",
    .what = "Microsoft's Swin, timm up to 0.6",
    .has = {SWIN_TABLE, SWIN_ENDS},
    .same = true,
    .eps = 1e-5f,
    .rule = ms_swin,
    .ignore = swin_ignore,
};

static const struct sct_dialect swin_hf4 = {
    .arch = SCT_ARCH_SWIN,
    .flavour = "hf4",
    .what = HF4,
    .has = {"[swin.]encoder.layers.#.blocks.#.attention.self.query.weight"},
    .eps = 1e-5f,
    .rule = hf4_swin,
    .ignore = hf_swin_ignore,
};

static const struct sct_dialect swin_hf5 = {
    .arch = SCT_ARCH_SWIN,
    .flavour = "hf5",
    .what = HF5,
    .has = {"[swin.]encoder.layers.#.blocks.#.attention.q_proj.weight"},
    .eps = 1e-5f,
    .rule = hf5_swin,
    .ignore = hf_swin_ignore,
};

const struct sct_dialect *const sct_dialects[] = {
    &vit_timm, &vit_split,      &vit_hf4,        &vit_hf5,
    &deit_hf4, &deit_class_hf4, &deit_hf5,       &deit_class_hf5,
    &dino_hf4, &dino_reg_hf4,   &dino_hf5,       &dino_reg_hf5,
    &clip_hf,  &vit_flax,       &vit_big_vision, &swin_timm,
    &swin_ms,  &swin_hf4,       &swin_hf5,       &vit_big_vision_scan,
    NULL,
};

/* ---- wrappers; a longer prefix stands before one that it begins with ---- */

const struct sct_dialect_wrapper sct_dialect_wrappers[] = {
    {"state_dict_ema.", "the moving average of a timm training checkpoint", 4},
    {"model_ema.", "the moving average of a training checkpoint", 4},
    {"teacher.", "the teacher of a self-supervised training", 3},
    {"state_dict.", "a training checkpoint", 2},
    {"model_state_dict.", "a training checkpoint", 2},
    {"base_model.model.", "a model inside peft", 0},
    {"model.", "a training checkpoint", 2},
    {"student.", "the student of a self-supervised training", 1},
    {"module.", "DataParallel", 0},
    {"_orig_mod.", "torch.compile", 0},
    {"timm_model.", "transformers around timm", 0},
    {"base_encoder.", "MoCo's encoder", 0},
    {"backbone.", "a backbone inside a larger model", 0},
    {"encoder.", "an encoder inside a larger model", 0},
    {"opt/target/", "a Flax training checkpoint", 0},
    {"target/", "a Flax training checkpoint", 0},
    {"params/img/", "the image tower of a Flax model", 0},
    {"params/", "a Flax model", 0},
    {NULL, NULL, 0},
};
