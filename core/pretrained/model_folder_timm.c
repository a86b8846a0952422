/* SPDX-License-Identifier: MIT
 * model_folder_timm.c - functions of timm that make models of ours and are no presets: what of
 * them no tensor tells. Data only; from the models that timm 1.0.22 builds. */
#include "core/pretrained/model_folder_impl.h"

#include <string.h>

/* clang-format off: a table */
static const struct sct_timm_row rows[] = {
    {"swin_s3_small_224", 0, SCT_GELU_ERF, 1e-5f}, /* one window of 14, cut in the last stage */
    {"deit3_base_patch16_384", 12, SCT_GELU_ERF, 1e-6f},
    {"deit3_huge_patch14_224", 16, SCT_GELU_ERF, 1e-6f},
    {"deit3_large_patch16_384", 16, SCT_GELU_ERF, 1e-6f},
    {"deit3_medium_patch16_224", 8, SCT_GELU_ERF, 1e-6f},
    {"deit3_small_patch16_384", 6, SCT_GELU_ERF, 1e-6f},
    {"deit_base_distilled_patch16_384", 12, SCT_GELU_ERF, 1e-6f},
    {"flexivit_base", 12, SCT_GELU_ERF, 1e-6f},
    {"flexivit_large", 16, SCT_GELU_ERF, 1e-6f},
    {"flexivit_small", 6, SCT_GELU_ERF, 1e-6f},
    {"test_vit", 2, SCT_GELU_ERF, 1e-6f},
    {"test_vit2", 2, SCT_GELU_ERF, 1e-6f},
    {"vit_base_patch16_224_miil", 12, SCT_GELU_ERF, 1e-6f},
    {"vit_base_patch16_clip_384", 12, SCT_GELU_ERF, 1e-5f},
    {"vit_base_patch16_plus_240", 14, SCT_GELU_ERF, 1e-6f},
    {"vit_base_patch16_plus_clip_240", 14, SCT_GELU_ERF, 1e-5f},
    {"vit_base_patch16_reg4_gap_256", 12, SCT_GELU_ERF, 1e-6f},
    {"vit_base_patch16_siglip_gap_224", 12, SCT_GELU_ERF, 1e-6f},
    {"vit_base_patch16_siglip_gap_256", 12, SCT_GELU_ERF, 1e-6f},
    {"vit_base_patch16_siglip_gap_384", 12, SCT_GELU_ERF, 1e-6f},
    {"vit_base_patch16_siglip_gap_512", 12, SCT_GELU_ERF, 1e-6f},
    {"vit_base_patch32_384", 12, SCT_GELU_ERF, 1e-6f},
    {"vit_base_patch32_clip_256", 12, SCT_GELU_ERF, 1e-5f},
    {"vit_base_patch32_clip_384", 12, SCT_GELU_ERF, 1e-5f},
    {"vit_base_patch32_clip_448", 12, SCT_GELU_ERF, 1e-5f},
    {"vit_base_patch32_plus_256", 14, SCT_GELU_ERF, 1e-6f},
    {"vit_base_patch32_siglip_gap_256", 12, SCT_GELU_TANH, 1e-6f},
    {"vit_betwixt_patch16_gap_256", 10, SCT_GELU_ERF, 1e-6f},
    {"vit_betwixt_patch16_reg1_gap_256", 10, SCT_GELU_ERF, 1e-6f},
    {"vit_betwixt_patch16_reg4_gap_256", 10, SCT_GELU_ERF, 1e-6f},
    {"vit_betwixt_patch16_reg4_gap_384", 10, SCT_GELU_ERF, 1e-6f},
    {"vit_betwixt_patch32_clip_224", 10, SCT_GELU_ERF, 1e-5f},
    {"vit_giant_patch14_224", 16, SCT_GELU_ERF, 1e-6f},
    {"vit_giant_patch14_clip_224", 16, SCT_GELU_ERF, 1e-5f},
    {"vit_giant_patch16_gap_224", 16, SCT_GELU_ERF, 1e-6f},
    {"vit_giantopt_patch16_siglip_gap_256", 16, SCT_GELU_TANH, 1e-6f},
    {"vit_giantopt_patch16_siglip_gap_384", 16, SCT_GELU_TANH, 1e-6f},
    {"vit_gigantic_patch14_224", 16, SCT_GELU_ERF, 1e-6f},
    {"vit_gigantic_patch14_clip_224", 16, SCT_GELU_ERF, 1e-5f},
    {"vit_gigantic_patch14_clip_378", 16, SCT_GELU_ERF, 1e-5f},
    {"vit_gigantic_patch14_clip_quickgelu_224", 16, SCT_GELU_QUICK, 1e-5f},
    {"vit_huge_patch14_clip_224", 16, SCT_GELU_ERF, 1e-5f},
    {"vit_huge_patch14_clip_336", 16, SCT_GELU_ERF, 1e-5f},
    {"vit_huge_patch14_clip_378", 16, SCT_GELU_ERF, 1e-5f},
    {"vit_huge_patch14_clip_quickgelu_224", 16, SCT_GELU_QUICK, 1e-5f},
    {"vit_huge_patch14_clip_quickgelu_378", 16, SCT_GELU_QUICK, 1e-5f},
    {"vit_huge_patch14_gap_224", 16, SCT_GELU_ERF, 1e-6f},
    {"vit_huge_patch16_gap_448", 16, SCT_GELU_ERF, 1e-6f},
    {"vit_large_patch14_224", 16, SCT_GELU_ERF, 1e-6f},
    {"vit_large_patch14_clip_336", 16, SCT_GELU_ERF, 1e-5f},
    {"vit_large_patch14_clip_quickgelu_336", 16, SCT_GELU_QUICK, 1e-5f},
    {"vit_large_patch16_siglip_gap_256", 16, SCT_GELU_ERF, 1e-6f},
    {"vit_large_patch16_siglip_gap_384", 16, SCT_GELU_ERF, 1e-6f},
    {"vit_large_patch16_siglip_gap_512", 16, SCT_GELU_TANH, 1e-6f},
    {"vit_large_patch32_224", 16, SCT_GELU_ERF, 1e-6f},
    {"vit_large_patch32_384", 16, SCT_GELU_ERF, 1e-6f},
    {"vit_little_patch16_reg1_gap_256", 5, SCT_GELU_ERF, 1e-6f},
    {"vit_little_patch16_reg4_gap_256", 5, SCT_GELU_ERF, 1e-6f},
    {"vit_medium_patch16_clip_224", 8, SCT_GELU_ERF, 1e-5f},
    {"vit_medium_patch16_gap_240", 8, SCT_GELU_ERF, 1e-6f},
    {"vit_medium_patch16_gap_256", 8, SCT_GELU_ERF, 1e-6f},
    {"vit_medium_patch16_gap_384", 8, SCT_GELU_ERF, 1e-6f},
    {"vit_medium_patch16_reg1_gap_256", 8, SCT_GELU_ERF, 1e-6f},
    {"vit_medium_patch16_reg4_gap_256", 8, SCT_GELU_ERF, 1e-6f},
    {"vit_medium_patch32_clip_224", 8, SCT_GELU_ERF, 1e-5f},
    {"vit_mediumd_patch16_reg4_gap_256", 8, SCT_GELU_ERF, 1e-6f},
    {"vit_mediumd_patch16_reg4_gap_384", 8, SCT_GELU_ERF, 1e-6f},
    {"vit_small_patch16_36x1_224", 6, SCT_GELU_ERF, 1e-6f},
    {"vit_small_patch32_384", 6, SCT_GELU_ERF, 1e-6f},
    {"vit_so150m2_patch16_reg1_gap_256", 13, SCT_GELU_ERF, 1e-6f},
    {"vit_so150m2_patch16_reg1_gap_384", 13, SCT_GELU_ERF, 1e-6f},
    {"vit_so150m2_patch16_reg1_gap_448", 13, SCT_GELU_ERF, 1e-6f},
    {"vit_so150m_patch16_reg4_gap_256", 14, SCT_GELU_ERF, 1e-6f},
    {"vit_so150m_patch16_reg4_gap_384", 14, SCT_GELU_ERF, 1e-6f},
    {"vit_so400m_patch14_siglip_gap_224", 16, SCT_GELU_ERF, 1e-6f},
    {"vit_so400m_patch14_siglip_gap_378", 16, SCT_GELU_ERF, 1e-6f},
    {"vit_so400m_patch14_siglip_gap_384", 16, SCT_GELU_ERF, 1e-6f},
    {"vit_so400m_patch14_siglip_gap_448", 16, SCT_GELU_ERF, 1e-6f},
    {"vit_so400m_patch14_siglip_gap_896", 16, SCT_GELU_ERF, 1e-6f},
    {"vit_so400m_patch16_siglip_gap_256", 16, SCT_GELU_TANH, 1e-6f},
    {"vit_so400m_patch16_siglip_gap_384", 16, SCT_GELU_TANH, 1e-6f},
    {"vit_so400m_patch16_siglip_gap_512", 16, SCT_GELU_TANH, 1e-6f},
    {"vit_wee_patch16_reg1_gap_256", 4, SCT_GELU_ERF, 1e-6f},
    {"vit_xsmall_patch16_clip_224", 4, SCT_GELU_ERF, 1e-5f},
    {NULL, 0, 0, 0},
};

static const struct {
    const char *part, *what;
} unlike[] = {
    {"_rpn_", "norms behind the branches of a block"},
    {"_rope_", "a rotary position embedding"},
    {"_dinov3", "a rotary position embedding"},
    {"vit_pe_", "a rotary position embedding"},
    {"relpos_", "relative positions"},
    {"vit_intern300m", "no norm behind the last block"},
    {NULL, NULL},
};

/* clang-format on */

const struct sct_timm_row *sct_timm_find(const char *name)
{
    for (const struct sct_timm_row *r = rows; r->name; r++)
        if (strcmp(r->name, name) == 0)
            return r;
    return NULL;
}

const char *sct_timm_unlike(const char *architecture)
{
    for (size_t i = 0; unlike[i].part; i++)
        if (strstr(architecture, unlike[i].part))
            return unlike[i].what;
    return NULL;
}
