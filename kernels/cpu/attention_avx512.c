/* SPDX-License-Identifier: MIT
 * attention_avx512.c - attention_tmpl.h and wattention_tmpl.h in vectors of sixteen. */
#include "kernels/cpu/vec_avx512.h"

#include "kernels/cpu/attention_tmpl.h"
#include "kernels/cpu/wattention_tmpl.h"
