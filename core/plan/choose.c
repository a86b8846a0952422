/* SPDX-License-Identifier: MIT
 * choose.c - asks the backend for a row for every node. */
#include <string.h>

#include "core/base/status.h"
#include "core/base/str.h"
#include "core/plan/plan.h"

static sct_status probe(struct sct_plan *p, uint32_t n, struct sct_choice *c, sct_error *err)
{
    struct sct_opdesc d;
    sct_plan_opdesc(p, n, &d);
    memset(c, 0, sizeof *c);
    c->size = sizeof *c;
    return p->be->probe(p->dev, &d, c, err);
}

/* What no row was found for, by op. */
struct missing {
    uint32_t n, first; /* nodes, the first of them */
    bool site, reason; /* said beside the op, where there is room */
    char why[96];
};

enum { MISSING_ENTRY = 320, MISSING_ROOM = sizeof((sct_error *)0)->msg - 256 };

/* The line of one op. Its length; buf has MISSING_ENTRY bytes. */
static size_t missing_text(const struct sct_plan *p, uint32_t op, const struct missing *m,
                           char *buf)
{
    const struct sct_gnode *node = &p->g->node[m->first];
    const bool site = m->site && node->label[0];
    char desc[96];
    const int n = snprintf(
        buf, MISSING_ENTRY, "\n  %u %s%s%.80s%s%s%s%s%s", m->n, sct_op_info(op)->name,
        site ? " (" : "", site ? node->label : "", site ? ")" : "", m->reason ? ": " : "",
        m->reason ? sct_desc_text(&p->g->value[node->out[0]].desc, desc, sizeof desc) : "",
        m->reason && m->why[0] ? ": " : "", m->reason ? m->why : "");
    return n > 0 ? (size_t)n : 0;
}

/* Lets the line of m say *what, too, if all lines still fit. */
static void say_more(const struct sct_plan *p, uint32_t op, struct missing *m, bool *what,
                     size_t *used)
{
    char buf[MISSING_ENTRY];
    const size_t before = missing_text(p, op, m, buf);
    *what = true;
    const size_t more = missing_text(p, op, m, buf) - before;
    *what = *used + more <= MISSING_ROOM;
    *used += *what ? more : 0;
}

/* Every op once, with its count. An error's message has an end: names and counts come before
 * first sites, sites before shapes and reasons; ops beyond it are counted. */
static sct_status fail_missing(const struct sct_plan *p, struct missing *m, uint32_t n_missing,
                               sct_error *err)
{
    char list[MISSING_ROOM + MISSING_ENTRY] = "", buf[MISSING_ENTRY];
    size_t used = sizeof "\n  and 00 more ops", at = 0;
    uint32_t rest = 0;
    for (uint32_t op = 0; op < SCT_OP_COUNT; op++) {
        const size_t n = m[op].n ? missing_text(p, op, &m[op], buf) : 0;
        const bool fits = used + n <= MISSING_ROOM;
        used += fits ? n : 0;
        rest += !fits;
        m[op].n = fits ? m[op].n : 0;
    }
    for (int reason = 0; reason < 2; reason++)
        for (uint32_t op = 0; op < SCT_OP_COUNT; op++)
            if (m[op].n)
                say_more(p, op, &m[op], reason ? &m[op].reason : &m[op].site, &used);
    for (uint32_t op = 0; op < SCT_OP_COUNT; op++) {
        if (!m[op].n)
            continue;
        const size_t n = missing_text(p, op, &m[op], buf);
        memcpy(list + at, buf, n + 1);
        at += n;
    }
    if (rest)
        (void)snprintf(list + at, sizeof list - at, "\n  and %u more ops", rest);
    return sct_fail(
        err, SCT_EUNSUP,
        "backend %.32s has no kernel for %u of the plan's %u nodes; use another "
        "--backend or --device (sctrun ops shows which has what). Nodes by op, with "
        "the first site:%s",
        p->be->name, n_missing, p->g->n_node, list);
}

static sct_status probe_each(struct sct_plan *p, struct sct_choice *by_value,
                             struct missing *missing, uint32_t *n_missing, sct_error *err)
{
    for (uint32_t n = 0; n < p->g->n_node; n++) {
        if (p->node[n].view)
            continue;
        const struct sct_gnode *node = &p->g->node[n];
        struct sct_choice *c = &by_value[node->out[0]];
        if (c->row)
            continue; /* chosen before packs were inserted */
        sct_error why = SCT_ERROR_INIT;
        const sct_status rc = probe(p, n, c, &why);
        if (rc == SCT_EUNSUP) {
            struct missing *m = &missing[node->op];
            *n_missing += 1;
            if (m->n++ == 0) {
                m->first = n;
                (void)snprintf(m->why, sizeof m->why, "%.95s", why.msg);
            }
        } else if (rc != SCT_OK) {
            return sct_fail(err, rc, "%s", why.msg);
        }
    }
    return SCT_OK;
}

sct_status sct_plan_probe(struct sct_plan *p, struct sct_choice *by_value, bool strict,
                          sct_error *err)
{
    struct missing *missing = sct_calloc(SCT_OP_COUNT, sizeof *missing);
    uint32_t n_missing = 0;
    if (!missing)
        return sct_nomem(err);
    sct_status rc = probe_each(p, by_value, missing, &n_missing, err);
    if (rc == SCT_OK && n_missing && strict)
        rc = fail_missing(p, missing, n_missing, err);
    sct_free(missing);
    return rc;
}

sct_status sct_plan_choose(struct sct_plan *p, bool strict, sct_error *err)
{
    struct sct_choice *by_value = sct_calloc(p->g->n_value, sizeof *by_value);
    if (!by_value)
        return sct_nomem(err);
    const sct_status rc = sct_plan_probe(p, by_value, strict, err);
    for (uint32_t n = 0; rc == SCT_OK && n < p->g->n_node; n++)
        if (!p->node[n].view)
            p->node[n].choice = by_value[p->g->node[n].out[0]];
    sct_free(by_value);
    return rc;
}
