/* SPDX-License-Identifier: MIT
 * fuse_rows.c - runs the fuse pass with the device's rows as the judge. */
#include <string.h>

#include "core/fuse/fuse.h"
#include "core/ir/build.h"
#include "core/plan/plan.h"

/* n_value: what has a class. What the pass makes beside that are accumulators. */
struct judge {
    struct sct_plan *p;
    uint32_t n_value;
};

static bool has_row(void *ctx, const struct sct_gnode *node)
{
    const struct judge *j = ctx;
    const struct sct_plan *p = j->p;
    struct sct_opdesc d;
    struct sct_choice c;
    memset(&d, 0, sizeof d);
    memset(&c, 0, sizeof c);
    d.size = sizeof d;
    c.size = sizeof c;
    d.op = node->op;
    d.n_in = node->n_in;
    d.n_out = node->n_out;
    d.params = node->params;
    d.team = 1;
    if (sct_build_infer(p->g, node, p->g->b, d.out, NULL) != SCT_OK)
        return false;
    for (uint32_t i = 0; i < node->n_in; i++) {
        d.in[i] = p->g->value[node->in[i]].desc;
        d.cls[i] = node->in[i] < j->n_value ? p->val[node->in[i]].cls : SCT_SEG_BODY;
        if (d.cls[i] > d.segment)
            d.segment = d.cls[i];
    }
    return p->be->probe(p->dev, &d, &c, NULL) == SCT_OK;
}

sct_status sct_plan_fuse(struct sct_plan *p, sct_error *err)
{
    struct judge j = {p, p->g->n_value};
    return sct_fuse(p->g, has_row, &j, err);
}
