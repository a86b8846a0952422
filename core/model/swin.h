/* SPDX-License-Identifier: MIT
 * swin.h - builds a Swin transformer v1 (Liu et al. 2021, as timm's SwinTransformer). */
#ifndef SCT_MODEL_SWIN_H
#define SCT_MODEL_SWIN_H

#include "core/model/build.h"

/* See build.h. EUSAGE also for image sizes on which timm's own model fails. */
sct_build_fn sct_swin_build;
void sct_swin_defaults(struct sct_model_config *c);

#endif
