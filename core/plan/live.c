/* SPDX-License-Identifier: MIT
 * live.c - first and last use of every stored value, on the time line of its scope.
 * LANE: positions in the body. STEP: prologue positions, then the body as one instant, then
 * epilogue positions. Everything else lives as long as the program. */
#include "core/plan/plan.h"

#include <string.h>

#include "core/base/status.h"

static void touch(struct sct_pvalue *root, uint32_t t)
{
    if (root->first > root->last) {
        root->first = root->last = t;
        return;
    }
    if (t < root->first)
        root->first = t;
    if (t > root->last)
        root->last = t;
}

static uint32_t step_time(const struct sct_plan *p, uint32_t seg, uint32_t pos)
{
    if (seg == SCT_SEG_PROLOGUE)
        return pos;
    if (seg == SCT_SEG_BODY)
        return p->n_order[SCT_SEG_PROLOGUE];
    return p->n_order[SCT_SEG_PROLOGUE] + 1 + pos;
}

static void use(struct sct_plan *p, uint32_t v, uint32_t seg, uint32_t pos)
{
    struct sct_pvalue *root = &p->val[p->val[v].root];
    if (root->scope == SCT_LANE && seg == SCT_SEG_BODY)
        touch(root, pos);
    else
        touch(root, step_time(p, seg, pos));
}

sct_status sct_plan_live(struct sct_plan *p, sct_error *err)
{
    (void)err;
    for (uint32_t v = 1; v < p->g->n_value; v++) {
        p->val[v].first = 1;
        p->val[v].last = 0;
    }
    for (uint32_t s = SCT_SEG_PROLOGUE; s < SCT_SEG_COUNT; s++) {
        for (uint32_t pos = 0; pos < p->n_order[s]; pos++) {
            const struct sct_gnode *node = &p->g->node[p->order[s][pos]];
            for (uint32_t i = 0; i < node->n_in; i++)
                use(p, node->in[i], s, pos);
            for (uint32_t o = 0; o < node->n_out; o++)
                use(p, node->out[o], s, pos);
        }
    }
    /* what the host reads stays until the end of the step */
    for (uint32_t v = 1; v < p->g->n_value; v++)
        if (p->g->value[v].output && !p->g->value[v].removed &&
            p->val[p->val[v].root].scope == SCT_STEP)
            touch(&p->val[p->val[v].root], step_time(p, SCT_SEG_EPILOGUE, UINT32_MAX / 2));
    return SCT_OK;
}
