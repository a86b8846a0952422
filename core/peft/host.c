/* SPDX-License-Identifier: MIT
 * host.c - the functions behind sct_strategy_host, and the life of a strategy. */
#include "core/peft/host.h"

#include <string.h>

#include "core/base/hash.h"
#include "core/base/status.h"
#include "core/peft/edit.h"
#include "core/peft/pattern.h"
#include "core/peft/table.h"

static void (*log_sink)(void *ctx, int level, const char *line);
static void *log_ctx;

void sct_strategy_host_log(void (*log)(void *ctx, int level, const char *line), void *ctx)
{
    log_sink = log;
    log_ctx = ctx;
}

static void *host_alloc(size_t n)
{
    return sct_calloc(n ? n : 1, 1);
}

SCT_PRINTF(2, 3)

static void host_log(int level, const char *fmt, ...)
{
    char line[1024];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    if (log_sink)
        log_sink(log_ctx, level, line);
}

/* ---- look ---- */

static size_t host_sites(const sct_model *m, const char *pattern, struct sct_site *out,
                         size_t cap)
{
    size_t n = 0;
    for (uint32_t i = 0; i < m->n_site; i++) {
        if (!sct_pattern_match(pattern, m->site[i].path))
            continue;
        if (n < cap)
            out[n] = m->site[i];
        n++;
    }
    return n;
}

static size_t host_params(const sct_model *m, const char *pattern, uint32_t *out, size_t cap)
{
    size_t n = 0;
    for (uint32_t i = 0; i < m->n_param; i++) {
        if (m->param[i]->is_index || !sct_pattern_match(pattern, m->param[i]->name))
            continue;
        if (n < cap)
            out[n] = i;
        n++;
    }
    return n;
}

static const char *host_param_name(const sct_model *m, uint32_t p)
{
    return p < m->n_param ? m->param[p]->name : NULL;
}

static sct_status host_param_desc(const sct_model *m, uint32_t p, struct sct_desc *out)
{
    if (p >= m->n_param)
        return SCT_EINVAL;
    *out = m->param[p]->t->desc;
    return SCT_OK;
}

static uint32_t host_classes(const sct_model *m)
{
    return m->cfg.classes;
}

/* ---- measure ---- */

static sct_status host_watch(sct_model *m, uint32_t what, uint32_t id,
                             const struct sct_protocol *protocol, sct_error *err)
{
    if (what == SCT_WATCH_SUMSQ_LABEL && id >= m->n_site)
        return sct_fail(err, SCT_EINVAL, "watch: site %u does not exist", id);
    if (what == SCT_WATCH_GRAD_SUMSQ && id >= m->n_param)
        return sct_fail(err, SCT_EINVAL, "watch: parameter %u does not exist", id);
    if (what > SCT_WATCH_GRAD_SUMSQ)
        return sct_fail(err, SCT_EUNSUP, "watch: kind %u is unknown to this version", what);
    SCT_TRY(sct_grow((void **)&m->watch, &m->cap_watch, (uint64_t)m->n_watch + 1,
                     sizeof *m->watch, err));
    struct sct_watch_item w = {what, id, {0}};
    const size_t size = protocol->size < sizeof w.protocol ? protocol->size : sizeof w.protocol;
    memcpy(&w.protocol, protocol, size);
    w.protocol.size = sizeof w.protocol;
    m->watch[m->n_watch++] = w;
    return SCT_OK;
}

static const float *host_reading(const sct_readings *r, uint32_t what, uint32_t id,
                                 size_t *rows, size_t *cols, const float **row_weight)
{
    for (uint32_t i = 0; i < r->n; i++) {
        if (r->item[i].what != what || r->item[i].id != id)
            continue;
        *rows = r->item[i].rows;
        *cols = r->item[i].cols;
        if (row_weight)
            *row_weight = r->item[i].row_weight;
        return r->item[i].value;
    }
    *rows = *cols = 0;
    return NULL;
}

/* ---- change ---- */

static sct_val host_new_param(sct_model *m, const char *name, const uint32_t *dim, uint32_t nd,
                              const char *init, const struct sct_group *group)
{
    struct sct_group g = {sizeof g, 1.0f, 1.0f};
    if (group)
        memcpy(&g, group, group->size < sizeof g ? group->size : sizeof g);
    if (nd > SCT_MAX_DIMS) {
        (void)sct_fail(&m->g->err, SCT_EINVAL, "%s: %u dimensions", name, nd);
        return sct_none();
    }
    const struct sct_desc d = sct_desc_make(SCT_F32, nd, dim);
    float probe = 0;
    const uint32_t one[SCT_MAX_DIMS] = {1, 1, 1, 1, 1, 1};
    const struct sct_desc d1 = sct_desc_make(SCT_F32, nd, one);
    if (sct_init_fill(init, 0, name, &d1, &probe, &m->g->err) != SCT_OK)
        return sct_none();
    return sct_model_value(sct_model_add(m, name, &d, init, &g, false));
}

static sct_val host_new_index(sct_model *m, const char *name, const uint32_t *idx, size_t n)
{
    if (n == 0 || n > UINT32_MAX) {
        (void)sct_fail(&m->g->err, SCT_EINVAL, "%s: an index list needs at least one entry",
                       name);
        return sct_none();
    }
    const uint32_t dim = (uint32_t)n;
    const struct sct_desc d = sct_desc_make(SCT_I32, 1, &dim);
    int32_t *copy = sct_arena_alloc(&m->arena, n * sizeof *copy);
    if (!copy) {
        (void)sct_nomem(&m->g->err);
        return sct_none();
    }
    for (size_t i = 0; i < n; i++) {
        if (idx[i] > INT32_MAX || (i && idx[i] <= idx[i - 1])) {
            (void)sct_fail(&m->g->err, SCT_EINVAL,
                           "%s: indices must ascend, entry %zu does not", name, i);
            return sct_none();
        }
        copy[i] = (int32_t)idx[i];
    }
    struct sct_param *p = sct_model_add(m, name, &d, NULL, NULL, true);
    if (p)
        p->host = copy;
    return sct_model_value(p);
}

static sct_status host_train(sct_model *m, uint32_t param, const struct sct_group *group,
                             sct_error *err)
{
    if (param >= m->n_param || m->param[param]->is_index)
        return sct_fail(err, SCT_EINVAL, "train: parameter %u does not exist", param);
    struct sct_param *p = m->param[param];
    if (p->kept)
        return SCT_OK; /* what added it wants its value */
    sct_model_train(m, p, group);
    for (uint32_t i = 0; i < m->n_param; i++)
        if (m->param[i]->of == p)
            sct_model_keep(m->param[i]);
    return sct_graph_status(m->g, err);
}

static sct_status host_train_some(sct_model *m, uint32_t param, const char *name,
                                  const uint32_t *idx, size_t n, const struct sct_group *group,
                                  sct_error *err)
{
    if (param >= m->n_param || m->param[param]->is_index)
        return sct_fail(err, SCT_EINVAL, "train_some: parameter %u does not exist", param);
    struct sct_graph *g = m->g;
    const uint64_t count = sct_desc_count(&m->param[param]->t->desc);
    if (n && idx[n - 1] >= count)
        return sct_fail(err, SCT_EINVAL,
                        "train_some: %s has %llu elements, index %u is outside",
                        m->param[param]->name, (unsigned long long)count, idx[n - 1]);
    char full[192];
    const sct_val w = sct_model_value(m->param[param]);
    (void)snprintf(full, sizeof full, "%s.index", name);
    const sct_val ids = host_new_index(m, full, idx, n);
    (void)snprintf(full, sizeof full, "%s.delta", name);
    const uint32_t dim = (uint32_t)n, mark = g->n_node;
    const sct_val delta = host_new_param(m, full, &dim, 1, "zeros", group);
    if (delta.id) {
        m->param[m->n_param - 1]->of = m->param[param];
        if (m->param[param]->trainable) /* and its elements with it */
            sct_model_keep(m->param[m->n_param - 1]);
    }
    sct_graph_label(g, "%s", name);
    const sct_val now = sct_scatter_add_el(&g->builder, w, ids, delta);
    SCT_TRY(sct_graph_status(g, err));
    sct_graph_redirect(g, w.id, now.id, mark);
    SCT_TRY(sct_graph_sort(g, err));
    return sct_graph_infer(g, g->b, err);
}

static int host_match(const char *pattern, const char *path, sct_error *err)
{
    return sct_pattern_check(pattern, err) == SCT_OK && sct_pattern_match(pattern, path);
}

static struct sct_param *base_param(sct_model *m, uint32_t param, const char *what)
{
    if (param < m->n_param && !m->param[param]->is_index)
        return m->param[param];
    (void)sct_fail(&m->g->err, SCT_EINVAL, "%s: parameter %u does not exist", what, param);
    return NULL;
}

/* train_some of the same parameter makes a chain, in the order of the nodes. */
static sct_val host_param_value(sct_model *m, uint32_t param)
{
    sct_val v = sct_model_value(base_param(m, param, "param_value"));
    for (uint32_t i = 0; v.id && i < m->g->n_node; i++)
        if (m->g->node[i].op == SCT_OP_SCATTER_ADD_EL && m->g->node[i].in[0] == v.id)
            v.id = m->g->node[i].out[0];
    return v;
}

static int host_edited(const sct_model *m, const struct sct_site *site)
{
    return m->first_edit && site->out.id >= m->first_edit;
}

static sct_val host_new_row_norms(sct_model *m, const char *name, uint32_t param,
                                  uint32_t first, uint32_t n, uint32_t trained)
{
    const struct sct_param *of = base_param(m, param, name);
    if (!of)
        return sct_none();
    const struct sct_desc *d = &of->t->desc;
    if (d->nd < 2 || n == 0 || first > d->dim[0] || n > d->dim[0] - first) {
        (void)sct_fail(&m->g->err, SCT_EINVAL, "%s: %s has no rows %u to %u", name, of->name,
                       first, first + n);
        return sct_none();
    }
    return sct_model_value(sct_model_row_norms(m, name, of, first, n, trained != 0));
}

static uint64_t host_random_key(const sct_model *m, const struct sct_site *site,
                                const char *role)
{
    const uint64_t key = sct_hash_str(sct_hash_str(SCT_HASH_INIT, site->path), role);
    /* two strategies of one kind draw apart; the first draws as if it were alone */
    return m->part.again ? sct_hash_str(key, m->part.label) : key;
}

static int host_dry_run(const sct_model *m)
{
    return m->dry_run;
}

static uint64_t host_seed(const sct_model *m)
{
    return m->seed;
}

static int host_given(const sct_model *m, const char *key)
{
    return m->given && m->given(m->given_ctx, key);
}

const struct sct_strategy_host *sct_strategy_host_table(void)
{
    static const struct sct_strategy_host h = {
        .abi = SCT_STRATEGY_ABI,
        .size = sizeof h,
        .alloc = host_alloc,
        .free = sct_free,
        .log = host_log,
        .fail = sct_fail,
        .sites = host_sites,
        .params = host_params,
        .param_name = host_param_name,
        .param_desc = host_param_desc,
        .classes = host_classes,
        .watch = host_watch,
        .reading = host_reading,
        .edit_begin = sct_edit_begin,
        .edit_commit = sct_edit_commit,
        .new_param = host_new_param,
        .new_index = host_new_index,
        .train = host_train,
        .train_some = host_train_some,
        .random_key = host_random_key,
        .get = sct_adapter_get,
        .put = sct_adapter_put,
        .put_key = sct_adapter_put_key,
        .get_key = sct_adapter_get_key,
        .tensor_name = sct_adapter_name,
        .dry_run = host_dry_run,
        .table_read = sct_table_read,
        .table_new = sct_adapter_create,
        .table_close = sct_adapter_destroy,
        .table_write = sct_table_write,
        .key_name = sct_adapter_key_name,
        .match = host_match,
        .param_value = host_param_value,
        .new_row_norms = host_new_row_norms,
        .edited = host_edited,
        .seed = host_seed,
        .given = host_given,
    };
    return &h;
}

/* ---- life of a strategy ---- */

sct_status sct_strategy_open(struct sct_strategy_run *r, const struct sct_strategy *s,
                             sct_error *err)
{
    r->s = s;
    r->state = sct_calloc(1, s->state_size ? s->state_size : 1);
    return r->state ? SCT_OK : sct_nomem(err);
}

void sct_strategy_close(struct sct_strategy_run *r)
{
    if (r->s && r->state && r->s->fini)
        r->s->fini(r->state, sct_strategy_host_table());
    sct_free(r->state);
    r->state = NULL;
}

static sct_status named(const struct sct_strategy_run *r, sct_status rc,
                        const struct sct_model *m, sct_error *err)
{
    if (rc == SCT_OK && m)
        rc = sct_graph_status(m->g, err);
    if (rc != SCT_OK && err && err->code == SCT_OK)
        (void)sct_fail(err, rc, "failed without a message");
    if (rc != SCT_OK)
        (void)sct_error_prefix(err, "strategy %s", r->s->name);
    return rc;
}

sct_status sct_strategy_observe(struct sct_strategy_run *r, struct sct_model *m, sct_error *err)
{
    if (!r->s->observe)
        return SCT_OK;
    return named(r, r->s->observe(r->state, sct_strategy_host_table(), m, err), m, err);
}

sct_status sct_strategy_choose(struct sct_strategy_run *r, const struct sct_model *m,
                               const struct sct_readings *readings, sct_error *err)
{
    if (!r->s->choose)
        return SCT_OK;
    return named(r, r->s->choose(r->state, sct_strategy_host_table(), m, readings, err), m,
                 err);
}

sct_status sct_strategy_apply(struct sct_strategy_run *r, struct sct_model *m, sct_error *err)
{
    SCT_TRY(named(r, r->s->apply(r->state, sct_strategy_host_table(), m, err), m, err));
    if (m->edit_site)
        return sct_fail(err, SCT_EPLUGIN, "strategy %s left the edit of %s open", r->s->name,
                        m->site[m->edit_site - 1].path);
    return SCT_OK;
}

sct_status sct_strategy_load(struct sct_strategy_run *r, const struct sct_model *m,
                             const struct sct_adapter *a, sct_error *err)
{
    if (!r->s->load)
        return SCT_OK;
    return named(r, r->s->load(r->state, sct_strategy_host_table(), m, a, err), m, err);
}

sct_status sct_strategy_save(const struct sct_strategy_run *r, struct sct_adapter *a,
                             sct_error *err)
{
    if (!r->s->save)
        return SCT_OK;
    return named(r, r->s->save(r->state, sct_strategy_host_table(), a, err), NULL, err);
}

static sct_status replace(struct sct_adapter **a, struct sct_adapter *to, sct_status rc,
                          sct_error *err)
{
    if (!to)
        return sct_nomem(err);
    sct_adapter_destroy(rc == SCT_OK ? a : &to);
    *a = rc == SCT_OK ? to : *a;
    return rc;
}

sct_status sct_strategy_to_disk(const struct sct_strategy_run *r, struct sct_adapter **a,
                                sct_error *err)
{
    if (!r->s->to_disk)
        return SCT_OK;
    struct sct_adapter *to = sct_adapter_create((*a)->origin);
    const sct_status rc =
        to ? r->s->to_disk(r->state, sct_strategy_host_table(), *a, to, err) : SCT_ENOMEM;
    return replace(a, to, rc, err);
}

sct_status sct_strategy_from_disk(struct sct_strategy_run *r, struct sct_adapter **a,
                                  sct_error *err)
{
    if (!r->s->from_disk)
        return SCT_OK;
    struct sct_adapter *to = sct_adapter_create((*a)->origin);
    const sct_status rc =
        to ? r->s->from_disk(r->state, sct_strategy_host_table(), *a, to, err) : SCT_ENOMEM;
    return replace(a, to, rc, err);
}
