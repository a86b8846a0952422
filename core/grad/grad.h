/* SPDX-License-Identifier: MIT
 * grad.h - reverse-mode differentiation, graph to graph.
 *
 * The sweep emits ordinary nodes into the same graph and creates a gradient only for values on
 * a path to one of the wanted sources. With a frozen backbone no weight gradient exists, inputs
 * of frozen linears are not kept alive, and the sweep ends below the first trainable module. */
#ifndef SCT_GRAD_H
#define SCT_GRAD_H

#include "core/ir/graph.h"

/* d(sum of loss)/d(want[i]) into grad[i], one per wanted source, in the source's shape; none
 * when the loss does not depend on it. loss: per-sample losses [B]. Gradients of sources are
 * sums over the whole batch. On failure the graph must be thrown away. */
sct_status sct_grad(struct sct_graph *g, sct_val loss, const sct_val *want, uint32_t n,
                    sct_val *grad, sct_error *err);

#endif
