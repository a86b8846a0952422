/* SPDX-License-Identifier: MIT
 * dump.c - a graph as text (one line a node, stable, diff-able) and as graphviz. */
#include "core/base/str.h"
#include "core/ir/graph.h"

static void value_text(struct sct_str *s, const struct sct_graph *g, uint32_t v)
{
    char d[96];
    const struct sct_value *x = &g->value[v];
    sct_str_add(s, "%%%u:%s", v, sct_desc_text(&x->desc, d, sizeof d));
    if (x->name)
        sct_str_add(s, " \"%s\"", x->name);
}

char *sct_graph_dump(const struct sct_graph *g)
{
    struct sct_str s = {0};
    sct_str_add(&s, "graph b=%u batch=%u nodes=%u\n", g->b, g->batch, g->n_node);
    for (uint32_t v = 1; v < g->n_value; v++) {
        if (g->value[v].removed || g->value[v].source == SCT_SRC_NONE)
            continue;
        sct_str_add(&s, "%s ",
                    g->value[v].source == SCT_SRC_BATCH ? "input"
                    : g->value[v].tensor->mutable       ? "state"
                                                        : "const");
        value_text(&s, g, v);
        sct_str_add(&s, "\n");
    }
    for (uint32_t n = 0; n < g->n_node; n++) {
        const struct sct_gnode *node = &g->node[n];
        for (uint32_t o = 0; o < node->n_out; o++) {
            sct_str_add(&s, o ? ", " : "");
            value_text(&s, g, node->out[o]);
        }
        sct_str_add(&s, " = %s(", sct_op_info(node->op)->name);
        for (uint32_t i = 0; i < node->n_in; i++)
            sct_str_add(&s, "%s%%%u", i ? ", " : "", node->in[i]);
        sct_str_add(&s, ")  ; %s\n", node->label);
    }
    return sct_str_take(&s);
}

char *sct_graph_dot(const struct sct_graph *g)
{
    struct sct_str s = {0};
    char d[96];
    sct_str_add(&s, "digraph sctrun {\n  rankdir=TB;\n  node [shape=box, fontsize=10];\n");
    for (uint32_t v = 1; v < g->n_value; v++)
        if (!g->value[v].removed && g->value[v].source != SCT_SRC_NONE)
            sct_str_add(&s, "  v%u [shape=ellipse, label=\"%s\\n%s\"];\n", v,
                        g->value[v].name ? g->value[v].name : "",
                        sct_desc_text(&g->value[v].desc, d, sizeof d));
    for (uint32_t n = 0; n < g->n_node; n++) {
        const struct sct_gnode *node = &g->node[n];
        sct_str_add(&s, "  n%u [label=\"%s\\n%s\"];\n", n, sct_op_info(node->op)->name,
                    node->label);
        for (uint32_t i = 0; i < node->n_in; i++) {
            const struct sct_value *x = &g->value[node->in[i]];
            sct_desc_text(&x->desc, d, sizeof d);
            if (x->node == SCT_NO_NODE)
                sct_str_add(&s, "  v%u -> n%u;\n", node->in[i], n);
            else
                sct_str_add(&s, "  n%u -> n%u [label=\"%s\", fontsize=8];\n", x->node, n, d);
        }
    }
    sct_str_add(&s, "}\n");
    return sct_str_take(&s);
}
