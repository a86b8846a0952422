/* SPDX-License-Identifier: MIT
 * cl_caps.c - what a device can do, asked of the device.
 * A bit is set only by a property that says so; whether a kernel that needs it also computes
 * the right numbers is the self-test's question. */
#include <stdio.h>
#include <string.h>

#include "backends/opencl/cl_internal.h"

static uint32_t clamp_simd(uint64_t native)
{
    return native >= 16 ? 16 : native >= 8 ? 8 : 4;
}

uint32_t cl_kind(const struct cl_found *f)
{
    return (f->type & CL_DEVICE_TYPE_GPU)   ? SCT_DEV_GPU
           : (f->type & CL_DEVICE_TYPE_CPU) ? SCT_DEV_CPU
                                            : SCT_DEV_OTHER;
}

sct_status cl_assume_check(const struct sct_host *host, sct_error *err)
{
    const char *word = cl_opt(host, "assume");
    if (!word || strcmp(word, "cpu") == 0 || strcmp(word, "gpu") == 0)
        return SCT_OK;
    return sct_fail(err, SCT_EINVAL, "opencl: option assume: expected cpu or gpu, found '%s'",
                    word);
}

void cl_caps_probe(const struct sct_host *host, const struct cl_found *f, struct cl_caps *caps)
{
    *caps = (struct cl_caps){.vendor = f->vendor};
    caps->kind = cl_opt_is(host, "assume", "cpu")   ? SCT_DEV_CPU
                 : cl_opt_is(host, "assume", "gpu") ? SCT_DEV_GPU
                                                    : cl_kind(f);
    caps->has |= caps->kind == SCT_DEV_CPU ? CL_NEED_CPU : CL_NEED_GPU;
    caps->units = (uint32_t)cl_device_u64(f->device, CL_DEVICE_MAX_COMPUTE_UNITS);
    caps->local_bytes = cl_device_u64(f->device, CL_DEVICE_LOCAL_MEM_SIZE);
    caps->max_alloc = cl_device_u64(f->device, CL_DEVICE_MAX_MEM_ALLOC_SIZE);
    caps->memory = cl_device_u64(f->device, CL_DEVICE_GLOBAL_MEM_SIZE);
    caps->max_group = (uint32_t)cl_device_u64(f->device, CL_DEVICE_MAX_WORK_GROUP_SIZE);
    caps->simd = caps->kind == SCT_DEV_CPU
                     ? clamp_simd(cl_device_u64(f->device, CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT))
                     : 4;
    char text[128];
    unsigned major = 1, minor = 2;
    cl_device_text(f->device, CL_DEVICE_OPENCL_C_VERSION, text, sizeof text);
    if (sscanf(text, "OpenCL C %u.%u", &major, &minor) == 2)
        caps->c_version = major * 100 + minor * 10;
    if (caps->max_group >= 256)
        caps->has |= CL_NEED_GROUP_256;
    if (caps->local_bytes >= 32768)
        caps->has |= CL_NEED_LOCAL_32K;
}
