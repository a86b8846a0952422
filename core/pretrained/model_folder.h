/* SPDX-License-Identifier: MIT
 * model_folder.h - what config.json and preprocessor_config.json beside the weights say: of a
 * folder of transformers (save_pretrained) or of timm (a hub folder, "local-dir:").
 *
 * The tensors prove most of an architecture; these files say the rest: heads, eps, activation,
 * pooling, the image of a Swin, labels, preprocessing. Where they contradict the tensors, both
 * are named and nothing is opened. The files come from others and may hold anything; they are
 * read by core/io/json.h, at most SCT_JSON_MAX_BYTES each.
 *
 * Sources: timm 1.0.22 (load_model_config_from_hf, resolve_pretrained_cfg), transformers 4.57
 * and 5.23 (configuration_*.py, image_processing_*.py). Thread rule: one thread at a time. */
#ifndef SCT_PRETRAINED_MODEL_FOLDER_H
#define SCT_PRETRAINED_MODEL_FOLDER_H

#include "core/base/mem.h"
#include "core/data/preprocess.h"
#include "core/io/json.h"
#include "core/model/guess.h"

struct sct_model_type;

struct sct_model_folder {
    struct sct_arena arena;
    char *config_path, *pre_path;     /* NULL: there is no such file */
    json_t *config, *pre;             /* the trees, or NULL */
    const struct sct_model_type *hub; /* of transformers; NULL: of timm, or nothing is known */
    const char *what;         /* "transformers vit", "timm vit_base_patch16_224"; or NULL:
                               * config.json is of somebody else and is not used */
    const char *unsure;       /* why files and tensors together do not tell the model, and what
                               * to do; or NULL */
    const char *const *label; /* [n_label] names of the classes, or NULL */
    uint32_t n_label;         /* classes that the file says, 0: it does not */
};

/* Reads both files of `dir`, as far as they are there. EFILE: they are no JSON, or the model is
 * of a type that is not built here; ENOMEM. The struct is empty on failure. */
sct_status sct_model_folder_open(struct sct_model_folder *f, const char *dir, sct_error *err);
/* Fine on an empty struct. */
void sct_model_folder_close(struct sct_model_folder *f);

/* Adds what config.json says to the guess of the tensors of map, and finds the labels. EFILE: a
 * value that is none, that is not built here, or that contradicts the tensors; ENOMEM. A
 * function of timm that is not known here is no error, but unsure says so. */
sct_status sct_model_folder_tell(struct sct_model_folder *f, const struct sct_dialect_map *map,
                                 struct sct_guess *g, sct_error *err);

/* Whether there is a preprocessing in the folder. */
bool sct_model_folder_prepares(const struct sct_model_folder *f);
/* That preprocessing for pictures of `size` pixels into *p: steps, mean, std. Made for another
 * size, *made (0 if not), it is kept in proportion. EFILE: it is none that can be done here; *p
 * is then undefined. */
sct_status sct_model_folder_preprocess(const struct sct_model_folder *f, uint32_t size,
                                       struct sct_preprocess *p, uint32_t *made,
                                       sct_error *err);

#endif
