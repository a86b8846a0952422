/* SPDX-License-Identifier: MIT
 * norm_avx2.c - norm_tmpl.h in vectors of eight. */
#include "kernels/cpu/vec_avx2.h"

#include "kernels/cpu/norm_tmpl.h"
