/* SPDX-License-Identifier: MIT
 * frozen.h - the part of a graph that nothing trained and nothing random reaches, cut off: what
 * it makes of a picture is the same in every step, so it can be kept and fed instead.
 *
 * The values at the cut are the picture's features. What is cheap to make of other features
 * (norms, moves, elementwise ops) is made again instead of being kept. Numbers do not change:
 * both halves together have the nodes of the whole, in its order. */
#ifndef SCT_IR_FROZEN_H
#define SCT_IR_FROZEN_H

#include "core/ir/graph.h"

struct sct_frozen {
    struct sct_graph *g; /* input "images", outputs "feature.<i>" [batch][..]; NULL: nothing */
    uint32_t *value;     /* [n] ids at the cut, those of the graph that was looked at */
    uint64_t *floats;    /* [n] of one image */
    uint64_t image;      /* floats of one image, all features */
    uint32_t n;
};

/* Looks at a graph (training after the gradient, or evaluation), sorted and pruned. f->g stays
 * NULL and f->n 0 when what could be cut off has no attention in it: then keeping it costs more
 * memory than it saves time. On failure *f is empty. ENOMEM. */
sct_status sct_frozen_find(struct sct_frozen *f, const struct sct_graph *g, sct_error *err);
/* Makes g (the graph that was looked at, or a clone of it) the other part: inputs "feature.<i>"
 * [batch][..] f32 take the place of "images". Nothing happens when f->n is 0. */
sct_status sct_frozen_cut(struct sct_graph *g, const struct sct_frozen *f, sct_error *err);
void sct_frozen_fini(struct sct_frozen *f);

#endif
