/* SPDX-License-Identifier: MIT
 * model_io.h - a model's configuration from YAML, from and to JSON, as text; all by the table
 * of core/model/config.h. Thread rule: none, nothing is kept. */
#ifndef SCT_PRETRAINED_MODEL_IO_H
#define SCT_PRETRAINED_MODEL_IO_H

#include "core/io/config.h"
#include "core/io/json.h"
#include "core/model/config.h"

/* Reads a file of configs/models into *cfg, but for its name; *weights becomes the value of the
 * key weights (the tree's) or stays. EUSAGE with file, line and column: an unknown key or one
 * of another architecture, a bad value, a key that is missing. */
sct_status sct_model_yaml_read(struct sct_model_config *cfg, const struct sct_cfg_node *map,
                               const char **weights, sct_error *err);

/* "config" of an adapter's base. The caller owns the object; NULL or an incomplete object when
 * memory is short. */
json_t *sct_model_json(const struct sct_model_config *cfg);
/* Its inverse. at->bad with file and key; *cfg is then undefined. */
sct_status sct_model_json_read(struct sct_model_config *cfg, const struct sct_json_at *at,
                               sct_error *err);

/* The value of a row as YAML would hold it: "224", "[2, 2, 6, 2]", "erf". Returns buf. */
const char *sct_model_key_text(const struct sct_model_key *k,
                               const struct sct_model_config *cfg, char *buf, size_t size);

#endif
