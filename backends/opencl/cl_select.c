/* SPDX-License-Identifier: MIT
 * cl_select.c - which row serves a node, and how large a micro-batch is.
 * Rows are tried in table order. Whatever is not the plain row of its op is a candidate, which
 * is offered only after its self-test on this very device. */
#include <string.h>

#include "backends/opencl/cl_internal.h"

/* RESHAPE is a view: a row is here so that whoever asks gets an answer; it copies only when the
 * core gave the result a storage of its own. */
static void emit_view(struct cl_emit *e)
{
    cl_copy(e, 0, 0);
}

static const struct cl_row own_rows[] = {
    {.op = SCT_OP_RESHAPE, .name = "reshape/view", .order = 1, .emit = emit_view},
};
static const struct cl_row_table own_tables[2] = {
    {cl_rows_clblast, CL_ROWS_CLBLAST},
    {own_rows, sizeof own_rows / sizeof own_rows[0]},
};

/* Table number t in order of preference; NULL after the last. */
static const struct cl_row_table *table(size_t t)
{
    return t < 2 ? &own_tables[t] : t - 2 < cl_row_tables_count ? &cl_row_tables[t - 2] : NULL;
}

const struct cl_row *cl_row_find(const char *name)
{
    const struct cl_row_table *t;
    for (size_t k = 0; (t = table(k)) != NULL; k++)
        for (size_t i = 0; i < t->n; i++)
            if (strcmp(t->row[i].name, name) == 0)
                return &t->row[i];
    return NULL;
}

static bool able(const struct cl_caps *caps, const struct cl_row *r, const struct sct_opdesc *d)
{
    return r->op == d->op && (r->needs & ~caps->has) == 0 &&
           (!r->accepts || r->accepts(caps, d));
}

const struct cl_row *cl_row_plain(const struct cl_caps *caps, const struct sct_opdesc *d)
{
    const struct cl_row_table *t;
    for (size_t k = 0; (t = table(k)) != NULL; k++)
        for (size_t i = 0; i < t->n; i++)
            if (!t->row[i].candidate && t->row[i].needs == 0 && able(caps, &t->row[i], d))
                return &t->row[i];
    return NULL;
}

uint64_t cl_bytes(const sct_device *dev, const struct sct_desc *d)
{
    (void)dev;
    return cl_value_bytes(d);
}

static void answer(const sct_device *dev, const struct cl_row *r, const struct sct_opdesc *d,
                   struct sct_choice *c)
{
    c->row = r->name;
    c->order = r->order;
    memset(c->pack_in, 0, sizeof c->pack_in);
    c->scratch = 0;
    if (r->choose)
        r->choose(&dev->caps, d, c);
}

/* What a row that was asked for by name needs and the device lacks. */
static const char *lack(uint32_t bits)
{
    static const struct {
        uint32_t bit;
        const char *text;
    } needs[] = {
        {CL_NEED_CLBLAST, "needs libclblast and the option gemm=clblast"},
        {CL_NEED_CPU, "needs a CPU device (or the option assume=cpu)"},
        {CL_NEED_GPU, "needs a GPU (or the option assume=gpu)"},
        {CL_NEED_GROUP_256, "needs groups of 256 work-items"},
        {CL_NEED_LOCAL_32K, "needs 32 KiB of local memory"},
    };

    for (size_t i = 0; i < sizeof needs / sizeof needs[0]; i++)
        if (bits & needs[i].bit)
            return needs[i].text;
    return "needs what this device lacks";
}

sct_status cl_probe(sct_device *dev, const struct sct_opdesc *d, struct sct_choice *c,
                    sct_error *err)
{
    const char *demand = c->row;
    const struct cl_row_table *t;
    for (size_t k = 0; (t = table(k)) != NULL; k++) {
        for (size_t i = 0; i < t->n; i++) {
            const struct cl_row *r = &t->row[i];
            if (!able(&dev->caps, r, d) || (demand && strcmp(demand, r->name) != 0) ||
                (r->candidate && !cl_selftest_passed(dev, r)))
                continue;
            answer(dev, r, d, c);
            return SCT_OK;
        }
    }
    if (!demand)
        return SCT_EUNSUP;
    const struct cl_row *r = cl_row_find(demand);
    return sct_fail(err, SCT_EUNSUP, "device %s: row '%s' %s", dev->id_text, demand,
                    !r || r->op != d->op          ? "does not exist for this op"
                    : (r->needs & ~dev->caps.has) ? lack(r->needs & ~dev->caps.has)
                    : able(&dev->caps, r, d)      ? "failed its self-test on this device"
                                                  : "does not take these shapes or types");
}

uint32_t cl_rows(const sct_device *dev, uint32_t op, const char **name, uint32_t cap)
{
    (void)dev;
    const struct cl_row_table *t;
    uint32_t n = 0;
    for (size_t k = 0; (t = table(k)) != NULL; k++)
        for (size_t i = 0; i < t->n; i++)
            if (t->row[i].op == op && n++ < cap)
                name[n - 1] = t->row[i].name;
    return n;
}

/* One lane. On a GPU the whole batch, less when memory is short; on a CPU device a few images,
 * so that the values between two launches stay in the caches. The images of a batch are spread
 * evenly over the micro-batches. Where not even one image fits, one is still the answer: the
 * planner then sees the whole plan, checkpoints blocks if it may, or says what takes the
 * memory. */
sct_status cl_shape(sct_device *dev, const struct sct_load *load, struct sct_shape *shape,
                    sct_error *err)
{
    (void)err;
    /* one lane needs no second copy of an accumulator, and one slot leaves b free */
    const uint32_t slots = 1, most = load->batch;
    const uint64_t one = load->lane_bytes_b1 ? load->lane_bytes_b1 : 1;
    uint64_t room = load->budget;
    if (room == 0) { /* keep a tenth for the driver */
        const uint64_t all = dev->caps.memory - dev->caps.memory / 10;
        const uint64_t used = dev->mem_now + load->accum_bytes * slots;
        room = all > used ? all - used : 0;
    }
    const uint64_t fit = room / one;
    uint32_t b = load->want_b ? load->want_b : most;
    if (!load->want_b && dev->caps.kind == SCT_DEV_CPU) {
        const uint32_t cached = one <= (UINT64_C(32) << 20) ? 8 : 4;
        b = b < cached ? b : cached;
    }
    if (b > most)
        b = most;
    if (b > fit)
        b = (uint32_t)fit;
    if (b == 0)
        b = 1;
    if (!load->want_b) {
        const uint32_t n = (most + b - 1) / b;
        b = n ? (most + n - 1) / n : 1;
    }
    const struct sct_shape s = {
        .size = shape->size, .lanes = 1, .b = b, .team = 1, .slots = slots};
    *shape = s;
    return SCT_OK;
}
