/* SPDX-License-Identifier: MIT
 * merge.h - what a strategy added, folded into the weights of the plain model.
 *
 * Nothing is asked of the strategy: the adapted graph is compared with the plain one, from the
 * logits backwards. The two may differ in values of parameters, in random ops (the identity
 * after training), in low-rank pairs beside a linear layer,
 *
 *   y = x W^T + bias;  y[first..] += scale * (x A^T) B^T      =>      W[first..] += scale * B A
 *
 * (LoRA, arXiv 2106.09685, section 4.1), with a magnitude m over them (DoRA, arXiv 2402.09353,
 * equation 5),
 *
 *   y = f * (x W^T + pairs) + bias,  f = m / |W|      =>      W[o] *= m[o] / |W[o]|
 *
 * where W has the pairs folded in already, and in a scale s and a shift t of every channel
 * behind a linear layer or a LayerNorm that has a bias, with pairs beside it or not,
 *
 *   y = s * op(x; W, bias) + t      =>      W[o] *= s[o];  bias = s * bias + t
 *
 * (SSF, arXiv 2210.08823, section 3.2). Any other difference means that no weights of the plain
 * architecture compute the same. Thread rule: one thread at a time. */
#ifndef SCT_EXPORT_MERGE_H
#define SCT_EXPORT_MERGE_H

#include "core/ir/model.h"

/* A: [r][in], B: [rows][r]. */
struct sct_merge_pair {
    const char *weight; /* name of W */
    const struct sct_tensor *a, *b;
    float scale;
    uint32_t first; /* row of W */
};

/* Magnitudes m [rows] of rows first.. of W. */
struct sct_merge_norm {
    const char *weight;
    const struct sct_tensor *m;
    uint32_t first;
};

/* Of a layer with C outputs: scale and shift [C]. */
struct sct_merge_affine {
    const char *weight, *bias; /* names: [C][..] or a norm's [C]; [C] */
    const struct sct_tensor *scale, *shift;
};

struct sct_merge {
    const struct sct_model *model; /* the adapted one */
    struct sct_merge_pair *pair;
    struct sct_merge_affine *affine; /* of one layer: the last to run comes first */
    struct sct_merge_norm *norm;
    uint32_t n, cap, n_affine, cap_affine, n_norm, cap_norm;
};

/* Fills *m, which borrows from both models. plain may be the adapted model itself: nothing is
 * folded then. EUSAGE names the place where the graphs differ and what stands there; ENOMEM. *m
 * is empty then. */
sct_status sct_merge_find(struct sct_merge *m, const struct sct_model *adapted,
                          const struct sct_model *plain, sct_error *err);
/* Accepts an empty one. */
void sct_merge_fini(struct sct_merge *m);

/* Values of the parameter of that name, pairs, then scales and shifts folded in: each product
 * is computed in f64 and the result rounded once. EFILE, ENOMEM, as loading a tensor. */
sct_status sct_merge_load(const struct sct_merge *m, const char *name, float *dst,
                          sct_error *err);

#endif
