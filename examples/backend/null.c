/* SPDX-License-Identifier: MIT
 * null.c - a backend for sctrun, outside its tree: host memory, three ops, and a count of what
 * was run. <sctrun/backend.h> is the contract; this is the least that keeps it.
 *
 * With NULL_BACKEND_ALL=1 in the environment it takes every op and computes nothing: what is
 * left of a run is what sctrun itself costs. `sctrun backends check` then finds every row
 * wrong. */
#include <sctrun/backend.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct sct_device {
    const struct sct_host *host;
    uint64_t nodes, bytes_now, bytes_peak;
    int all;
};

struct sct_buf {
    uint64_t bytes;
    unsigned char *data;
};

struct sct_prog {
    sct_device *dev;
    const struct sct_progdesc *d;
    sct_buf **buf; /* as place gave them */
    uint32_t micro;
};

/* ---- devices ---- */

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
        return sct_fail(err, SCT_EDEVICE, "backend null has device 0; found %" PRIu32, index);
    const uint32_t size = i->size;
    memset(i, 0, sizeof *i);
    i->size = size;
    i->kind = SCT_DEV_OTHER;
    i->usable = 1;
    i->threads = 1;
    (void)snprintf(i->id, sizeof i->id, "0");
    (void)snprintf(i->platform, sizeof i->platform, "example");
    (void)snprintf(i->name, sizeof i->name, "null device");
    (void)snprintf(i->status, sizeof i->status, "counts nodes");
    return SCT_OK;
}

static sct_status open_device(const struct sct_host *h, uint32_t index, sct_device **out,
                              sct_error *err)
{
    (void)index;
    *out = calloc(1, sizeof **out);
    if (!*out)
        return sct_fail(err, SCT_ENOMEM, "out of memory on the host");
    (*out)->host = h;
    (*out)->all = getenv("NULL_BACKEND_ALL") != NULL;
    return SCT_OK;
}

static void close_device(sct_device *d)
{
    char line[96];
    if (!d)
        return;
    (void)snprintf(line, sizeof line, "null: %" PRIu64 " nodes were run", d->nodes);
    if (d->host->log)
        d->host->log(d->host->ctx, SCT_LOG_INFO, line);
    free(d);
}

/* ---- planning ---- */

static uint64_t bytes(const sct_device *d, const struct sct_desc *x)
{
    (void)d;
    return sct_desc_count(x) * sct_dtype_bytes(x->dtype);
}

/* The row of an op: a name that says whose it is, or NULL. */
static const char *row_of(const sct_device *d, uint32_t op)
{
    switch (op) {
    case SCT_OP_COPY:
        return "null/copy";
    case SCT_OP_SCALE:
        return "null/scale";
    case SCT_OP_ADD:
        return "null/add";
    default:
        return d->all && op < SCT_OP_COUNT ? "null/nothing" : NULL;
    }
}

static sct_status probe(sct_device *d, const struct sct_opdesc *o, struct sct_choice *c,
                        sct_error *err)
{
    const char *want = c->row, *have = row_of(d, o->op);
    const uint32_t size = c->size;
    if (!have || (want && strcmp(want, have) != 0))
        return sct_fail(err, SCT_EUNSUP, "no row %s", want ? want : "for this op");
    if (!d->all && o->in[0].dtype != SCT_F32)
        return sct_fail(err, SCT_EUNSUP, "%s: f32 only", have);
    memset(c, 0, sizeof *c); /* dense inputs, no scratch, one order of summation */
    c->size = size;
    c->row = have;
    return SCT_OK;
}

static uint32_t rows(const sct_device *d, uint32_t op, const char **name, uint32_t cap)
{
    const char *row = row_of(d, op);
    if (row && cap)
        name[0] = row;
    return row != NULL;
}

/* One lane, which takes one image at a time unless more are asked for. */
static sct_status shape(sct_device *d, const struct sct_load *l, struct sct_shape *s,
                        sct_error *err)
{
    const uint32_t most = (l->batch + l->slots - 1) / l->slots;
    (void)d, (void)err;
    s->lanes = s->team = 1;
    s->b = l->want_b && l->want_b < most ? l->want_b : l->want_b ? most : 1;
    return SCT_OK;
}

/* ---- memory ---- */

static sct_status buf_new(sct_device *d, uint64_t n, sct_buf **out, sct_error *err)
{
    sct_buf *b = n <= SIZE_MAX / 2 ? calloc(1, sizeof *b) : NULL;
    *out = NULL;
    if (b)
        b->data = calloc(1, n ? (size_t)n : 1);
    if (!b || !b->data) {
        free(b);
        return sct_fail(err, SCT_ENOMEM, "out of memory: a buffer of %" PRIu64 " bytes", n);
    }
    b->bytes = n;
    d->bytes_now += n;
    d->bytes_peak = d->bytes_now > d->bytes_peak ? d->bytes_now : d->bytes_peak;
    *out = b;
    return SCT_OK;
}

static void buf_free(sct_device *d, sct_buf *b)
{
    if (!b)
        return;
    d->bytes_now -= b->bytes;
    free(b->data);
    free(b);
}

static sct_status inside(const sct_buf *b, uint64_t off, uint64_t n, sct_error *err)
{
    if (off <= b->bytes && n <= b->bytes - off)
        return SCT_OK;
    return sct_fail(err, SCT_EINVAL, "%" PRIu64 " bytes at %" PRIu64 " of a buffer of %" PRIu64,
                    n, off, b->bytes);
}

static sct_status write_buf(sct_device *d, sct_buf *b, uint64_t off, const void *src,
                            uint64_t n, sct_error *err)
{
    (void)d;
    SCT_TRY(inside(b, off, n, err));
    memcpy(b->data + off, src, (size_t)n);
    return SCT_OK;
}

static sct_status read_buf(sct_device *d, const sct_buf *b, uint64_t off, void *dst, uint64_t n,
                           sct_error *err)
{
    (void)d;
    SCT_TRY(inside(b, off, n, err));
    memcpy(dst, b->data + off, (size_t)n);
    return SCT_OK;
}

/* ---- running ---- */

static sct_status bind(sct_device *dev, const struct sct_progdesc *d, sct_prog **out,
                       sct_error *err)
{
    *out = calloc(1, sizeof **out);
    if (!*out)
        return sct_fail(err, SCT_ENOMEM, "out of memory on the host");
    (*out)->dev = dev;
    (*out)->d = d; /* lives until drop */
    return SCT_OK;
}

static sct_status place(sct_prog *p, sct_buf *const *buf, uint32_t n, sct_error *err)
{
    free(p->buf);
    p->buf = calloc(n ? n : 1, sizeof(sct_buf *));
    if (!p->buf)
        return sct_fail(err, SCT_ENOMEM, "out of memory on the host");
    memcpy(p->buf, buf, n * sizeof(sct_buf *));
    return SCT_OK;
}

static sct_status step(sct_prog *p, const struct sct_step_state *s)
{
    (void)p, (void)s; /* no op here is random or knows the learning rate */
    return SCT_OK;
}

/* Where a value lies, for the micro-batch that runs; NULL for one of no bytes. */
static void *at(const sct_prog *p, const struct sct_place *pl)
{
    const uint64_t slot = p->d->n_micro ? p->d->micro[p->micro].slot : 0;
    return pl->len ? p->buf[pl->buf]->data + pl->off +
                         (pl->scope == SCT_SLOTS ? slot * pl->stride : 0)
                   : NULL;
}

static void run_node(const sct_prog *p, const struct sct_node *n)
{
    const float *x = at(p, &n->in[0]);
    float *y = at(p, &n->out[0]);
    const uint64_t count_y = sct_desc_count(&n->d.out[0]);
    if (n->d.op == SCT_OP_COPY) {
        memmove(y, x, (size_t)count_y * sizeof *y);
    } else if (n->d.op == SCT_OP_SCALE) {
        const struct sct_scale_params *s = n->d.params;
        for (uint64_t i = 0; i < count_y; i++)
            y[i] = s->mul == 0.0f ? s->add : s->mul * x[i] + s->add;
    } else if (n->d.op == SCT_OP_ADD) { /* the second may be a suffix: it repeats */
        const float *z = at(p, &n->in[1]);
        const uint64_t count_z = sct_desc_count(&n->d.in[1]);
        for (uint64_t i = 0; i < count_y; i++)
            y[i] = x[i] + z[i % count_z];
    }
}

static sct_status run(sct_prog *p, uint32_t seg, uint32_t micro0, uint32_t n)
{
    const struct sct_segment *s = &p->d->seg[seg];
    const uint32_t times = s->kind == SCT_SEG_BODY ? n : 1;
    for (uint32_t m = 0; m < times; m++) {
        p->micro = s->kind == SCT_SEG_BODY ? micro0 + m : 0;
        for (uint32_t i = 0; i < s->n; i++)
            if (!p->dev->all)
                run_node(p, &s->node[i]);
        p->dev->nodes += s->n;
    }
    return SCT_OK;
}

static sct_status sync_device(sct_device *d, sct_error *err)
{
    (void)d, (void)err; /* run has done it */
    return SCT_OK;
}

static void drop(sct_prog **p)
{
    if (!p || !*p)
        return;
    free((*p)->buf);
    free(*p);
    *p = NULL;
}

static void usage(const sct_device *d, uint64_t *now, uint64_t *peak)
{
    *now = d->bytes_now;
    *peak = d->bytes_peak;
}

const struct sct_backend *sct_backend_entry_v1(void)
{
    static const struct sct_backend b = {
        .abi = SCT_BACKEND_ABI,
        .size = sizeof b,
        .name = "null",
        .summary = "an example: three ops, and a count",
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
