/* SPDX-License-Identifier: MIT
 * random.c - random ops of a graph, switched off for evaluation. */
#include "core/ir/random.h"

void sct_graph_strip_random(struct sct_graph *g)
{
    for (uint32_t n = 0; n < g->n_node; n++)
        if (sct_op_info(g->node[n].op)->flags & SCT_OPF_RANDOM)
            sct_graph_redirect(g, g->node[n].out[0], g->node[n].in[0], g->n_node);
}
