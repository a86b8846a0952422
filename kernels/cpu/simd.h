/* SPDX-License-Identifier: MIT
 * simd.h - prototypes of the vector kernels: <op>_avx512, <op>_avx2 for every name listed. */
#ifndef SCT_SIMD_H
#define SCT_SIMD_H

#include "kernels/cpu/cpu_layout.h"

/* clang-format off */
#define SIMD_KERNELS(X) \
    X(linear) X(linear_add) X(linear_gelu) X(linear_dx) X(linear_dx_add) X(linear_dx_gelu) \
    X(attention) X(attention_dx) X(wattention) X(wattention_dx) X(wattention_dt) \
    X(layernorm) X(layernorm_dx) X(layernorm_dx_add) X(layernorm_dg) \
    X(add) X(mul) X(scale) X(gelu) X(gelu_dx) \
    X(linear_dw) X(sum_to) X(slot_sum) X(obs_sumsq_label) \
    X(adamw) X(sgd) X(ema) X(obs_sumsq) X(sum_all) X(sumsq) \
    X(sct_module) X(sct_module_dx) X(lora_module) X(lora_module_dx) \
    X(linear_grouped) X(linear_grouped_dx) X(linear_grouped_dw) \
    X(conv_grid) X(conv_grid_dx) X(conv_grid_dw)
/* clang-format on */

#define SIMD_DECLARE(OP)                                                                       \
    void OP##_avx512(const struct sct_kargs *k);                                               \
    void OP##_avx2(const struct sct_kargs *k);
SIMD_KERNELS(SIMD_DECLARE)
#undef SIMD_DECLARE

#endif
