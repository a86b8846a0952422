/* SPDX-License-Identifier: MIT
 * conv_avx2.c - conv_tmpl.h in vectors of eight. */
#include "kernels/cpu/vec_avx2.h"

#include "kernels/cpu/conv_tmpl.h"
