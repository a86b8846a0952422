/* SPDX-License-Identifier: MIT
 * cl_bind.c - from a program description to kernel objects with all arguments set.
 * Every call site owns its cl_kernel, so that a step is a loop of enqueues and nothing else. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "backends/opencl/cl_launch.h"

/* ---- bind
 * ------------------------------------------------------------------------------------ */

static sct_status describe_segment(sct_prog *p, uint32_t s, sct_error *err)
{
    struct cl_seg *seg = &p->seg[s];
    seg->desc = &p->desc->seg[s];
    seg->b.dev = p->dev;
    for (uint32_t i = 0; i < seg->desc->n; i++) {
        const struct sct_node *node = &seg->desc->node[i];
        const struct cl_row *row = node->c.row ? cl_row_find(node->c.row) : NULL;
        if (!row || row->op != node->d.op)
            return sct_fail(err, SCT_EFAIL,
                            "%s: row '%s' does not serve this node; it must be "
                            "one that probe answered",
                            node->label, node->c.row ? node->c.row : "(none)");
        SCT_TRY(cl_emit_node(&seg->b, row, node, i, p->desc, err));
    }
    if (p->dev->profiling) {
        seg->timing = calloc(seg->desc->n ? seg->desc->n : 1, sizeof *seg->timing);
        if (!seg->timing)
            return sct_fail(err, SCT_ENOMEM, "out of host memory for timings");
    }
    return SCT_OK;
}

/* The compiled kernel must agree with what the row described. */
static sct_status check_kernel(const sct_device *dev, const struct cl_cmd *c, const char *label,
                               sct_error *err)
{
    size_t group = 0, fixed[3] = {0};
    cl_ulong local = 0;
    cl_uint n_arg = 0;
    uint32_t want = 0;
    const cl_device_id d = dev->id.device;
    (void)clGetKernelInfo(c->kernel, CL_KERNEL_NUM_ARGS, sizeof n_arg, &n_arg, NULL);
    (void)clGetKernelWorkGroupInfo(c->kernel, d, CL_KERNEL_WORK_GROUP_SIZE, sizeof group,
                                   &group, NULL);
    (void)clGetKernelWorkGroupInfo(c->kernel, d, CL_KERNEL_COMPILE_WORK_GROUP_SIZE,
                                   sizeof fixed, fixed, NULL);
    (void)clGetKernelWorkGroupInfo(c->kernel, d, CL_KERNEL_LOCAL_MEM_SIZE, sizeof local, &local,
                                   NULL);
    const size_t items = c->local[0] * c->local[1] * c->local[2];
    want = c->n_arg;
    if (n_arg != want)
        return sct_fail(err, SCT_EFAIL,
                        "%s: kernel %s of %s has %u arguments, its row gives %u", label,
                        c->name, c->unit->source->name, n_arg, want);
    if (fixed[0] != 0 && memcmp(fixed, c->local, sizeof fixed) != 0)
        return sct_fail(err, SCT_EFAIL,
                        "%s: kernel %s of %s is made for groups of %zux%zux%zu, "
                        "its row launches %zux%zux%zu",
                        label, c->name, c->unit->source->name, fixed[0], fixed[1], fixed[2],
                        c->local[0], c->local[1], c->local[2]);
    if (group != 0 && items > group)
        return sct_fail(err, SCT_EUNSUP,
                        "%s: kernel %s of %s can run %zu items in a group on "
                        "device %s, its row needs %zu",
                        label, c->name, c->unit->source->name, group, dev->id_text, items);
    if (local > dev->caps.local_bytes)
        return sct_fail(err, SCT_EUNSUP,
                        "%s: kernel %s of %s needs %llu bytes of local memory, "
                        "device %s has %llu",
                        label, c->name, c->unit->source->name, (unsigned long long)local,
                        dev->id_text, (unsigned long long)dev->caps.local_bytes);
    return SCT_OK;
}

/* Arguments of one reference take two or three positions: count them as the kernel does. */
static uint32_t positions(const struct cl_arg *a)
{
    switch (a->kind) {
    case CL_ARG_IN:
    case CL_ARG_OUT:
    case CL_ARG_SCRATCH:
        return 2;
    case CL_ARG_ACC:
        return 3;
    default:
        return 1;
    }
}

static sct_status make_kernels(sct_prog *p, sct_error *err)
{
    for (uint32_t s = 0; s < p->desc->n_seg; s++) {
        struct cl_build *b = &p->seg[s].b;
        for (size_t i = 0; i < b->n_cmd; i++) {
            struct cl_cmd *c = &b->cmd[i];
            if (c->kind != CL_CMD_KERNEL)
                continue;
            const char *label = p->seg[s].desc->node[c->node].label;
            cl_int rc = CL_SUCCESS;
            c->kernel = clCreateKernel(c->unit->program, c->name, &rc);
            if (rc != CL_SUCCESS)
                return cl_fail(err, rc, "%s: kernel %s of %s", label, c->name,
                               c->unit->source->name);
            struct cl_cmd counted = *c;
            counted.n_arg = 0;
            for (uint32_t a = 0; a < c->n_arg; a++)
                counted.n_arg += positions(&b->arg[c->arg0 + a]);
            SCT_TRY(check_kernel(p->dev, &counted, label, err));
        }
    }
    return SCT_OK;
}

/* The state, and a table of all micro states; its last entry is the one for outside the body.
 */
static sct_status make_state(sct_prog *p, sct_error *err)
{
    const struct sct_progdesc *d = p->desc;
    const size_t n = (size_t)d->n_micro + 1;
    p->micro_host = calloc(n, 4 * sizeof *p->micro_host);
    if (!p->micro_host)
        return sct_fail(err, SCT_ENOMEM, "out of host memory for %u micro-batches", d->n_micro);
    for (uint32_t i = 0; i < d->n_micro; i++) {
        const uint32_t v[4] = {d->micro[i].first, d->micro[i].count, d->micro[i].slot, i};
        memcpy(p->micro_host + 4 * (size_t)i, v, sizeof v);
    }
    p->micro_host[4 * (size_t)d->n_micro + 1] = d->batch;
    const uint32_t zero[CL_ST_WORDS] = {0};
    cl_int rc = CL_SUCCESS;
    p->micros = clCreateBuffer(p->dev->ctx, CL_MEM_READ_ONLY, n * 16, NULL, &rc);
    if (rc == CL_SUCCESS)
        p->state = clCreateBuffer(p->dev->ctx, CL_MEM_READ_WRITE, sizeof zero, NULL, &rc);
    if (rc == CL_SUCCESS)
        rc = clEnqueueWriteBuffer(p->dev->q, p->micros, CL_TRUE, 0, n * 16, p->micro_host, 0,
                                  NULL, NULL);
    if (rc == CL_SUCCESS)
        rc = clEnqueueWriteBuffer(p->dev->q, p->state, CL_TRUE, 0, sizeof zero, zero, 0, NULL,
                                  NULL);
    p->micro_now = UINT32_MAX;
    return rc == CL_SUCCESS ? SCT_OK
                            : cl_fail(err, rc, "device %s: the state of %u micro-batches",
                                      p->dev->id_text, d->n_micro);
}

sct_status cl_bind(sct_device *dev, const struct sct_progdesc *desc, sct_prog **out,
                   sct_error *err)
{
    *out = NULL;
    if (desc->shape.lanes != 1)
        return sct_fail(err, SCT_EINVAL, "opencl runs one lane, the program has %u",
                        desc->shape.lanes);
    sct_prog *p = calloc(1, sizeof *p);
    struct cl_seg *seg = calloc(desc->n_seg ? desc->n_seg : 1, sizeof *seg);
    if (!p || !seg) {
        free(p);
        free(seg);
        return sct_fail(err, SCT_ENOMEM, "out of host memory for the program");
    }
    p->dev = dev;
    p->desc = desc;
    p->seg = seg;
    for (size_t i = 0; i < dev->n_unit; i++)
        dev->unit[i]->wanted = false;
    sct_status rc = SCT_OK;
    for (uint32_t s = 0; s < desc->n_seg && rc == SCT_OK; s++)
        rc = describe_segment(p, s, err);
    if (rc == SCT_OK)
        rc = cl_units_build(dev, err);
    if (rc == SCT_OK)
        rc = make_kernels(p, err);
    if (rc == SCT_OK)
        rc = make_state(p, err);
    if (rc == SCT_OK && dev->profiling) {
        p->pending = calloc(CL_PENDING_MAX, sizeof *p->pending);
        if (!p->pending)
            rc = sct_fail(err, SCT_ENOMEM, "out of host memory for profiling");
    }
    if (rc != SCT_OK)
        cl_drop(&p);
    *out = p;
    return rc;
}

void cl_drop(sct_prog **pp)
{
    if (!pp || !*pp)
        return;
    sct_prog *p = *pp;
    (void)clFinish(p->dev->q);
    for (size_t i = 0; i < p->n_pending; i++)
        (void)clReleaseEvent(p->pending[i].event);
    for (uint32_t s = 0; s < p->desc->n_seg; s++) {
        cl_build_free(&p->seg[s].b);
        free(p->seg[s].timing);
    }
    if (p->state)
        (void)clReleaseMemObject(p->state);
    if (p->micros)
        (void)clReleaseMemObject(p->micros);
    free(p->pending);
    free(p->micro_host);
    free(p->seg);
    free(p);
    *pp = NULL;
}

/* ---- place
 * ----------------------------------------------------------------------------------- */

struct placing {
    sct_prog *p;
    sct_buf *const *buf;
    uint32_t n;
    const struct sct_node *node;
    sct_error *err;
};

/* Where a value lies; what the core promises is checked, because a wrong answer here is silent.
 */
static sct_status resolve(const struct placing *pl, const struct sct_place *at, uint32_t elem,
                          const char *what, uint32_t i, struct cl_ref *ref)
{
    if (at->buf >= pl->n || !pl->buf[at->buf])
        return sct_fail(pl->err, SCT_EINVAL, "%s: %s %u lies in buffer %u of %u",
                        pl->node->label, what, i, at->buf, pl->n);
    const sct_buf *buf = pl->buf[at->buf];
    const uint64_t copies = at->scope == SCT_SLOTS ? pl->p->desc->slots : 1;
    uint64_t end = at->len;
    if (copies > 1 && at->stride > 0)
        end += (copies - 1) * at->stride;
    if (at->off > buf->bytes || end > buf->bytes - at->off || at->off % elem ||
        at->stride % elem)
        return sct_fail(pl->err, SCT_EINVAL,
                        "%s: %s %u, bytes %" PRIu64 " to %" PRIu64
                        ", does not fit buffer %u of "
                        "%" PRIu64 " bytes",
                        pl->node->label, what, i, at->off, at->off + end, at->buf, buf->bytes);
    *ref = (struct cl_ref){.mem = buf->mem,
                           .off = at->off,
                           .len = end,
                           .stride = copies > 1 ? at->stride : 0,
                           .elem = elem};
    return SCT_OK;
}

static sct_status resolve_in(const struct placing *pl, uint32_t i, struct cl_ref *ref)
{
    if (i >= pl->node->d.n_in) {
        *ref = (struct cl_ref){.mem = pl->p->dev->dummy, .len = 0, .elem = 1};
        return SCT_OK;
    }
    return resolve(pl, &pl->node->in[i], sct_dtype_bytes(pl->node->d.in[i].dtype), "input", i,
                   ref);
}

static sct_status resolve_out(const struct placing *pl, uint32_t i, struct cl_ref *ref)
{
    return resolve(pl, &pl->node->out[i], sct_dtype_bytes(pl->node->d.out[i].dtype), "output",
                   i, ref);
}

static cl_int set_ref(cl_kernel k, cl_uint *pos, const struct cl_ref *r, uint64_t add, bool acc)
{
    const cl_ulong off = (r->off + add) / r->elem, stride = r->stride / r->elem;
    cl_int rc = clSetKernelArg(k, (*pos)++, sizeof r->mem, &r->mem);
    if (rc == CL_SUCCESS)
        rc = clSetKernelArg(k, (*pos)++, sizeof off, &off);
    if (rc == CL_SUCCESS && acc)
        rc = clSetKernelArg(k, (*pos)++, sizeof stride, &stride);
    return rc;
}

static sct_status set_arg(const struct placing *pl, const struct cl_cmd *c,
                          const struct cl_arg *a, cl_uint *pos)
{
    struct cl_ref r;
    cl_int rc = CL_SUCCESS;
    const cl_uint first = *pos;
    switch (a->kind) {
    case CL_ARG_IN:
        SCT_TRY(resolve_in(pl, a->index, &r));
        rc = set_ref(c->kernel, pos, &r, 0, false);
        break;
    case CL_ARG_OUT:
        SCT_TRY(resolve_out(pl, a->index, &r));
        rc = set_ref(c->kernel, pos, &r, 0, false);
        break;
    case CL_ARG_ACC:
        SCT_TRY(resolve_out(pl, 0, &r));
        rc = set_ref(c->kernel, pos, &r, 0, true);
        break;
    case CL_ARG_SCRATCH:
        SCT_TRY(resolve(pl, &pl->node->scratch, 4, "scratch", 0, &r));
        rc = set_ref(c->kernel, pos, &r, a->value, false);
        break;
    case CL_ARG_STATE:
        rc = clSetKernelArg(c->kernel, (*pos)++, sizeof pl->p->state, &pl->p->state);
        break;
    case CL_ARG_LOCAL:
        rc = clSetKernelArg(c->kernel, (*pos)++, (size_t)a->value, NULL);
        break;
    default: /* CL_ARG_BYTES: value was filled from its first byte on */
        rc = clSetKernelArg(c->kernel, (*pos)++, a->size, &a->value);
        break;
    }
    return rc == CL_SUCCESS ? SCT_OK
                            : cl_fail(pl->err, rc, "%s: argument %u of kernel %s of %s",
                                      pl->node->label, first, c->name, c->unit->source->name);
}

/* CLBlast casts element offsets to int. */
static sct_status check_sgemm(const struct placing *pl, const struct cl_cmd *c)
{
    const uint64_t most = (uint64_t)INT32_MAX * sizeof(float);
    if (c->in[0].off <= most && c->in[1].off <= most && c->out.off <= most)
        return SCT_OK;
    return sct_fail(pl->err, SCT_EUNSUP,
                    "%s: CLBlast cannot reach a value beyond 8 GiB of a "
                    "buffer; use --gemm own or a smaller micro-batch",
                    pl->node->label);
}

static sct_status place_cmd(const struct placing *pl, const struct cl_build *b,
                            struct cl_cmd *c)
{
    if (c->kind == CL_CMD_KERNEL) {
        cl_uint pos = 0;
        for (uint32_t i = 0; i < c->n_arg; i++)
            SCT_TRY(set_arg(pl, c, &b->arg[c->arg0 + i], &pos));
        return SCT_OK;
    }
    SCT_TRY(resolve_out(pl, c->ref_out, &c->out));
    if (c->kind != CL_CMD_SGEMM) {
        /* by the description, which for an accumulator counts all slots */
        const uint64_t len = cl_value_bytes(&pl->node->d.out[c->ref_out]);
        if (len > c->out.len)
            return sct_fail(pl->err, SCT_EINVAL,
                            "%s: output %u has %" PRIu64 " bytes and room "
                            "for %" PRIu64,
                            pl->node->label, c->ref_out, len, c->out.len);
        c->out.len = len;
        c->skip = len == 0;
    }
    if (c->kind == CL_CMD_ZERO)
        return SCT_OK;
    SCT_TRY(resolve_in(pl, c->ref_in[0], &c->in[0]));
    if (c->kind == CL_CMD_SGEMM) {
        SCT_TRY(resolve_in(pl, c->ref_in[1], &c->in[1]));
        return check_sgemm(pl, c);
    }
    const uint64_t len = c->out.len;
    const bool one = c->in[0].mem == c->out.mem;
    c->skip |= one && c->in[0].off == c->out.off;
    if (len > c->in[0].len)
        return sct_fail(pl->err, SCT_EINVAL,
                        "%s: a copy of %" PRIu64 " bytes from a value of %" PRIu64,
                        pl->node->label, len, c->in[0].len);
    if (!c->skip && one && c->in[0].off < c->out.off + len && c->out.off < c->in[0].off + len)
        return sct_fail(pl->err, SCT_EINVAL, "%s: input and output of a copy overlap",
                        pl->node->label);
    return SCT_OK;
}

sct_status cl_place(sct_prog *p, sct_buf *const *buf, uint32_t n, sct_error *err)
{
    p->placed = false;
    /* arguments of work in flight stay as they are until it is done */
    (void)clFinish(p->dev->q);
    struct placing pl = {.p = p, .buf = buf, .n = n, .err = err};
    for (uint32_t s = 0; s < p->desc->n_seg; s++) {
        struct cl_build *b = &p->seg[s].b;
        for (size_t i = 0; i < b->n_cmd; i++) {
            pl.node = &p->seg[s].desc->node[b->cmd[i].node];
            SCT_TRY(place_cmd(&pl, b, &b->cmd[i]));
        }
    }
    p->placed = true;
    return SCT_OK;
}
