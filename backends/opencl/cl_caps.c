/* SPDX-License-Identifier: MIT
 * cl_caps.c - what a device can do, asked of the device.
 * A bit is set only by a property or an extension that says so; whether a kernel that needs it
 * also computes the right numbers is the self-test's question. */
#include <stdlib.h>
#include <string.h>

#include "backends/opencl/cl_internal.h"

enum {
    DEVICE_COMPUTE_CAPABILITY_MAJOR_NV = 0x4000,
    DEVICE_COMPUTE_CAPABILITY_MINOR_NV = 0x4001,
    DEVICE_BOARD_NAME_AMD = 0x4038,
};

static uint32_t clamp_simd(uint64_t native)
{
    return native >= 16 ? 16 : native >= 8 ? 8 : 4;
}

static void probe_nvidia(const struct cl_found *f, struct cl_caps *caps)
{
    if (!cl_has_extension(f->device, "cl_nv_device_attribute_query"))
        return;
    const uint64_t major = cl_device_u64(f->device, DEVICE_COMPUTE_CAPABILITY_MAJOR_NV);
    const uint64_t minor = cl_device_u64(f->device, DEVICE_COMPUTE_CAPABILITY_MINOR_NV);
    caps->sm = (uint32_t)(major * 10 + minor);
    if (caps->sm >= 75)
        caps->has |= CL_NEED_PTX;
    caps->subgroup = 32;
}

/* ROCm names its devices by instruction set: "gfx1100", "gfx90a:sramecc+:xnack-". */
static void probe_amd(const struct cl_found *f, struct cl_caps *caps)
{
    char name[64];
    cl_device_text(f->device, CL_DEVICE_NAME, name, sizeof name);
    if (strncmp(name, "gfx", 3) != 0)
        return;
    const size_t n = strcspn(name, ":");
    (void)snprintf(caps->gfx, sizeof caps->gfx, "%.*s", (int)(n < 31 ? n : 31), name);
    caps->has |= CL_NEED_AMDGCN;
    /* the CDNA and GCN families (gfx9..) run 64 lanes, RDNA (gfx10 and later) 32 */
    caps->subgroup = n == 6 && caps->gfx[3] == '9' ? 64 : 32;
}

void cl_caps_probe(const struct sct_host *host, const struct cl_found *f, struct cl_caps *caps)
{
    *caps = (struct cl_caps){.vendor = f->vendor};
    caps->kind = (f->type & CL_DEVICE_TYPE_GPU)   ? SCT_DEV_GPU
                 : (f->type & CL_DEVICE_TYPE_CPU) ? SCT_DEV_CPU
                                                  : SCT_DEV_OTHER;
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
    if (cl_has_extension(f->device, "cl_khr_fp16"))
        caps->has |= CL_NEED_FP16;
    if (cl_has_extension(f->device, "cl_intel_subgroup_matrix_multiply_accumulate"))
        caps->has |= CL_NEED_XMX;
    if (f->vendor == CL_NVIDIA)
        probe_nvidia(f, caps);
    if (f->vendor == CL_AMD)
        probe_amd(f, caps);
    if (cl_opt_is(host, "matrix-emu", "on"))
        caps->has |= CL_NEED_EMU;
}
