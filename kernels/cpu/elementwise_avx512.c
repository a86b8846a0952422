/* SPDX-License-Identifier: MIT
 * elementwise_avx512.c - elementwise_tmpl.h in vectors of sixteen. */
#include "kernels/cpu/vec_avx512.h"

#include "kernels/cpu/elementwise_tmpl.h"
