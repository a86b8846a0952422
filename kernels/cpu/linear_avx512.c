/* SPDX-License-Identifier: MIT
 * linear_avx512.c - linear_tmpl.h in vectors of sixteen. */
#include "kernels/cpu/vec_avx512.h"

#include "kernels/cpu/linear_tmpl.h"
