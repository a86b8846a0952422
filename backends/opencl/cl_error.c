/* SPDX-License-Identifier: MIT
 * cl_error.c - OpenCL codes as words, statuses and advice.
 * A bare "-61" helps nobody: every message names the code and what can be done about it. */
#include <stdlib.h>
#include <string.h>

#include "backends/opencl/cl_internal.h"

struct code {
    cl_int rc;
    const char *name;
    sct_status status;
    const char *advice; /* NULL: none */
};

#define LESS_MEMORY                                                                            \
    "the device is out of memory: use a smaller micro-batch (--micro-batch), set checkpoint: " \
    "block, or close other programs that use it"
#define DEAD                                                                                   \
    "the driver gave up on earlier work: update the driver, or try --gemm own and a smaller "  \
    "micro-batch"
#define NO_DRIVER                                                                              \
    "install the vendor's OpenCL driver, or pocl-opencl-icd for the CPU; with Mesa set "       \
    "RUSTICL_ENABLE"

static const struct code codes[] = {
    {CL_DEVICE_NOT_FOUND, "CL_DEVICE_NOT_FOUND", SCT_EDEVICE, NO_DRIVER},
    {CL_DEVICE_NOT_AVAILABLE, "CL_DEVICE_NOT_AVAILABLE", SCT_EDEVICE,
     "another program holds the device, or you lack permission (group render or video)"},
    {CL_COMPILER_NOT_AVAILABLE, "CL_COMPILER_NOT_AVAILABLE", SCT_EDEVICE, NO_DRIVER},
    {CL_MEM_OBJECT_ALLOCATION_FAILURE, "CL_MEM_OBJECT_ALLOCATION_FAILURE", SCT_ENOMEM,
     LESS_MEMORY},
    {CL_OUT_OF_RESOURCES, "CL_OUT_OF_RESOURCES", SCT_EDEVICE, DEAD},
    {CL_OUT_OF_HOST_MEMORY, "CL_OUT_OF_HOST_MEMORY", SCT_ENOMEM, "the host is out of memory"},
    {CL_PROFILING_INFO_NOT_AVAILABLE, "CL_PROFILING_INFO_NOT_AVAILABLE", SCT_EFAIL, NULL},
    {CL_MEM_COPY_OVERLAP, "CL_MEM_COPY_OVERLAP", SCT_EFAIL, NULL},
    {CL_IMAGE_FORMAT_MISMATCH, "CL_IMAGE_FORMAT_MISMATCH", SCT_EFAIL, NULL},
    {CL_IMAGE_FORMAT_NOT_SUPPORTED, "CL_IMAGE_FORMAT_NOT_SUPPORTED", SCT_EFAIL, NULL},
    {CL_BUILD_PROGRAM_FAILURE, "CL_BUILD_PROGRAM_FAILURE", SCT_EFAIL, NULL},
    {CL_MAP_FAILURE, "CL_MAP_FAILURE", SCT_EFAIL, NULL},
    {CL_MISALIGNED_SUB_BUFFER_OFFSET, "CL_MISALIGNED_SUB_BUFFER_OFFSET", SCT_EFAIL, NULL},
    {CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST,
     "CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST", SCT_EDEVICE, DEAD},
    {CL_COMPILE_PROGRAM_FAILURE, "CL_COMPILE_PROGRAM_FAILURE", SCT_EFAIL, NULL},
    {CL_LINKER_NOT_AVAILABLE, "CL_LINKER_NOT_AVAILABLE", SCT_EFAIL, NULL},
    {CL_LINK_PROGRAM_FAILURE, "CL_LINK_PROGRAM_FAILURE", SCT_EFAIL, NULL},
    {CL_DEVICE_PARTITION_FAILED, "CL_DEVICE_PARTITION_FAILED", SCT_EFAIL, NULL},
    {CL_KERNEL_ARG_INFO_NOT_AVAILABLE, "CL_KERNEL_ARG_INFO_NOT_AVAILABLE", SCT_EFAIL, NULL},
    {CL_INVALID_VALUE, "CL_INVALID_VALUE", SCT_EFAIL, NULL},
    {CL_INVALID_DEVICE_TYPE, "CL_INVALID_DEVICE_TYPE", SCT_EFAIL, NULL},
    {CL_INVALID_PLATFORM, "CL_INVALID_PLATFORM", SCT_EDEVICE, NO_DRIVER},
    {CL_INVALID_DEVICE, "CL_INVALID_DEVICE", SCT_EDEVICE, NULL},
    {CL_INVALID_CONTEXT, "CL_INVALID_CONTEXT", SCT_EDEVICE, DEAD},
    {CL_INVALID_QUEUE_PROPERTIES, "CL_INVALID_QUEUE_PROPERTIES", SCT_EDEVICE, NULL},
    {CL_INVALID_COMMAND_QUEUE, "CL_INVALID_COMMAND_QUEUE", SCT_EDEVICE, DEAD},
    {CL_INVALID_HOST_PTR, "CL_INVALID_HOST_PTR", SCT_EFAIL, NULL},
    {CL_INVALID_MEM_OBJECT, "CL_INVALID_MEM_OBJECT", SCT_EFAIL, NULL},
    {CL_INVALID_BINARY, "CL_INVALID_BINARY", SCT_EFAIL, NULL},
    {CL_INVALID_BUILD_OPTIONS, "CL_INVALID_BUILD_OPTIONS", SCT_EFAIL, NULL},
    {CL_INVALID_PROGRAM, "CL_INVALID_PROGRAM", SCT_EFAIL, NULL},
    {CL_INVALID_PROGRAM_EXECUTABLE, "CL_INVALID_PROGRAM_EXECUTABLE", SCT_EFAIL, NULL},
    {CL_INVALID_KERNEL_NAME, "CL_INVALID_KERNEL_NAME", SCT_EFAIL, NULL},
    {CL_INVALID_KERNEL_DEFINITION, "CL_INVALID_KERNEL_DEFINITION", SCT_EFAIL, NULL},
    {CL_INVALID_KERNEL, "CL_INVALID_KERNEL", SCT_EFAIL, NULL},
    {CL_INVALID_ARG_INDEX, "CL_INVALID_ARG_INDEX", SCT_EFAIL, NULL},
    {CL_INVALID_ARG_VALUE, "CL_INVALID_ARG_VALUE", SCT_EFAIL, NULL},
    {CL_INVALID_ARG_SIZE, "CL_INVALID_ARG_SIZE", SCT_EFAIL, NULL},
    {CL_INVALID_KERNEL_ARGS, "CL_INVALID_KERNEL_ARGS", SCT_EFAIL, NULL},
    {CL_INVALID_WORK_DIMENSION, "CL_INVALID_WORK_DIMENSION", SCT_EFAIL, NULL},
    {CL_INVALID_WORK_GROUP_SIZE, "CL_INVALID_WORK_GROUP_SIZE", SCT_EFAIL, NULL},
    {CL_INVALID_WORK_ITEM_SIZE, "CL_INVALID_WORK_ITEM_SIZE", SCT_EFAIL, NULL},
    {CL_INVALID_GLOBAL_OFFSET, "CL_INVALID_GLOBAL_OFFSET", SCT_EFAIL, NULL},
    {CL_INVALID_EVENT_WAIT_LIST, "CL_INVALID_EVENT_WAIT_LIST", SCT_EFAIL, NULL},
    {CL_INVALID_EVENT, "CL_INVALID_EVENT", SCT_EFAIL, NULL},
    {CL_INVALID_OPERATION, "CL_INVALID_OPERATION", SCT_EFAIL, NULL},
    {CL_INVALID_BUFFER_SIZE, "CL_INVALID_BUFFER_SIZE", SCT_ENOMEM, LESS_MEMORY},
    {CL_INVALID_GLOBAL_WORK_SIZE, "CL_INVALID_GLOBAL_WORK_SIZE", SCT_EFAIL, NULL},
    {CL_INVALID_PROPERTY, "CL_INVALID_PROPERTY", SCT_EFAIL, NULL},
    {CL_INVALID_COMPILER_OPTIONS, "CL_INVALID_COMPILER_OPTIONS", SCT_EFAIL, NULL},
    {CL_INVALID_LINKER_OPTIONS, "CL_INVALID_LINKER_OPTIONS", SCT_EFAIL, NULL},
    {-1001, "CL_PLATFORM_NOT_FOUND_KHR", SCT_EDEVICE, NO_DRIVER},
};

static const struct code *find(cl_int rc)
{
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (codes[i].rc == rc)
            return &codes[i];
    return NULL;
}

const char *cl_error_name(cl_int rc)
{
    const struct code *c = find(rc);
    return c ? c->name : "unknown OpenCL error";
}

sct_status cl_fail(sct_error *err, cl_int rc, const char *fmt, ...)
{
    const struct code *c = find(rc);
    char what[640];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    return sct_fail(err, c ? c->status : SCT_EFAIL, "%s: %s (%d)%s%s", what, cl_error_name(rc),
                    (int)rc, c && c->advice ? "; " : "", c && c->advice ? c->advice : "");
}

void cl_log(const struct sct_host *host, int level, const char *fmt, ...)
{
    if (!host || !SCT_HAS(struct sct_host, host, log))
        return;
    char line[1024];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    host->log(host->ctx, level, line);
}

const char *cl_opt(const struct sct_host *host, const char *key)
{
    return host && SCT_HAS(struct sct_host, host, opt) ? host->opt(host->ctx, key) : NULL;
}

bool cl_opt_is(const struct sct_host *host, const char *key, const char *value)
{
    const char *v = cl_opt(host, key);
    return v && strcmp(v, value) == 0;
}

bool cl_grow(void **p, size_t *cap, size_t need, size_t elem)
{
    if (need <= *cap)
        return true;
    size_t want = *cap ? *cap : 16;
    while (want < need) {
        if (want > SIZE_MAX / 2 / elem)
            return false;
        want *= 2;
    }
    void *q = realloc(*p, want * elem);
    if (!q)
        return false;
    *p = q;
    *cap = want;
    return true;
}
