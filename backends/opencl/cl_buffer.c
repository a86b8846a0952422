/* SPDX-License-Identifier: MIT
 * cl_buffer.c - device memory: one cl_mem per buffer, blocking access from the host.
 * The queue is in order, so a blocking read or write waits for all work before it. */
#define _DEFAULT_SOURCE /* madvise */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "backends/opencl/cl_internal.h"

enum { HUGE_FROM = 4 << 20 }; /* from this size on, huge pages are asked for */

static double mib(uint64_t bytes)
{
    return (double)bytes / 1048576.0;
}

/* A CPU driver maps its own memory: asked for before the first touch, huge pages spare kernels
 * that walk down columns a page-table walk for every row. A hint: nobody minds if it fails. */
static void ask_for_huge_pages(const sct_device *dev, cl_mem mem, uint64_t bytes)
{
#if defined(MADV_HUGEPAGE)
    if (bytes < HUGE_FROM || cl_kind(&dev->id) != SCT_DEV_CPU)
        return;
    cl_int rc = CL_SUCCESS;
    void *p = clEnqueueMapBuffer(dev->q, mem, CL_TRUE, CL_MAP_WRITE_INVALIDATE_REGION, 0,
                                 (size_t)bytes, 0, NULL, NULL, &rc);
    if (rc != CL_SUCCESS || !p)
        return;
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    const uintptr_t from = ((uintptr_t)p + page - 1) / page * page;
    const uintptr_t to = ((uintptr_t)p + (uintptr_t)bytes) / page * page;
    (void)madvise((void *)from, to - from, MADV_HUGEPAGE);
    (void)clEnqueueUnmapMemObject(dev->q, mem, p, 0, NULL, NULL);
#else
    (void)dev, (void)mem, (void)bytes;
#endif
}

sct_status cl_buf_new(sct_device *dev, uint64_t bytes, sct_buf **out, sct_error *err)
{
    *out = NULL;
    const uint64_t size = bytes ? bytes : 4; /* a zero-sized cl_mem does not exist */
    if (size > dev->caps.max_alloc)
        return sct_fail(err, SCT_ENOMEM,
                        "a buffer of %.1f MiB exceeds the largest allocation of device %s, "
                        "%.1f MiB; use a smaller micro-batch or checkpoint: block",
                        mib(size), dev->id_text, mib(dev->caps.max_alloc));
    sct_buf *buf = calloc(1, sizeof *buf);
    if (!buf)
        return sct_fail(err, SCT_ENOMEM, "out of host memory for a buffer object");
    cl_int rc = CL_SUCCESS;
    const cl_mem_flags flags =
        CL_MEM_READ_WRITE | (dev->caps.kind == SCT_DEV_CPU ? CL_MEM_ALLOC_HOST_PTR : 0u);
    buf->mem = clCreateBuffer(dev->ctx, flags, (size_t)size, NULL, &rc);
    /* Drivers allocate on first use; migrating now makes a full device fail here, with numbers,
     * and not in the middle of a step. */
    if (rc == CL_SUCCESS)
        rc = clEnqueueMigrateMemObjects(dev->q, 1, &buf->mem,
                                        CL_MIGRATE_MEM_OBJECT_CONTENT_UNDEFINED, 0, NULL, NULL);
    if (rc != CL_SUCCESS) {
        if (buf->mem)
            (void)clReleaseMemObject(buf->mem);
        free(buf);
        const bool full = rc == CL_OUT_OF_RESOURCES || rc == CL_MEM_OBJECT_ALLOCATION_FAILURE;
        return cl_fail(
            err, full ? CL_MEM_OBJECT_ALLOCATION_FAILURE : rc,
            "device %s: allocating %.1f MiB with %.1f MiB of %.1f MiB already in use",
            dev->id_text, mib(size), mib(dev->mem_now), mib(dev->caps.memory));
    }
    ask_for_huge_pages(dev, buf->mem, size);
    buf->bytes = size;
    dev->mem_now += size;
    if (dev->mem_now > dev->mem_peak)
        dev->mem_peak = dev->mem_now;
    *out = buf;
    return SCT_OK;
}

void cl_buf_free(sct_device *dev, sct_buf *buf)
{
    if (!buf)
        return;
    dev->mem_now -= buf->bytes;
    (void)clReleaseMemObject(buf->mem); /* the driver keeps it until work in flight is done */
    free(buf);
}

static sct_status check_range(const sct_buf *buf, uint64_t off, uint64_t n, const char *what,
                              sct_error *err)
{
    if (off > buf->bytes || n > buf->bytes - off)
        return sct_fail(
            err, SCT_EINVAL, "%s of %llu bytes at %llu leaves a buffer of %llu bytes", what,
            (unsigned long long)n, (unsigned long long)off, (unsigned long long)buf->bytes);
    return SCT_OK;
}

sct_status cl_write(sct_device *dev, sct_buf *buf, uint64_t off, const void *data, uint64_t n,
                    sct_error *err)
{
    SCT_TRY(check_range(buf, off, n, "write", err));
    if (n == 0)
        return SCT_OK;
    const cl_int rc = clEnqueueWriteBuffer(dev->q, buf->mem, CL_TRUE, (size_t)off, (size_t)n,
                                           data, 0, NULL, NULL);
    return rc == CL_SUCCESS ? SCT_OK
                            : cl_fail(err, rc, "device %s: writing %llu bytes", dev->id_text,
                                      (unsigned long long)n);
}

sct_status cl_read(sct_device *dev, const sct_buf *buf, uint64_t off, void *data, uint64_t n,
                   sct_error *err)
{
    SCT_TRY(check_range(buf, off, n, "read", err));
    if (n == 0)
        return SCT_OK;
    const cl_int rc = clEnqueueReadBuffer(dev->q, buf->mem, CL_TRUE, (size_t)off, (size_t)n,
                                          data, 0, NULL, NULL);
    return rc == CL_SUCCESS ? SCT_OK
                            : cl_fail(err, rc, "device %s: reading %llu bytes", dev->id_text,
                                      (unsigned long long)n);
}
