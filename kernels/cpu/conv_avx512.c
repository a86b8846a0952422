/* SPDX-License-Identifier: MIT
 * conv_avx512.c - conv_tmpl.h in vectors of sixteen. */
#include "kernels/cpu/vec_avx512.h"

#include "kernels/cpu/conv_tmpl.h"
