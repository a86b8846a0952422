/* SPDX-License-Identifier: MIT
 * reduce_avx2.c - reduce_tmpl.h in vectors of eight. */
#include "kernels/cpu/vec_avx2.h"

#include "kernels/cpu/reduce_tmpl.h"
