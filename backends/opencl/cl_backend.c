/* SPDX-License-Identifier: MIT
 * cl_backend.c - opening and closing a device, and the table that the module exports.
 * One context and one in-order queue for each opened device. */
#include <stdlib.h>
#include <string.h>

#include "backends/opencl/cl_internal.h"

static uint32_t count(const struct sct_host *host)
{
    struct cl_found found[CL_MAX_FOUND];
    const uint32_t n = cl_enumerate(found);
    if (n == 0)
        cl_log(host, SCT_LOG_DEBUG,
               "no OpenCL device: install pocl-opencl-icd or the vendor's "
               "driver; Mesa's drivers need RUSTICL_ENABLE");
    return n;
}

static sct_status find_device(uint32_t index, struct cl_found found[CL_MAX_FOUND],
                              sct_error *err)
{
    const uint32_t n = cl_enumerate(found);
    if (index < n)
        return SCT_OK;
    if (n == 0)
        return sct_fail(
            err, SCT_EDEVICE,
            "no OpenCL device was found; install the vendor's "
            "driver, or pocl-opencl-icd to run on the CPU (clinfo -l must list it); "
            "with Mesa set RUSTICL_ENABLE; see also OCL_ICD_VENDORS");
    return sct_fail(err, SCT_EDEVICE, "there is no OpenCL device number %u, found %u", index,
                    n);
}

static sct_status info(const struct sct_host *host, uint32_t index, struct sct_device_info *out,
                       sct_error *err)
{
    struct cl_found found[CL_MAX_FOUND];
    SCT_TRY(find_device(index, found, err));
    return cl_describe(host, &found[index], found, out, err);
}

/* The driver's own words about a fault; called from its threads, at any time. */
static void CL_CALLBACK notify(const char *text, const void *data, size_t n, void *user)
{
    (void)data;
    (void)n;
    sct_device *dev = user;
    (void)pthread_mutex_lock(&dev->lock);
    if (dev->notice[0] == '\0')
        (void)snprintf(dev->notice, sizeof dev->notice, "%s", text ? text : "");
    (void)pthread_mutex_unlock(&dev->lock);
}

static void close_device(sct_device *dev)
{
    if (!dev)
        return;
    if (dev->q)
        (void)clFinish(dev->q);
    cl_blast_close(dev->blast);
    cl_units_free(dev);
    if (dev->dummy)
        (void)clReleaseMemObject(dev->dummy);
    if (dev->q)
        (void)clReleaseCommandQueue(dev->q);
    if (dev->ctx)
        (void)clReleaseContext(dev->ctx);
    cl_cache_close(&dev->cache);
    free(dev->verdict);
    (void)pthread_mutex_destroy(&dev->lock);
    free(dev);
}

static cl_int create_objects(sct_device *dev)
{
    const cl_context_properties props[] = {CL_CONTEXT_PLATFORM,
                                           (cl_context_properties)dev->id.platform, 0};
    cl_int rc = CL_SUCCESS;
    dev->ctx = clCreateContext(props, 1, &dev->id.device, notify, dev, &rc);
    if (rc != CL_SUCCESS)
        return rc;
    dev->q = clCreateCommandQueue(dev->ctx, dev->id.device,
                                  dev->profiling ? CL_QUEUE_PROFILING_ENABLE : 0u, &rc);
    if (rc != CL_SUCCESS)
        return rc;
    dev->dummy = clCreateBuffer(dev->ctx, CL_MEM_READ_ONLY, SCT_ALIGN, NULL, &rc);
    return rc;
}

static sct_status open_device(const struct sct_host *host, uint32_t index, sct_device **out,
                              sct_error *err)
{
    *out = NULL;
    struct cl_found found[CL_MAX_FOUND];
    struct sct_device_info about = {.size = (uint32_t)sizeof about};
    SCT_TRY(cl_assume_check(host, err));
    SCT_TRY(find_device(index, found, err));
    SCT_TRY(cl_describe(host, &found[index], found, &about, err));
    if (!about.usable)
        return sct_fail(err, SCT_EDEVICE, "device %s (%s): %s", about.id, about.name,
                        about.status);
    sct_device *dev = calloc(1, sizeof *dev);
    if (!dev || pthread_mutex_init(&dev->lock, NULL) != 0) {
        free(dev);
        return sct_fail(err, SCT_ENOMEM, "out of host memory for device %s", about.id);
    }
    dev->host = host;
    dev->id = found[index];
    dev->profiling = cl_opt_is(host, "profile", "on");
    memcpy(dev->id_text, about.id, sizeof dev->id_text);
    cl_caps_probe(host, &dev->id, &dev->caps);
    const cl_int rc = create_objects(dev);
    if (rc != CL_SUCCESS) {
        const sct_status st = cl_fail(err, rc, "opening device %s (%s)%s%s", about.id,
                                      about.name, dev->notice[0] ? ": " : "", dev->notice);
        close_device(dev);
        return st;
    }
    cl_cache_open(dev);
    sct_status st = cl_blast_open(host, &dev->blast, err);
    if (dev->blast) {
        dev->caps.has |= CL_NEED_CLBLAST;
        st = cl_blast_check(dev, err);
    }
    if (st != SCT_OK) {
        close_device(dev);
        return st;
    }
    cl_log(host, SCT_LOG_DEBUG, "opened %s %s (%s): %s", about.id, about.name, about.driver,
           about.status);
    *out = dev;
    return SCT_OK;
}

static void usage(const sct_device *dev, uint64_t *now, uint64_t *peak)
{
    *now = dev->mem_now;
    *peak = dev->mem_peak;
}

static const struct sct_backend backend = {
    .abi = SCT_BACKEND_ABI,
    .size = sizeof backend,
    .name = "opencl",
    .summary = "GPUs and CPU devices through OpenCL 1.2 or later",
    .count = count,
    .info = info,
    .open = open_device,
    .close = close_device,
    .bytes = cl_bytes,
    .probe = cl_probe,
    .rows = cl_rows,
    .shape = cl_shape,
    .buf_new = cl_buf_new,
    .buf_free = cl_buf_free,
    .write = cl_write,
    .read = cl_read,
    .bind = cl_bind,
    .place = cl_place,
    .step = cl_step,
    .run = cl_run,
    .sync = cl_sync,
    .drop = cl_drop,
    .profile = cl_profile,
    .usage = usage,
};

const struct sct_backend *cl_backend(void)
{
    return &backend;
}
