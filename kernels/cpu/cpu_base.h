/* SPDX-License-Identifier: MIT
 * cpu_base.h - the portable C kernels, one per op: <op>_base.
 * What each computes stands beside the op's constructor in ops.h. Bits do not depend on parts.
 */
#ifndef SCT_CPU_BASE_H
#define SCT_CPU_BASE_H

#include "kernels/kargs.h"

#define SCT_OP(ID, NAME, IN_MIN, IN_MAX, OUT, GRAD, TOL, ARG, PARAMS, FLAGS)                   \
    void NAME##_base(const struct sct_kargs *k);
#include <sctrun/ops.def>
#undef SCT_OP

/* Scratch of one part, for the rows' choose. */
uint64_t attention_base_scratch(const struct sct_opdesc *d);
uint64_t attention_dx_base_scratch(const struct sct_opdesc *d);
uint64_t wattention_base_scratch(const struct sct_opdesc *d);
uint64_t wattention_dx_base_scratch(const struct sct_opdesc *d);
uint64_t linear_grouped_base_scratch(const struct sct_opdesc *d);
uint64_t linear_grouped_dx_base_scratch(const struct sct_opdesc *d);
uint64_t conv_grid_base_scratch(const struct sct_opdesc *d);
uint64_t conv_grid_dx_base_scratch(const struct sct_opdesc *d);

#endif
