/* SPDX-License-Identifier: MIT
 * cpu_layout.h - the private layouts of packed weights, and a part's share of the scratch.
 * Shared by the kernels and by the backend's planning; knows no ISA. */
#ifndef SCT_CPU_LAYOUT_H
#define SCT_CPU_LAYOUT_H

#include "kernels/kargs.h"

/* Layouts that PACK makes (sct_desc.layout). For a weight [N][K] (w[out][in]):
 * PANEL_n:   for LINEAR. ceil(N/n) panels, each [K][n]: element (k, j) of panel p is
 * w[p*n+j][k]. PANEL_T_n: for LINEAR_DX. ceil(K/n) panels, each [N][n]: element (r, j) of panel
 * p is w[r][p*n+j]. Missing columns are zero. bytes = panels * depth * n * 4. */
enum cpu_layout {
    CPU_DENSE,
    CPU_PANEL_16,
    CPU_PANEL_T_16,
    CPU_PANEL_32,
    CPU_PANEL_T_32,
    CPU_PANEL_64,
    CPU_PANEL_T_64,
    CPU_LAYOUT_COUNT
};

/* Columns of a panel; 0 for CPU_DENSE. */
static inline size_t cpu_panel_width(uint32_t layout)
{
    static const uint8_t width[CPU_LAYOUT_COUNT] = {0, 16, 16, 32, 32, 64, 64};
    return layout < CPU_LAYOUT_COUNT ? width[layout] : 0;
}

static inline int cpu_panel_transposed(uint32_t layout)
{
    return layout == CPU_PANEL_T_16 || layout == CPU_PANEL_T_32 || layout == CPU_PANEL_T_64;
}

/* Shares start on a cache line. */
static inline uint64_t cpu_share_bytes(uint64_t bytes)
{
    return (bytes + 63u) & ~(uint64_t)63u;
}

/* The scratch of this part: `bytes` is what the row's choose asked for (for one part). */
static inline void *cpu_share(const struct sct_kargs *k, uint64_t bytes)
{
    return (unsigned char *)k->scratch + (size_t)k->part * (size_t)cpu_share_bytes(bytes);
}

struct cpu_range {
    size_t first, end;
};

/* Items [first, end) of n for this part, in multiples of `grain` (the last one may be short).
 */
static inline struct cpu_range cpu_split(const struct sct_kargs *k, size_t n, size_t grain)
{
    const size_t chunks = (n + grain - 1) / grain, each = chunks / k->parts,
                 more = chunks % k->parts, part = k->part;
    const size_t c0 = part * each + (part < more ? part : more),
                 c1 = c0 + each + (part < more ? 1 : 0);
    const struct cpu_range r = {c0 * grain < n ? c0 * grain : n,
                                c1 * grain < n ? c1 * grain : n};
    return r;
}

#endif
