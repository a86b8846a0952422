/* SPDX-License-Identifier: MIT
 * cl_internal.h - what the host files of the opencl backend share; rows see cl.h only.
 * The whole host side uses OpenCL 1.2 entry points, so that any loader will do. */
#ifndef SCT_CL_INTERNAL_H
#define SCT_CL_INTERNAL_H

#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>
#include <pthread.h>

#include "backends/opencl/cl.h"

enum { CL_KEY_HEX = 65 }; /* SHA-256 in hexadecimal and the final zero */

/* ---- embedded sources (made by backends/opencl/embed.py) ---- */

struct cl_source {
    const char *name, *text;
};
extern const struct cl_source cl_sources[]; /* "common.clh" and every .cl */
extern const size_t cl_sources_count;
extern const char cl_sources_digest[]; /* of sources and rows: changes with any of them */

/* ---- errors (cl_error.c) ---- */

const char *cl_error_name(cl_int rc);
/* Fills err with "what: CL_NAME (code): what to do" and returns the status that fits. */
SCT_PRINTF(3, 4)
sct_status cl_fail(sct_error *err, cl_int rc, const char *fmt, ...);
SCT_PRINTF(3, 4)
void cl_log(const struct sct_host *host, int level, const char *fmt, ...);
const char *cl_opt(const struct sct_host *host, const char *key); /* NULL: not set */
bool cl_opt_is(const struct sct_host *host, const char *key, const char *value);
/* Grows an array by doubling; false when out of memory. */
bool cl_grow(void **p, size_t *cap, size_t need, size_t elem);

/* ---- devices (cl_device.c, cl_caps.c) ---- */

struct cl_found {
    cl_platform_id platform;
    cl_device_id device;
    uint32_t p, d;   /* the id "P:D" */
    uint32_t vendor; /* enum cl_vendor */
    int32_t same_as; /* index of the preferred twin of one card, or -1 */
    cl_device_type type;
};

enum { CL_MAX_FOUND = 64 };

/* All GPU, CPU and accelerator devices in the order of the platforms; returns their number. */
uint32_t cl_enumerate(struct cl_found found[CL_MAX_FOUND]);
sct_status cl_describe(const struct sct_host *host, const struct cl_found *f,
                       const struct cl_found *all, struct sct_device_info *info,
                       sct_error *err);
/* What the driver calls the device: enum sct_device_kind. */
uint32_t cl_kind(const struct cl_found *f);
/* Option "assume": cpu or gpu; the kernels of that kind are used, whatever the device is, so
 * that both kinds can be checked on one machine. EINVAL for another word. */
sct_status cl_assume_check(const struct sct_host *host, sct_error *err);
void cl_caps_probe(const struct sct_host *host, const struct cl_found *f, struct cl_caps *caps);
/* A text property of a device or platform, cut to size, never NULL-terminated wrongly. */
void cl_device_text(cl_device_id d, cl_device_info what, char *buf, size_t size);
void cl_platform_text(cl_platform_id p, cl_platform_info what, char *buf, size_t size);
uint64_t cl_device_u64(cl_device_id d, cl_device_info what); /* 0 when unknown; any width */
const char *cl_cache_policy(uint32_t vendor);                /* "driver" or "own" */

/* ---- programs (cl_program.c, cl_cache.c) ---- */

/* One (file, options) pair of a device, built at most once. */
struct cl_unit {
    const struct cl_source *source;
    char *options;
    cl_program program; /* NULL until built */
    sct_status rc;      /* of the build, with err */
    sct_error *err;
    bool wanted; /* by the program being bound: others, broken ones too, are left alone */
    bool from_cache;
};

/* Where binaries and verdicts lie. */
struct cl_cache {
    char *dir;                   /* NULL: no disk cache */
    bool programs;               /* binaries too, not only verdicts */
    char device_key[CL_KEY_HEX]; /* platform, device, driver */
};

struct cl_verdict {
    const struct cl_row *row;
    bool pass;
};

struct sct_device {
    const struct sct_host *host;
    struct cl_found id;
    char id_text[32];
    struct cl_caps caps;
    cl_context ctx;
    cl_command_queue q;
    bool profiling;
    cl_mem dummy; /* stands for absent optional inputs */
    uint64_t mem_now, mem_peak;
    struct cl_cache cache;
    struct cl_unit **unit;
    size_t n_unit, cap_unit;
    struct cl_verdict *verdict;
    size_t n_verdict, cap_verdict;
    struct cl_blast *blast; /* NULL: CLBlast is not used */
    uint32_t unflushed;     /* commands since the last clFlush */
    pthread_mutex_t lock;   /* guards fault: drivers report from their own threads */
    char fault[600];        /* first failure of work in flight */
    sct_status fault_rc;    /* SCT_OK: none */
    char notice[256];       /* first words of the driver about an error, "" if none */
};

struct sct_buf {
    cl_mem mem;
    uint64_t bytes;
};

/* Finds or adds the unit. Not built yet. NULL and *err on failure. */
struct cl_unit *cl_unit_get(sct_device *dev, const char *file, const char *options,
                            sct_error *err);
/* Builds all wanted units that are not, in up to `threads` threads. */
sct_status cl_units_build(sct_device *dev, sct_error *err);
void cl_units_free(sct_device *dev);

/* Opens the cache folder (0700) and computes the device key; a failure only means no cache. */
void cl_cache_open(sct_device *dev);
void cl_cache_close(struct cl_cache *c);
/* Key of device key and texts; parts are hashed with their lengths. */
void cl_cache_key(const struct cl_cache *c, const char *const *part, size_t n,
                  char key[CL_KEY_HEX]);
/* Payload of the entry, malloc'd, or NULL: absent, damaged, unreadable. */
void *cl_cache_load(const struct cl_cache *c, const char *key, const char *suffix,
                    size_t *size);
/* Temp file, fsync, rename. Returns false when it could not; nobody needs to care. */
bool cl_cache_store(const struct cl_cache *c, const char *key, const char *suffix,
                    const void *data, size_t size);

/* ---- programs of nodes (cl_bind.c, cl_run.c) ---- */

sct_status cl_bind(sct_device *, const struct sct_progdesc *, sct_prog **, sct_error *);
sct_status cl_place(sct_prog *, sct_buf *const *, uint32_t, sct_error *);
void cl_drop(sct_prog **);
sct_status cl_step(sct_prog *, const struct sct_step_state *);
sct_status cl_run(sct_prog *, uint32_t seg, uint32_t micro0, uint32_t n);
sct_status cl_sync(sct_device *, sct_error *);
sct_status cl_profile(sct_prog *, uint32_t seg, uint32_t node, double *, uint64_t *);

/* ---- memory (cl_buffer.c) ---- */

sct_status cl_buf_new(sct_device *, uint64_t bytes, sct_buf **, sct_error *);
void cl_buf_free(sct_device *, sct_buf *);
sct_status cl_write(sct_device *, sct_buf *, uint64_t off, const void *, uint64_t n,
                    sct_error *);
sct_status cl_read(sct_device *, const sct_buf *, uint64_t off, void *, uint64_t n,
                   sct_error *);

/* ---- choosing rows (cl_select.c, cl_selftest.c) ---- */

const struct cl_row *cl_row_find(const char *name);
/* The first row of the op that is no candidate, needs nothing and accepts; or NULL. */
const struct cl_row *cl_row_plain(const struct cl_caps *, const struct sct_opdesc *);
uint64_t cl_bytes(const sct_device *, const struct sct_desc *);
sct_status cl_probe(sct_device *, const struct sct_opdesc *, struct sct_choice *, sct_error *);
uint32_t cl_rows(const sct_device *, uint32_t op, const char **name, uint32_t cap);
sct_status cl_shape(sct_device *, const struct sct_load *, struct sct_shape *, sct_error *);
/* Has this candidate passed on this device? Runs the child process when nobody knows yet. */
bool cl_selftest_passed(sct_device *dev, const struct cl_row *row);
/* The test itself, in the child: SCT_OK passed; EFAIL wrong numbers; else could not run. */
sct_status cl_selftest_run(sct_device *dev, const struct cl_row *row, sct_error *err);

/* Exit status of sctrun-clprobe; any other: it could not run. Not 1, which loaders and
 * sanitizers use too. */
enum { CL_TEST_PASS = 0, CL_TEST_UNABLE = 2, CL_TEST_WRONG = 3 };
/* In place of the module's entry for the probe program and tests. */
const struct sct_backend *cl_backend(void);

/* ---- CLBlast (cl_blast.c, rows_clblast.c) ---- */

struct cl_blast;
/* *out is NULL unless opt "gemm" is clblast; EDEVICE where that cannot be loaded. */
sct_status cl_blast_open(const struct sct_host *host, struct cl_blast **out, sct_error *err);
/* EFAIL where CLBlast computes something else than the plain kernels on this device. */
sct_status cl_blast_check(sct_device *dev, sct_error *err);
void cl_blast_close(struct cl_blast *);

#endif
