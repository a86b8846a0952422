/* SPDX-License-Identifier: MIT
 * cl_program.c - the table of programs of a device, built by several threads, at most once
 * each. The calling thread only waits and reports: the host's log is never called from a
 * worker. */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "backends/opencl/cl_internal.h"

enum { MAX_BUILDERS = 8 };

static const struct cl_source *find_source(const char *name)
{
    for (size_t i = 0; i < cl_sources_count; i++)
        if (strcmp(cl_sources[i].name, name) == 0)
            return &cl_sources[i];
    return NULL;
}

/* Every program gets these; see the head of cl.h. */
static char *full_options(const sct_device *dev, const char *options)
{
    const char *extra = options ? options : "";
    const size_t n = strlen(extra) + 128;
    /* not through SPIR-V (Mesa), not in a simulator, which is no CPU device */
    const bool prefetch = (dev->caps.has & CL_NEED_CPU) && cl_kind(&dev->id) == SCT_DEV_CPU &&
                          (dev->caps.vendor == CL_POCL || dev->caps.vendor == CL_INTEL);
    char *all = malloc(n);
    if (all)
        (void)snprintf(all, n, "-cl-std=CL1.2 -DSCT_SIMD=%u -D%s=1%s%s%s", dev->caps.simd,
                       dev->caps.kind == SCT_DEV_CPU ? "SCT_DEV_CPU" : "SCT_DEV_GPU",
                       prefetch ? " -DSCT_PREFETCH=1" : "", *extra ? " " : "", extra);
    return all;
}

struct cl_unit *cl_unit_get(sct_device *dev, const char *file, const char *options,
                            sct_error *err)
{
    const struct cl_source *source = find_source(file);
    if (!source) {
        (void)sct_fail(err, SCT_EFAIL,
                       "no OpenCL source '%s' is embedded in this module; add it "
                       "to the list in kernels/opencl/meson.build",
                       file);
        return NULL;
    }
    char *all = full_options(dev, options);
    for (size_t i = 0; all && i < dev->n_unit; i++) {
        if (dev->unit[i]->source == source && strcmp(dev->unit[i]->options, all) == 0) {
            free(all);
            dev->unit[i]->wanted = true;
            return dev->unit[i];
        }
    }
    struct cl_unit *u = calloc(1, sizeof *u);
    sct_error *e = calloc(1, sizeof *e);
    if (!all || !u || !e ||
        !cl_grow((void **)&dev->unit, &dev->cap_unit, dev->n_unit + 1, sizeof *dev->unit)) {
        free(all);
        free(u);
        free(e);
        (void)sct_fail(err, SCT_ENOMEM, "out of host memory for the program of %s", file);
        return NULL;
    }
    u->source = source;
    u->options = all;
    u->err = e;
    u->wanted = true;
    dev->unit[dev->n_unit++] = u;
    return u;
}

void cl_units_free(sct_device *dev)
{
    for (size_t i = 0; i < dev->n_unit; i++) {
        struct cl_unit *u = dev->unit[i];
        if (u->program)
            (void)clReleaseProgram(u->program);
        free(u->options);
        free(u->err);
        free(u);
    }
    free(dev->unit);
    dev->unit = NULL;
    dev->n_unit = dev->cap_unit = 0;
}

/* ---- one program ----------------------------------------------------------------------------
 */

/* The key covers everything that decides the binary: device and driver (in the cache's own
 * part), the complete text, the options. */
static void unit_key(const sct_device *dev, const struct cl_unit *u, char key[CL_KEY_HEX])
{
    const struct cl_source *common = find_source("common.clh");
    const char *part[3] = {common ? common->text : "", u->source->text, u->options};
    cl_cache_key(&dev->cache, part, 3, key);
}

static cl_program load_binary(const sct_device *dev, const struct cl_unit *u, const char *key)
{
    size_t size = 0;
    unsigned char *data = cl_cache_load(&dev->cache, key, ".bin", &size);
    if (!data)
        return NULL;
    cl_int rc = CL_SUCCESS, status = CL_SUCCESS;
    const unsigned char *one = data;
    cl_program p =
        clCreateProgramWithBinary(dev->ctx, 1, &dev->id.device, &size, &one, &status, &rc);
    free(data);
    if (rc == CL_SUCCESS && status == CL_SUCCESS)
        rc = clBuildProgram(p, 1, &dev->id.device, u->options, NULL, NULL);
    if (rc == CL_SUCCESS && status == CL_SUCCESS)
        return p;
    if (p)
        (void)clReleaseProgram(p);
    return NULL;
}

/* Some drivers compile when a kernel is created, so that only now is the binary worth keeping.
 */
static void store_binary(const sct_device *dev, cl_program p, const char *key)
{
    cl_kernel kernel[64];
    cl_uint n = 0;
    if (clCreateKernelsInProgram(p, 64, kernel, &n) != CL_SUCCESS)
        n = 0;
    size_t size = 0;
    if (clGetProgramInfo(p, CL_PROGRAM_BINARY_SIZES, sizeof size, &size, NULL) == CL_SUCCESS &&
        size != 0) {
        unsigned char *data = malloc(size);
        if (data &&
            clGetProgramInfo(p, CL_PROGRAM_BINARIES, sizeof data, &data, NULL) == CL_SUCCESS)
            (void)cl_cache_store(&dev->cache, key, ".bin", data, size);
        free(data);
    }
    for (cl_uint i = 0; i < n && i < 64; i++)
        (void)clReleaseKernel(kernel[i]);
}

/* The first errors of the log are worth more than its beginning. */
static void build_failed(const sct_device *dev, struct cl_unit *u, cl_program p, cl_int rc)
{
    size_t n = 0;
    char *log = NULL;
    if (clGetProgramBuildInfo(p, dev->id.device, CL_PROGRAM_BUILD_LOG, 0, NULL, &n) ==
            CL_SUCCESS &&
        n > 0 && (log = calloc(n + 1, 1)) != NULL)
        (void)clGetProgramBuildInfo(p, dev->id.device, CL_PROGRAM_BUILD_LOG, n, log, NULL);
    const char *text = log ? log : "";
    const char *first = strstr(text, "error:");
    while (first && first > text && first[-1] != '\n')
        first--;
    u->rc = cl_fail(u->err, rc,
                    "device %s: compiling %s (%s) failed; please report this with "
                    "the driver's version. Build log: %.420s",
                    dev->id_text, u->source->name, u->options,
                    first   ? first
                    : *text ? text
                            : "(empty)");
    free(log);
}

static void unit_build(const sct_device *dev, struct cl_unit *u)
{
    const struct cl_source *common = find_source("common.clh");
    char key[CL_KEY_HEX], line[96];
    u->rc = SCT_OK;
    if (dev->cache.programs) {
        unit_key(dev, u, key);
        u->program = load_binary(dev, u, key);
        u->from_cache = u->program != NULL;
        if (u->program)
            return;
    }
    (void)snprintf(line, sizeof line, "\n#line 1 \"%.64s\"\n", u->source->name);
    const char *text[3] = {common ? common->text : "", line, u->source->text};
    cl_int rc = CL_SUCCESS;
    cl_program p = clCreateProgramWithSource(dev->ctx, 3, text, NULL, &rc);
    if (rc == CL_SUCCESS) {
        rc = clBuildProgram(p, 1, &dev->id.device, u->options, NULL, NULL);
        if (rc != CL_SUCCESS) {
            build_failed(dev, u, p, rc);
            (void)clReleaseProgram(p);
            return;
        }
    }
    if (rc != CL_SUCCESS) {
        u->rc = cl_fail(u->err, rc, "device %s: creating the program %s", dev->id_text,
                        u->source->name);
        return;
    }
    if (dev->cache.programs)
        store_binary(dev, p, key);
    u->program = p;
}

/* ---- many programs --------------------------------------------------------------------------
 */

struct crew {
    const sct_device *dev;
    struct cl_unit **todo;
    size_t n, next, done;
    pthread_mutex_t lock;
    pthread_cond_t moved;
};

static void *builder(void *arg)
{
    struct crew *c = arg;
    (void)pthread_mutex_lock(&c->lock);
    while (c->next < c->n) {
        struct cl_unit *u = c->todo[c->next++];
        (void)pthread_mutex_unlock(&c->lock);
        unit_build(c->dev, u);
        (void)pthread_mutex_lock(&c->lock);
        c->done++;
        (void)pthread_cond_signal(&c->moved);
    }
    (void)pthread_mutex_unlock(&c->lock);
    return NULL;
}

static uint32_t crew_size(const sct_device *dev, size_t n)
{
    const char *opt = cl_opt(dev->host, "threads");
    long want = opt ? strtol(opt, NULL, 10) : 0;
    if (want <= 0)
        want = sysconf(_SC_NPROCESSORS_ONLN);
    if (want < 1)
        want = 1;
    if (want > MAX_BUILDERS)
        want = MAX_BUILDERS;
    return (size_t)want < n ? (uint32_t)want : (uint32_t)n;
}

/* Waits for the crew; tells about it when it takes longer than a blink. */
static void watch(struct crew *c)
{
    size_t told = 0;
    (void)pthread_mutex_lock(&c->lock);
    while (c->done < c->n) {
        struct timespec until;
        (void)clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += 1;
        int rc = 0;
        const size_t before = c->done;
        while (c->done < c->n && rc == 0)
            rc = pthread_cond_timedwait(&c->moved, &c->lock, &until);
        const size_t done = c->done;
        if (done == c->n || (done == before && told != 0))
            continue;
        (void)pthread_mutex_unlock(&c->lock);
        cl_log(c->dev->host, SCT_LOG_INFO, "compiling kernels %zu/%zu (cached next time)", done,
               c->n);
        told = done + 1;
        (void)pthread_mutex_lock(&c->lock);
    }
    (void)pthread_mutex_unlock(&c->lock);
}

sct_status cl_units_build(sct_device *dev, sct_error *err)
{
    struct crew c = {
        .dev = dev, .lock = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER};
    c.todo = calloc(dev->n_unit ? dev->n_unit : 1, sizeof *c.todo);
    if (!c.todo)
        return sct_fail(err, SCT_ENOMEM, "out of host memory for building programs");
    for (size_t i = 0; i < dev->n_unit; i++)
        if (dev->unit[i]->wanted && !dev->unit[i]->program) {
            dev->unit[i]->err->code = SCT_OK;
            c.todo[c.n++] = dev->unit[i];
        }
    pthread_t thread[MAX_BUILDERS];
    uint32_t started = 0;
    for (const uint32_t want = crew_size(dev, c.n); started < want; started++)
        if (pthread_create(&thread[started], NULL, builder, &c) != 0)
            break;
    if (started == 0)
        (void)builder(&c); /* no thread to be had: do it here */
    watch(&c);
    for (uint32_t i = 0; i < started; i++)
        (void)pthread_join(thread[i], NULL);
    sct_status rc = SCT_OK;
    size_t cached = 0;
    for (size_t i = 0; i < c.n; i++) {
        cached += c.todo[i]->from_cache;
        if (rc == SCT_OK && c.todo[i]->rc != SCT_OK)
            rc = sct_fail(err, c.todo[i]->rc, "%s", c.todo[i]->err->msg);
    }
    if (c.n && rc == SCT_OK)
        cl_log(dev->host, SCT_LOG_DEBUG,
               "%zu OpenCL programs ready, %zu of them from the cache", c.n, cached);
    free(c.todo);
    return rc;
}
