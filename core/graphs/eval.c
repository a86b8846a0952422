/* SPDX-License-Identifier: MIT
 * eval.c - the graph of an evaluation. */
#include "core/base/status.h"
#include "core/graphs/impl.h"
#include "core/ir/random.h"
#include "core/peft/pattern.h"

/* Emits the value of every site that matches; returns how many. */
static uint32_t emit_sites(struct sct_graph *g, const struct sct_model *m, const char *pattern)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < m->n_site; i++) {
        const struct sct_site *s = &m->site[i];
        if (!sct_pattern_match(pattern, s->path))
            continue;
        n++;
        if (sct_graph_find(g, s->path).id)
            continue;
        sct_graph_label(g, "%s", s->path);
        sct_graph_output(g, sct_emit_rows(sct_graph_builder(g), s->out), s->path);
    }
    return n;
}

sct_status sct_graph_eval(struct sct_graph **out, const struct sct_model *m,
                          const char *const *sites, uint32_t n_sites, sct_error *err)
{
    *out = NULL;
    struct sct_graph *g = sct_graph_clone(m->g);
    if (!g)
        return sct_nomem(err);
    g->phase = SCT_PHASE_FORWARD;
    g->block = 0;
    sct_status rc = SCT_OK;
    for (uint32_t i = 0; i < n_sites && rc == SCT_OK; i++) {
        rc = sct_pattern_check(sites[i], err);
        if (rc == SCT_OK && emit_sites(g, m, sites[i]) == 0)
            rc = sct_fail(err, SCT_EUSAGE,
                          "no site matches \"%s\"; try \"**.out\" or \"input\"", sites[i]);
    }
    sct_graph_label(g, "logits");
    sct_graph_output(g, sct_emit_rows(sct_graph_builder(g), m->logits), "logits");
    sct_graph_strip_random(g);
    return sct_graph_finish(out, g, rc, err);
}

void sct_graph_use_average(struct sct_graph *g, const struct sct_model *m,
                           const struct sct_optim *o)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < m->n_param; i++)
        if (m->param[i]->trainable)
            g->value[m->param[i]->value].tensor = &o->average[n++];
}
