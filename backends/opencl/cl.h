/* SPDX-License-Identifier: MIT
 * cl.h - what a row of the opencl backend sees: capabilities, the row table, launches.
 *
 * A row describes the launches of one node, it runs nothing: at bind its emit() is called once
 * and records kernels, arguments and sizes; place() turns value references into buffers and
 * offsets; run() is a loop of bare enqueues. So no argument may change between two steps: what
 * changes lies in the state words below, which kernels read from global memory.
 *
 * Kernel sources: kernels/opencl/NAME.cl, embedded at build time. The text that is compiled is
 * common.clh followed by the .cl file (no #include). One program is built for each different
 * (file, options) pair of a whole process, so prefer run-time arguments to -D. Every program is
 * compiled with
 *     -cl-std=CL1.2 -DSCT_SIMD=<float lanes of the device's registers: 4|8|16>
 *     and one of -DSCT_DEV_CPU=1 -DSCT_DEV_GPU=1, perhaps -DSCT_PREFETCH=1, plus what the row
 *     passes in `options`.
 * Never -cl-fast-relaxed-math, never -cl-finite-math-only: masks are -inf. */
#ifndef SCT_CL_H
#define SCT_CL_H

#include <stdbool.h>

#include <sctrun/backend.h>

/* ---- the device ----------------------------------------------------------------------------
 */

/* Bits that a row may need. Each is probed, none follows from a vendor's name. */
enum cl_need {
    CL_NEED_CPU = 1u << 0, /* a CPU device: a work-item owns a whole vector-register tile */
    CL_NEED_GPU = 1u << 1, /* not a CPU device; see opt "assume" */
    CL_NEED_GROUP_256 = 1u << 2, /* 256 work-items in a group */
    CL_NEED_LOCAL_32K = 1u << 3, /* 32 KiB of local memory */
    CL_NEED_CLBLAST = 1u << 4,   /* libclblast is loaded and allowed by opt "gemm" */
};

enum cl_vendor { CL_OTHER, CL_NVIDIA, CL_AMD, CL_INTEL, CL_POCL, CL_ARM, CL_MESA };

struct cl_caps {
    uint32_t kind;   /* enum sct_device_kind; as opt "assume" says where it is set */
    uint32_t vendor; /* enum cl_vendor, of the platform */
    uint32_t has;    /* enum cl_need bits */
    uint32_t units;  /* compute units (CPU: threads) */
    uint32_t simd;   /* native float vector width, clamped to 4, 8 or 16; GPU: 4 */
    uint32_t max_group, c_version; /* c_version: 120, 200, 300 */
    uint64_t local_bytes, max_alloc, memory;
};

/* ---- the state words -----------------------------------------------------------------------
 */

/* One buffer of CL_ST_WORDS uints, argument `__global const uint *st` of cl_arg_state. Words
 * 0-5 are written once a step, words 8-11 before each micro-batch of the body by a copy on the
 * device. Outside the body FIRST, SLOT and INDEX are 0 and COUNT is the batch. */
enum cl_state_word {
    CL_ST_SEED_LO,
    CL_ST_SEED_HI,
    CL_ST_STEP_LO,
    CL_ST_STEP_HI,
    CL_ST_LR,    /* bits of a float */
    CL_ST_VALID, /* images of the batch that exist */
    CL_ST_FIRST = 8,
    CL_ST_COUNT,
    CL_ST_SLOT,
    CL_ST_INDEX, /* of the micro-batch in progdesc.micro */
    CL_ST_WORDS = 16
};

/* ---- describing launches -------------------------------------------------------------------
 */

/* Handed to emit(). Errors are sticky: after the first, every helper does nothing and bind
 * fails, so rows check nothing. The helpers append kernel arguments in the order of the calls.
 */
struct cl_emit {
    const struct cl_caps *caps;
    const struct sct_opdesc *d;
    const struct sct_choice *c;
    uint32_t b, batch;   /* images of a micro-batch, of the batch */
    struct cl_build *to; /* private */
};

/* Begins a launch. file: "linear.cl" as embedded; kernel: the function; options: "-DX=1" or
 * NULL. All three are copied. */
void cl_launch(struct cl_emit *e, const char *file, const char *kernel, const char *options);
/* TWO kernel arguments: `__global T *buf, ulong off`; off counts elements of the value's dtype.
 * A value at index >= n_in passes a valid buffer that must not be read (offset 0), so that one
 * kernel can serve an absent optional input with a flag argument. */
void cl_arg_in(struct cl_emit *e, uint32_t i);
void cl_arg_out(struct cl_emit *e, uint32_t i);
/* ACCUM ops, in[0] == out[0]: THREE arguments `__global T *buf, ulong off, ulong slot_stride`
 * in elements; the kernel adds st[CL_ST_SLOT] * slot_stride to off. */
void cl_arg_acc(struct cl_emit *e);
/* TWO arguments `__global float *buf, ulong off`: the node's scratch from byte `at` (multiple
 * of 4) on; off counts floats. Only for rows whose choose() asked for scratch. */
void cl_arg_scratch(struct cl_emit *e, uint64_t at);
void cl_arg_state(struct cl_emit *e); /* ONE: `__global const uint *st` */
void cl_arg_u32(struct cl_emit *e, uint32_t v);
void cl_arg_i32(struct cl_emit *e, int32_t v);
void cl_arg_u64(struct cl_emit *e, uint64_t v); /* ulong */
void cl_arg_f32(struct cl_emit *e, float v);
void cl_arg_local(struct cl_emit *e, uint64_t bytes); /* `__local T *` */
/* Ends a launch: numbers of GROUPS and items of a group in each dimension, so that groups are
 * uniform. lx * ly * lz must equal the kernel's reqd_work_group_size (checked against the
 * compiled kernel). A launch with zero groups is dropped. */
void cl_grid(struct cl_emit *e, uint64_t gx, uint64_t gy, uint64_t gz, uint32_t lx, uint32_t ly,
             uint32_t lz);
/* Fills `bytes` bytes of out[i] with zeros (clEnqueueFillBuffer). A whole launch. */
void cl_zero_out(struct cl_emit *e, uint32_t i);
/* Copies in[i] to out[j], dense, equal sizes (clEnqueueCopyBuffer). A whole launch; the two
 * must not overlap unless they are the same storage, in which case nothing is done. */
void cl_copy(struct cl_emit *e, uint32_t i, uint32_t j);
/* CLBlast rows: C[m][n] = A[m][k] * op(B), row-major, op(B) = B[n][k]^T when tb, else B[k][n].
 * Values by index of the node (in a, in b, out c). A whole launch. */
void cl_sgemm(struct cl_emit *e, uint32_t m, uint32_t n, uint32_t k, uint32_t a, uint32_t b,
              bool tb, uint32_t c);
/* Records a failure (EUNSUP, EFAIL ..); the first wins. */
SCT_PRINTF(3, 4)
void cl_emit_fail(struct cl_emit *e, sct_status rc, const char *fmt, ...);

/* ---- rows ----------------------------------------------------------------------------------
 */

/* One case of a candidate's self-test. The row fills d (in, out, params; size, op, n_in, n_out
 * and params already point at zeroed storage of 64 bytes) and, if the defaults do not fit, the
 * rest. */
struct cl_test {
    struct sct_opdesc d;
    uint64_t params[8];
    uint32_t index_limit[SCT_MAX_IN]; /* i32 inputs: ascending unique values below this */
    float lo, hi;                     /* range of f32, bf16, f16 inputs; default -1, 1 */
    float tol; /* largest |fast - plain| / rms(plain) of an output; default 1e-4 */
};

/* A kernel that may serve an op. Rows of an op are tried in table order, best first: the first
 * whose needs are present, whose accepts says yes and, for a candidate, whose self-test passed
 * on this device. Every op has a plain row (no candidate, no needs), which is also the row that
 * candidates are tested against. */
struct cl_row {
    uint32_t op;      /* enum sct_op */
    const char *name; /* "linear/wide16x12"; unique */
    uint32_t order;   /* summation order: rows of one op with equal numbers give equal bits */
    uint32_t needs;   /* enum cl_need bits */
    bool candidate;   /* must pass the self-test; then tests or verdict_of is set */
    bool (*accepts)(const struct cl_caps *, const struct sct_opdesc *); /* NULL: always */
    /* Sets pack_in and scratch (bytes; 0 before). NULL: neither. */
    void (*choose)(const struct cl_caps *, const struct sct_opdesc *, struct sct_choice *);
    void (*emit)(struct cl_emit *e);
    /* Self-test case number i (awkward sizes: 1, 17, 197 rows; odd columns); false: no more. */
    bool (*tests)(uint32_t i, struct cl_test *t);
    /* A candidate made of another row's kernels takes that row's verdict (its name). */
    const char *verdict_of;
};

/* Defined beside the rows (rows_table.c): the tables in order of preference. */
struct cl_row_table {
    const struct cl_row *row;
    size_t n;
};
extern const struct cl_row_table cl_row_tables[];
extern const size_t cl_row_tables_count;

/* rows_clblast.c: tried before all others where CL_NEED_CLBLAST is set, that is when asked for.
 */
enum { CL_ROWS_CLBLAST = 2 };
extern const struct cl_row cl_rows_clblast[CL_ROWS_CLBLAST];

/* Bytes of a value, private layouts included (rows_table.c). Layout numbers are the rows' own
 * (cl_layout.h); a PACK node is served by a row of SCT_OP_PACK that switches on
 * ((const struct sct_pack_params *)d->params)->layout == d->out[0].layout. */
uint64_t cl_value_bytes(const struct sct_desc *d);

#endif
