/* SPDX-License-Identifier: MIT
 * weights.h - the base's tensors by timm name, from a file or drawn at random; shared by every
 * model built on the base (plain and adapted), so a device holds them once.
 * Thread rule: one thread at a time. */
#ifndef SCT_MODEL_WEIGHTS_H
#define SCT_MODEL_WEIGHTS_H

#include "core/ir/model.h"
#include "core/model/interp.h"

struct sct_weight {
    struct sct_tensor t;
    struct sct_tensor file; /* resized: what t is made of */
    bool used;
    uint32_t prefix; /* rows of a position embedding that are no places of its grid */
    uint64_t seed;
    char init[48];
};

struct sct_weights {
    struct sct_arena arena;
    struct sct_weight **item;
    uint32_t n, cap;
    bool random;
    uint64_t seed;
    const char *origin;     /* file name for messages, or "random" */
    enum sct_interp interp; /* how position embeddings and bias tables may be resized */
    bool flax;              /* the file is of Flax, which matters to timm then */
};

/* An empty set; random: every tensor asked for is drawn (timm's initialisation of a ViT). */
struct sct_weights *sct_weights_create(const char *origin, bool random, uint64_t seed);
void sct_weights_destroy(struct sct_weights **w);

/* Adds a frozen tensor of a file; t and its name are copied. ENOMEM. */
sct_status sct_weights_add(struct sct_weights *w, const struct sct_tensor *t, sct_error *err);

/* The tensor `name` with exactly these dims; marks it used. A position embedding or bias table
 * of another side is resized from then on, if w->interp says how. EFILE names what is missing
 * or both shapes; EUSAGE: that way of resizing does not know such a tensor. init: how it is
 * drawn when random. */
sct_status sct_weights_take(struct sct_weights *w, const char *name, uint32_t nd,
                            const uint32_t *dim, const char *init,
                            const struct sct_tensor **out, sct_error *err);
/* Says before it is taken that the first n rows of a position embedding (of class, distillation
 * and register tokens) are no places of its grid, so that resizing keeps them as they are; they
 * are none where nobody says so. A name that is not there is none of its business. */
void sct_weights_prefix(struct sct_weights *w, const char *name, uint32_t n);
/* The tensor of that name, or NULL; does not mark it. */
const struct sct_tensor *sct_weights_peek(const struct sct_weights *w, const char *name);
/* Marks a tensor as seen (a head that is replaced). */
void sct_weights_ignore(struct sct_weights *w, const char *name);
/* EFILE with the first ten names that no model asked for. */
sct_status sct_weights_leftovers(const struct sct_weights *w, sct_error *err);

#endif
