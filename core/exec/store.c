/* SPDX-License-Identifier: MIT
 * store.c - the device store; runs setup one value at a time, so that no more than one frozen
 * parameter is on the device unpacked. */
#include "core/exec/store.h"

#include <string.h>

#include "core/base/hash.h"
#include "core/base/status.h"

enum { OF_A_MODEL = 1 }; /* bit of a key: made of a tensor that goes with its model */

struct entry {
    uint64_t key;
    const struct sct_tensor *tensor; /* NULL: computed */
    sct_buf *buf;
};

struct sct_store {
    const struct sct_backend *be;
    sct_device *dev;
    struct entry *entry;
    uint32_t n, cap;
    uint64_t uploads, computed;
};

struct sct_store *sct_store_create(const struct sct_backend *be, sct_device *dev)
{
    struct sct_store *s = sct_calloc(1, sizeof *s);
    if (s) {
        s->be = be;
        s->dev = dev;
    }
    return s;
}

void sct_store_destroy(struct sct_store **s)
{
    if (!s || !*s)
        return;
    for (uint32_t i = 0; i < (*s)->n; i++)
        (*s)->be->buf_free((*s)->dev, (*s)->entry[i].buf);
    sct_free((*s)->entry);
    sct_free(*s);
    *s = NULL;
}

static bool wide(const struct sct_backend *be, const sct_device *dev, const struct sct_desc *d)
{
    return d->dtype == SCT_F32 && be->bytes(dev, d) == sct_desc_count(d) * sizeof(double);
}

sct_status sct_dev_write(const struct sct_backend *be, sct_device *dev, sct_buf *b,
                         uint64_t off, const struct sct_desc *d, const void *src,
                         sct_error *err)
{
    const uint64_t n = sct_desc_count(d);
    if (!wide(be, dev, d))
        return be->write(dev, b, off, src, n * sct_dtype_bytes(d->dtype), err);
    double *tmp = sct_calloc((size_t)n, sizeof *tmp);
    if (!tmp)
        return sct_nomem(err);
    for (uint64_t i = 0; i < n; i++)
        tmp[i] = (double)((const float *)src)[i];
    const sct_status rc = be->write(dev, b, off, tmp, n * sizeof *tmp, err);
    sct_free(tmp);
    return rc;
}

sct_status sct_dev_read_f64(const struct sct_backend *be, sct_device *dev, const sct_buf *b,
                            uint64_t off, const struct sct_desc *d, double *dst, sct_error *err)
{
    const uint64_t n = sct_desc_count(d);
    if (wide(be, dev, d))
        return be->read(dev, b, off, dst, n * sizeof *dst, err);
    float *tmp = sct_calloc((size_t)n, sizeof *tmp);
    if (!tmp)
        return sct_nomem(err);
    const sct_status rc = be->read(dev, b, off, tmp, n * sizeof *tmp, err);
    for (uint64_t i = 0; rc == SCT_OK && i < n; i++)
        dst[i] = (double)tmp[i];
    sct_free(tmp);
    return rc;
}

sct_status sct_dev_read(const struct sct_backend *be, sct_device *dev, const sct_buf *b,
                        uint64_t off, const struct sct_desc *d, void *dst, sct_error *err)
{
    const uint64_t n = sct_desc_count(d);
    if (!wide(be, dev, d))
        return be->read(dev, b, off, dst, n * sct_dtype_bytes(d->dtype), err);
    double *tmp = sct_calloc((size_t)n, sizeof *tmp);
    if (!tmp)
        return sct_nomem(err);
    const sct_status rc = be->read(dev, b, off, tmp, n * sizeof *tmp, err);
    for (uint64_t i = 0; rc == SCT_OK && i < n; i++)
        ((float *)dst)[i] = (float)tmp[i];
    sct_free(tmp);
    return rc;
}

/* The host's values v into a fresh buffer; v NULL: they are loaded first. */
static sct_status write_new(struct sct_store *s, const struct sct_tensor *t, const void *v,
                            sct_buf **out, sct_error *err)
{
    const size_t n = (size_t)sct_desc_count(&t->desc) * sct_dtype_bytes(t->desc.dtype);
    void *host = v ? NULL : sct_alloc(n);
    if (!v && !host)
        return sct_nomem(err);
    sct_status rc = v ? SCT_OK : t->load(t, host, err);
    if (rc == SCT_OK)
        rc = s->be->buf_new(s->dev, s->be->bytes(s->dev, &t->desc), out, err);
    if (rc == SCT_OK)
        rc = sct_dev_write(s->be, s->dev, *out, 0, &t->desc, v ? v : host, err);
    if (rc != SCT_OK) {
        s->be->buf_free(s->dev, *out);
        *out = NULL;
    }
    sct_free(host);
    return rc;
}

/* A tensor's values in a buffer of their own; with `lent`, in the memory where they lie, if
 * tensor and device know how. Then *lent is that memory, for sct_tensor_viewed once the buffer
 * is gone; else NULL. */
static sct_status upload(struct sct_store *s, const struct sct_tensor *t, const void **lent,
                         sct_buf **out, sct_error *err)
{
    const size_t n = (size_t)sct_desc_count(&t->desc) * sct_dtype_bytes(t->desc.dtype);
    const bool over = lent && SCT_HAS(struct sct_backend, s->be, buf_over) &&
                      s->be->bytes(s->dev, &t->desc) == n;
    const void *v;
    *out = NULL;
    sct_status rc = sct_tensor_view(t, &v, err);
    if (rc == SCT_OK && v && over)
        rc = s->be->buf_over(s->dev, v, n, out, err);
    else if (rc == SCT_OK)
        rc = write_new(s, t, v, out, err);
    if (lent)
        *lent = rc == SCT_OK && over ? v : NULL;
    if (!lent || !*lent)
        sct_tensor_viewed(t, v);
    s->uploads++;
    if (rc != SCT_OK)
        (void)sct_error_prefix(err, "%s", t->name);
    return rc;
}

static uint64_t marked(uint64_t hash, uint64_t mark)
{
    return (hash & ~(uint64_t)OF_A_MODEL) | mark;
}

/* Keys of all setup values, by value id: tensors by address, nodes by op, parameters and
 * inputs; each with the mark of what it is made of. Array from sct_calloc; NULL when memory is
 * short. */
static uint64_t *keys_of(const struct sct_plan *p, sct_error *err)
{
    const struct sct_graph *g = p->g;
    uint64_t *h = sct_calloc(g->n_value, sizeof *h);
    if (!h) {
        (void)sct_nomem(err);
        return NULL;
    }
    for (uint32_t i = 1; i < g->n_value; i++)
        if (g->value[i].source == SCT_SRC_TENSOR)
            h[i] = marked(sct_hash_u64(SCT_HASH_INIT, (uint64_t)(uintptr_t)g->value[i].tensor),
                          g->value[i].tensor->lasting ? 0 : OF_A_MODEL);
    for (uint32_t n = 0; n < g->n_node; n++) {
        const struct sct_gnode *node = &g->node[n];
        if (p->node[n].seg != SCT_SEG_SETUP)
            continue;
        uint64_t k = sct_hash_u64(SCT_HASH_INIT, node->op);
        k = sct_hash(k, node->params, sct_op_info(node->op)->params_size);
        uint64_t mark = 0;
        for (uint32_t i = 0; i < node->n_in; i++) {
            k = sct_hash_u64(k, h[node->in[i]]);
            mark |= h[node->in[i]] & OF_A_MODEL;
        }
        for (uint32_t o = 0; o < node->n_out; o++)
            h[node->out[o]] = marked(sct_hash_u64(k, o), mark);
    }
    return h;
}

struct setup {
    struct sct_store *s;
    const struct sct_plan *p;
    uint8_t *need;    /* per value */
    uint32_t *buf_of; /* per root value: index into buf, +1 */
    sct_buf **buf;

    struct lent {
        const struct sct_tensor *t;
        const void *v;
    } * lent; /* per buffer: whose memory it is; v NULL: its own */
    struct sct_node *node;
    uint32_t n_buf, n_node;
};

static sct_status setup_buffer(struct setup *u, uint32_t v, struct sct_place *pl,
                               sct_error *err)
{
    const uint32_t root = u->p->val[v].root;
    const struct sct_value *x = &u->p->g->value[root];
    const uint64_t bytes = sct_plan_bytes(u->p, root);
    if (!u->buf_of[root]) {
        sct_buf *b = NULL;
        if (x->source == SCT_SRC_TENSOR)
            SCT_TRY(upload(u->s, x->tensor, &u->lent[u->n_buf].v, &b, err));
        else
            SCT_TRY(u->s->be->buf_new(u->s->dev, bytes, &b, err));
        u->lent[u->n_buf].t = x->tensor;
        u->buf[u->n_buf++] = b;
        u->buf_of[root] = u->n_buf;
    }
    *pl = (struct sct_place){SCT_STEP, u->buf_of[root] - 1, 0, bytes, bytes};
    return SCT_OK;
}

static sct_status setup_nodes(struct setup *u, uint32_t last, sct_error *err)
{
    const struct sct_graph *g = u->p->g;
    for (uint32_t n = 0; n <= last; n++) {
        const struct sct_gnode *node = &g->node[n];
        if (!u->need[node->out[0]] || u->p->node[n].view)
            continue;
        struct sct_node *x = &u->node[u->n_node++];
        sct_plan_opdesc(u->p, n, &x->d);
        x->d.alias_in0 = 0;
        x->c = u->p->node[n].choice;
        x->label = node->label;
        for (uint32_t i = 0; i < node->n_in; i++)
            SCT_TRY(setup_buffer(u, node->in[i], &x->in[i], err));
        for (uint32_t o = 0; o < node->n_out; o++)
            SCT_TRY(setup_buffer(u, node->out[o], &x->out[o], err));
        if (x->c.scratch) {
            sct_buf *b = NULL;
            SCT_TRY(u->s->be->buf_new(u->s->dev, x->c.scratch, &b, err));
            u->buf[u->n_buf++] = b;
            x->scratch = (struct sct_place){SCT_STEP, u->n_buf - 1, 0, x->c.scratch, 0};
        }
    }
    return SCT_OK;
}

static sct_status setup_run(struct setup *u, sct_error *err)
{
    const struct sct_backend *be = u->s->be;
    const struct sct_micro micro = {0, 1, 0};
    const struct sct_segment seg = {SCT_SEG_SETUP, u->n_node, u->node};
    const struct sct_progdesc d = {.size = sizeof d,
                                   .n_seg = 1,
                                   .seg = &seg,
                                   .shape = {sizeof d.shape, 1, 1, 1, 1},
                                   .batch = 1,
                                   .slots = 1,
                                   .n_micro = 1,
                                   .micro = &micro};
    sct_prog *prog = NULL;
    const struct sct_step_state state = {0, 0, 0.0f, 1};
    sct_status rc = be->bind(u->s->dev, &d, &prog, err);
    if (rc == SCT_OK)
        rc = be->place(prog, u->buf, u->n_buf, err);
    if (rc == SCT_OK &&
        ((rc = be->step(prog, &state)) != SCT_OK || (rc = be->run(prog, 0, 0, 0)) != SCT_OK))
        rc = sct_fail(err, rc, "setup of the device store failed: %s", sct_status_text(rc));
    if (rc == SCT_OK)
        rc = be->sync(u->s->dev, err);
    be->drop(&prog);
    return rc;
}

/* Computes setup value v on the device into a new buffer. */
static sct_status compute(struct sct_store *s, const struct sct_plan *p, uint32_t v,
                          sct_buf **out, sct_error *err)
{
    const struct sct_graph *g = p->g;
    const uint32_t last = g->value[v].node;
    struct setup u = {.s = s, .p = p};
    u.need = sct_calloc(g->n_value, 1);
    u.buf_of = sct_calloc(g->n_value, sizeof *u.buf_of);
    u.buf = sct_calloc((size_t)g->n_value + g->n_node, sizeof(sct_buf *));
    u.lent = sct_calloc((size_t)g->n_value + g->n_node, sizeof *u.lent);
    u.node = sct_calloc((size_t)last + 1, sizeof *u.node);
    sct_status rc = u.need && u.buf_of && u.buf && u.lent && u.node ? SCT_OK : sct_nomem(err);
    s->computed++;
    if (rc == SCT_OK) {
        u.need[v] = 1;
        for (uint32_t n = last + 1; n-- > 0;) {
            const struct sct_gnode *node = &g->node[n];
            bool any = false;
            for (uint32_t o = 0; o < node->n_out; o++)
                any = any || u.need[node->out[o]];
            for (uint32_t i = 0; any && i < node->n_in; i++)
                u.need[node->in[i]] = 1;
            for (uint32_t o = 0; any && o < node->n_out; o++)
                u.need[node->out[o]] = 1;
        }
        rc = setup_nodes(&u, last, err);
    }
    if (rc == SCT_OK)
        rc = setup_run(&u, err);
    const uint32_t keep = rc == SCT_OK ? u.buf_of[v] : 0;
    if (keep)
        *out = u.buf[keep - 1];
    for (uint32_t i = 0; i < u.n_buf; i++) {
        if (i + 1 == keep)
            continue;
        s->be->buf_free(s->dev, u.buf[i]);
        sct_tensor_viewed(u.lent[i].t, u.lent[i].v);
    }
    sct_free(u.need);
    sct_free(u.buf_of);
    sct_free(u.buf);
    sct_free(u.lent);
    sct_free(u.node);
    return rc;
}

/* The buffer of root value v, whose key is known. */
static sct_status value(struct sct_store *s, const struct sct_plan *p, uint32_t v, uint64_t key,
                        sct_buf **out, sct_error *err)
{
    const struct sct_value *x = &p->g->value[v];
    const struct sct_tensor *t = x->source == SCT_SRC_TENSOR ? x->tensor : NULL;
    for (uint32_t i = 0; i < s->n; i++) {
        if (s->entry[i].key == key && s->entry[i].tensor == t) {
            *out = s->entry[i].buf;
            return SCT_OK;
        }
    }
    SCT_TRY(sct_grow((void **)&s->entry, &s->cap, (uint64_t)s->n + 1, sizeof *s->entry, err));
    SCT_TRY(t ? upload(s, t, NULL, out, err) : compute(s, p, v, out, err));
    s->entry[s->n++] = (struct entry){key, t, *out};
    return SCT_OK;
}

sct_status sct_store_values(struct sct_store *s, const struct sct_plan *p, sct_buf **out,
                            sct_error *err)
{
    uint64_t *key = keys_of(p, err);
    sct_status rc = key ? SCT_OK : SCT_ENOMEM;
    for (uint32_t i = 0; i < p->n_store && rc == SCT_OK; i++) {
        const uint32_t v = p->store_val[i];
        out[i] = NULL;
        rc = value(s, p, v, key[v], &out[i], err);
    }
    sct_free(key);
    return rc;
}

static struct entry *find(const struct sct_store *s, const struct sct_tensor *t)
{
    for (uint32_t i = 0; i < s->n; i++)
        if (s->entry[i].tensor == t)
            return &s->entry[i];
    return NULL;
}

int sct_store_has(const struct sct_store *s, const struct sct_tensor *t)
{
    return find(s, t) != NULL;
}

sct_status sct_store_read(struct sct_store *s, const struct sct_tensor *t, void *dst,
                          sct_error *err)
{
    const struct entry *e = find(s, t);
    if (!e)
        return sct_fail(err, SCT_EINVAL, "%s is not on the device", t->name);
    return sct_dev_read(s->be, s->dev, e->buf, 0, &t->desc, dst, err);
}

sct_status sct_store_write(struct sct_store *s, const struct sct_tensor *t, const void *src,
                           sct_error *err)
{
    const struct entry *e = find(s, t);
    return e ? sct_dev_write(s->be, s->dev, e->buf, 0, &t->desc, src, err) : SCT_OK;
}

void sct_store_forget(struct sct_store *s, const struct sct_tensor *t, uint32_t n)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < s->n; i++) {
        const uintptr_t at = (uintptr_t)s->entry[i].tensor;
        if (at && at >= (uintptr_t)t && at < (uintptr_t)(t + n))
            s->be->buf_free(s->dev, s->entry[i].buf);
        else
            s->entry[kept++] = s->entry[i];
    }
    s->n = kept;
}

sct_status sct_store_forget_frozen(struct sct_store *s, const struct sct_plan *p,
                                   sct_error *err)
{
    uint64_t *key = keys_of(p, err);
    if (!key)
        return SCT_ENOMEM;
    for (uint32_t i = 0; i < p->n_store; i++) {
        const uint32_t v = p->store_val[i];
        uint32_t kept = 0;
        for (uint32_t k = 0; k < s->n; k++) {
            if (s->entry[k].key == key[v] && p->val[v].scope == SCT_CONST)
                s->be->buf_free(s->dev, s->entry[k].buf);
            else
                s->entry[kept++] = s->entry[k];
        }
        s->n = kept;
    }
    sct_free(key);
    return SCT_OK;
}

void sct_store_forget_models(struct sct_store *s)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < s->n; i++) {
        if (s->entry[i].key & OF_A_MODEL)
            s->be->buf_free(s->dev, s->entry[i].buf);
        else
            s->entry[kept++] = s->entry[i];
    }
    s->n = kept;
}

void sct_store_counts(const struct sct_store *s, uint64_t *uploads, uint64_t *computed)
{
    *uploads = s->uploads;
    *computed = s->computed;
}

sct_status sct_store_bytes_beside(const struct sct_plan *p, const struct sct_plan *beside,
                                  uint64_t *bytes, sct_error *err)
{
    *bytes = 0;
    uint64_t *a = keys_of(p, err), *b = a ? keys_of(beside, err) : NULL;
    for (uint32_t i = 0; b && i < p->n_store; i++) {
        bool there = false;
        for (uint32_t k = 0; k < beside->n_store && !there; k++)
            there = a[p->store_val[i]] == b[beside->store_val[k]];
        *bytes += there ? 0 : sct_plan_bytes(p, p->store_val[i]);
    }
    const bool done = b != NULL;
    sct_free(a);
    sct_free(b);
    return done ? SCT_OK : SCT_ENOMEM;
}
