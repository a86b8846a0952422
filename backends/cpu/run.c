/* SPDX-License-Identifier: MIT
 * run.c - runs a segment: lanes of slots in the body, all threads on each node elsewhere.
 * Which lane takes which slot is a race and may be: a slot's sums are its own, in image order.
 */
#include "backends/cpu/cpu.h"

#include <stdatomic.h>
#include <time.h>

static double seconds_now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Runs calls[0..n) as part `part` of `parts`, meeting the others at `barrier` after each. */
static void run_calls(const struct cpu_seg *seg, uint32_t lane, const struct sct_micro *micro,
                      uint32_t part, uint32_t parts, struct cpu_barrier *barrier)
{
    const size_t base = (size_t)lane * seg->n;
    const bool timed = seg->seconds && part == 0;
    double last = timed ? seconds_now() : 0;
    for (size_t i = 0; i < seg->n; i++) {
        const struct cpu_call *call = &seg->call[base + i];
        if (part == 0 || !call->one_part) {
            struct sct_kargs k = call->k;
            k.micro = micro;
            k.part = part;
            k.parts = call->one_part ? 1 : parts;
            if (call->slots) {
                for (uint32_t j = 0; j < k.d->n_in; j++)
                    k.in[j] = (const char *)k.in[j] + micro->slot * call->in_stride[j];
                for (uint32_t j = 0; j < k.d->n_out; j++)
                    k.out[j] = (char *)k.out[j] + micro->slot * call->out_stride[j];
            }
            call->run(&k);
        }
        if (parts > 1)
            cpu_barrier_wait(barrier);
        if (timed) {
            const double now = seconds_now();
            seg->seconds[base + i] += now - last;
            seg->calls[base + i]++;
            last = now;
        }
    }
}

struct run {
    const sct_prog *p;
    const struct cpu_seg *seg;
    uint32_t micro0, micro_end, group_end;
    atomic_uint next; /* group to be taken */
};

static void run_shared(void *arg, uint32_t thread)
{
    const struct run *r = arg;
    const sct_device *dev = r->p->dev;
    run_calls(r->seg, 0, &r->p->whole, thread, dev->threads, dev->all);
}

static void run_group(const struct run *r, uint32_t lane, uint32_t group, uint32_t part)
{
    const sct_prog *p = r->p;
    uint32_t m = p->group[group], end = p->group[group + 1];
    if (m < r->micro0)
        m = r->micro0;
    if (end > r->micro_end)
        end = r->micro_end;
    for (; m < end; m++)
        run_calls(r->seg, lane, &p->desc.micro[m], part, p->desc.shape.team,
                  p->lane[lane].team);
}

/* Part 0 writes lane->group only after every barrier of the group before, which the others
 * passed after reading it. */
static void run_lane(void *arg, uint32_t thread)
{
    struct run *r = arg;
    const struct sct_shape *shape = &r->p->desc.shape;
    const uint32_t lane = thread / shape->team, part = thread % shape->team;
    if (lane >= shape->lanes)
        return;
    struct cpu_lane *l = &r->p->lane[lane];
    for (;;) {
        if (part == 0)
            l->group = atomic_fetch_add(&r->next, 1);
        if (l->team)
            cpu_barrier_wait(l->team);
        const uint32_t group = l->group;
        if (group >= r->group_end)
            return;
        run_group(r, lane, group, part);
    }
}

sct_status cpu_run(sct_prog *p, uint32_t seg, uint32_t micro0, uint32_t n)
{
    if (!p->placed || seg >= p->desc.n_seg)
        return SCT_EINVAL;
    struct run r = {.p = p, .seg = &p->seg[seg]};
    if (r.seg->n == 0)
        return SCT_OK;
    if (r.seg->kind != SCT_SEG_BODY) {
        cpu_pool_run(p->dev->pool, run_shared, &r);
        return SCT_OK;
    }
    if (micro0 > p->desc.n_micro || n > p->desc.n_micro - micro0)
        return SCT_EINVAL;
    if (n == 0)
        return SCT_OK;
    r.micro0 = micro0;
    r.micro_end = micro0 + n;
    uint32_t first = 0;
    while (p->group[first + 1] <= micro0)
        first++;
    r.group_end = first;
    while (r.group_end < p->n_group && p->group[r.group_end] < r.micro_end)
        r.group_end++;
    atomic_init(&r.next, first);
    cpu_pool_run(p->dev->pool, run_lane, &r);
    return SCT_OK;
}
