/* SPDX-License-Identifier: MIT
 * rows_avx512.c - the rows of AVX-512 (F, BW, DQ, VL). Compiled for any processor: it only
 * names kernels. */
#define ISA(OP)    OP##_avx512
#define ISA_BITS   CPU_ISA_AVX512
#define ISA_NAME   "avx512"
#define ISA_TILE   "_14x32"
#define ISA_ORDER  512
#define MR         AVX512_MR
#define NR         AVX512_NR
#define PANEL      CPU_PANEL_32
#define PANEL_T    CPU_PANEL_T_32
#define ROWS       cpu_rows_avx512
#define ROWS_COUNT cpu_rows_avx512_count

#include "backends/cpu/rows_simd.h"
