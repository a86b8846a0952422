/* SPDX-License-Identifier: MIT
 * guess.h - the architecture that names and shapes of a checkpoint tell of, and what tells it.
 * Known is what the file proves; a model that says otherwise does not fit it. The rest (the
 * heads of most ViT, eps, the image of a Swin) is what such models usually have, unless a file
 * beside the weights says it.
 * Thread rule: a guess belongs to one thread at a time. */
#ifndef SCT_MODEL_GUESS_H
#define SCT_MODEL_GUESS_H

#include "core/model/config.h"
#include "core/model/dialect.h"
#include "core/model/interp.h"

enum { SCT_GUESS_FACTS = 24, SCT_GUESS_UNBUILT = 8 };

/* key: a row of the configuration's table, or "arch". known: the tensors prove it; said: they
 * do not, but a file beside them says it; neither: it is supposed. */
struct sct_guess_fact {
    const char *key, *value, *why;
    bool known, said;
};

struct sct_guess {
    struct sct_arena arena;
    struct sct_model_config cfg; /* complete: what is not known has its usual value */
    struct sct_guess_fact fact[SCT_GUESS_FACTS];
    const char *unbuilt[SCT_GUESS_UNBUILT]; /* "layer scale (blocks.0.ls1.gamma)" */
    uint32_t n_fact, n_unbuilt;
    /* There are registers without positions (DINOv2 of Meta and transformers): the first row of
     * pos_embed is added to cls_token and leaves pos_embed, as timm does it. */
    bool fold_class;
};

/* From a map with a dialect and the tensors it was made of. A file with problems gives a guess
 * too, from what is there. EFILE: it has no patch embedding, or one that is no image's; ENOMEM.
 * *g is NULL then. */
sct_status sct_guess(struct sct_guess **g, const struct sct_dialect_map *m,
                     const struct sct_named *t, sct_error *err);
/* Accepts NULL, nulls *g. */
void sct_guess_destroy(struct sct_guess **g);

/* The first known fact that cfg contradicts, or NULL. resized: image_size and window may
 * differ.
 */
const struct sct_guess_fact *sct_guess_against(const struct sct_guess *g,
                                               const struct sct_model_config *cfg,
                                               bool resized);
/* OK, or EFILE that says what origin (a path) is, what cfg says instead, and what to do:
 * advice, unless resizing would do. */
sct_status sct_guess_check(const struct sct_guess *g, const struct sct_model_config *cfg,
                           enum sct_interp interp, const char *origin, const char *advice,
                           sct_error *err);
/* The first said fact that cfg contradicts, or NULL. */
const struct sct_guess_fact *sct_guess_unlike(const struct sct_guess *g,
                                              const struct sct_model_config *cfg, bool resized);
/* source ("DIR/config.json: layer_norm_eps") says that key is as in said: what was supposed
 * becomes so. A key of another architecture says nothing. EFILE names source, tensors and both
 * values when they contradict it; ENOMEM. */
sct_status sct_guess_say(struct sct_guess *g, const struct sct_model_config *said,
                         const char *key, const char *source, sct_error *err);
/* OK, or EFILE that names what the file has and no model here. */
sct_status sct_guess_built(const struct sct_guess *g, const char *origin, sct_error *err);
/* A fact by its key, or NULL. */
const struct sct_guess_fact *sct_guess_fact(const struct sct_guess *g, const char *key);

#endif
