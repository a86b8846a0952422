/* SPDX-License-Identifier: MIT
 * rows_avx2.c - the rows of AVX2 and FMA. Compiled for any processor: it only names kernels. */
#define ISA(OP)    OP##_avx2
#define ISA_BITS   CPU_ISA_AVX2
#define ISA_NAME   "avx2"
#define ISA_TILE   "_6x16"
#define ISA_ORDER  256
#define MR         AVX2_MR
#define NR         AVX2_NR
#define PANEL      CPU_PANEL_16
#define PANEL_T    CPU_PANEL_T_16
#define ROWS       cpu_rows_avx2
#define ROWS_COUNT cpu_rows_avx2_count

#include "backends/cpu/rows_simd.h"
