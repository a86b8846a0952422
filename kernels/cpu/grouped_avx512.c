/* SPDX-License-Identifier: MIT
 * grouped_avx512.c - grouped_tmpl.h in vectors of sixteen. */
#include "kernels/cpu/vec_avx512.h"

#include "kernels/cpu/grouped_tmpl.h"
