/* SPDX-License-Identifier: MIT
 * random.h - random ops of a graph, switched off for evaluation. */
#ifndef SCT_IR_RANDOM_H
#define SCT_IR_RANDOM_H

#include "core/ir/graph.h"

/* Every reader of a dropout or drop path reads its input instead; the nodes are pruned later.
 */
void sct_graph_strip_random(struct sct_graph *g);

#endif
