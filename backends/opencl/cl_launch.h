/* SPDX-License-Identifier: MIT
 * cl_launch.h - a bound program: commands, their arguments, where their values lie.
 * Filled by emit and bind, resolved by place, walked by run. */
#ifndef SCT_CL_LAUNCH_H
#define SCT_CL_LAUNCH_H

#include "backends/opencl/cl_internal.h"

enum cl_arg_kind {
    CL_ARG_IN,  /* buffer and offset of in[index] */
    CL_ARG_OUT, /* the same of out[index] */
    CL_ARG_ACC, /* buffer, offset, slot stride of out[0] */
    CL_ARG_SCRATCH,
    CL_ARG_STATE,
    CL_ARG_LOCAL, /* value: bytes */
    CL_ARG_BYTES, /* value: size bytes of a scalar */
};

struct cl_arg {
    uint8_t kind, index, size;
    uint64_t value;
};

enum cl_cmd_kind { CL_CMD_KERNEL, CL_CMD_ZERO, CL_CMD_COPY, CL_CMD_SGEMM };

/* A place in device memory, known after place(). */
struct cl_ref {
    cl_mem mem;
    uint64_t off, len, stride; /* bytes; len: all slots of an accumulator */
    uint32_t elem;             /* bytes of an element */
};

/* One command of a node. arg0, n_arg: its arguments in cl_build.arg. */
struct cl_cmd {
    uint32_t kind, node;
    struct cl_unit *unit;
    char *name; /* of the kernel */
    cl_kernel kernel;
    size_t local[3], global[3];
    uint32_t arg0, n_arg;
    uint8_t ref_in[2], ref_out; /* ZERO, COPY, SGEMM: indices of the node's values */
    bool tb, skip;              /* skip: a copy onto itself */
    uint32_t m, n, k;
    struct cl_ref in[2], out; /* resolved by place */
};

/* What emit() appends to: the commands of one segment. */
struct cl_build {
    sct_device *dev;
    struct cl_cmd *cmd;
    size_t n_cmd, cap_cmd;
    struct cl_arg *arg;
    size_t n_arg, cap_arg;
    uint32_t node; /* being emitted */
    bool open;     /* a launch without its grid yet */
    sct_error err;
};

struct cl_timing {
    double seconds;
    uint64_t calls;
};

struct cl_seg {
    const struct sct_segment *desc;
    struct cl_build b;
    struct cl_timing *timing; /* one per node; NULL without profiling */
};

/* An event of a profiled command, resolved when many have gathered. */
struct cl_pending {
    cl_event event;
    uint32_t seg, node;
    bool first; /* of its node: counts a call */
};

struct sct_prog {
    sct_device *dev;
    const struct sct_progdesc *desc;
    struct cl_seg *seg;
    cl_mem state;  /* CL_ST_WORDS uints */
    cl_mem micros; /* 4 uints per micro-batch, and one entry for outside the body */
    uint32_t *micro_host;
    uint32_t micro_now; /* entry that the state holds; UINT32_MAX: none */
    bool placed;
    struct cl_pending *pending;
    size_t n_pending;
};

enum { CL_PENDING_MAX = 4096, CL_FLUSH_EVERY = 48 };

/* Appends the commands of one node. */
sct_status cl_emit_node(struct cl_build *b, const struct cl_row *row,
                        const struct sct_node *node, uint32_t index,
                        const struct sct_progdesc *prog, sct_error *err);
void cl_build_free(struct cl_build *b);
void cl_fault(sct_device *dev, cl_int rc, const char *what, const char *label);

cl_int cl_blast_sgemm(const struct cl_blast *, cl_command_queue q, const struct cl_cmd *cmd,
                      cl_event *event);

#endif
