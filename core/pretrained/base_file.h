/* SPDX-License-Identifier: MIT
 * base_file.h - a checkpoint and what was understood of it: dialect, canonical tensors, guess
 * of the architecture, and what a folder says beside the weights. Headers only; values are read
 * when a tensor is loaded. Thread rule: one thread at a time. */
#ifndef SCT_PRETRAINED_BASE_FILE_H
#define SCT_PRETRAINED_BASE_FILE_H

#include "core/checkpoint/checkpoint.h"
#include "core/model/guess.h"
#include "core/model/weights.h"
#include "core/pretrained/model_folder.h"

struct sct_base_file {
    struct sct_ckpt *ck;
    struct sct_named *named; /* tensor i of ck */
    struct sct_dialect_map *map;
    struct sct_guess *guess; /* NULL: no dialect, or what guess_error says */
    sct_error guess_error;
    struct sct_model_folder folder; /* of a path that is a folder; else empty */
    sct_error folder_error;         /* what its config.json says and cannot be */
};

/* EFILE when the container cannot be read, ENOMEM; the struct is then empty. Whether the
 * tensors are those of a model is sct_base_file_check's matter, so that a bad file can be shown
 * too. */
sct_status sct_base_file_open(struct sct_base_file *f, const char *path, sct_error *err);
/* Fine on an empty struct. */
void sct_base_file_close(struct sct_base_file *f);

/* OK, or EFILE with what keeps the file from being a base: names, shapes, elements that are no
 * numbers, parts of a model that are not built. */
sct_status sct_base_file_check(const struct sct_base_file *f, sct_error *err);
/* The shapes of the model that the guess is, against those of a file that passed
 * sct_base_file_check: adds a problem to the map for each tensor that has another one, is
 * missing or does not belong to it. The head is left out, because training starts another.
 * ENOMEM. */
sct_status sct_base_file_shapes(struct sct_base_file *f, sct_error *err);
/* Why a canonical tensor cannot be read as floats, or NULL. */
const char *sct_base_file_unreadable(const struct sct_base_file *f, const struct sct_canon *c);
/* Adds every canonical tensor to w, which then loads from f and must not outlive it. */
sct_status sct_base_file_weights(struct sct_base_file *f, struct sct_weights *w,
                                 sct_error *err);

#endif
