/* SPDX-License-Identifier: MIT
 * ref_device.c - the reference backend: the oracle of every other one, and what makes all that
 * lies above a backend testable on any machine. It runs kernels/ref, one node after the other.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "backends/ref/ref_backend.h"
#include "kernels/ref/ref.h"

struct sct_device {
    uint32_t f64;
    uint64_t now, peak;
};

struct sct_buf {
    uint64_t bytes;
    unsigned char *data;
};

struct call {
    sct_kernel_fn run;
    struct sct_kargs k;
    const struct sct_node *node;
};

struct sct_prog {
    sct_device *dev;
    const struct sct_progdesc *d;
    struct call **call; /* per segment */
    struct sct_step_state state;
    struct sct_micro micro, whole;
};

static sct_kernel_fn kernel(uint32_t op, uint32_t f64)
{
    static const sct_kernel_fn table[2][SCT_OP_COUNT] = {{
                                                             NULL,
#define SCT_OP(ID, NAME, IN_MIN, IN_MAX, OUT, GRAD, TOL, ARG, PARAMS, FLAGS) ref_##NAME##_f32,
#include <sctrun/ops.def>
#undef SCT_OP
                                                         },
                                                         {
                                                             NULL,
#define SCT_OP(ID, NAME, IN_MIN, IN_MAX, OUT, GRAD, TOL, ARG, PARAMS, FLAGS) ref_##NAME##_f64,
#include <sctrun/ops.def>
#undef SCT_OP
                                                         }};
    return op < SCT_OP_COUNT ? table[f64][op] : NULL;
}

static const char *row_name(uint32_t op)
{
    static const char *const table[SCT_OP_COUNT] = {
        NULL,
#define SCT_OP(ID, NAME, IN_MIN, IN_MAX, OUT, GRAD, TOL, ARG, PARAMS, FLAGS) "ref/" #NAME,
#include <sctrun/ops.def>
#undef SCT_OP
    };
    return op < SCT_OP_COUNT ? table[op] : NULL;
}

static uint32_t count(const struct sct_host *h)
{
    (void)h;
    return 1;
}

static sct_status info(const struct sct_host *h, uint32_t index, struct sct_device_info *i,
                       sct_error *err)
{
    (void)h;
    if (index != 0)
        return sct_fail(err, SCT_EDEVICE, "backend ref has one device, 0; found %" PRIu32,
                        index);
    const uint32_t size = i->size;
    memset(i, 0, sizeof *i);
    i->size = size;
    i->kind = SCT_DEV_CPU;
    i->usable = 1;
    i->threads = 1;
    (void)snprintf(i->id, sizeof i->id, "0");
    (void)snprintf(i->platform, sizeof i->platform, "sctrun");
    (void)snprintf(i->name, sizeof i->name, "reference kernels");
    (void)snprintf(i->status, sizeof i->status,
                   "plain C, one thread: for checking, not for speed");
    return SCT_OK;
}

static sct_status open_device(const struct sct_host *h, uint32_t index, sct_device **out,
                              sct_error *err)
{
    *out = NULL;
    if (index != 0)
        return sct_fail(err, SCT_EDEVICE, "backend ref has one device, 0; found %" PRIu32,
                        index);
    const char *f64 = h && h->opt ? h->opt(h->ctx, "f64") : NULL;
    sct_device *d = calloc(1, sizeof *d);
    if (!d)
        return sct_fail(err, SCT_ENOMEM, "out of memory on the host");
    d->f64 = f64 && strcmp(f64, "on") == 0;
    *out = d;
    return SCT_OK;
}

static void close_device(sct_device *d)
{
    free(d);
}

static uint64_t bytes(const sct_device *d, const struct sct_desc *x)
{
    const uint64_t size = x->dtype == SCT_F32 && d->f64 ? 8 : sct_dtype_bytes(x->dtype);
    return sct_desc_count(x) * size;
}

static sct_status probe(sct_device *d, const struct sct_opdesc *o, struct sct_choice *c,
                        sct_error *err)
{
    const char *want = c->row, *have = row_name(o->op);
    const uint32_t size = c->size;
    if (!kernel(o->op, d->f64) || (want && (!have || strcmp(want, have) != 0)))
        return sct_fail(err, SCT_EUNSUP, "no row %s", want ? want : "for this op");
    memset(c, 0, sizeof *c);
    c->size = size;
    c->row = have;
    return SCT_OK;
}

static uint32_t rows(const sct_device *d, uint32_t op, const char **name, uint32_t cap)
{
    (void)d;
    if (!row_name(op))
        return 0;
    if (cap)
        name[0] = row_name(op);
    return 1;
}

static sct_status shape(sct_device *d, const struct sct_load *l, struct sct_shape *s,
                        sct_error *err)
{
    (void)d;
    (void)err;
    const uint32_t most = (l->batch + l->slots - 1) / l->slots;
    s->lanes = 1;
    s->team = 1;
    s->b = l->want_b ? l->want_b : 1;
    if (s->b > most)
        s->b = most;
    return SCT_OK;
}

static sct_status buf_new(sct_device *d, uint64_t n, sct_buf **out, sct_error *err)
{
    *out = NULL;
    sct_buf *b = n <= SIZE_MAX / 2 ? calloc(1, sizeof *b) : NULL;
    if (b)
        b->data = calloc(1, n ? (size_t)n : 1);
    if (!b || !b->data) {
        free(b);
        return sct_fail(err, SCT_ENOMEM,
                        "out of memory on the host: buffer of %" PRIu64 " bytes", n);
    }
    b->bytes = n;
    d->now += n;
    d->peak = d->now > d->peak ? d->now : d->peak;
    *out = b;
    return SCT_OK;
}

static void buf_free(sct_device *d, sct_buf *b)
{
    if (!b)
        return;
    d->now -= b->bytes;
    free(b->data);
    free(b);
}

static sct_status range(const sct_buf *b, uint64_t off, uint64_t n, sct_error *err)
{
    if (off > b->bytes || n > b->bytes - off)
        return sct_fail(err, SCT_EINVAL,
                        "access of %" PRIu64 " bytes at %" PRIu64 " in a buffer of %" PRIu64, n,
                        off, b->bytes);
    return SCT_OK;
}

static sct_status write_buf(sct_device *d, sct_buf *b, uint64_t off, const void *src,
                            uint64_t n, sct_error *err)
{
    (void)d;
    SCT_TRY(range(b, off, n, err));
    memcpy(b->data + off, src, (size_t)n);
    return SCT_OK;
}

static sct_status read_buf(sct_device *d, const sct_buf *b, uint64_t off, void *dst, uint64_t n,
                           sct_error *err)
{
    (void)d;
    SCT_TRY(range(b, off, n, err));
    memcpy(dst, b->data + off, (size_t)n);
    return SCT_OK;
}

static void drop(sct_prog **pp)
{
    if (!pp || !*pp)
        return;
    sct_prog *p = *pp;
    for (uint32_t s = 0; p->call && s < p->d->n_seg; s++)
        free(p->call[s]);
    free(p->call);
    free(p);
    *pp = NULL;
}

static sct_status bind(sct_device *dev, const struct sct_progdesc *d, sct_prog **out,
                       sct_error *err)
{
    *out = NULL;
    sct_prog *p = calloc(1, sizeof *p);
    if (!p)
        return sct_fail(err, SCT_ENOMEM, "out of memory on the host");
    p->dev = dev;
    p->d = d;
    p->whole.count = d->batch;
    p->call = calloc(d->n_seg ? d->n_seg : 1, sizeof *p->call);
    for (uint32_t s = 0; p->call && s < d->n_seg; s++) {
        p->call[s] = calloc(d->seg[s].n ? d->seg[s].n : 1, sizeof **p->call);
        if (!p->call[s])
            break;
        for (uint32_t i = 0; i < d->seg[s].n; i++) {
            struct call *c = &p->call[s][i];
            c->node = &d->seg[s].node[i];
            c->run = kernel(c->node->d.op, dev->f64);
            c->k.d = &c->node->d;
            c->k.step = &p->state;
            c->k.micro = d->seg[s].kind == SCT_SEG_BODY ? &p->micro : &p->whole;
            c->k.parts = 1;
        }
    }
    if (!p->call || (d->n_seg && !p->call[d->n_seg - 1])) {
        drop(&p);
        return sct_fail(err, SCT_ENOMEM, "out of memory on the host");
    }
    *out = p;
    return SCT_OK;
}

static void *address(sct_buf *const *buf, const struct sct_place *pl)
{
    return pl->len ? buf[pl->buf]->data + pl->off : NULL;
}

static sct_status place(sct_prog *p, sct_buf *const *buf, uint32_t n, sct_error *err)
{
    (void)n;
    (void)err;
    for (uint32_t s = 0; s < p->d->n_seg; s++) {
        for (uint32_t i = 0; i < p->d->seg[s].n; i++) {
            struct call *c = &p->call[s][i];
            for (uint32_t k = 0; k < c->node->d.n_in; k++)
                c->k.in[k] = address(buf, &c->node->in[k]);
            for (uint32_t k = 0; k < c->node->d.n_out; k++)
                c->k.out[k] = address(buf, &c->node->out[k]);
            c->k.scratch = address(buf, &c->node->scratch);
        }
    }
    return SCT_OK;
}

static sct_status step(sct_prog *p, const struct sct_step_state *s)
{
    p->state = *s;
    return SCT_OK;
}

static void run_node(const struct call *c, uint32_t slot)
{
    struct sct_kargs k = c->k;
    for (uint32_t i = 0; i < c->node->d.n_in && slot; i++)
        if (c->node->in[i].scope == SCT_SLOTS)
            k.in[i] = (const char *)k.in[i] + slot * c->node->in[i].stride;
    for (uint32_t o = 0; o < c->node->d.n_out && slot; o++)
        if (c->node->out[o].scope == SCT_SLOTS)
            k.out[o] = (char *)k.out[o] + slot * c->node->out[o].stride;
    c->run(&k);
}

static sct_status run(sct_prog *p, uint32_t seg, uint32_t micro0, uint32_t n)
{
    const struct sct_segment *s = &p->d->seg[seg];
    if (s->kind != SCT_SEG_BODY) {
        for (uint32_t i = 0; i < s->n; i++)
            run_node(&p->call[seg][i], 0);
        return SCT_OK;
    }
    for (uint32_t m = 0; m < n; m++) {
        p->micro = p->d->micro[micro0 + m];
        for (uint32_t i = 0; i < s->n; i++)
            run_node(&p->call[seg][i], p->micro.slot);
    }
    return SCT_OK;
}

static sct_status sync_device(sct_device *d, sct_error *err)
{
    (void)d;
    (void)err;
    return SCT_OK;
}

static void usage(const sct_device *d, uint64_t *now, uint64_t *peak)
{
    *now = d->now;
    *peak = d->peak;
}

const struct sct_backend *sct_backend_ref(void)
{
    static const struct sct_backend b = {
        .abi = SCT_BACKEND_ABI,
        .size = sizeof b,
        .name = "ref",
        .summary = "reference kernels in plain C (built in)",
        .count = count,
        .info = info,
        .open = open_device,
        .close = close_device,
        .bytes = bytes,
        .probe = probe,
        .rows = rows,
        .shape = shape,
        .buf_new = buf_new,
        .buf_free = buf_free,
        .write = write_buf,
        .read = read_buf,
        .bind = bind,
        .place = place,
        .step = step,
        .run = run,
        .sync = sync_device,
        .drop = drop,
        .usage = usage,
    };
    return &b;
}
