/* SPDX-License-Identifier: MIT
 * cpu.h - the cpu backend's own types: ISA bits, rows, device, pool.
 * Layouts of packed weights stand in kernels/cpu/cpu_layout.h, where kernels see them too. */
#ifndef SCT_CPU_H
#define SCT_CPU_H

#include <stdbool.h>

#include "kernels/cpu/cpu_layout.h"
#include "kernels/kargs.h"

enum cpu_isa {
    CPU_ISA_AVX2 = 1u << 0,   /* AVX2 and FMA */
    CPU_ISA_AVX512 = 1u << 1, /* F, BW, DQ, VL */
};

/* A kernel that may serve an op. Rows of an op are tried in table order, best first: the first
 * whose ISA bits are present and whose accepts says yes.
 *
 * choose fills pack_in, and scratch with the bytes that ONE part needs: probe multiplies by the
 * number of parts (d->team in the body, all threads elsewhere), and the kernel finds its own
 * share with cpu_share(k, those bytes). An input may reach accepts and choose dense, or already
 * in the layout that choose asked for; choose then asks for the same again. */
struct cpu_row {
    uint32_t op;      /* enum sct_op */
    const char *name; /* "linear/avx512_14x32"; unique; "ref/..." when the reference serves */
    uint32_t isa;     /* bits that must be present */
    uint32_t order;   /* summation order: rows of one op with equal numbers give equal bits */
    bool (*accepts)(const struct sct_opdesc *d); /* NULL: always */
    void (*choose)(const struct sct_opdesc *d,
                   struct sct_choice *c); /* packs, scratch; NULL: none */
    sct_kernel_fn run;
    bool one_part; /* ignores part/parts: only part 0 of a team calls it */
};

extern const struct cpu_row cpu_rows_avx512[], cpu_rows_avx2[], cpu_rows_base[];
extern const size_t cpu_rows_avx512_count, cpu_rows_avx2_count, cpu_rows_base_count;

/* ---- cpuid.c
 * --------------------------------------------------------------------------------- */

/* ISA bits that processor and operating system both offer. */
uint32_t cpu_isa_detect(void);
/* ISA bits of the paths that this build has kernels for. */
uint32_t cpu_isa_built(void);
/* Bits of a path by name ("base", "avx2", "avx512"); false when there is no such path. */
bool cpu_isa_named(const char *name, uint32_t *bits);
/* Name of the best path of `bits`. */
const char *cpu_isa_path(uint32_t bits);
/* Marketing name and vendor; "unknown" where the system does not tell. */
void cpu_names(char *name, size_t name_size, char *vendor, size_t vendor_size);
/* Processors this process may use; bytes of memory it may use (physical, or the cgroup's
 * limit). */
uint32_t cpu_processors(void);
uint64_t cpu_memory(void);

/* ---- rows.c
 * ---------------------------------------------------------------------------------- */

/* The row of this name, or NULL. */
const struct cpu_row *cpu_row_find(uint32_t op, const char *name);
/* The i-th row of an op in table order, or NULL past the end. */
const struct cpu_row *cpu_row_at(uint32_t op, size_t i);

/* ---- pool.c: threads
 * ------------------------------------------------------------------------- */

struct cpu_pool;
typedef void (*cpu_task_fn)(void *arg, uint32_t thread);

/* `threads` includes the caller of cpu_pool_run. On failure *out is NULL. */
sct_status cpu_pool_create(uint32_t threads, struct cpu_pool **out, sct_error *err);
void cpu_pool_destroy(struct cpu_pool **pool);
/* Every thread calls fn(arg, its number) once; returns when all have. One caller at a time. */
void cpu_pool_run(struct cpu_pool *pool, cpu_task_fn fn, void *arg);

/* A barrier for `n` threads that may be used again at once. */
struct cpu_barrier;
sct_status cpu_barrier_create(uint32_t n, struct cpu_barrier **out, sct_error *err);
void cpu_barrier_destroy(struct cpu_barrier **barrier);
void cpu_barrier_wait(struct cpu_barrier *barrier);

/* ---- program.c, run.c
 * ------------------------------------------------------------------------ */

struct sct_device {
    const struct sct_host *host;
    struct cpu_pool *pool;
    struct cpu_barrier *all; /* every thread of the pool */
    uint32_t threads, isa;
    bool profile;
    uint64_t now, peak; /* bytes of buffers */
};

struct sct_buf {
    unsigned char *data;
    uint64_t bytes;

    enum { CPU_BUF_HEAP, CPU_BUF_MAPPED, CPU_BUF_LENT } kind; /* by whom data is freed */
};

/* One node on one lane, with everything resolved. in_stride, out_stride: bytes from one slot's
 * copy to the next, 0 for what is not an accumulator of slots. */
struct cpu_call {
    sct_kernel_fn run;
    bool one_part, slots;
    struct sct_kargs k;
    uint64_t in_stride[SCT_MAX_IN], out_stride[SCT_MAX_OUT];
};

struct cpu_seg {
    uint32_t kind, n, lanes;
    struct cpu_call *call; /* [lanes][n]; one lane outside the body */
    double *seconds;       /* [lanes][n], NULL without profiling */
    uint64_t *calls;
};

/* Micro-batches first .. first of the next group - 1 are those of one slot. */
struct cpu_lane {
    _Alignas(64) uint32_t group; /* written by part 0, read by the team after its barrier */
    struct cpu_barrier *team;    /* NULL when the team is one thread */
};

struct sct_prog {
    sct_device *dev;
    struct sct_progdesc desc;
    struct cpu_seg *seg;
    uint32_t *group; /* [n_group + 1]: first micro-batch of each slot */
    uint32_t n_group;
    struct cpu_lane *lane;
    struct sct_step_state step;
    struct sct_micro whole; /* what nodes outside the body see */
    bool placed;
};

sct_status cpu_bind(sct_device *dev, const struct sct_progdesc *desc, sct_prog **out,
                    sct_error *err);
sct_status cpu_place(sct_prog *p, sct_buf *const *buf, uint32_t n, sct_error *err);
sct_status cpu_step(sct_prog *p, const struct sct_step_state *state);
sct_status cpu_run(sct_prog *p, uint32_t seg, uint32_t micro0, uint32_t n);
sct_status cpu_profile(sct_prog *p, uint32_t seg, uint32_t node, double *seconds,
                       uint64_t *calls);
void cpu_drop(sct_prog **p);

/* Parts that share a node: its team in the body, every thread elsewhere. */
static inline uint32_t cpu_parts(const sct_device *dev, const struct sct_opdesc *d)
{
    if (d->segment != SCT_SEG_BODY)
        return dev->threads;
    return d->team ? d->team : 1;
}

#endif
