/* SPDX-License-Identifier: MIT
 * vit.h - builds a vision transformer (Dosovitskiy et al. 2021, as timm's VisionTransformer).
 */
#ifndef SCT_MODEL_VIT_H
#define SCT_MODEL_VIT_H

#include "core/model/build.h"

/* See build.h. */
sct_build_fn sct_vit_build;

#endif
