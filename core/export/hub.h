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

/* The steps of evaluation as both libraries know them: a resize, and perhaps a crop of the
 * centre. */
struct sct_hub_steps {
    bool squash, crop; /* both sides to `side`, or the short one; then the centre */
    uint32_t side;
    enum sct_filter filter;
    const char *filter_name; /* timm's and Pillow's */
};

/* EUSAGE when they are anything else. */
sct_status sct_hub_steps(const struct sct_preprocess *p, struct sct_hub_steps *out,
                         sct_error *err);

/* enum sct_gelu in the words of transformers (timm false) or timm. */
const char *sct_hub_gelu(uint32_t gelu, bool timm);

/* [r, g, b] */
json_t *sct_hub_triple(const float v[3]);

#endif
