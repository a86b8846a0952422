/* SPDX-License-Identifier: MIT
 * cl_device.c - finding devices and saying what they are.
 * The index of a device is its place in the order of the platforms; nothing is hidden: a device
 * that cannot be used is listed with the reason and the remedy. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "backends/opencl/cl_internal.h"

/* Values of extension headers that are not installed everywhere. */
enum {
    DEVICE_UUID_KHR = 0x106A,
    DEVICE_PCI_BUS_INFO_KHR = 0x410F,
    DEVICE_PCI_BUS_ID_NV = 0x4008,
    DEVICE_PCI_SLOT_ID_NV = 0x4009,
    DEVICE_PCI_DOMAIN_ID_NV = 0x400A,
    DEVICE_TOPOLOGY_AMD = 0x4037,
};

void cl_device_text(cl_device_id d, cl_device_info what, char *buf, size_t size)
{
    size_t n = 0;
    buf[0] = '\0';
    if (clGetDeviceInfo(d, what, 0, NULL, &n) != CL_SUCCESS || n == 0)
        return;
    char *all = malloc(n + 1);
    if (all && clGetDeviceInfo(d, what, n, all, NULL) == CL_SUCCESS) {
        all[n] = '\0';
        const char *text = all + strspn(all, " ");
        (void)snprintf(buf, size, "%s", text);
    }
    free(all);
}

void cl_platform_text(cl_platform_id p, cl_platform_info what, char *buf, size_t size)
{
    char all[512] = "";
    buf[0] = '\0';
    if (clGetPlatformInfo(p, what, sizeof all - 1, all, NULL) == CL_SUCCESS)
        (void)snprintf(buf, size, "%.*s", (int)(size - 1), all);
}

uint64_t cl_device_u64(cl_device_id d, cl_device_info what)
{
    union {
        cl_uint u32;
        cl_ulong u64;
    } v = {.u64 = 0};

    size_t n = 0;
    if (clGetDeviceInfo(d, what, sizeof v, &v, &n) != CL_SUCCESS)
        return 0;
    return n == sizeof v.u32 ? v.u32 : n == sizeof v.u64 ? v.u64 : 0;
}

/* The platform's vendor decides about caching and names; capabilities are probed elsewhere. */
static uint32_t platform_vendor(cl_platform_id p)
{
    static const struct {
        const char *word;
        uint32_t vendor;
    } known[] = {
        {"Portable Computing Language", CL_POCL},
        {"rusticl", CL_MESA},
        {"Clover", CL_MESA},
        {"NVIDIA", CL_NVIDIA},
        {"AMD", CL_AMD},
        {"Advanced Micro", CL_AMD},
        {"Intel", CL_INTEL},
        {"ARM", CL_ARM},
    };

    char name[256];
    cl_platform_text(p, CL_PLATFORM_NAME, name, sizeof name);
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strstr(name, known[i].word))
            return known[i].vendor;
    return CL_OTHER;
}

/* Bus address of a card as one number; 0 when the driver does not tell (CPU devices). */
static uint64_t pci_address(const struct cl_found *f)
{
    cl_uint khr[4] = {0}; /* domain, bus, device, function */
    if (clGetDeviceInfo(f->device, DEVICE_PCI_BUS_INFO_KHR, sizeof khr, khr, NULL) ==
        CL_SUCCESS)
        return (uint64_t)1 << 63 | (uint64_t)khr[0] << 24 | khr[1] << 16 | khr[2] << 8 | khr[3];
    if (f->vendor == CL_NVIDIA) {
        const uint64_t bus = cl_device_u64(f->device, DEVICE_PCI_BUS_ID_NV);
        const uint64_t slot = cl_device_u64(f->device, DEVICE_PCI_SLOT_ID_NV);
        const uint64_t domain = cl_device_u64(f->device, DEVICE_PCI_DOMAIN_ID_NV);
        /* the slot number holds device * 8 + function */
        return (uint64_t)1 << 63 | domain << 24 | bus << 16 | (slot >> 3) << 8 | (slot & 7);
    }
    if (f->vendor == CL_AMD) {
        unsigned char topo[24] = {0}; /* type, 17 unused bytes, bus, device, function */
        if (clGetDeviceInfo(f->device, DEVICE_TOPOLOGY_AMD, sizeof topo, topo, NULL) ==
            CL_SUCCESS)
            return (uint64_t)1 << 63 | (uint64_t)topo[21] << 16 | (uint64_t)topo[22] << 8 |
                   topo[23];
    }
    return 0;
}

static bool same_card(const struct cl_found *a, const struct cl_found *b)
{
    if (a->p == b->p)
        return false; /* two devices of one platform are two devices */
    unsigned char ua[16] = {0}, ub[16] = {0};
    static const unsigned char none[16] = {0};
    if (clGetDeviceInfo(a->device, DEVICE_UUID_KHR, sizeof ua, ua, NULL) == CL_SUCCESS &&
        clGetDeviceInfo(b->device, DEVICE_UUID_KHR, sizeof ub, ub, NULL) == CL_SUCCESS &&
        memcmp(ua, none, sizeof ua) != 0 && memcmp(ua, ub, sizeof ua) == 0)
        return true;
    const uint64_t pa = pci_address(a), pb = pci_address(b);
    return pa != 0 && pa == pb;
}

/* Of two drivers of one card the vendor's own is preferred to Mesa's, else the first. */
static void mark_twins(struct cl_found *f, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        for (uint32_t j = i + 1; j < n && f[i].same_as < 0; j++) {
            if (f[j].same_as >= 0 || (f[i].type & CL_DEVICE_TYPE_CPU) ||
                !same_card(&f[i], &f[j]))
                continue;
            if (f[i].vendor == CL_MESA && f[j].vendor != CL_MESA)
                f[i].same_as = (int32_t)j;
            else
                f[j].same_as = (int32_t)i;
        }
    }
}

uint32_t cl_enumerate(struct cl_found found[CL_MAX_FOUND])
{
    cl_platform_id platform[32];
    cl_uint n_platform = 0;
    if (clGetPlatformIDs(32, platform, &n_platform) != CL_SUCCESS)
        return 0;
    n_platform = n_platform < 32 ? n_platform : 32;
    uint32_t n = 0;
    for (uint32_t p = 0; p < n_platform; p++) {
        cl_device_id device[CL_MAX_FOUND];
        cl_uint n_device = 0;
        const cl_device_type types =
            CL_DEVICE_TYPE_GPU | CL_DEVICE_TYPE_CPU | CL_DEVICE_TYPE_ACCELERATOR;
        if (clGetDeviceIDs(platform[p], types, CL_MAX_FOUND, device, &n_device) != CL_SUCCESS)
            continue;
        for (uint32_t d = 0; d < n_device && d < CL_MAX_FOUND && n < CL_MAX_FOUND; d++) {
            struct cl_found *f = &found[n++];
            *f =
                (struct cl_found){.platform = platform[p], .device = device[d], .p = p, .d = d};
            f->vendor = platform_vendor(platform[p]);
            f->same_as = -1;
            f->type = (cl_device_type)cl_device_u64(device[d], CL_DEVICE_TYPE);
        }
    }
    mark_twins(found, n);
    return n;
}

const char *cl_cache_policy(uint32_t vendor)
{
    /* Both keep compiled code on disk themselves; a second cache only costs. */
    return vendor == CL_NVIDIA || vendor == CL_POCL ? "driver" : "own";
}

/* Why the device cannot be used, into status; false when it can. */
static bool refused(const struct cl_found *f, const struct cl_found *all, char *status,
                    size_t size)
{
    char version[128] = "";
    unsigned major = 0, minor = 0;
    cl_device_text(f->device, CL_DEVICE_OPENCL_C_VERSION, version, sizeof version);
    (void)sscanf(version, "OpenCL C %u.%u", &major, &minor);
    const uint64_t local = cl_device_u64(f->device, CL_DEVICE_LOCAL_MEM_SIZE);
    if (f->same_as >= 0)
        (void)snprintf(status, size,
                       "the same card as %u:%u; hide that platform with "
                       "OCL_ICD_VENDORS to use this one",
                       all[f->same_as].p, all[f->same_as].d);
    else if (!cl_device_u64(f->device, CL_DEVICE_AVAILABLE))
        (void)snprintf(status, size,
                       "not available: another program holds it, or you are not "
                       "in the group render or video");
    else if (!cl_device_u64(f->device, CL_DEVICE_COMPILER_AVAILABLE))
        (void)snprintf(status, size, "has no compiler; install the full driver");
    else if (!cl_device_u64(f->device, CL_DEVICE_ENDIAN_LITTLE))
        (void)snprintf(status, size, "is big-endian, which is not supported");
    else if (major * 100 + minor < 102)
        (void)snprintf(status, size,
                       "OpenCL C 1.2 is needed, it offers '%.60s'; update the "
                       "driver",
                       version);
    else if (local < 16384)
        (void)snprintf(status, size, "16 KiB of local memory are needed, it has %llu bytes",
                       (unsigned long long)local);
    else
        return false;
    return true;
}

sct_status cl_describe(const struct sct_host *host, const struct cl_found *f,
                       const struct cl_found *all, struct sct_device_info *info, sct_error *err)
{
    struct sct_device_info v = {.size = (uint32_t)sizeof v};
    const uint32_t size = info->size && info->size < v.size ? info->size : v.size;
    v.kind = cl_kind(f);
    v.threads = (uint32_t)cl_device_u64(f->device, CL_DEVICE_MAX_COMPUTE_UNITS);
    v.memory = cl_device_u64(f->device, CL_DEVICE_GLOBAL_MEM_SIZE);
    v.max_alloc = cl_device_u64(f->device, CL_DEVICE_MAX_MEM_ALLOC_SIZE);
    (void)snprintf(v.id, sizeof v.id, "%u:%u", f->p, f->d);
    cl_platform_text(f->platform, CL_PLATFORM_NAME, v.platform, sizeof v.platform);
    cl_device_text(f->device, CL_DEVICE_NAME, v.name, sizeof v.name);
    cl_device_text(f->device, CL_DEVICE_VENDOR, v.vendor, sizeof v.vendor);
    cl_device_text(f->device, CL_DRIVER_VERSION, v.driver, sizeof v.driver);
    if (v.memory == 0)
        return sct_fail(err, SCT_EDEVICE,
                        "device %s does not report its memory; its driver is "
                        "broken or was removed while in use",
                        v.id);
    v.usable = !refused(f, all, v.status, sizeof v.status);
    if (v.usable) {
        struct cl_caps caps;
        cl_caps_probe(host, f, &caps);
        char path[16] = "simt";
        if (caps.has & CL_NEED_CPU)
            (void)snprintf(path, sizeof path, "wide%u", caps.simd);
        (void)snprintf(v.status, sizeof v.status,
                       "%s%s; OpenCL C %u.%u, %u MHz, largest "
                       "allocation %llu MiB, program cache: %s",
                       path, caps.kind == v.kind ? "" : " (assumed)", caps.c_version / 100,
                       caps.c_version / 10 % 10,
                       (unsigned)cl_device_u64(f->device, CL_DEVICE_MAX_CLOCK_FREQUENCY),
                       (unsigned long long)(v.max_alloc >> 20),
                       strcmp(cl_cache_policy(f->vendor), "own") == 0 ? "own" : "the driver's");
    }
    v.size = size;
    memcpy(info, &v, size);
    return SCT_OK;
}
