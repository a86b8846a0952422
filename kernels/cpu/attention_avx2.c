/* SPDX-License-Identifier: MIT
 * attention_avx2.c - attention_tmpl.h and wattention_tmpl.h in vectors of eight. */
#include "kernels/cpu/vec_avx2.h"

#include "kernels/cpu/attention_tmpl.h"
#include "kernels/cpu/wattention_tmpl.h"
