/* SPDX-License-Identifier: MIT
 * cl_run.c - a step: bare enqueues on one in-order queue.
 * Nothing here waits, allocates or sets an argument. What changes between steps and
 * micro-batches is copied into the state words by the queue itself. */
#include <stdlib.h>
#include <string.h>

#include "backends/opencl/cl_launch.h"

void cl_fault(sct_device *dev, cl_int rc, const char *what, const char *label)
{
    (void)pthread_mutex_lock(&dev->lock);
    if (dev->fault_rc == SCT_OK) {
        sct_error e = SCT_ERROR_INIT;
        dev->fault_rc = cl_fail(&e, rc, "device %s: %s %s%s%s", dev->id_text, what, label,
                                dev->notice[0] ? ": " : "", dev->notice);
        (void)snprintf(dev->fault, sizeof dev->fault, "%.*s", (int)sizeof dev->fault - 1,
                       e.msg);
    }
    (void)pthread_mutex_unlock(&dev->lock);
}

static sct_status enqueued(sct_device *dev, cl_int rc, const char *what, const char *label)
{
    if (rc != CL_SUCCESS) {
        cl_fault(dev, rc, what, label);
        return dev->fault_rc;
    }
    if (++dev->unflushed >= CL_FLUSH_EVERY) {
        dev->unflushed = 0;
        (void)clFlush(dev->q);
    }
    return SCT_OK;
}

sct_status cl_step(sct_prog *p, const struct sct_step_state *s)
{
    uint32_t lr;
    memcpy(&lr, &s->lr, sizeof lr);
    const uint32_t words[8] = {(uint32_t)s->seed,
                               (uint32_t)(s->seed >> 32),
                               (uint32_t)s->step,
                               (uint32_t)(s->step >> 32),
                               lr,
                               s->valid,
                               0,
                               0};
    /* A fill copies its pattern at once, so there is no host memory to keep until it is done.
     */
    return enqueued(p->dev,
                    clEnqueueFillBuffer(p->dev->q, p->state, words, sizeof words, 0,
                                        sizeof words, 0, NULL, NULL),
                    "writing", "the step state");
}

static sct_status set_micro(sct_prog *p, uint32_t entry)
{
    const uint32_t *m = p->micro_host;
    if (p->micro_now != UINT32_MAX &&
        memcmp(m + 4 * (size_t)p->micro_now, m + 4 * (size_t)entry, 16) == 0)
        return SCT_OK;
    p->micro_now = entry;
    return enqueued(p->dev,
                    clEnqueueCopyBuffer(p->dev->q, p->micros, p->state, (size_t)entry * 16,
                                        CL_ST_FIRST * 4, 16, 0, NULL, NULL),
                    "writing", "the micro-batch state");
}

static cl_int launch(const sct_prog *p, const struct cl_cmd *c, cl_event *event)
{
    cl_command_queue q = p->dev->q;
    static const cl_uint zero = 0;
    switch (c->kind) {
    case CL_CMD_KERNEL:
        return clEnqueueNDRangeKernel(q, c->kernel, 3, NULL, c->global, c->local, 0, NULL,
                                      event);
    case CL_CMD_ZERO:
        return clEnqueueFillBuffer(q, c->out.mem, &zero, c->out.len % 4 ? 1 : 4,
                                   (size_t)c->out.off, (size_t)c->out.len, 0, NULL, event);
    case CL_CMD_COPY:
        return clEnqueueCopyBuffer(q, c->in[0].mem, c->out.mem, (size_t)c->in[0].off,
                                   (size_t)c->out.off, (size_t)c->out.len, 0, NULL, event);
    default:
        return cl_blast_sgemm(p->dev->blast, q, c, event);
    }
}

/* Adds up the gathered events; waits for them. */
static void resolve_pending(sct_prog *p)
{
    if (p->n_pending)
        (void)clFinish(p->dev->q);
    for (size_t i = 0; i < p->n_pending; i++) {
        struct cl_pending *e = &p->pending[i];
        struct cl_timing *t = &p->seg[e->seg].timing[e->node];
        cl_ulong t0 = 0, t1 = 0;
        if (clGetEventProfilingInfo(e->event, CL_PROFILING_COMMAND_START, sizeof t0, &t0,
                                    NULL) == CL_SUCCESS &&
            clGetEventProfilingInfo(e->event, CL_PROFILING_COMMAND_END, sizeof t1, &t1, NULL) ==
                CL_SUCCESS &&
            t1 >= t0)
            t->seconds += (double)(t1 - t0) * 1e-9;
        t->calls += e->first;
        (void)clReleaseEvent(e->event);
    }
    p->n_pending = 0;
}

static sct_status run_commands(sct_prog *p, uint32_t s)
{
    const struct cl_seg *seg = &p->seg[s];
    uint32_t last = UINT32_MAX;
    for (size_t i = 0; i < seg->b.n_cmd; i++) {
        const struct cl_cmd *c = &seg->b.cmd[i];
        if (c->skip)
            continue;
        cl_event event = NULL;
        const cl_int rc = launch(p, c, p->pending ? &event : NULL);
        if (event) {
            if (p->n_pending == CL_PENDING_MAX)
                resolve_pending(p);
            p->pending[p->n_pending++] =
                (struct cl_pending){event, s, c->node, c->node != last};
            last = c->node;
        }
        SCT_TRY(enqueued(p->dev, rc, "running", seg->desc->node[c->node].label));
    }
    return SCT_OK;
}

/* Work that is queued but not handed over lies idle while the host decodes images. */
static void hand_over(sct_device *dev)
{
    if (dev->unflushed)
        (void)clFlush(dev->q);
    dev->unflushed = 0;
}

sct_status cl_run(sct_prog *p, uint32_t seg, uint32_t micro0, uint32_t n)
{
    if (!p->placed || seg >= p->desc->n_seg)
        return SCT_EINVAL;
    if (p->seg[seg].desc->kind != SCT_SEG_BODY) {
        SCT_TRY(set_micro(p, p->desc->n_micro));
        SCT_TRY(run_commands(p, seg));
        hand_over(p->dev);
        return SCT_OK;
    }
    if (micro0 > p->desc->n_micro || n > p->desc->n_micro - micro0)
        return SCT_EINVAL;
    for (uint32_t i = micro0; i < micro0 + n; i++) {
        SCT_TRY(set_micro(p, i));
        SCT_TRY(run_commands(p, seg));
    }
    hand_over(p->dev);
    return SCT_OK;
}

sct_status cl_sync(sct_device *dev, sct_error *err)
{
    cl_event last = NULL;
    cl_int status = CL_COMPLETE;
    cl_int rc = clEnqueueMarkerWithWaitList(dev->q, 0, NULL, &last);
    const cl_int finished = clFinish(dev->q);
    dev->unflushed = 0;
    if (rc == CL_SUCCESS)
        rc = finished;
    if (last) {
        /* a command that fails on the device shows as a negative status, not as a return code
         */
        if (rc == CL_SUCCESS &&
            clGetEventInfo(last, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof status, &status,
                           NULL) == CL_SUCCESS &&
            status < 0)
            rc = status;
        (void)clReleaseEvent(last);
    }
    if (rc != CL_SUCCESS)
        cl_fault(dev, rc, "waiting for", "work in flight");
    (void)pthread_mutex_lock(&dev->lock);
    const sct_status fault = dev->fault_rc;
    if (fault != SCT_OK)
        (void)sct_fail(err, fault, "%s", dev->fault);
    (void)pthread_mutex_unlock(&dev->lock);
    return fault;
}

sct_status cl_profile(sct_prog *p, uint32_t seg, uint32_t node, double *seconds,
                      uint64_t *calls)
{
    *seconds = 0.0;
    *calls = 0;
    if (seg >= p->desc->n_seg || node >= p->desc->seg[seg].n)
        return SCT_EINVAL;
    if (!p->pending)
        return SCT_EUNSUP;
    resolve_pending(p);
    *seconds = p->seg[seg].timing[node].seconds;
    *calls = p->seg[seg].timing[node].calls;
    return SCT_OK;
}
