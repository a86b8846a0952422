/* SPDX-License-Identifier: MIT
 * program.c - from a program description to calls with every pointer resolved.
 * bind looks rows up and allocates; place writes pointers; after that nothing is searched. */
#include "backends/cpu/cpu.h"

#include <stdlib.h>
#include <string.h>

static sct_status no_memory(const char *what, size_t n, sct_error *err)
{
    return sct_fail(err, SCT_ENOMEM, "cpu: out of memory for %zu %s of a program", n, what);
}

static sct_status bind_call(const sct_prog *p, const struct sct_node *node,
                            struct cpu_call *call, sct_error *err)
{
    const struct cpu_row *row = node->c.row ? cpu_row_find(node->d.op, node->c.row) : NULL;
    if (!row || (row->isa & ~p->dev->isa))
        return sct_fail(err, SCT_EUNSUP, "cpu: node %s: no row '%s' for its op on the %s path",
                        node->label, node->c.row ? node->c.row : "(none)",
                        cpu_isa_path(p->dev->isa));
    call->run = row->run;
    call->one_part = row->one_part;
    call->k.d = &node->d;
    call->k.step = &p->step;
    call->k.micro = &p->whole;
    call->k.parts = 1;
    return SCT_OK;
}

static sct_status bind_segment(const sct_prog *p, const struct sct_segment *from,
                               struct cpu_seg *to, sct_error *err)
{
    to->kind = from->kind;
    to->n = from->n;
    to->lanes = from->kind == SCT_SEG_BODY ? p->desc.shape.lanes : 1;
    const size_t n = (size_t)to->lanes * to->n;
    if (n == 0)
        return SCT_OK;
    to->call = calloc(n, sizeof *to->call);
    if (!to->call)
        return no_memory("calls", n, err);
    if (p->dev->profile) {
        to->seconds = calloc(n, sizeof *to->seconds);
        to->calls = calloc(n, sizeof *to->calls);
        if (!to->seconds || !to->calls)
            return no_memory("timers", n, err);
    }
    for (uint32_t i = 0; i < to->n; i++)
        SCT_TRY(bind_call(p, &from->node[i], &to->call[i], err));
    for (uint32_t lane = 1; lane < to->lanes; lane++)
        memcpy(to->call + (size_t)lane * to->n, to->call, to->n * sizeof *to->call);
    return SCT_OK;
}

/* Where each slot's run of micro-batches begins. */
static sct_status bind_groups(sct_prog *p, sct_error *err)
{
    const struct sct_micro *micro = p->desc.micro;
    const size_t n = p->desc.n_micro;
    p->group = malloc((n + 1) * sizeof *p->group);
    if (!p->group)
        return no_memory("micro-batches", n, err);
    for (uint32_t i = 0; i < n; i++)
        if (i == 0 || micro[i].slot != micro[i - 1].slot)
            p->group[p->n_group++] = i;
    p->group[p->n_group] = (uint32_t)n;
    return SCT_OK;
}

static sct_status bind_lanes(sct_prog *p, sct_error *err)
{
    const struct sct_shape *shape = &p->desc.shape;
    p->lane = aligned_alloc(_Alignof(struct cpu_lane), shape->lanes * sizeof *p->lane);
    if (!p->lane)
        return no_memory("lanes", shape->lanes, err);
    for (uint32_t i = 0; i < shape->lanes; i++) {
        p->lane[i].group = 0;
        p->lane[i].team = NULL;
    }
    for (uint32_t i = 0; shape->team > 1 && i < shape->lanes; i++)
        SCT_TRY(cpu_barrier_create(shape->team, &p->lane[i].team, err));
    return SCT_OK;
}

static sct_status bind_all(sct_prog *p, sct_error *err)
{
    const struct sct_shape *shape = &p->desc.shape;
    if (shape->lanes == 0 || shape->team == 0 ||
        (uint64_t)shape->lanes * shape->team > p->dev->threads)
        return sct_fail(err, SCT_EINVAL,
                        "cpu: a program of %u lanes of %u threads does not fit a device of %u; "
                        "take the shape that the backend answers",
                        shape->lanes, shape->team, p->dev->threads);
    p->seg = calloc(p->desc.n_seg ? p->desc.n_seg : 1, sizeof *p->seg);
    if (!p->seg)
        return no_memory("segments", p->desc.n_seg, err);
    SCT_TRY(bind_groups(p, err));
    SCT_TRY(bind_lanes(p, err));
    for (uint32_t s = 0; s < p->desc.n_seg; s++)
        SCT_TRY(bind_segment(p, &p->desc.seg[s], &p->seg[s], err));
    return SCT_OK;
}

sct_status cpu_bind(sct_device *dev, const struct sct_progdesc *desc, sct_prog **out,
                    sct_error *err)
{
    *out = NULL;
    sct_prog *p = calloc(1, sizeof *p);
    if (!p)
        return no_memory("bytes", sizeof *p, err);
    p->dev = dev;
    p->desc = *desc;
    p->whole.count = desc->batch;
    const sct_status rc = bind_all(p, err);
    if (rc != SCT_OK)
        cpu_drop(&p);
    *out = p;
    return rc;
}

void cpu_drop(sct_prog **prog)
{
    if (!prog || !*prog)
        return;
    sct_prog *p = *prog;
    for (uint32_t s = 0; p->seg && s < p->desc.n_seg; s++) {
        free(p->seg[s].call);
        free(p->seg[s].seconds);
        free(p->seg[s].calls);
    }
    for (uint32_t i = 0; p->lane && i < p->desc.shape.lanes; i++)
        cpu_barrier_destroy(&p->lane[i].team);
    free(p->lane);
    free(p->group);
    free(p->seg);
    free(p);
    *prog = NULL;
}

struct resolver {
    sct_buf *const *buf;
    uint32_t n, lane, lane_slabs;
    const char *label;
};

static sct_status resolve(const struct resolver *r, const struct sct_place *at, void **out,
                          sct_error *err)
{
    uint64_t i = at->buf;
    if (at->scope == SCT_LANE)
        i += (uint64_t)r->lane * r->lane_slabs;
    if (i >= r->n || !r->buf[i])
        return sct_fail(err, SCT_EINVAL, "cpu: node %s lies in buffer %llu, %u were given",
                        r->label, (unsigned long long)i, r->n);
    if (at->off > r->buf[i]->bytes || at->len > r->buf[i]->bytes - at->off)
        return sct_fail(err, SCT_EINVAL,
                        "cpu: node %s needs bytes %llu to %llu of buffer %llu, which has %llu",
                        r->label, (unsigned long long)at->off,
                        (unsigned long long)(at->off + at->len), (unsigned long long)i,
                        (unsigned long long)r->buf[i]->bytes);
    *out = r->buf[i]->data + at->off;
    return SCT_OK;
}

static sct_status place_call(const struct resolver *r, const struct sct_node *node,
                             struct cpu_call *call, sct_error *err)
{
    void *p = NULL;
    const bool body = node->d.segment == SCT_SEG_BODY;
    call->slots = false;
    for (uint32_t i = 0; i < node->d.n_in; i++) {
        SCT_TRY(resolve(r, &node->in[i], &p, err));
        call->k.in[i] = p;
        call->in_stride[i] = body && node->in[i].scope == SCT_SLOTS ? node->in[i].stride : 0;
        call->slots |= call->in_stride[i] != 0;
    }
    for (uint32_t i = 0; i < node->d.n_out; i++) {
        SCT_TRY(resolve(r, &node->out[i], &call->k.out[i], err));
        call->out_stride[i] = body && node->out[i].scope == SCT_SLOTS ? node->out[i].stride : 0;
        call->slots |= call->out_stride[i] != 0;
    }
    call->k.scratch = NULL;
    if (node->c.scratch)
        SCT_TRY(resolve(r, &node->scratch, &call->k.scratch, err));
    return SCT_OK;
}

sct_status cpu_place(sct_prog *p, sct_buf *const *buf, uint32_t n, sct_error *err)
{
    p->placed = false;
    for (uint32_t s = 0; s < p->desc.n_seg; s++) {
        struct cpu_seg *seg = &p->seg[s];
        for (uint32_t lane = 0; lane < seg->lanes; lane++)
            for (uint32_t i = 0; i < seg->n; i++) {
                const struct sct_node *node = &p->desc.seg[s].node[i];
                const struct resolver r = {buf, n, lane, p->desc.lane_slabs, node->label};
                SCT_TRY(place_call(&r, node, &seg->call[(size_t)lane * seg->n + i], err));
            }
    }
    p->placed = true;
    return SCT_OK;
}

sct_status cpu_step(sct_prog *p, const struct sct_step_state *state)
{
    p->step = *state;
    return SCT_OK;
}

sct_status cpu_profile(sct_prog *p, uint32_t seg, uint32_t node, double *seconds,
                       uint64_t *calls)
{
    *seconds = 0;
    *calls = 0;
    if (seg >= p->desc.n_seg || node >= p->seg[seg].n)
        return SCT_EINVAL;
    const struct cpu_seg *s = &p->seg[seg];
    if (!s->seconds)
        return SCT_EUNSUP;
    for (uint32_t lane = 0; lane < s->lanes; lane++) {
        *seconds += s->seconds[(size_t)lane * s->n + node];
        *calls += s->calls[(size_t)lane * s->n + node];
    }
    return SCT_OK;
}
