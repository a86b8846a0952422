/* SPDX-License-Identifier: MIT
 * dialect_table.c - canonical names, dialects, wrappers, what is left out: data only.
 *
 * Sources: timm 1.0 (vision_transformer.py, swin_transformer.py and their checkpoint filters),
 * transformers 4.57 and 5.23 (state dicts of ViT and Swin), the conversion of Flax files in
 * timm, Microsoft's Swin, MAE, MoCo v3 and DINO releases. docs/models.md lists what is read.
 * The language of the patterns is that of name_pattern.h, of the layouts that of layout.h. */
#include "core/model/dialect.h"

#include <string.h>

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

static const struct sct_dialect_rule hf4_vit[] = {
    COPY("cls_token", "[vit.]embeddings.cls_token"),
    COPY("pos_embed", "[vit.]embeddings.position_embeddings"),
    COPY("patch_embed.proj." WB, "[vit.]embeddings.patch_embeddings.projection." WB),
    COPY("blocks.#.norm1." WB, "[vit.]encoder.layer.#.layernorm_before." WB),
    COPY("blocks.#.attn.qkv." WB,
         "[vit.]encoder.layer.#.attention.attention.<query|key|value>." WB),
    COPY("blocks.#.attn.proj." WB, "[vit.]encoder.layer.#.attention.output.dense." WB),
    COPY("blocks.#.norm2." WB, "[vit.]encoder.layer.#.layernorm_after." WB),
    COPY("blocks.#.mlp.fc1." WB, "[vit.]encoder.layer.#.intermediate.dense." WB),
    COPY("blocks.#.mlp.fc2." WB, "[vit.]encoder.layer.#.output.dense." WB),
    COPY("norm." WB, "[vit.]layernorm." WB),
    COPY("head." WB, "classifier." WB),
    END,
};

static const struct sct_dialect_rule hf5_vit[] = {
    COPY("cls_token", "[vit.]embeddings.cls_token"),
    COPY("pos_embed", "[vit.]embeddings.position_embeddings"),
    COPY("patch_embed.proj." WB, "[vit.]embeddings.patch_embeddings.projection." WB),
    COPY("blocks.#.norm1." WB, "[vit.]layers.#.layernorm_before." WB),
    COPY("blocks.#.attn.qkv." WB, "[vit.]layers.#.attention.<q_proj|k_proj|v_proj>." WB),
    COPY("blocks.#.attn.proj." WB, "[vit.]layers.#.attention.o_proj." WB),
    COPY("blocks.#.norm2." WB, "[vit.]layers.#.layernorm_after." WB),
    COPY("blocks.#.mlp.(fc1|fc2)." WB, "[vit.]layers.#.mlp.(fc1|fc2)." WB),
    COPY("norm." WB, "[vit.]layernorm." WB),
    COPY("head." WB, "classifier." WB),
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
    &vit_timm,
    &vit_split,
    &vit_hf4,
    &vit_hf5,
    &vit_flax,
    &vit_big_vision,
    &swin_timm,
    &swin_ms,
    &swin_hf4,
    &swin_hf5,
    &vit_big_vision_scan,
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
