/* SPDX-License-Identifier: MIT
 * elementwise_avx2.c - elementwise_tmpl.h in vectors of eight. */
#include "kernels/cpu/vec_avx2.h"

#include "kernels/cpu/elementwise_tmpl.h"
