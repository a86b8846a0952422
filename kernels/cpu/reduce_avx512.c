/* SPDX-License-Identifier: MIT
 * reduce_avx512.c - reduce_tmpl.h in vectors of sixteen. */
#include "kernels/cpu/vec_avx512.h"

#include "kernels/cpu/reduce_tmpl.h"
