/* SPDX-License-Identifier: MIT
 * shape.c - slots, lanes, images of a micro-batch; the list of micro-batches.
 * The number of slots follows from the accumulators' bytes and the batch alone, never from
 * threads, so the order of every sum is a property of the run. */
#include <string.h>

#include "core/base/status.h"
#include "core/plan/plan.h"

uint32_t sct_plan_slots(uint64_t bytes, uint32_t batch)
{
    const uint64_t room = UINT64_C(64) << 20;
    uint64_t s = bytes ? room / bytes : 16;
    s = s < 1 ? 1 : s > 16 ? 16 : s;
    return s < batch ? (uint32_t)s : batch;
}

static sct_status micros(struct sct_plan *p, sct_error *err)
{
    const uint32_t batch = p->g->batch, b = p->shape.b, slots = p->slots;
    sct_free(p->micro);
    p->n_micro = 0;
    p->micro = sct_calloc(batch, sizeof *p->micro);
    if (!p->micro)
        return sct_nomem(err);
    for (uint32_t j = 0; j < batch;) {
        const uint32_t slot = (uint32_t)((uint64_t)j * slots / batch);
        uint32_t count = 1;
        while (count < b && j + count < batch &&
               (uint32_t)((uint64_t)(j + count) * slots / batch) == slot)
            count++;
        p->micro[p->n_micro++] = (struct sct_micro){j, count, slot};
        j += count;
    }
    return SCT_OK;
}

sct_status sct_plan_shape(struct sct_plan *p, sct_error *err)
{
    const uint32_t batch = p->g->batch;
    uint64_t lane = 0;
    for (uint32_t s = 0; s < p->lane.n; s++)
        lane += p->lane.bytes[s];
    const struct sct_load load = {.size = sizeof load,
                                  .batch = batch,
                                  .slots = p->slots,
                                  .want_b = p->opts.micro_batch,
                                  .want_lanes = p->opts.lanes,
                                  .lane_bytes_b1 = lane,
                                  .accum_bytes = p->accum_bytes,
                                  .budget = p->opts.memory_limit / 2};
    struct sct_shape s = {.size = sizeof s};
    SCT_TRY(p->be->shape(p->dev, &load, &s, err));
    if (s.slots == 0 || s.slots > p->slots)
        s.slots = p->slots;
    const uint32_t most = (batch + s.slots - 1) / s.slots;
    if (s.b == 0 || s.b > most)
        s.b = most;
    if (s.lanes == 0 || s.lanes > s.slots)
        s.lanes = s.slots;
    if (s.team == 0)
        s.team = 1;
    p->shape = s;
    p->slots = s.slots;
    return micros(p, err);
}
