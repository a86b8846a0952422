/* SPDX-License-Identifier: MIT
 * update_avx2.c - update_tmpl.h in vectors of eight. */
#include "kernels/cpu/vec_avx2.h"

#include "kernels/cpu/update_tmpl.h"
