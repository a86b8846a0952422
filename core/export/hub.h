/* SPDX-License-Identifier: MIT
 * hub.h - the files beside the weights by which other libraries build a model. Private to
 * core/export.
 *
 * Sources: timm 1.0 (create_model of "local-dir:", PretrainedCfg), transformers 4.57 and 5.23
 * (ViTConfig, ViTImageProcessor, CLIPImageProcessor). */
#ifndef SCT_EXPORT_HUB_H
#define SCT_EXPORT_HUB_H

#include "core/export/folder.h"
#include "core/io/json.h"

struct sct_hub_format {
    const char *name; /* of --format, and the flavour of the dialect */
    /* EUSAGE names what of this model the library cannot be told. */
    sct_status (*check)(const struct sct_export *x, sct_error *err);
    /* NULL when memory is short. The caller owns the object. dtype: SCT_ST_F32, ... */
    json_t *(*config)(const struct sct_export *x, uint32_t dtype);
    json_t *(*preprocessor)(const struct sct_export *x); /* or NULL: it is in config */
};

extern const struct sct_hub_format sct_hub_timm, sct_hub_hf4, sct_hub_hf5;

/* [r, g, b] */
json_t *sct_hub_triple(const float v[3]);

#endif
