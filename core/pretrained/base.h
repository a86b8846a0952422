/* SPDX-License-Identifier: MIT
 * base.h - the base of a run from files: architecture (YAML), weights (checkpoint), hash. */
#ifndef SCT_PRETRAINED_BASE_H
#define SCT_PRETRAINED_BASE_H

#include "core/io/sha256.h"
#include "core/pretrained/base_file.h"
#include "core/pretrained/preset.h"

/* Reads configs/models/<name>.yaml, or a file when name holds a '/' or ends in .yaml. weights
 * (may be NULL) receives the file that the configuration names for itself, resolved, or "".
 * EUSAGE. */
sct_status sct_model_config_load(struct sct_model_config *cfg, const char *name, char *weights,
                                 size_t size, sct_error *err);

/* The canonical tensors of a checkpoint, or an empty random set when path is "random". The file
 * stays open (mapped) until sct_base_close, and the struct where it is. EFILE: the file is no
 * base, or not understood; ENOMEM. The struct is empty on failure. */
struct sct_base {
    struct sct_weights *w;
    struct sct_base_file file; /* empty when random */
};

sct_status sct_base_open(struct sct_base *b, const char *path, uint64_t seed, sct_error *err);
/* The model of an open file when nobody says one: the preset that its shapes and, among equals,
 * its name tell, or else a configuration of what is known and usual; found->name is "" then.
 * EUSAGE when random; EFILE: what the folder says of itself leaves it open. */
sct_status sct_base_model(const struct sct_base *b, enum sct_interp interp,
                          struct sct_model_config *cfg, struct sct_preset_found *found,
                          sct_error *err);
void sct_base_close(struct sct_base *b);

/* SHA-256 of the backbone's canonical tensors that the model uses (not the head). */
sct_status sct_base_hash_of(const struct sct_weights *w, char hex[SCT_SHA256_HEX],
                            sct_error *err);

#endif
