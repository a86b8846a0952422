/* SPDX-License-Identifier: MIT
 * build.c - the table of architectures. */
#include "core/model/build.h"

#include "core/base/status.h"
#include "core/model/swin.h"
#include "core/model/vit.h"

static const struct sct_arch_row rows[SCT_ARCH_COUNT] = {
    [SCT_ARCH_VIT] = {.head = "head",
                      .timm_class = "VisionTransformer",
                      .timm_module = "timm.models.vision_transformer",
                      .build = sct_vit_build},
    [SCT_ARCH_SWIN] = {.head = "head.fc",
                       .timm_class = "SwinTransformer",
                       .timm_module = "timm.models.swin_transformer",
                       .defaults = sct_swin_defaults,
                       .build = sct_swin_build},
};
static const char *const names[] = {
    [SCT_ARCH_VIT] = "vit", [SCT_ARCH_SWIN] = "swin", [SCT_ARCH_COUNT] = NULL};

const struct sct_arch_row *sct_arch_at(uint32_t arch)
{
    return arch < SCT_ARCH_COUNT ? &rows[arch] : NULL;
}

const char *const *sct_arch_names(void)
{
    return names;
}

sct_status sct_model_build(struct sct_model **out, const struct sct_model_config *cfg,
                           struct sct_weights *w, const struct sct_build_opts *opts,
                           sct_error *err)
{
    *out = NULL;
    const struct sct_arch_row *row = sct_arch_at(cfg->arch);
    if (!row)
        return sct_fail(err, SCT_EUSAGE, "model %s: architecture %u does not exist", cfg->name,
                        cfg->arch);
    return row->build(out, cfg, w, opts, err);
}
