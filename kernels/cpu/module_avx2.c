/* SPDX-License-Identifier: MIT
 * module_avx2.c - module_tmpl.h in vectors of eight. */
#include "kernels/cpu/vec_avx2.h"

#include "kernels/cpu/module_tmpl.h"
