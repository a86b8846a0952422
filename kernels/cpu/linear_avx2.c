/* SPDX-License-Identifier: MIT
 * linear_avx2.c - linear_tmpl.h in vectors of eight. */
#include "kernels/cpu/vec_avx2.h"

#include "kernels/cpu/linear_tmpl.h"
