/* SPDX-License-Identifier: MIT
 * bench.c - times the call that kcheck checks: median of repeated runs after a warm-up.
 * The peak is measured on this machine: FMA in registers, and copying what no cache holds. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/base/status.h"
#include "tests/kcheck/kcheck.h"

enum { MAX_THREADS = 256, RUNS = 101, MIN_RUNS = 5 };

static double now(clockid_t clock)
{
    struct timespec t;
    (void)clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- peak ---- */

enum { ROUNDS = 2000000 };

#if defined(__x86_64__) && defined(__GNUC__)
/* Ten chains hide the latency of an FMA on every x86 core so far. */
#define FMA(A) "vfmadd213ps %[s], %[m], " A "\n\t"
#define FMA_LOOP(NAME, TARGET, LANES)                                                          \
    __attribute__((target(TARGET))) static double NAME(void)                                   \
    {                                                                                          \
        typedef float vec __attribute__((vector_size(4 * (LANES))));                           \
        vec m = {0}, s, a, b, c, d, e, f, g, h, i, j;                                          \
        m += 0.999f;                                                                           \
        s = a = b = c = d = e = f = g = h = i = j = m * 0.001f;                                \
        for (int r = 0; r < ROUNDS; r++)                                                       \
            __asm__(FMA("%0") FMA("%1") FMA("%2") FMA("%3") FMA("%4") FMA("%5") FMA("%6")      \
                        FMA("%7") FMA("%8") FMA("%9")                                          \
                    : "+v"(a), "+v"(b), "+v"(c), "+v"(d), "+v"(e), "+v"(f), "+v"(g), "+v"(h),  \
                      "+v"(i), "+v"(j)                                                         \
                    : [m] "v"(m), [s] "v"(s));                                                 \
        a += b + c + d + e + f + g + h + i + j;                                                \
        volatile float sink = a[0];                                                            \
        (void)sink;                                                                            \
        return 2.0 * (LANES)*10 * (double)ROUNDS;                                              \
    }
FMA_LOOP(fma_avx512, "avx512f", 16)
FMA_LOOP(fma_avx2, "avx2,fma", 8)
#undef FMA_LOOP
#undef FMA
#endif

/* Any other machine: what its compiler makes of multiply and add. */
static double fma_plain(void)
{
    float a[64];
    for (int i = 0; i < 64; i++)
        a[i] = (float)i;
    for (int r = 0; r < ROUNDS; r++)
        for (int i = 0; i < 64; i++)
            a[i] = a[i] * 0.999f + 0.001f;
    volatile float sink = a[63];
    (void)sink;
    return 2.0 * 64 * (double)ROUNDS;
}

static double fma_flops(void)
{
#if defined(__x86_64__) && defined(__GNUC__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f"))
        return fma_avx512();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return fma_avx2();
#endif
    return fma_plain();
}

/* One thread's part of a measurement; rate per second of its own CPU time, so that a neighbour
 * on the machine does not lower the peak. */
struct part {
    uint64_t copy; /* bytes to copy, again and again; 0: FMA */
    double rate;
};

static void *copy_part(struct part *p)
{
    char *a = malloc(p->copy), *b = malloc(p->copy);
    if (a && b) {
        const uint64_t times = 1 + (64u << 20) / p->copy;
        memset(a, 1, p->copy);
        memset(b, 2, p->copy);
        const double t = now(CLOCK_THREAD_CPUTIME_ID);
        for (uint64_t i = 0; i < times; i++) {
            memcpy(b, a, p->copy);
            __asm__ volatile("" : : "r"(a), "r"(b) : "memory");
        }
        p->rate = 2.0 * (double)times * (double)p->copy / (now(CLOCK_THREAD_CPUTIME_ID) - t);
    }
    free(a);
    free(b);
    return NULL;
}

static void *part_thread(void *arg)
{
    struct part *p = arg;
    if (p->copy)
        return copy_part(p);
    (void)fma_flops(); /* the clock rises */
    const double t = now(CLOCK_THREAD_CPUTIME_ID);
    p->rate = fma_flops();
    p->rate /= now(CLOCK_THREAD_CPUTIME_ID) - t;
    return NULL;
}

/* All threads at once; the sum of their rates. */
static double on_threads(uint64_t copy, uint32_t n)
{
    static struct part part[MAX_THREADS];
    pthread_t thread[MAX_THREADS];
    uint32_t started = 0;
    double sum = 0.0;
    for (; started < n && started < MAX_THREADS; started++) {
        part[started] = (struct part){copy, 0.0};
        if (pthread_create(&thread[started], NULL, part_thread, &part[started]) != 0)
            break;
    }
    for (uint32_t i = 0; i < started; i++) {
        (void)pthread_join(thread[i], NULL);
        sum += part[i].rate;
    }
    return sum;
}

struct kpeak kbench_peak(const struct kdevice *dev)
{
    struct kpeak peak = {0};
    if (dev->info.kind != SCT_DEV_CPU)
        return peak;
    peak.threads = dev->info.threads ? dev->info.threads : 1;
    peak.flops = on_threads(0, peak.threads);
    peak.bytes = on_threads(64u << 20, peak.threads);
    return peak;
}

/* ---- one row on one case ---- */

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static enum kresult measure(struct kprog *p, const struct sct_case *c, double *median,
                            double *best, sct_error *err)
{
    double t[RUNS];
    uint32_t n = 0;
    double total = 0.0;
    for (uint32_t i = 0; n < RUNS && (n < MIN_RUNS || total < 0.2); i++) {
        const double from = now(CLOCK_MONOTONIC);
        const enum kresult k = kprog_exec(p, c->segment, c->micro, 1, err);
        if (k != K_OK)
            return k;
        const double took = now(CLOCK_MONOTONIC) - from;
        if (i < 2)
            continue;
        t[n++] = took;
        total += took;
    }
    qsort(t, n, sizeof t[0], by_value);
    *median = t[n / 2];
    *best = t[0];
    return K_OK;
}

static double traffic(const struct sct_case *c, const struct kref *r)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < c->n_in; i++)
        n += sct_desc_count(&c->in[i].d) * sct_dtype_bytes(c->in[i].d.dtype);
    for (uint32_t i = 0; i < r->n_out; i++)
        n += sct_desc_count(&r->out[i]) * sct_dtype_bytes(r->out[i].dtype);
    return (double)n;
}

enum kresult kbench_case(struct kdevice *dev, const struct sct_case *c, const struct kref *r,
                         const char *row, const struct kpeak *peak, sct_error *err)
{
    struct kprog p;
    uint32_t out[SCT_MAX_OUT] = {0};
    double s = 0.0, best = 0.0;
    enum kresult k = kcheck_build(&p, dev, c, r, row, false, out, err);
    if (k == K_OK)
        k = kprog_prepare(&p, &c->step, err);
    if (k == K_OK)
        k = measure(&p, c, &s, &best, err);
    kprog_end(&p);
    if (k != K_OK)
        return k;
    const bool compute = c->flops > 0.0;
    const double rate = (compute ? c->flops : traffic(c, r)) / s;
    /* data that caches hold is measured against copying as much */
    const uint64_t share = peak->threads ? (uint64_t)traffic(c, r) / 2 / peak->threads + 64 : 0;
    const double top = !peak->threads ? 0.0
                       : compute      ? peak->flops
                                      : on_threads(share, peak->threads);
    printf("%-18s %-30s %10.1f us (best %.1f) %8.1f %s", case_op(c->op)->name, row, 1e6 * s,
           1e6 * best, 1e-9 * rate, compute ? "GFLOP/s" : "GB/s   ");
    if (top > 0.0)
        printf(" %5.1f%% of peak", 100.0 * rate / top);
    printf("  %s\n", c->name);
    return K_OK;
}
