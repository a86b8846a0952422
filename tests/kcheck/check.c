/* SPDX-License-Identifier: MIT
 * check.c - one row on one case: alone, in place, again or with other thread counts. */
#include <stdlib.h>
#include <string.h>

#include "core/base/status.h"
#include "tests/kcheck/kcheck.h"

/* Half of the cases take their weights as trained: other storage, another segment for packs. */
static void input_home(const struct sct_case *c, uint32_t i, uint32_t *scope, uint32_t *cls)
{
    *scope = c->in[i].scope;
    if (*scope == SCT_CONST && c->segment != SCT_SEG_SETUP && c->index % 2)
        *scope = SCT_PERSIST;
    switch (*scope) {
    case SCT_CONST:
        *cls = SCT_SEG_SETUP;
        break;
    case SCT_LANE:
        *cls = SCT_SEG_BODY;
        break;
    case SCT_STEP:
        *cls = c->segment;
        break;
    case SCT_SLOTS:
        *cls = c->segment == SCT_SEG_BODY ? SCT_SEG_PROLOGUE : SCT_SEG_EPILOGUE;
        break;
    default:
        *cls = SCT_SEG_PROLOGUE;
    }
}

static uint64_t lane_bytes(const struct sct_case *c)
{
    uint64_t n = SCT_ALIGN;
    for (uint32_t i = 0; i < c->n_in; i++)
        if (c->in[i].scope == SCT_LANE)
            n += 2 * sct_desc_count(&c->in[i].d) * sct_dtype_bytes(c->in[i].d.dtype) / c->b;
    return n;
}

/* In the body an accumulator's description is one slot's; elsewhere it is [S][..]. */
static uint32_t add_slots(struct kprog *p, const struct sct_case *c, const struct sct_desc *d,
                          uint32_t cls, const void *init)
{
    const bool body = c->segment == SCT_SEG_BODY;
    const uint32_t copies = body ? p->slots : d->dim[0];
    const uint32_t v = kprog_value(p, d, SCT_SLOTS, cls, copies, init);
    struct kvalue *value = &p->value[v];
    if (body)
        value->init_copy = p->micro[c->micro].slot;
    else
        value->len = value->stride = value->len / copies;
    return v;
}

enum kresult kcheck_build(struct kprog *p, struct kdevice *dev, const struct sct_case *c,
                          const struct kref *r, const char *row, bool in_place, uint32_t *out,
                          sct_error *err)
{
    const bool body = c->segment == SCT_SEG_BODY;
    const uint32_t flags = case_op(c->op)->flags;
    const bool accum = body && c->n_in && c->in[0].scope == SCT_SLOTS;
    const uint32_t slots = accum                                    ? CASE_SLOTS
                           : c->n_in && c->in[0].scope == SCT_SLOTS ? c->in[0].d.dim[0]
                           : c->out_scope == SCT_SLOTS && c->segment != SCT_SEG_BODY
                               ? r->out[0].dim[0]
                               : 1;
    uint32_t in[SCT_MAX_IN];
    enum kresult k =
        kprog_begin(p, dev, c->batch, slots, body ? c->b : 1, 1, lane_bytes(c), err);
    if (k != K_OK)
        return k;
    if (!body)
        p->slots = slots; /* what the case's shapes hold, whatever the device would choose */
    for (uint32_t i = 0; i < c->n_in; i++) {
        uint32_t scope, cls;
        input_home(c, i, &scope, &cls);
        in[i] = scope == SCT_SLOTS ? add_slots(p, c, &c->in[i].d, cls, r->data[i])
                                   : kprog_value(p, &c->in[i].d, scope, cls, 1, r->data[i]);
    }
    for (uint32_t i = 0; i < r->n_out; i++) {
        const bool shares =
            (flags & SCT_OPF_UPDATE) || (i == 0 && ((flags & SCT_OPF_ACCUM) || in_place));
        if (shares)
            out[i] = in[i];
        else if (c->out_scope == SCT_SLOTS)
            out[i] = add_slots(p, c, &r->out[i], c->segment, NULL);
        else
            out[i] = kprog_value(p, &r->out[i], c->out_scope, c->segment, 1, NULL);
    }
    struct sct_opdesc d;
    case_opdesc(c, r->out, &d);
    d.alias_in0 = in_place || (flags & (SCT_OPF_UPDATE | SCT_OPF_ACCUM)) != 0;
    return kprog_node(p, &d, row, in, out, err);
}

/* What a node writes only in part: other rows of the batch, other slots. */
static enum kresult check_rest(const struct kprog *p, const struct sct_case *c, uint32_t v,
                               sct_error *err)
{
    const struct kvalue *x = &p->value[v];
    const struct sct_micro *m = &p->micro[c->micro];
    uint64_t lo = 0, hi = 0, n = x->len + (x->copies - 1) * x->stride;
    if (c->segment != SCT_SEG_BODY)
        return K_OK;
    if (x->scope == SCT_SLOTS) {
        lo = m->slot * x->stride;
        hi = lo + x->len;
    } else if (x->scope == SCT_BATCH) {
        lo = x->len / c->batch * m->first;
        hi = lo + x->len / c->batch * m->count;
    } else {
        return K_OK;
    }
    const uint8_t *a = kprog_before(p, v), *b = kprog_after(p, v);
    if (memcmp(a, b, lo) == 0 && memcmp(a + hi, b + hi, n - hi) == 0)
        return K_OK;
    (void)sct_fail(err, SCT_EFAIL, "%s that this micro-batch must not touch were written",
                   x->scope == SCT_SLOTS ? "slots" : "rows of the batch");
    return K_FAIL;
}

static const uint8_t *result(const struct kprog *p, const struct sct_case *c, uint32_t v)
{
    const struct kvalue *x = &p->value[v];
    const bool slot = x->scope == SCT_SLOTS && c->segment == SCT_SEG_BODY;
    return kprog_after(p, v) + (slot ? p->micro[c->micro].slot * x->stride : 0);
}

/* Runs the case; the results' bytes are copied to keep[] (malloc'd) when keep is given. */
static enum kresult run_once(struct kdevice *dev, const struct sct_case *c,
                             const struct kref *r, const char *row, bool in_place,
                             double *worst, uint8_t **keep, sct_error *err)
{
    struct kprog p;
    uint32_t out[SCT_MAX_OUT] = {0};
    enum kresult k = kcheck_build(&p, dev, c, r, row, in_place, out, err);
    if (k == K_OK)
        k = kprog_prepare(&p, &c->step, err);
    if (k == K_OK && c->segment == SCT_SEG_BODY)
        k = kprog_exec(&p, SCT_SEG_BODY, c->micro, 1, err);
    if (k == K_OK)
        k = kprog_exec(&p, SCT_SEG_EPILOGUE, 0, 0, err);
    if (k == K_OK)
        k = kprog_fetch(&p, err);
    for (uint32_t i = 0; k == K_OK && i < r->n_out; i++) {
        k = check_rest(&p, c, out[i], err);
        if (k == K_OK)
            k = kcompare(c, r, i, result(&p, c, out[i]), !kdevice_bitwise(dev), worst, err);
        const uint64_t n = sct_desc_count(&r->out[i]) * sct_dtype_bytes(r->out[i].dtype);
        if (k == K_OK && keep && (keep[i] = malloc(n)) != NULL)
            memcpy(keep[i], result(&p, c, out[i]), n);
    }
    kprog_end(&p);
    return k;
}

static enum kresult same_bits(const struct kref *r, uint8_t *const *a, uint8_t *const *b,
                              const char *what, sct_error *err)
{
    for (uint32_t i = 0; i < r->n_out; i++) {
        const uint64_t n = sct_desc_count(&r->out[i]) * sct_dtype_bytes(r->out[i].dtype);
        if (a[i] && b[i] && memcmp(a[i], b[i], n) == 0)
            continue;
        (void)sct_fail(err, SCT_EFAIL, "out %u: other bits %s", i, what);
        return K_FAIL;
    }
    return K_OK;
}

static void free_all(uint8_t **keep)
{
    for (uint32_t i = 0; i < SCT_MAX_OUT; i++)
        free(keep[i]);
}

/* The same bits in place, in a second run, and with 1, 2 and 3 threads. */
static enum kresult again(struct kcheck *k, const struct sct_case *c, const struct kref *r,
                          const char *row, uint8_t *const *first, sct_error *err)
{
    static const char *const what[] = {"with 1 thread", "with 2 threads", "with 3 threads",
                                       "in a second run", "in place"};
    const bool can_alias = (case_op(c->op)->flags & SCT_OPF_INPLACE) != 0;
    const bool threads = kdevice_bitwise(k->dev) && k->more[0];
    enum kresult res = K_OK;
    for (uint32_t t = 0; res == K_OK && t < 5; t++) {
        uint8_t *keep[SCT_MAX_OUT] = {NULL};
        if ((t < 3 && !threads) || (t == 3 && (threads || !k->repeat)) ||
            (t == 4 && !can_alias))
            continue;
        res = run_once(t < 3 ? k->more[t] : k->dev, c, r, row, t == 4, &k->worst, keep, err);
        if (t == 4 && res == K_UNSUP) {
            (void)sct_fail(err, SCT_EFAIL, "serves the case, but not in place");
            res = K_FAIL;
        }
        if (res == K_OK)
            res = same_bits(r, first, keep, what[t], err);
        if (res == K_FAIL)
            (void)sct_error_prefix(err, "%s", what[t]);
        free_all(keep);
    }
    return res;
}

enum kresult kcheck_case(struct kcheck *k, const struct sct_case *c, const struct kref *r,
                         const char *row, sct_error *err)
{
    uint8_t *keep[SCT_MAX_OUT] = {NULL};
    enum kresult res = run_once(k->dev, c, r, row, false, &k->worst, keep, err);
    if (res == K_UNSUP && err->msg[0])
        (void)snprintf(k->why, sizeof k->why, "%.180s", err->msg);
    if (res == K_OK)
        res = again(k, c, r, row, keep, err);
    if (res == K_OK && k->repeat)
        res = kcheck_stream(k, c, r, row, keep, err);
    free_all(keep);
    return res;
}
