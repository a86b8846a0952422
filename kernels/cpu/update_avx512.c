/* SPDX-License-Identifier: MIT
 * update_avx512.c - update_tmpl.h in vectors of sixteen. */
#include "kernels/cpu/vec_avx512.h"

#include "kernels/cpu/update_tmpl.h"
