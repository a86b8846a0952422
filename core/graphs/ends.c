/* SPDX-License-Identifier: MIT
 * ends.c - both ends of a graph: the inputs that come with a label, and its checks. */
#include "core/graphs/impl.h"

struct sct_labels sct_graph_label_inputs(struct sct_graph *g)
{
    struct sct_builder *b = sct_graph_builder(g);
    const uint32_t two[2] = {g->batch, 2}, one[1] = {g->batch};
    sct_graph_label(g, "labels");
    g->phase = SCT_PHASE_FORWARD;
    g->block = 0;
    return (struct sct_labels){sct_feed(b, sct_graph_input(g, "labels", SCT_I32, 2, two)),
                               sct_feed(b, sct_graph_input(g, "mix", SCT_F32, 1, one)),
                               sct_feed(b, sct_graph_input(g, "weight", SCT_F32, 1, one))};
}

sct_status sct_graph_finish(struct sct_graph **out, struct sct_graph *g, sct_status rc,
                            sct_error *err)
{
    if (rc == SCT_OK)
        rc = sct_graph_sort(g, err);
    if (rc == SCT_OK)
        rc = sct_graph_status(g, err);
    if (rc == SCT_OK)
        *out = g;
    else
        sct_graph_destroy(&g);
    return rc;
}
