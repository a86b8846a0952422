/* SPDX-License-Identifier: MIT
 * norm_avx512.c - norm_tmpl.h in vectors of sixteen. */
#include "kernels/cpu/vec_avx512.h"

#include "kernels/cpu/norm_tmpl.h"
