/* SPDX-License-Identifier: MIT
 * exec.c - buffers of a plan, feeding, running, fetching. */
#include "core/exec/exec_impl.h"

#include <string.h>

#include "core/base/status.h"

static sct_status slabs(struct sct_exec *x, const struct sct_slabs *s, uint32_t *at,
                        sct_error *err)
{
    for (uint32_t i = 0; i < s->n; i++) {
        SCT_TRY(x->p->be->buf_new(x->p->dev, s->bytes[i], &x->buf[*at], err));
        x->owned = ++*at;
    }
    return SCT_OK;
}

static sct_status buffers(struct sct_exec *x, sct_error *err)
{
    struct sct_plan *p = x->p;
    uint32_t at = 0;
    for (uint32_t l = 0; l < p->shape.lanes; l++)
        SCT_TRY(slabs(x, &p->lane, &at, err));
    SCT_TRY(slabs(x, &p->step, &at, err));
    SCT_TRY(slabs(x, &p->batch, &at, err));
    SCT_TRY(slabs(x, &p->acc, &at, err));
    return sct_store_values(x->store, p, &x->buf[at], err);
}

static void free_parts(struct sct_exec *x)
{
    x->p->be->drop(&x->prog);
    for (uint32_t i = 0; x->buf && i < x->owned; i++)
        x->p->be->buf_free(x->p->dev, x->buf[i]);
    sct_free(x->buf);
}

sct_status sct_exec_create(struct sct_exec **out, struct sct_plan **plan,
                           struct sct_store *store, sct_error *err)
{
    *out = NULL;
    struct sct_exec *x = sct_calloc(1, sizeof *x);
    if (!x)
        return sct_nomem(err);
    x->p = *plan;
    x->store = store;
    x->buf = sct_calloc((size_t)x->p->n_buf + 1, sizeof(sct_buf *));
    sct_status rc = x->buf ? SCT_OK : sct_nomem(err);
    if (rc == SCT_OK)
        rc = x->p->be->bind(x->p->dev, &x->p->prog, &x->prog, err);
    if (rc == SCT_OK)
        rc = buffers(x, err);
    if (rc == SCT_OK)
        rc = x->p->be->place(x->prog, x->buf, x->p->n_buf, err);
    if (rc != SCT_OK) {
        free_parts(x);
        sct_free(x);
        return rc;
    }
    *plan = NULL;
    *out = x;
    return SCT_OK;
}

void sct_exec_destroy(struct sct_exec **px)
{
    if (!px || !*px)
        return;
    free_parts(*px);
    sct_plan_destroy(&(*px)->p);
    sct_free(*px);
    *px = NULL;
}

const struct sct_plan *sct_exec_plan(const struct sct_exec *x)
{
    return x->p;
}

/* Value, buffer and offset behind a name. */
static sct_status locate(const struct sct_exec *x, const char *name, uint32_t *v, sct_buf **b,
                         uint64_t *off, sct_error *err)
{
    const struct sct_plan *p = x->p;
    *v = sct_graph_find(p->g, name).id;
    if (!*v)
        return sct_fail(err, SCT_EINVAL, "the plan has no input or output \"%s\"", name);
    const struct sct_pvalue *r = &p->val[p->val[*v].root];
    *off = r->place.off;
    if (r->scope == SCT_CONST || r->scope == SCT_PERSIST) {
        *off = 0;
        for (uint32_t i = 0; i < p->n_store; i++)
            if (p->store_val[i] == p->val[*v].root)
                *b = x->buf[p->buf_base[SCT_CONST] + i];
        return SCT_OK;
    }
    *b = x->buf[p->buf_base[r->scope] + r->place.buf];
    return SCT_OK;
}

const struct sct_desc *sct_exec_desc(const struct sct_exec *x, const char *name)
{
    const struct sct_value *v = sct_graph_value(x->p->g, sct_graph_find(x->p->g, name));
    return v ? &v->desc : NULL;
}

sct_status sct_exec_feed(struct sct_exec *x, const char *name, const void *src, uint32_t rows,
                         sct_error *err)
{
    uint32_t v;
    uint64_t off;
    sct_buf *b = NULL;
    SCT_TRY(locate(x, name, &v, &b, &off, err));
    struct sct_desc d = x->p->g->value[v].desc;
    if (x->p->g->value[v].source != SCT_SRC_BATCH || rows > d.dim[0])
        return sct_fail(err, SCT_EINVAL, "\"%s\": not an input, or %u rows for a batch of %u",
                        name, rows, d.dim[0]);
    d.dim[0] = rows;
    return rows ? sct_dev_write(x->p->be, x->p->dev, b, off, &d, src, err) : SCT_OK;
}

static sct_status said(const struct sct_exec *x, sct_status rc, const char *what,
                       sct_error *err)
{
    return rc == SCT_OK ? SCT_OK
                        : sct_fail(err, rc, "backend %s: %s failed: %s", x->p->be->name, what,
                                   sct_status_text(rc));
}

sct_status sct_exec_state(struct sct_exec *x, const struct sct_step_state *state,
                          sct_error *err)
{
    return said(x, x->p->be->step(x->prog, state), "step", err);
}

sct_status sct_exec_begin(struct sct_exec *x, const struct sct_step_state *state,
                          sct_error *err)
{
    SCT_TRY(sct_exec_state(x, state, err));
    return said(x, x->p->be->run(x->prog, 0, 0, 0), "prologue", err);
}

sct_status sct_exec_body(struct sct_exec *x, uint32_t valid, sct_error *err)
{
    uint32_t n = 0;
    while (n < x->p->n_micro && x->p->micro[n].first < valid)
        n++;
    return n ? said(x, x->p->be->run(x->prog, 1, 0, n), "body", err) : SCT_OK;
}

sct_status sct_exec_end(struct sct_exec *x, sct_error *err)
{
    return said(x, x->p->be->run(x->prog, 2, 0, 0), "epilogue", err);
}

sct_status sct_exec_fetch(struct sct_exec *x, const char *name, void *dst, sct_error *err)
{
    uint32_t v;
    uint64_t off;
    sct_buf *b = NULL;
    SCT_TRY(locate(x, name, &v, &b, &off, err));
    SCT_TRY(x->p->be->sync(x->p->dev, err));
    return sct_dev_read(x->p->be, x->p->dev, b, off, &x->p->g->value[v].desc, dst, err);
}

sct_status sct_exec_fetch_f64(struct sct_exec *x, const char *name, double *dst, sct_error *err)
{
    uint32_t v;
    uint64_t off;
    sct_buf *b = NULL;
    SCT_TRY(locate(x, name, &v, &b, &off, err));
    SCT_TRY(x->p->be->sync(x->p->dev, err));
    return sct_dev_read_f64(x->p->be, x->p->dev, b, off, &x->p->g->value[v].desc, dst, err);
}
