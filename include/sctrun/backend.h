/* SPDX-License-Identifier: MIT
 * backend.h - the backend ABI, version 1.
 *
 * A backend is a shared object that exports sct_backend_entry_v1 and nothing else. It needs no
 * symbol of the library. The core validates everything in front: a backend receives only legal
 * descriptions and need not check them again.
 *
 * The life of a program:
 *   probe   for every node: which row, what scratch, which inputs it wants packed
 *   shape   once: how many lanes, how many images each (b)
 *   probe   again, with the final shapes
 *   bind    the whole program: compile, prepare
 *   place   once: the buffers
 *   step    (state), then run(segment): nothing is looked up, allocated or compiled here
 *
 * Threads: one thread per device object at a time; entry, count and info may be called
 * concurrently. The backend owns its threads, lanes and queues.
 * ABI structs hold fixed-width integers, size_t, floats and pointers only; they grow by
 * appending, and `size` tells what the other side knows. */
#ifndef SCTRUN_BACKEND_H
#define SCTRUN_BACKEND_H

#include <sctrun/base.h>
#include <sctrun/graph.h>
#include <sctrun/ops.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SCT_BACKEND_ABI 1u

typedef struct sct_device sct_device; /* defined by the backend */
typedef struct sct_buf sct_buf;       /* defined by the backend */
typedef struct sct_prog sct_prog;     /* defined by the backend */

/* How often a node runs; a value's class is that of the node that makes it, or EPILOGUE when
 * the node is an ACCUM or EMIT. Ordered: a node takes the largest class of its inputs. */
enum sct_segkind {
    SCT_SEG_SETUP,    /* once, shared by every plan: frozen parameters only */
    SCT_SEG_PROLOGUE, /* once a step (in evaluation: once a run): trainable parameters too */
    SCT_SEG_BODY,     /* once a micro-batch */
    SCT_SEG_EPILOGUE, /* once a step, or once a run: reads accumulators */
    SCT_SEG_COUNT
};

/* Whose storage a value has. */
enum sct_scope {
    SCT_CONST,   /* made by setup or uploaded once; shared by all plans */
    SCT_PERSIST, /* parameters being trained, optimiser state, accumulators that outlive a step
                  */
    SCT_STEP,    /* lives within one step: prologue and epilogue values */
    SCT_LANE,    /* one arena per lane: body values, [b][..] */
    SCT_BATCH,   /* the whole batch, [batch][..] */
    SCT_SLOTS,   /* accumulators: S copies, `stride` bytes apart */
    SCT_SCOPE_COUNT
};

/* Where a value lies. buf indexes the array given to place; for SCT_LANE it is the slab number
 * inside a lane, and lane l uses array element l * lane_slabs + buf. off is a multiple of
 * SCT_ALIGN. SCT_SLOTS: slot s lies at off + s * stride, each copy len bytes. */
struct sct_place {
    uint32_t scope, buf;
    uint64_t off, len, stride;
};

enum { SCT_ALIGN = 256 };

/* One node with nothing left to decide. params is the op's struct of ops.h (zero-filled to the
 * size this header knows; NULL where the op has none) and lives as long as the program. */
struct sct_opdesc {
    uint32_t size;
    uint32_t op; /* enum sct_op */
    uint32_t n_in, n_out;
    struct sct_desc in[SCT_MAX_IN], out[SCT_MAX_OUT];
    uint32_t cls[SCT_MAX_IN]; /* enum sct_segkind of each input */
    uint32_t segment;         /* where the node runs */
    uint32_t alias_in0;       /* out[0] has the storage of in[0] */
    uint32_t team; /* threads that share one body node (sct_shape.team), at least 1 */
    const void *params;
};

/* A backend's answer for a node. In: row NULL, or the name of the row that is demanded. Out:
 * the row's name (static storage), its summation order (rows of one number give the same bits
 * and may be swapped freely), the private layout wanted for each input (0: dense; only inputs
 * of class SETUP or PROLOGUE may be packed), and bytes of scratch while the node runs (per
 * lane). */
struct sct_choice {
    uint32_t size;
    const char *row;
    uint32_t order;
    uint32_t pack_in[SCT_MAX_IN];
    uint64_t scratch;
};

/* What shape is asked for. want_b and want_lanes: 0 is the backend's choice. lane_bytes_b1:
 * arena of one lane at b = 1. accum_bytes: all accumulators, one slot. */
struct sct_load {
    uint32_t size, batch, slots, want_b, want_lanes;
    uint64_t lane_bytes_b1, accum_bytes,
        budget; /* budget: bytes for all lanes, 0: none given */
};

/* b <= ceil(batch / slots), lanes <= slots. team: threads per lane. slots: 0 takes the load's
 * number (cpu and ref must: it fixes the bits); a device that has no use for several says 1,
 * and b may then reach batch. */
struct sct_shape {
    uint32_t size, lanes, b, team, slots;
};

/* Written once a step, before run. valid: images of the batch that exist. */
struct sct_step_state {
    uint64_t seed, step;
    float lr;
    uint32_t valid;
};

/* One micro-batch: images first .. first + count - 1 of the batch, count <= b, accumulators of
 * `slot`. A lane runs the micro-batches of one slot in order; slots in any order. */
struct sct_micro {
    uint32_t first, count, slot;
};

struct sct_node {
    struct sct_opdesc d;
    struct sct_choice c;
    struct sct_place in[SCT_MAX_IN], out[SCT_MAX_OUT], scratch;
    const char *label; /* site path and role, for profiles and messages; never NULL */
};

struct sct_segment {
    uint32_t kind; /* enum sct_segkind */
    uint32_t n;
    const struct sct_node *node; /* in execution order */
};

/* A whole program. Everything pointed to lives until drop. micro covers the batch in image
 * order, slot by slot; with `valid` images only those micro-batches are run whose first <
 * valid. */
struct sct_progdesc {
    uint32_t size, n_seg;
    const struct sct_segment *seg;
    struct sct_shape shape;
    uint32_t batch, slots, n_micro, lane_slabs;
    const struct sct_micro *micro;
};

enum sct_device_kind { SCT_DEV_CPU, SCT_DEV_GPU, SCT_DEV_OTHER };

struct sct_device_info {
    uint32_t size, kind;
    uint32_t usable;  /* 0: refused, status says why */
    uint32_t threads; /* CPU: threads used; GPU: compute units */
    uint64_t memory, max_alloc;
    char id[32]; /* "0:0": how --device names it */
    char platform[96], name[128], vendor[64], driver[96];
    char status[192]; /* code path, or the reason for refusal and what to do */
};

/* What the core hands to a backend. opt returns a setting or NULL: "threads" (number), "isa"
 * (cpu: base|avx2|avx512), "gemm" (opencl: own|clblast), "cache-dir" (writable folder, or NULL:
 * no disk cache). Strings live as long as the host. log: level of enum sct_log_level, one
 * line. */
struct sct_host {
    uint32_t abi, size;
    void *ctx;
    void (*log)(void *ctx, int level, const char *line);
    const char *(*opt)(void *ctx, const char *key);
};

struct sct_backend {
    uint32_t abi, size;
    const char *name, *summary;

    /* ---- devices ---- */
    uint32_t (*count)(const struct sct_host *);
    sct_status (*info)(const struct sct_host *, uint32_t index, struct sct_device_info *,
                       sct_error *);
    /* host must outlive the device. On failure *out is NULL. */
    sct_status (*open)(const struct sct_host *, uint32_t index, sct_device **out, sct_error *);
    void (*close)(sct_device *); /* NULL is ignored; programs and buffers are gone before */

    /* ---- planning ---- */
    /* Bytes that a value of this description occupies (private layouts; f64 mode of ref). */
    uint64_t (*bytes)(const sct_device *, const struct sct_desc *);
    /* Answers for one node. SCT_EUNSUP (err untouched or filled) is an answer: no row. */
    sct_status (*probe)(sct_device *, const struct sct_opdesc *, struct sct_choice *,
                        sct_error *);
    /* Names of all rows of an op, best first, whether or not this device can run them now.
     * Returns their number, writes at most cap. A name that starts with "ref/" is the reference
     * kernel serving. */
    uint32_t (*rows)(const sct_device *, uint32_t op, const char **name, uint32_t cap);
    sct_status (*shape)(sct_device *, const struct sct_load *, struct sct_shape *, sct_error *);

    /* ---- memory; host access waits for work in flight ---- */
    sct_status (*buf_new)(sct_device *, uint64_t bytes, sct_buf **out, sct_error *);
    void (*buf_free)(sct_device *, sct_buf *); /* NULL is ignored */
    /* Host data is in the value's own element type; in ref's f64 mode too the host sees f32
     * values of desc-sized elements through write_f32/read_f32 of the core, raw bytes here. */
    sct_status (*write)(sct_device *, sct_buf *, uint64_t off, const void *, uint64_t n,
                        sct_error *);
    sct_status (*read)(sct_device *, const sct_buf *, uint64_t off, void *, uint64_t n,
                       sct_error *);

    /* ---- running ---- */
    /* Compiles and validates everything. On failure *out is NULL. */
    sct_status (*bind)(sct_device *, const struct sct_progdesc *, sct_prog **out, sct_error *);
    /* The buffers of the program; they must stay until drop or the next place. */
    sct_status (*place)(sct_prog *, sct_buf *const *buf, uint32_t n, sct_error *);
    sct_status (*step)(sct_prog *, const struct sct_step_state *);
    /* seg: index into progdesc.seg. For a body: micro-batches micro0 .. micro0 + n - 1. May
     * return before the work is done. */
    sct_status (*run)(sct_prog *, uint32_t seg, uint32_t micro0, uint32_t n);
    sct_status (*sync)(sct_device *, sct_error *); /* waits; reports errors of the device */
    void (*drop)(sct_prog **);                     /* waits; NULL and *NULL are ignored */

    /* ---- optional ---- */
    /* Seconds spent in node `node` of segment `seg` since the program was bound with profiling
     * (opt "profile" = "on"), and calls. */
    sct_status (*profile)(sct_prog *, uint32_t seg, uint32_t node, double *seconds,
                          uint64_t *calls);
    /* Bytes of device memory now in use and the most there has been. */
    void (*usage)(const sct_device *, uint64_t *now, uint64_t *peak);
    /* A buffer over n bytes of host memory that stay, unchanged, until buf_free, which leaves
     * them alone; usage does not count them. They are aligned to an element, not to SCT_ALIGN,
     * and may not be writable: programs of SETUP read the buffer, nobody writes it. Asked only
     * for values whose bytes are n. For a device that computes in host memory: frozen weights
     * are packed straight from their file. On failure *out is NULL. */
    sct_status (*buf_over)(sct_device *, const void *data, uint64_t n, sct_buf **out,
                           sct_error *);
};

typedef const struct sct_backend *(*sct_backend_entry_fn)(void);
#define SCT_BACKEND_ENTRY "sct_backend_entry_v1"

/* Defined by the shared object. */
SCT_EXPORT const struct sct_backend *sct_backend_entry_v1(void);

#ifdef __cplusplus
}
#endif
#endif
