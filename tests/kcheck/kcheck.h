/* SPDX-License-Identifier: MIT
 * kcheck.h - the parts of sctrun-kcheck: devices, one-node programs, references, comparison.
 * Written against the backend ABI alone, so that it judges any backend. */
#ifndef SCT_KCHECK_H
#define SCT_KCHECK_H

#include <stdbool.h>

#include <sctrun/backend.h>

#include "tests/cases/cases.h"

/* How a check ends. UNSUP: the row does not take this case. */
enum kresult { K_OK, K_UNSUP, K_FAIL };

/* ---- device.c ---- */

enum { KOPT_MAX = 16, KPACK_MAX = 32 };

struct koption {
    const char *key;
    const char *value;
};

/* One open device. opt[0..n_opt) answers the backend's questions. */
struct kdevice {
    const struct sct_backend *api;
    struct sct_host host;
    struct koption opt[KOPT_MAX];
    uint32_t n_opt;
    bool verbose;
    struct sct_device_info info;
    sct_device *dev;
    const char *pack_row[KPACK_MAX]; /* rows that served a PACK node */
    uint32_t n_pack_row;
};

/* name: "ref", a path to a shared object, or a name that sct_plug_backend finds beside the
 * program and in SCTRUN_PLUGIN_PATH. */
sct_status kbackend_load(const char *name, const struct sct_backend **api, sct_error *err);
/* device: id or part of a name, NULL: the first usable. SCT_EDEVICE when there is none. The
 * kdevice must not move afterwards. */
sct_status kdevice_open(struct kdevice *k, const struct sct_backend *api, const char *device,
                        sct_error *err);
void kdevice_close(struct kdevice *k);
void kdevice_saw_pack(struct kdevice *k, const char *row);
bool kdevice_has_pack(const struct kdevice *k, const char *row);
/* The backends whose results may not depend on threads, lanes or b. */
bool kdevice_bitwise(const struct kdevice *k);

/* ---- prog.c ---- */

enum { KP_VALUES = 48, KP_NODES = 24, KP_BUFS = 24 };

#define KP_NONE UINT32_MAX

struct kvalue {
    struct sct_desc d;
    uint32_t cls, scope, copies, buf;
    uint64_t off, len, stride; /* len: bytes of one copy */
    const void *init;          /* NULL: sentinels */
    uint32_t init_copy;        /* which copy init goes to; KP_NONE: init holds all of them */
    bool written;
};

struct knode {
    struct sct_opdesc d;
    struct sct_choice c;
    uint32_t in[SCT_MAX_IN], out[SCT_MAX_OUT], scratch; /* values */
};

struct kbuffer {
    uint32_t scope, lane;
    uint64_t bytes;
    sct_buf *dev;
    uint8_t *before, *after;
};

struct kprog {
    struct kdevice *dev;
    struct sct_shape shape;
    uint32_t batch, slots, n_micro;
    struct sct_micro *micro;
    struct kvalue value[KP_VALUES];
    struct knode node[KP_NODES];
    uint32_t n_value, n_node;
    struct kbuffer buf[KP_BUFS];
    uint32_t n_buf, lane_slabs;
    struct sct_node *nodes;
    struct sct_segment seg[SCT_SEG_COUNT];
    struct sct_progdesc desc;
    sct_prog *prog;
};

/* Asks the backend for a shape: b images, at most `lanes` lanes. bytes: of one lane at b = 1.
 */
enum kresult kprog_begin(struct kprog *p, struct kdevice *dev, uint32_t batch, uint32_t slots,
                         uint32_t b, uint32_t lanes, uint64_t bytes, sct_error *err);
/* Returns the number of the value. init is borrowed until kprog_prepare. */
uint32_t kprog_value(struct kprog *p, const struct sct_desc *d, uint32_t scope, uint32_t cls,
                     uint32_t copies, const void *init);
/* Probes (row: demanded, or NULL), inserts PACK nodes for the inputs that the row wants packed.
 */
enum kresult kprog_node(struct kprog *p, const struct sct_opdesc *d, const char *row,
                        const uint32_t *in, const uint32_t *out, sct_error *err);
/* Lays out, writes, binds, places; runs setup and prologue. */
enum kresult kprog_prepare(struct kprog *p, const struct sct_step_state *step, sct_error *err);
/* The segment's micro-batches micro0.. micro0 + n - 1, and waits. */
enum kresult kprog_exec(struct kprog *p, uint32_t segment, uint32_t micro0, uint32_t n,
                        sct_error *err);
/* Reads everything back; guard bands and what no node writes must be as they were. */
enum kresult kprog_fetch(struct kprog *p, sct_error *err);
/* A value after kprog_fetch; lane values of lane 0. */
const uint8_t *kprog_after(const struct kprog *p, uint32_t value);
const uint8_t *kprog_before(const struct kprog *p, uint32_t value);
void kprog_end(struct kprog *p);

/* ---- reference.c ---- */

/* What the reference kernels say of a case: f32, f64, and f64 on absolute values (SUM, ULP). */
struct kref {
    struct sct_desc out[SCT_MAX_OUT];
    void *data[CASE_MAX_IN];
    uint32_t n_out;
    void *out32[SCT_MAX_OUT];
    double *out64[SCT_MAX_OUT], *abs64[SCT_MAX_OUT]; /* f32 outputs only */
};

/* The case's data and results. On failure *r is zero. */
sct_status kref_make(struct kref *r, const struct sct_case *c, uint64_t seed, sct_error *err);
void kref_free(struct kref *r);
/* Runs the f32 reference on these inputs into out[] (accumulators are copied in first). */
void kref_run32(const struct sct_case *c, const struct sct_desc *out, const void *const *in,
                void *const *res, const struct sct_micro *micro);

/* ---- compare.c ---- */

/* Judges output i by the op's policy. *worst becomes the largest error as a part of the limit.
 * flush: denormal results may be zero. got has the rows of the micro-batch only for EMIT. */
enum kresult kcompare(const struct sct_case *c, const struct kref *r, uint32_t i,
                      const void *got, bool flush, double *worst, sct_error *err);

/* ---- check.c ---- */

struct kcheck {
    struct kdevice *dev;     /* default settings */
    struct kdevice *more[3]; /* the same with 1, 2 and 3 threads, or NULL */
    bool repeat;             /* a second time, and whole batches through FEED and EMIT */
    double worst;
    char why[192]; /* what an EUNSUP answer said */
};

/* One row on one case: direct, in place, again or with other thread counts, as a stream. */
enum kresult kcheck_case(struct kcheck *k, const struct sct_case *c, const struct kref *r,
                         const char *row, sct_error *err);
/* Builds the one-node program of a case; out receives the numbers of the output values. */
enum kresult kcheck_build(struct kprog *p, struct kdevice *dev, const struct sct_case *c,
                          const struct kref *r, const char *row, bool in_place, uint32_t *out,
                          sct_error *err);
/* A body case as a whole batch: FEED every input, EMIT every output, b images at a time.
 * first: the results' bytes of the direct run. */
enum kresult kcheck_stream(struct kcheck *k, const struct sct_case *c, const struct kref *r,
                           const char *row, uint8_t *const *first, sct_error *err);

/* ---- bench.c ---- */

struct kpeak {
    uint32_t threads;    /* 0: not a CPU, nothing was measured */
    double flops, bytes; /* per second, all threads; bytes: copying what no cache holds */
};

struct kpeak kbench_peak(const struct kdevice *dev);
/* One line on stdout: median time of the row on the case, rate, share of the peak. */
enum kresult kbench_case(struct kdevice *dev, const struct sct_case *c, const struct kref *r,
                         const char *row, const struct kpeak *peak, sct_error *err);

#endif
