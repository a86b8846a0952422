/* SPDX-License-Identifier: MIT
 * inplace.c - an output takes the storage of input 0 where the op allows it, the sizes are
 * equal and that input is not used afterwards. Works on live's result; merged ranges are
 * contiguous because the input ends where the output begins. */
#include "core/plan/plan.h"

static bool may(const struct sct_plan *p, uint32_t n, uint32_t pos)
{
    const struct sct_gnode *node = &p->g->node[n];
    if (!(sct_op_info(node->op)->flags & SCT_OPF_INPLACE))
        return false;
    const uint32_t in = node->in[0], out = node->out[0];
    const uint32_t root = p->val[in].root;
    const struct sct_pvalue *r = &p->val[root];
    if ((r->scope != SCT_LANE && r->scope != SCT_STEP) || p->val[out].scope != r->scope ||
        p->val[out].root != out)
        return false;
    for (uint32_t i = 1; i < node->n_in; i++)
        if (p->val[node->in[i]].root == root)
            return false;
    if (p->g->value[in].output || p->g->value[root].output)
        return false;
    return r->last == pos && sct_plan_bytes(p, root) == sct_plan_bytes(p, out);
}

/* All values rooted at `from` follow. */
static void reroot(struct sct_plan *p, uint32_t from, uint32_t to)
{
    for (uint32_t v = 1; v < p->g->n_value; v++)
        if (p->val[v].root == from)
            p->val[v].root = to;
}

void sct_plan_inplace(struct sct_plan *p)
{
    for (uint32_t s = SCT_SEG_PROLOGUE; s < SCT_SEG_COUNT; s++) {
        const uint32_t base = s == SCT_SEG_EPILOGUE ? p->n_order[SCT_SEG_PROLOGUE] + 1 : 0;
        for (uint32_t pos = 0; pos < p->n_order[s]; pos++) {
            const uint32_t n = p->order[s][pos];
            if (!may(p, n, base + pos))
                continue;
            const uint32_t out = p->g->node[n].out[0], root = p->val[p->g->node[n].in[0]].root;
            p->val[root].last = p->val[out].last;
            reroot(p, out, root);
            p->node[n].alias = true;
        }
    }
}
