/* SPDX-License-Identifier: MIT
 * cpu_device.c - entry of the cpu backend: device, planning, memory.
 * There is one device: the processors this process may use. */
#include "backends/cpu/cpu.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum {
    LINE = 64,
    PAGE = 4096,
    MAX_THREADS = 1024,
    MAP_FROM = 1 << 17,  /* from this size on, pages come from the system, zero and lazily */
    HUGE_FROM = 4 << 20, /* from this size on, huge pages are asked for */
    CACHE_PER_LANE = 8 << 20, /* arena a lane should stay within when b is ours to choose */
    MAX_OWN_B = 4,
};

static const char *option(const struct sct_host *host, const char *key)
{
    return host && SCT_HAS(struct sct_host, host, opt) ? host->opt(host->ctx, key) : NULL;
}

static sct_status option_threads(const struct sct_host *host, uint32_t *threads, sct_error *err)
{
    const char *text = option(host, "threads");
    *threads = cpu_processors();
    if (!text || !*text || strcmp(text, "0") == 0 || strcmp(text, "auto") == 0) {
        if (*threads > MAX_THREADS)
            *threads = MAX_THREADS;
        return SCT_OK;
    }
    char *end;
    const long n = strtol(text, &end, 10);
    if (*end || n < 1 || n > MAX_THREADS)
        return sct_fail(err, SCT_EUSAGE,
                        "cpu: option threads: expected a number from 1 to %d, found '%s'",
                        MAX_THREADS, text);
    *threads = (uint32_t)n;
    return SCT_OK;
}

static sct_status option_isa(const struct sct_host *host, uint32_t *isa, sct_error *err)
{
    const char *text = option(host, "isa");
    const uint32_t have = cpu_isa_detect(), built = cpu_isa_built();
    *isa = have & built;
    if (!text || !*text || strcmp(text, "auto") == 0)
        return SCT_OK;
    if (!cpu_isa_named(text, isa)) {
        *isa = 0;
        return sct_fail(err, SCT_EUSAGE,
                        "cpu: option isa: expected base, avx2 or avx512, found '%s'", text);
    }
    if (*isa & ~have)
        return sct_fail(err, SCT_EDEVICE,
                        "cpu: option isa: %s was asked for, this machine offers %s; leave the "
                        "option out to take the best",
                        text, cpu_isa_path(have));
    if (*isa & ~built)
        return sct_fail(err, SCT_EDEVICE,
                        "cpu: option isa: %s was asked for, this build has kernels up to %s; "
                        "build with -Disa=avx2,avx512, or leave the option out",
                        text, cpu_isa_path(built));
    return SCT_OK;
}

static uint32_t cpu_count(const struct sct_host *host)
{
    (void)host;
    return 1;
}

static sct_status cpu_info(const struct sct_host *host, uint32_t index,
                           struct sct_device_info *info, sct_error *err)
{
    if (index != 0)
        return sct_fail(err, SCT_EDEVICE, "cpu: there is one device, number 0, not %u", index);
    const uint32_t size = info->size;
    memset(info, 0, sizeof *info);
    info->size = size;
    info->kind = SCT_DEV_CPU;
    (void)snprintf(info->id, sizeof info->id, "0");
    (void)snprintf(info->platform, sizeof info->platform, "native");
    cpu_names(info->name, sizeof info->name, info->vendor, sizeof info->vendor);
    (void)snprintf(info->driver, sizeof info->driver, "%s", SCT_VERSION);
    info->memory = cpu_memory();
    info->max_alloc = info->memory;
    uint32_t isa = 0;
    sct_error why = SCT_ERROR_INIT;
    if (option_threads(host, &info->threads, &why) != SCT_OK ||
        option_isa(host, &isa, &why) != SCT_OK) {
        (void)snprintf(info->status, sizeof info->status, "%.*s",
                       (int)(sizeof info->status - 1), why.msg);
        return SCT_OK;
    }
    info->usable = 1;
    (void)snprintf(info->status, sizeof info->status, "%s", cpu_isa_path(isa));
    return SCT_OK;
}

static void cpu_close(sct_device *dev)
{
    if (!dev)
        return;
    cpu_pool_destroy(&dev->pool);
    cpu_barrier_destroy(&dev->all);
    free(dev);
}

static sct_status open_threads(sct_device *dev, sct_error *err)
{
    SCT_TRY(option_threads(dev->host, &dev->threads, err));
    SCT_TRY(option_isa(dev->host, &dev->isa, err));
    const char *profile = option(dev->host, "profile");
    dev->profile = profile && strcmp(profile, "on") == 0;
    SCT_TRY(cpu_barrier_create(dev->threads, &dev->all, err));
    return cpu_pool_create(dev->threads, &dev->pool, err);
}

static sct_status cpu_open(const struct sct_host *host, uint32_t index, sct_device **out,
                           sct_error *err)
{
    *out = NULL;
    if (index != 0)
        return sct_fail(err, SCT_EDEVICE, "cpu: there is one device, number 0, not %u", index);
    sct_device *dev = calloc(1, sizeof *dev);
    if (!dev)
        return sct_fail(err, SCT_ENOMEM, "cpu: out of memory for a device (%zu bytes)",
                        sizeof *dev);
    dev->host = host;
    const sct_status rc = open_threads(dev, err);
    if (rc != SCT_OK) {
        cpu_close(dev);
        return rc;
    }
    *out = dev;
    return SCT_OK;
}

static uint64_t cpu_bytes(const sct_device *dev, const struct sct_desc *d)
{
    (void)dev;
    const uint64_t width = cpu_panel_width(d->layout);
    if (width == 0)
        return sct_desc_count(d) * sct_dtype_bytes(d->dtype);
    const uint64_t rows = sct_desc_rows(d), last = sct_desc_last(d);
    const int t = cpu_panel_transposed(d->layout);
    const uint64_t cols = t ? last : rows, depth = t ? rows : last;
    return (cols + width - 1) / width * width * depth * sct_dtype_bytes(d->dtype);
}

static bool row_serves(const sct_device *dev, const struct cpu_row *row,
                       const struct sct_opdesc *d)
{
    return (row->isa & ~dev->isa) == 0 && (!row->accepts || row->accepts(d));
}

static sct_status cpu_probe(sct_device *dev, const struct sct_opdesc *d, struct sct_choice *c,
                            sct_error *err)
{
    const struct cpu_row *row = NULL;
    if (c->row) {
        row = cpu_row_find(d->op, c->row);
        if (!row)
            return sct_fail(err, SCT_EUNSUP, "cpu: there is no row '%s' for this op", c->row);
        if (row->isa & ~dev->isa)
            return sct_fail(err, SCT_EUNSUP,
                            "cpu: row %s needs %s, this device runs on the %s path", row->name,
                            cpu_isa_path(row->isa), cpu_isa_path(dev->isa));
        if (!row_serves(dev, row, d))
            return sct_fail(err, SCT_EUNSUP,
                            "cpu: row %s does not take these shapes, types or layouts",
                            row->name);
    } else {
        size_t i = 0;
        do
            row = cpu_row_at(d->op, i++);
        while (row && !row_serves(dev, row, d));
        if (!row)
            return SCT_EUNSUP;
    }
    c->row = row->name;
    c->order = row->order;
    c->scratch = 0;
    memset(c->pack_in, 0, sizeof c->pack_in);
    if (row->choose)
        row->choose(d, c);
    const uint32_t parts = row->one_part ? 1 : cpu_parts(dev, d);
    c->scratch = cpu_share_bytes(c->scratch) * parts;
    return SCT_OK;
}

static uint32_t cpu_rows(const sct_device *dev, uint32_t op, const char **name, uint32_t cap)
{
    (void)dev;
    uint32_t n = 0;
    for (const struct cpu_row *row; (row = cpu_row_at(op, n)) != NULL; n++)
        if (n < cap)
            name[n] = row->name;
    return n;
}

static uint32_t at_most(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static sct_status cpu_shape(sct_device *dev, const struct sct_load *load,
                            struct sct_shape *shape, sct_error *err)
{
    (void)err;
    const uint32_t slots = load->slots ? load->slots : 1;
    const uint32_t images = load->batch / slots + (load->batch % slots != 0); /* of one slot */
    const uint32_t cap = images ? images : 1;
    const uint64_t one = load->lane_bytes_b1 ? load->lane_bytes_b1 : 1;
    uint32_t lanes = at_most(dev->threads, slots), b = load->want_b;
    if (load->want_lanes)
        lanes = at_most(lanes, load->want_lanes);
    if (b == 0) {
        /* Small models gain from more rows per weight panel; a large one fills the cache alone.
         */
        const uint64_t fit = CACHE_PER_LANE / one;
        b = fit < 1 ? 1 : fit > MAX_OWN_B ? MAX_OWN_B : (uint32_t)fit;
    }
    b = at_most(b, cap);
    if (load->budget) {
        while (b > 1 && load->want_b == 0 && one > load->budget / lanes / b)
            b--;
        while (lanes > 1 && load->want_lanes == 0 && one > load->budget / lanes / b)
            lanes--;
    }
    if (load->want_b == 0) {
        const uint32_t turns = cap / b + (cap % b != 0);
        b = cap / turns + (cap % turns != 0); /* the same turns with the least padding */
    }
    shape->lanes = lanes;
    shape->b = b;
    shape->team = dev->threads / lanes;
    shape->slots = slots;
    return SCT_OK;
}

static sct_status cpu_buf_new(sct_device *dev, uint64_t bytes, sct_buf **out, sct_error *err)
{
    *out = NULL;
    sct_buf *buf = calloc(1, sizeof *buf);
    if (buf && bytes <= SIZE_MAX - PAGE) {
        /* whole cache lines, at least one; biases and their like are many */
        const size_t unit = bytes >= MAP_FROM ? PAGE : LINE,
                     size = ((size_t)(bytes ? bytes : 1) + unit - 1) & ~(unit - 1);
        if (bytes >= MAP_FROM) {
            void *p =
                mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            buf->data = p == MAP_FAILED ? NULL : p;
            buf->kind = CPU_BUF_MAPPED;
#if defined(MADV_HUGEPAGE)
            if (buf->data && bytes >= HUGE_FROM)
                (void)madvise(buf->data, size, MADV_HUGEPAGE);
#endif
        } else {
            buf->data = aligned_alloc(LINE, size);
            if (buf->data)
                memset(buf->data, 0, size);
        }
        buf->bytes = size;
    }
    if (!buf || !buf->data) {
        free(buf);
        return sct_fail(err, SCT_ENOMEM,
                        "cpu: out of memory for a buffer of %" PRIu64 " bytes (%" PRIu64
                        " in use); a smaller micro-batch, fewer lanes or "
                        "checkpointing need less",
                        bytes, dev->now);
    }
    dev->now += buf->bytes;
    if (dev->now > dev->peak)
        dev->peak = dev->now;
    *out = buf;
    return SCT_OK;
}

static void cpu_buf_free(sct_device *dev, sct_buf *buf)
{
    if (!buf)
        return;
    if (buf->kind != CPU_BUF_LENT)
        dev->now -= buf->bytes;
    if (buf->kind == CPU_BUF_MAPPED)
        (void)munmap(buf->data, (size_t)buf->bytes);
    else if (buf->kind == CPU_BUF_HEAP)
        free(buf->data);
    free(buf);
}

static sct_status cpu_buf_over(sct_device *dev, const void *data, uint64_t n, sct_buf **out,
                               sct_error *err)
{
    /* what kernels get is not const; programs do not write it, nor does cpu_write */
    union {
        const void *lent;
        unsigned char *data;
    } u = {data};

    (void)dev;
    *out = calloc(1, sizeof **out);
    if (!*out)
        return sct_fail(err, SCT_ENOMEM, "cpu: out of memory");
    **out = (sct_buf){u.data, n, CPU_BUF_LENT};
    return SCT_OK;
}

static sct_status check_range(const sct_buf *buf, uint64_t off, uint64_t n, sct_error *err)
{
    if (off <= buf->bytes && n <= buf->bytes - off)
        return SCT_OK;
    return sct_fail(err, SCT_EINVAL,
                    "cpu: bytes %" PRIu64 " to %" PRIu64 " lie outside a buffer of %" PRIu64,
                    off, off + n, buf->bytes);
}

static sct_status cpu_write(sct_device *dev, sct_buf *buf, uint64_t off, const void *data,
                            uint64_t n, sct_error *err)
{
    (void)dev;
    SCT_TRY(check_range(buf, off, n, err));
    if (buf->kind == CPU_BUF_LENT)
        return sct_fail(err, SCT_EINVAL, "cpu: the memory of this buffer is only read");
    if (n)
        memcpy(buf->data + off, data, (size_t)n);
    return SCT_OK;
}

static sct_status cpu_read(sct_device *dev, const sct_buf *buf, uint64_t off, void *data,
                           uint64_t n, sct_error *err)
{
    (void)dev;
    SCT_TRY(check_range(buf, off, n, err));
    if (n)
        memcpy(data, buf->data + off, (size_t)n);
    return SCT_OK;
}

static sct_status cpu_sync(sct_device *dev, sct_error *err)
{
    (void)dev; /* run returns when the work is done, and a kernel cannot fail */
    (void)err;
    return SCT_OK;
}

static void cpu_usage(const sct_device *dev, uint64_t *now, uint64_t *peak)
{
    *now = dev->now;
    *peak = dev->peak;
}

const struct sct_backend *sct_backend_entry_v1(void)
{
    static const struct sct_backend cpu = {
        .abi = SCT_BACKEND_ABI,
        .size = sizeof cpu,
        .name = "cpu",
        .summary = "processor cores, SIMD kernels",
        .count = cpu_count,
        .info = cpu_info,
        .open = cpu_open,
        .close = cpu_close,
        .bytes = cpu_bytes,
        .probe = cpu_probe,
        .rows = cpu_rows,
        .shape = cpu_shape,
        .buf_new = cpu_buf_new,
        .buf_free = cpu_buf_free,
        .write = cpu_write,
        .read = cpu_read,
        .bind = cpu_bind,
        .place = cpu_place,
        .step = cpu_step,
        .run = cpu_run,
        .sync = cpu_sync,
        .drop = cpu_drop,
        .profile = cpu_profile,
        .usage = cpu_usage,
        .buf_over = cpu_buf_over,
    };
    return &cpu;
}
