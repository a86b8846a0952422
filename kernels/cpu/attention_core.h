/* SPDX-License-Identifier: MIT
 * attention_core.h - one head over one set of tokens (an image, or a window), portable C.
 * The ops gather q, k, v into dense rows, run the core, and scatter what it made. */
#ifndef SCT_CPU_ATTENTION_CORE_H
#define SCT_CPU_ATTENTION_CORE_H

#include "kernels/cpu/base_gemm.h"

enum {
    CORE_ROWS = 32
}; /* queries whose probabilities are held at once, a multiple of BASE_MR */

/* n tokens of d numbers. Panels are those of base_gemm.h: depth rows of 16 columns. */
struct attention_core {
    size_t n, d;
    float scale;
    const float *bias;             /* [n][n] added to the scores, or NULL */
    float *q, *k, *v, *out, *dout; /* [n][d] dense; out and dout only backward */
    float *lse;                    /* [n] */
    float *kt, *vt;                /* panels of k^T and v^T: depth d, columns n */
    float *kp, *vp;                /* panels of k and v: depth n, columns d */
    float *p, *ds;                 /* [CORE_ROWS][n] */
    float *dq, *dk, *dv;           /* [n][d rounded up to 16] */
};

/* Lays the arrays out in memory of core_bytes(...). */
uint64_t core_bytes(size_t n, size_t d, int backward);
void core_place(struct attention_core *c, float *memory, int backward);

/* q, k, v -> lse, and out rows into `out` (given by the caller, [n][d]). */
void core_forward(struct attention_core *c);
/* q, k, v, lse, out, dout -> dq, dk, dv. */
void core_backward(struct attention_core *c);
/* Panels that core_scores and core_grad_scores need. */
void core_prepare(struct attention_core *c, int backward);
/* p [rows][n] = probabilities of queries i0.. from lse; ds = p (dout v^T - rowsum(dout out)).
 */
void core_grad_scores(struct attention_core *c, size_t i0, size_t rows);

#endif
