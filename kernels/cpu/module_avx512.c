/* SPDX-License-Identifier: MIT
 * module_avx512.c - module_tmpl.h in vectors of sixteen. */
#include "kernels/cpu/vec_avx512.h"

#include "kernels/cpu/module_tmpl.h"
