/* SPDX-License-Identifier: MIT
 * edit.c - surgery: an edit builds nodes from a site's value and then takes its place.
 * Only consumers that existed before the edit are redirected, so the new nodes may read the old
 * value; sites that tapped it move along, so edits stack. */
#include "core/peft/edit.h"

#include "core/base/status.h"

struct sct_builder *sct_edit_begin(struct sct_model *m, const struct sct_site *site)
{
    struct sct_graph *g = m->g;
    if (m->edit_site) {
        (void)sct_fail(&g->err, SCT_EINVAL, "edit of %s: the edit of %s is still open",
                       site->path, m->site[m->edit_site - 1].path);
        return &g->builder;
    }
    if (site->id >= m->n_site) {
        (void)sct_fail(&g->err, SCT_EINVAL, "edit: site %u does not exist", site->id);
        return &g->builder;
    }
    if (site->out.id != m->site[site->id].out.id) {
        (void)sct_fail(&g->err, SCT_EINVAL,
                       "edit of %s: the site was edited since it was asked for; ask again",
                       site->path);
        return &g->builder;
    }
    m->edit_site = site->id + 1;
    m->edit_mark = g->n_node;
    if (!m->first_edit)
        m->first_edit = g->n_value;
    const uint32_t n = g->value[m->site[site->id].out.id].node;
    g->block = n == SCT_NO_NODE ? 0 : g->node[n].block;
    g->phase = SCT_PHASE_FORWARD;
    sct_graph_label(g, "%s", m->site[site->id].path);
    return &g->builder;
}

/* Tokens that an edit adds or takes away are none of the grid: they count as prefix. */
static void recount_tokens(struct sct_model *m)
{
    for (uint32_t i = 0; i < m->n_site; i++) {
        struct sct_site *s = &m->site[i];
        const struct sct_value *v = sct_graph_value(m->g, s->out);
        if (!v || v->desc.nd != 3 || v->desc.dim[1] == s->tokens)
            continue;
        s->prefix_tokens += v->desc.dim[1] - s->tokens; /* modulo 2^32, so it may fall */
        s->tokens = v->desc.dim[1];
    }
}

sct_status sct_edit_commit(struct sct_model *m, sct_val v, sct_error *err)
{
    struct sct_graph *g = m->g;
    SCT_TRY(sct_graph_status(g, err));
    if (!m->edit_site)
        return sct_fail(err, SCT_EINVAL, "edit_commit without edit_begin");
    const struct sct_site site = m->site[m->edit_site - 1];
    m->edit_site = 0;
    const struct sct_value *was = sct_graph_value(g, site.out), *now = sct_graph_value(g, v);
    if (!now)
        return sct_fail(err, SCT_EINVAL, "%s: edit_commit of no value", site.path);
    if (now->desc.dtype != was->desc.dtype ||
        sct_desc_last(&now->desc) != sct_desc_last(&was->desc))
        return sct_fail(err, SCT_EINVAL, "%s: the edit changes the number of channels",
                        site.path);
    if (v.id == site.out.id)
        return SCT_OK;
    sct_graph_redirect(g, site.out.id, v.id, m->edit_mark);
    for (uint32_t i = 0; i < m->n_site; i++) {
        if (m->site[i].out.id == site.out.id)
            m->site[i].out = v;
        if (m->site[i].in.id == site.out.id)
            m->site[i].in = v;
    }
    if (m->logits.id == site.out.id)
        m->logits = v;
    SCT_TRY(sct_graph_sort(g, err));
    const sct_status rc = sct_graph_infer(g, g->b, err);
    if (rc == SCT_OK)
        recount_tokens(m);
    else
        (void)sct_error_prefix(err, "after the edit of %s", site.path);
    return rc;
}
