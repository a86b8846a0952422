/* SPDX-License-Identifier: MIT
 * cpuid.c - what this processor, this system and this process offer.
 * An ISA counts only when the operating system saves its registers too (XGETBV). */
#include "backends/cpu/cpu.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <cpuid.h>

static uint64_t xcr0(void)
{
    uint32_t lo, hi;
    __asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
    return (uint64_t)hi << 32 | lo;
}

uint32_t cpu_isa_detect(void)
{
    enum { YMM = 0x6, ZMM = 0xe6 }; /* SSE and AVX state; opmask and both halves of zmm too */

    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE) || !(c & bit_AVX))
        return 0;
    const bool fma = (c & bit_FMA) != 0;
    const uint64_t saved = xcr0();
    if ((saved & YMM) != YMM || !__get_cpuid_count(7, 0, &a, &b, &c, &d))
        return 0;
    uint32_t bits = 0;
    if ((b & bit_AVX2) && fma)
        bits |= CPU_ISA_AVX2;
    const unsigned need = bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL;
    if (bits && (b & need) == need && (saved & ZMM) == ZMM)
        bits |= CPU_ISA_AVX512;
    return bits;
}

void cpu_names(char *name, size_t name_size, char *vendor, size_t vendor_size)
{
    unsigned r[12];
    char text[sizeof r + 1];
    (void)snprintf(name, name_size, "unknown");
    (void)snprintf(vendor, vendor_size, "unknown");
    if (__get_cpuid(0, &r[3], &r[0], &r[2], &r[1])) {
        memcpy(text, r, 12);
        text[12] = '\0';
        (void)snprintf(vendor, vendor_size, "%s", text);
    }
    for (unsigned i = 0; i < 3; i++)
        if (!__get_cpuid(0x80000002u + i, &r[4 * i], &r[4 * i + 1], &r[4 * i + 2],
                         &r[4 * i + 3]))
            return;
    memcpy(text, r, sizeof r);
    text[sizeof r] = '\0';
    (void)snprintf(name, name_size, "%s", text + strspn(text, " "));
    for (size_t n = strlen(name); n > 0 && name[n - 1] == ' '; n--)
        name[n - 1] = '\0';
}

#else

uint32_t cpu_isa_detect(void)
{
    return 0;
}

void cpu_names(char *name, size_t name_size, char *vendor, size_t vendor_size)
{
    (void)snprintf(name, name_size, "unknown");
    (void)snprintf(vendor, vendor_size, "unknown");
}

#endif

bool cpu_isa_named(const char *name, uint32_t *bits)
{
    static const struct {
        const char *name;
        uint32_t bits;
    } path[] = {
        {"base", 0},
        {"avx2", CPU_ISA_AVX2},
        {"avx512", CPU_ISA_AVX2 | CPU_ISA_AVX512},
    };

    for (size_t i = 0; i < sizeof path / sizeof path[0]; i++)
        if (strcmp(name, path[i].name) == 0) {
            *bits = path[i].bits;
            return true;
        }
    return false;
}

const char *cpu_isa_path(uint32_t bits)
{
    return bits & CPU_ISA_AVX512 ? "avx512" : bits & CPU_ISA_AVX2 ? "avx2" : "base";
}

uint32_t cpu_processors(void)
{
#if defined(__linux__)
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0)
        return (uint32_t)CPU_COUNT(&set);
#endif
    const long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 && n < 65536 ? (uint32_t)n : 1;
}

uint64_t cpu_memory(void)
{
    const long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
    uint64_t bytes = pages > 0 && size > 0 ? (uint64_t)pages * (uint64_t)size : 0;
    /* In a container the limit is the group's; the file says "max" when there is none. */
    FILE *f = fopen("/sys/fs/cgroup/memory.max", "r");
    if (f) {
        char line[32];
        if (fgets(line, sizeof line, f)) {
            const unsigned long long limit = strtoull(line, NULL, 10);
            if (limit > 0 && (bytes == 0 || limit < bytes))
                bytes = limit;
        }
        (void)fclose(f);
    }
    return bytes;
}
