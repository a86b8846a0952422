/* SPDX-License-Identifier: MIT
 * rows.c - the ordered rows of all ISA tables as one list.
 * Best first: AVX-512, AVX2, portable C. Tables are small; only planning searches them. */
#include "backends/cpu/cpu.h"

#include <string.h>

struct table {
    const struct cpu_row *row;
    const size_t *count;
};

static const struct table tables[] = {
#if defined(SCT_CPU_AVX512)
    {cpu_rows_avx512, &cpu_rows_avx512_count},
#endif
#if defined(SCT_CPU_AVX2)
    {cpu_rows_avx2, &cpu_rows_avx2_count},
#endif
    {cpu_rows_base, &cpu_rows_base_count},
};

uint32_t cpu_isa_built(void)
{
    uint32_t bits = 0;
#if defined(SCT_CPU_AVX512)
    bits |= CPU_ISA_AVX2 | CPU_ISA_AVX512;
#endif
#if defined(SCT_CPU_AVX2)
    bits |= CPU_ISA_AVX2;
#endif
    return bits;
}

const struct cpu_row *cpu_row_at(uint32_t op, size_t i)
{
    for (size_t t = 0; t < sizeof tables / sizeof tables[0]; t++)
        for (size_t r = 0; r < *tables[t].count; r++)
            if (tables[t].row[r].op == op && i-- == 0)
                return &tables[t].row[r];
    return NULL;
}

const struct cpu_row *cpu_row_find(uint32_t op, const char *name)
{
    const struct cpu_row *row;
    for (size_t i = 0; (row = cpu_row_at(op, i)) != NULL; i++)
        if (strcmp(row->name, name) == 0)
            return row;
    return NULL;
}
