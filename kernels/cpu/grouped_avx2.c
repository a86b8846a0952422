/* SPDX-License-Identifier: MIT
 * grouped_avx2.c - grouped_tmpl.h in vectors of eight. */
#include "kernels/cpu/vec_avx2.h"

#include "kernels/cpu/grouped_tmpl.h"
