/* SPDX-License-Identifier: MIT
 * merge.h - what a strategy added, folded into the weights of the plain model.
 *
 * Nothing is asked of the strategy: the adapted graph is compared with the plain one, from the
 * logits backwards. The two may differ in values of parameters, in what is added to single
 * elements of a parameter (train_some), in random ops (the identity after training), in
 * branches beside a linear layer that are a matrix D times its input, however it is factored,
 *
 *   y = x W^T + bias;  y[first..] += x D^T      =>      W[first..] += D
 *
 * (D = scale * B A: LoRA, arXiv 2106.09685, section 4.1; scale * V S U: FacT, arXiv
 * 2212.03145), in magnitudes m over a layer V = W + pairs D = scale * B A,
 *
 *   y = f * (x V^T) + bias,  f[o] = m[o] / |V[o]|      =>      W[o] = m[o] V[o] / |V[o]|
 *
 * (DoRA, arXiv 2402.09353, equation 5) or the same beside the layer, less x W^T, in a scale s
 * and a shift t of every channel behind a linear layer or a LayerNorm that has a bias,
 *
 *   y = s * op(x; W, bias) + t      =>      W[o] *= s[o];  bias = s * bias + t
 *
 * (SSF, arXiv 2210.08823, section 3.2), in a linear layer M, c from channels J of a linear
 * layer that has a bias to channels I of it,
 *
 *   y = x W^T + bias;  y[I] = k y[I] + s (M y[J] + c)
 *       =>      W[I] = k W[I] + s M W[J];  bias[I] = k bias[I] + s (M bias[J] + c)
 *
 * (SCT on the MLP or on q and v, doi 10.1007/s11263-023-01918-3), in any number and order
 * behind one layer, and in a linear bottleneck in front of a linear layer that has a bias, B in
 * groups or not,
 *
 *   y = (x + scale * (B (A x + a) + b)) W^T + bias
 *       =>      W += scale * W B A;  bias += scale * W (B a + b)
 *
 * (RepAdapter, arXiv 2302.08106, section 3.3), where W and bias have what is behind the layer
 * folded in already. Any other difference means that no weights of the plain architecture
 * compute the same. Thread rule: one thread at a time. */
#ifndef SCT_EXPORT_MERGE_H
#define SCT_EXPORT_MERGE_H

#include "core/ir/model.h"

/* Of values of the adapted graph: `update`, a matrix [rows][in] times x; added to rows first..
 * of W. */
struct sct_merge_branch {
    uint32_t update, x, first;
};

/* A: [r][in], B: [rows][r]. */
struct sct_merge_pair {
    const struct sct_tensor *a, *b;
    float scale;
    uint32_t first; /* row of W */
};

/* Magnitudes m of rows first.. of a layer, and the pair in them, a NULL: none. */
struct sct_merge_range {
    const struct sct_tensor *m;
    struct sct_merge_pair pair;
    uint32_t first;
};

/* All rows of a layer. beside: added to it, and its own product taken away. */
enum { SCT_MERGE_RANGES = 3 }; /* q, k and v */

struct sct_merge_norm {
    struct sct_merge_range range[SCT_MERGE_RANGES];
    uint32_t n;
    bool beside;
};

/* A [r][in] with a [r]; B [in][r], or [groups][in/groups][r/groups], with b [in]. */
struct sct_merge_front {
    const char *weight, *bias; /* names: W [out][in], its bias [out] */
    const struct sct_tensor *a, *a_bias, *b, *b_bias;
    float scale;
};

/* Of a layer with C outputs: scale and shift [C]. */
struct sct_merge_affine {
    const struct sct_tensor *scale, *shift;
};

/* Of a parameter: delta [n] is added to its elements index [n] (i32, flat). */
struct sct_merge_some {
    const char *weight; /* its name */
    const struct sct_tensor *index, *delta;
};

/* Rows index [n] (i32) of a layer become keep times themselves plus mul times (m [n][cols]
 * times the rows `from`, plus c [n]), where `from` is index, or first .. first + cols - 1. */
struct sct_merge_rows {
    const struct sct_tensor *index, *m, *c;
    float keep, mul;
    bool gathered; /* `from` is index */
    uint32_t first;
};

enum sct_merge_kind { SCT_MERGE_BRANCH, SCT_MERGE_NORM, SCT_MERGE_AFFINE, SCT_MERGE_ROWS };

/* One that was found behind a layer. */
struct sct_merge_fold {
    const char *weight, *bias; /* names: W [C][..] or a norm's [C]; [C], NULL: stays */
    enum sct_merge_kind kind;
    struct sct_merge_branch branch;
    struct sct_merge_norm norm;
    struct sct_merge_affine affine;
    struct sct_merge_rows rows;
};

struct sct_merge {
    const struct sct_model *model; /* the adapted one */
    struct sct_merge_fold *fold;   /* of one layer: the last to run comes first */
    struct sct_merge_front *front; /* one a layer */
    struct sct_merge_some *some;   /* of one parameter: the last to be added comes first */
    uint32_t n, cap, n_front, cap_front, n_some, cap_some;
};

/* Fills *m, which borrows from both models and their graphs. plain may be the adapted model
 * itself: nothing is folded then. EUSAGE names the place where the graphs differ and what
 * stands there; ENOMEM. *m is empty then. */
sct_status sct_merge_find(struct sct_merge *m, const struct sct_model *adapted,
                          const struct sct_model *plain, sct_error *err);
/* Accepts an empty one. */
void sct_merge_fini(struct sct_merge *m);

/* Values of the parameter of that name, with what is added to its elements, then what stands
 * behind its layer folded in, in the order in which it runs, then what stands in front of it:
 * each product is computed in f64 and each result rounded once. EFILE, ENOMEM, as loading a
 * tensor. */
sct_status sct_merge_load(const struct sct_merge *m, const char *name, float *dst,
                          sct_error *err);

#endif
