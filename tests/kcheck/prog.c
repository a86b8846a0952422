/* SPDX-License-Identifier: MIT
 * prog.c - a small program on a device: values between guard bands, nodes, packs, segments.
 * Every byte that no node may write is checked after the run; what is not initialised is NaN.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/kcheck/kcheck.h"

enum { GUARD = 16 * SCT_ALIGN };

/* Quiet NaNs that differ, so that reading outside poisons a result and a shifted copy shows. */
static void sentinels(uint8_t *p, uint64_t n)
{
    for (uint64_t i = 0; i < n; i += 4) {
        const uint32_t v = 0xffc00000u | ((uint32_t)(i / 4 + 1) * 2654435761u >> 10);
        memcpy(p + i, &v, n - i < 4 ? n - i : 4);
    }
}

static enum kresult fail_oom(sct_error *err)
{
    (void)sct_fail(err, SCT_ENOMEM, "out of host memory");
    return K_FAIL;
}

/* Image j of B belongs to slot floor(j S / B); a micro-batch never straddles slots. */
static bool cut(struct kprog *p, uint32_t b)
{
    p->micro = calloc(p->batch, sizeof *p->micro);
    if (!p->micro)
        return false;
    for (uint32_t j = 0; j < p->batch; j++) {
        const uint32_t slot = (uint32_t)((uint64_t)j * p->slots / p->batch);
        struct sct_micro *m = p->n_micro ? &p->micro[p->n_micro - 1] : NULL;
        if (m && m->slot == slot && m->count < b)
            m->count++;
        else
            p->micro[p->n_micro++] = (struct sct_micro){j, 1, slot};
    }
    return true;
}

enum kresult kprog_begin(struct kprog *p, struct kdevice *dev, uint32_t batch, uint32_t slots,
                         uint32_t b, uint32_t lanes, uint64_t bytes, sct_error *err)
{
    memset(p, 0, sizeof *p);
    p->dev = dev;
    p->batch = batch;
    p->slots = slots;
    const struct sct_load load = {.size = sizeof load,
                                  .batch = batch,
                                  .slots = slots,
                                  .want_b = b,
                                  .want_lanes = lanes,
                                  .lane_bytes_b1 = bytes,
                                  .accum_bytes = bytes};
    p->shape.size = sizeof p->shape;
    if (dev->api->shape(dev->dev, &load, &p->shape, err) != SCT_OK) {
        (void)sct_fail(err, SCT_EFAIL, "shape failed without a message");
        return K_FAIL;
    }
    const struct sct_shape *s = &p->shape;
    if (s->b != b || s->lanes == 0 || s->lanes > lanes || s->team == 0) {
        (void)sct_fail(err, SCT_EFAIL,
                       "shape: b=%u and at most %u lanes wanted, got b=%u lanes=%u "
                       "team=%u",
                       b, lanes, s->b, s->lanes, s->team);
        return K_FAIL;
    }
    if (s->slots && s->slots < slots)
        p->slots = s->slots;
    return cut(p, b) ? K_OK : fail_oom(err);
}

uint32_t kprog_value(struct kprog *p, const struct sct_desc *d, uint32_t scope, uint32_t cls,
                     uint32_t copies, const void *init)
{
    struct kvalue *v = &p->value[p->n_value];
    v->d = *d;
    v->scope = scope;
    v->cls = cls;
    v->copies = copies;
    v->len = v->stride = p->dev->api->bytes(p->dev->dev, d);
    v->init = init;
    v->init_copy = KP_NONE;
    return p->n_value++;
}

static enum kresult probe(struct kprog *p, const struct sct_opdesc *d, const char *row,
                          struct sct_choice *c, sct_error *err)
{
    *c = (struct sct_choice){.size = sizeof *c, .row = row};
    const sct_status rc = p->dev->api->probe(p->dev->dev, d, c, err);
    if (rc == SCT_EUNSUP)
        return K_UNSUP;
    if (rc != SCT_OK) {
        (void)sct_fail(err, rc, "probe failed with status %d and no message", (int)rc);
        return K_FAIL;
    }
    if (c->row && (!row || strcmp(row, c->row) == 0))
        return K_OK;
    (void)sct_fail(err, SCT_EFAIL, "probe: row %s demanded, got %s", row ? row : "(any)",
                   c->row ? c->row : "none");
    return K_FAIL;
}

static struct knode *add_node(struct kprog *p, const struct sct_opdesc *d,
                              const struct sct_choice *c)
{
    struct knode *n = &p->node[p->n_node++];
    n->d = *d;
    n->c = *c;
    n->scratch = KP_NONE;
    if (c->scratch) {
        const struct sct_desc raw = {SCT_U8, 0, {0}, 0};
        const uint32_t scope = d->segment == SCT_SEG_BODY ? SCT_LANE : SCT_STEP;
        n->scratch = kprog_value(p, &raw, scope, d->segment, 1, NULL);
        struct kvalue *v = &p->value[n->scratch];
        v->len = v->stride = c->scratch;
        v->written = true;
    }
    return n;
}

/* Value `v` in the layout that input i of a node wants; params must outlive the program. */
static enum kresult pack(struct kprog *p, uint32_t v, uint32_t i, uint32_t layout,
                         uint32_t *packed, sct_error *err)
{
    static struct sct_pack_params params[64]; /* [n].layout = n */
    const uint32_t cls = p->value[v].cls;
    if (cls > SCT_SEG_PROLOGUE || layout >= sizeof params / sizeof params[0]) {
        (void)sct_fail(err, SCT_EFAIL,
                       "input %u is of class %u: it cannot be packed (layout %u)", i, cls,
                       layout);
        return K_FAIL;
    }
    params[layout].layout = layout;
    struct sct_opdesc d = {.size = sizeof d,
                           .op = SCT_OP_PACK,
                           .n_in = 1,
                           .n_out = 1,
                           .segment = cls,
                           .team = 1,
                           .params = &params[layout]};
    d.in[0] = d.out[0] = p->value[v].d;
    d.out[0].layout = layout;
    d.cls[0] = cls;
    struct sct_choice c;
    const enum kresult r = probe(p, &d, NULL, &c, err);
    if (r != K_OK) {
        (void)sct_fail(err, SCT_EFAIL, "layout %u is wanted for input %u but PACK has no row",
                       layout, i);
        return K_FAIL;
    }
    kdevice_saw_pack(p->dev, c.row);
    *packed =
        kprog_value(p, &d.out[0], cls == SCT_SEG_SETUP ? SCT_CONST : SCT_STEP, cls, 1, NULL);
    p->value[*packed].written = true;
    struct knode *n = add_node(p, &d, &c);
    n->in[0] = v;
    n->out[0] = *packed;
    return K_OK;
}

enum kresult kprog_node(struct kprog *p, const struct sct_opdesc *desc, const char *row,
                        const uint32_t *in, const uint32_t *out, sct_error *err)
{
    struct sct_opdesc d = *desc;
    uint32_t use[SCT_MAX_IN] = {0};
    d.team = d.segment == SCT_SEG_BODY ? p->shape.team : 1;
    for (uint32_t i = 0; i < d.n_in; i++) {
        d.cls[i] = p->value[in[i]].cls;
        use[i] = in[i];
    }
    struct sct_choice c;
    enum kresult r = probe(p, &d, row, &c, err);
    for (uint32_t i = 0; r == K_OK && i < d.n_in; i++) {
        if (!c.pack_in[i])
            continue;
        r = pack(p, in[i], i, c.pack_in[i], &use[i], err);
        d.in[i].layout = c.pack_in[i];
    }
    if (r != K_OK)
        return r;
    struct knode *n = add_node(p, &d, &c);
    memcpy(n->in, use, sizeof use);
    for (uint32_t i = 0; i < d.n_out; i++) {
        n->out[i] = out[i];
        p->value[out[i]].written = true;
    }
    return K_OK;
}

/* ---- layout ---- */

static uint64_t span(const struct kvalue *v)
{
    return v->len + (v->copies - 1) * v->stride;
}

static uint64_t round_up(uint64_t n)
{
    return (n + SCT_ALIGN - 1) / SCT_ALIGN * SCT_ALIGN;
}

static void initialise(const struct kvalue *v, uint8_t *image)
{
    if (!v->init)
        return;
    const uint64_t at = v->init_copy == KP_NONE ? 0 : v->init_copy * v->stride;
    memcpy(image + v->off + at, v->init, v->init_copy == KP_NONE ? span(v) : v->len);
}

/* One buffer per scope, lanes first: value after value with a guard on both sides. */
static enum kresult lay_out(struct kprog *p, sct_error *err)
{
    static const uint32_t order[] = {SCT_LANE, SCT_CONST, SCT_PERSIST,
                                     SCT_STEP, SCT_BATCH, SCT_SLOTS};
    for (uint32_t s = 0; s < SCT_SCOPE_COUNT; s++) {
        uint64_t at = GUARD;
        for (uint32_t i = 0; i < p->n_value; i++) {
            struct kvalue *v = &p->value[i];
            if (v->scope != order[s])
                continue;
            v->off = at;
            v->buf = order[s] == SCT_LANE ? 0 : p->n_buf;
            at = round_up(at + span(v)) + GUARD;
        }
        if (at == GUARD)
            continue;
        const uint32_t lanes = order[s] == SCT_LANE ? p->shape.lanes : 1;
        p->lane_slabs += order[s] == SCT_LANE;
        for (uint32_t lane = 0; lane < lanes; lane++) {
            struct kbuffer *b = &p->buf[p->n_buf++];
            b->scope = order[s];
            b->lane = lane;
            b->bytes = at;
            b->before = malloc(at);
            b->after = malloc(at);
            if (!b->before || !b->after)
                return fail_oom(err);
            sentinels(b->before, at);
            for (uint32_t i = 0; i < p->n_value; i++)
                if (p->value[i].scope == order[s])
                    initialise(&p->value[i], b->before);
        }
    }
    return K_OK;
}

static enum kresult upload(struct kprog *p, sct_error *err)
{
    const struct sct_backend *api = p->dev->api;
    for (uint32_t i = 0; i < p->n_buf; i++) {
        struct kbuffer *b = &p->buf[i];
        sct_status rc = api->buf_new(p->dev->dev, b->bytes, &b->dev, err);
        if (rc == SCT_OK)
            rc = api->write(p->dev->dev, b->dev, 0, b->before, b->bytes, err);
        if (rc != SCT_OK) {
            (void)sct_fail(err, rc, "a buffer of %llu bytes could not be made or written",
                           (unsigned long long)b->bytes);
            return K_FAIL;
        }
    }
    return K_OK;
}

static struct sct_place place_of(const struct kprog *p, uint32_t value)
{
    if (value == KP_NONE)
        return (struct sct_place){0};
    const struct kvalue *v = &p->value[value];
    return (struct sct_place){v->scope, v->buf, v->off, v->len,
                              v->scope == SCT_SLOTS ? v->stride : 0};
}

static void describe(struct kprog *p)
{
    uint32_t n = 0;
    for (uint32_t s = 0; s < SCT_SEG_COUNT; s++) {
        p->seg[s] = (struct sct_segment){s, 0, p->nodes + n};
        for (uint32_t i = 0; i < p->n_node; i++) {
            const struct knode *k = &p->node[i];
            if (k->d.segment != s)
                continue;
            struct sct_node *node = &p->nodes[n++];
            *node = (struct sct_node){.d = k->d, .c = k->c, .label = "kcheck"};
            for (uint32_t j = 0; j < k->d.n_in; j++)
                node->in[j] = place_of(p, k->in[j]);
            for (uint32_t j = 0; j < k->d.n_out; j++)
                node->out[j] = place_of(p, k->out[j]);
            node->scratch = place_of(p, k->scratch);
            p->seg[s].n++;
        }
    }
    p->desc = (struct sct_progdesc){.size = sizeof p->desc,
                                    .n_seg = SCT_SEG_COUNT,
                                    .seg = p->seg,
                                    .shape = p->shape,
                                    .batch = p->batch,
                                    .slots = p->slots,
                                    .n_micro = p->n_micro,
                                    .lane_slabs = p->lane_slabs,
                                    .micro = p->micro};
}

/* ---- running ---- */

enum kresult kprog_exec(struct kprog *p, uint32_t segment, uint32_t micro0, uint32_t n,
                        sct_error *err)
{
    const struct sct_backend *api = p->dev->api;
    if (p->seg[segment].n == 0)
        return K_OK;
    sct_status rc = api->run(p->prog, segment, micro0, n);
    if (rc == SCT_OK)
        rc = api->sync(p->dev->dev, err);
    if (rc == SCT_OK)
        return K_OK;
    (void)sct_fail(err, rc, "running segment %u: status %d", segment, (int)rc);
    return K_FAIL;
}

enum kresult kprog_prepare(struct kprog *p, const struct sct_step_state *step, sct_error *err)
{
    const struct sct_backend *api = p->dev->api;
    sct_buf *bufs[KP_BUFS] = {NULL};
    p->nodes = calloc(p->n_node + 1, sizeof *p->nodes);
    if (!p->nodes)
        return fail_oom(err);
    enum kresult r = lay_out(p, err);
    if (r == K_OK)
        r = upload(p, err);
    if (r != K_OK)
        return r;
    describe(p);
    for (uint32_t i = 0; i < p->n_buf; i++)
        bufs[i] = p->buf[i].dev;
    sct_status rc = api->bind(p->dev->dev, &p->desc, &p->prog, err);
    if (rc == SCT_OK)
        rc = api->place(p->prog, bufs, p->n_buf, err);
    if (rc == SCT_OK)
        rc = api->step(p->prog, step);
    if (rc != SCT_OK) {
        (void)sct_fail(err, rc, "bind, place or step: status %d", (int)rc);
        return K_FAIL;
    }
    r = kprog_exec(p, SCT_SEG_SETUP, 0, 0, err);
    return r == K_OK ? kprog_exec(p, SCT_SEG_PROLOGUE, 0, 0, err) : r;
}

static uint64_t first_difference(const uint8_t *a, const uint8_t *b, uint64_t n)
{
    uint64_t i = 0;
    while (i < n && a[i] == b[i])
        i++;
    return i;
}

static enum kresult check_range(const struct kbuffer *b, uint64_t from, uint64_t to,
                                const char *what, uint32_t value, sct_error *err)
{
    if (memcmp(b->before + from, b->after + from, to - from) == 0)
        return K_OK;
    const uint64_t at = first_difference(b->before + from, b->after + from, to - from);
    (void)sct_fail(err, SCT_EFAIL, "%s %u changed at byte %llu of %llu (scope %u lane %u)",
                   what, value, (unsigned long long)at, (unsigned long long)(to - from),
                   b->scope, b->lane);
    return K_FAIL;
}

static enum kresult check_buffer(const struct kprog *p, const struct kbuffer *b, sct_error *err)
{
    uint64_t at = 0;
    uint32_t last = 0;
    enum kresult r = K_OK;
    for (uint32_t i = 0; r == K_OK && i < p->n_value; i++) {
        const struct kvalue *v = &p->value[i];
        if (v->scope != b->scope)
            continue;
        r = check_range(b, at, v->off, "guard before value", i, err);
        at = v->off + span(v);
        if (r == K_OK && !v->written)
            r = check_range(b, v->off, at, "read-only value", i, err);
        last = i;
    }
    return r == K_OK ? check_range(b, at, b->bytes, "guard after value", last, err) : r;
}

enum kresult kprog_fetch(struct kprog *p, sct_error *err)
{
    enum kresult r = K_OK;
    for (uint32_t i = 0; r == K_OK && i < p->n_buf; i++) {
        struct kbuffer *b = &p->buf[i];
        const sct_status rc =
            p->dev->api->read(p->dev->dev, b->dev, 0, b->after, b->bytes, err);
        if (rc != SCT_OK) {
            (void)sct_fail(err, rc, "reading a buffer back: status %d", (int)rc);
            return K_FAIL;
        }
        r = check_buffer(p, b, err);
    }
    return r;
}

const uint8_t *kprog_after(const struct kprog *p, uint32_t value)
{
    const struct kvalue *v = &p->value[value];
    return p->buf[v->buf].after + v->off;
}

const uint8_t *kprog_before(const struct kprog *p, uint32_t value)
{
    const struct kvalue *v = &p->value[value];
    return p->buf[v->buf].before + v->off;
}

void kprog_end(struct kprog *p)
{
    if (!p->dev)
        return;
    p->dev->api->drop(&p->prog);
    for (uint32_t i = 0; i < p->n_buf; i++) {
        p->dev->api->buf_free(p->dev->dev, p->buf[i].dev);
        free(p->buf[i].before);
        free(p->buf[i].after);
    }
    free(p->nodes);
    free(p->micro);
    memset(p, 0, sizeof *p);
}
