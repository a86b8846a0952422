/* SPDX-License-Identifier: MIT
 * guess_impl.h - what the files of the guess share. */
#ifndef SCT_MODEL_GUESS_IMPL_H
#define SCT_MODEL_GUESS_IMPL_H

#include "core/model/guess.h"

/* The value of a key as text: "224", "[2, 2, 6, 2]". */
void sct_guess_value_text(const struct sct_model_key *k, const struct sct_model_config *c,
                          char *buf, size_t size);
/* A name for a model that is no preset. */
void sct_guess_name(struct sct_model_config *c);

#endif
