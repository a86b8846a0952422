/* SPDX-License-Identifier: MIT
 * stream.c - a case as a whole batch: FEED every input, run the node, EMIT every output.
 * The results may depend neither on b nor on lanes nor on the padding of a short micro-batch.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/status.h"
#include "tests/kcheck/kcheck.h"

struct stream {
    const struct sct_case *c;
    const struct kref *r;
    const char *row;
    uint32_t b, lanes, slots;
    struct sct_case sub; /* the case with b images */
    uint32_t body_in[SCT_MAX_IN], body_out[SCT_MAX_OUT], result[SCT_MAX_OUT];
    uint8_t *acc; /* the accumulator's start, once per slot */
};

static bool suits(const struct sct_case *c, const struct kref *r)
{
    const uint32_t flags = case_op(c->op)->flags;
    bool lane = false;
    if (c->segment != SCT_SEG_BODY || c->b < 2 || c->variant != CASE_REAL ||
        (c->flags & CASE_BIG) || (flags & (SCT_OPF_FEED | SCT_OPF_EMIT)) ||
        (flags & SCT_OPF_RANDOM && c->batch != c->b))
        return false;
    for (uint32_t i = 0; i < r->n_out; i++)
        if (r->out[i].dtype != SCT_F32)
            return false;
    for (uint32_t i = 0; i < c->n_in; i++)
        lane = lane || c->in[i].scope == SCT_LANE;
    return lane;
}

/* FEED or EMIT between a batch value and a body value. */
static enum kresult move(struct kprog *p, uint32_t op, uint32_t from, uint32_t to,
                         sct_error *err)
{
    static const struct sct_no_params none;
    struct sct_opdesc d = {.size = sizeof d,
                           .op = op,
                           .n_in = 1,
                           .n_out = 1,
                           .segment = SCT_SEG_BODY,
                           .team = 1,
                           .params = &none};
    d.in[0] = p->value[from].d;
    d.out[0] = p->value[to].d;
    return kprog_node(p, &d, NULL, &from, &to, err);
}

static enum kresult feed_inputs(struct kprog *p, struct stream *s, sct_error *err)
{
    enum kresult k = K_OK;
    for (uint32_t i = 0; k == K_OK && i < s->c->n_in; i++) {
        const struct case_in *in = &s->c->in[i];
        if (in->scope == SCT_SLOTS) {
            const uint64_t n = sct_desc_count(&in->d) * sizeof(float);
            s->acc = malloc(n * p->slots);
            for (uint32_t k2 = 0; s->acc && k2 < p->slots; k2++)
                memcpy(s->acc + k2 * n, s->r->data[i], n);
            s->body_in[i] =
                kprog_value(p, &in->d, SCT_SLOTS, SCT_SEG_PROLOGUE, p->slots, s->acc);
        } else if (in->scope == SCT_LANE) {
            const uint32_t whole =
                kprog_value(p, &in->d, SCT_BATCH, SCT_SEG_PROLOGUE, 1, s->r->data[i]);
            s->body_in[i] = kprog_value(p, &s->sub.in[i].d, SCT_LANE, SCT_SEG_BODY, 1, NULL);
            k = move(p, SCT_OP_FEED, whole, s->body_in[i], err);
        } else {
            s->body_in[i] = kprog_value(p, &in->d, SCT_CONST, SCT_SEG_SETUP, 1, s->r->data[i]);
        }
    }
    return k;
}

static enum kresult build(struct kprog *p, struct kdevice *dev, struct stream *s,
                          sct_error *err)
{
    struct sct_desc out[SCT_MAX_OUT];
    const bool accum = (case_op(s->c->op)->flags & SCT_OPF_ACCUM) != 0;
    enum kresult k = kprog_begin(p, dev, s->c->b, s->slots, s->b, s->lanes, 1 << 16, err);
    if (k == K_OK && case_infer(&s->sub, out, err) != SCT_OK)
        k = K_FAIL;
    if (k == K_OK)
        k = feed_inputs(p, s, err);
    for (uint32_t i = 0; k == K_OK && i < s->r->n_out; i++)
        s->body_out[i] =
            accum ? s->body_in[0] : kprog_value(p, &out[i], SCT_LANE, SCT_SEG_BODY, 1, NULL);
    if (k != K_OK)
        return k;
    struct sct_opdesc d;
    case_opdesc(&s->sub, out, &d);
    d.alias_in0 = accum;
    k = kprog_node(p, &d, s->row, s->body_in, s->body_out, err);
    for (uint32_t i = 0; k == K_OK && i < s->r->n_out; i++) {
        s->result[i] = s->body_out[i];
        if (accum)
            continue;
        s->result[i] = kprog_value(p, &s->r->out[i], SCT_BATCH, SCT_SEG_EPILOGUE, 1, NULL);
        k = move(p, SCT_OP_EMIT, s->body_out[i], s->result[i], err);
    }
    return k;
}

static void sub_case(struct stream *s)
{
    s->sub = *s->c;
    s->sub.b = s->b;
    s->sub.batch = s->c->b;
    s->sub.micro = 0;
    s->sub.step.valid = s->c->b;
    for (uint32_t i = 0; i < s->c->n_in; i++)
        if (s->c->in[i].scope == SCT_LANE)
            s->sub.in[i].d.dim[0] = s->b;
}

/* Results' bytes to keep[]; size[] says how many (all slots of an accumulator). */
static enum kresult run(struct kdevice *dev, struct stream *s, uint8_t **keep, uint64_t *size,
                        sct_error *err)
{
    struct kprog p;
    sub_case(s);
    enum kresult k = build(&p, dev, s, err);
    if (k == K_OK)
        k = kprog_prepare(&p, &s->sub.step, err);
    if (k == K_OK)
        k = kprog_exec(&p, SCT_SEG_BODY, 0, p.n_micro, err);
    if (k == K_OK)
        k = kprog_fetch(&p, err);
    for (uint32_t i = 0; k == K_OK && i < s->r->n_out; i++) {
        const struct kvalue *v = &p.value[s->result[i]];
        size[i] = v->len * v->copies;
        keep[i] = malloc(size[i]);
        if (keep[i])
            memcpy(keep[i], kprog_after(&p, s->result[i]), size[i]);
    }
    kprog_end(&p);
    free(s->acc);
    s->acc = NULL;
    return k;
}

static enum kresult judge(struct kcheck *k, const struct stream *s, uint8_t *const *got,
                          uint8_t *const *want, const uint64_t *size, sct_error *err)
{
    for (uint32_t i = 0; i < s->r->n_out; i++) {
        const bool same = got[i] && want[i] && memcmp(got[i], want[i], size[i]) == 0;
        if (same)
            continue;
        if (kdevice_bitwise(k->dev) || !got[i]) {
            (void)sct_fail(err, SCT_EFAIL, "out %u: other bits", i);
            return K_FAIL;
        }
        if (s->slots == 1 && kcompare(s->c, s->r, i, got[i], true, &k->worst, err) != K_OK)
            return K_FAIL;
    }
    return K_OK;
}

static void clear(uint8_t **keep)
{
    for (uint32_t i = 0; i < SCT_MAX_OUT; i++) {
        free(keep[i]);
        keep[i] = NULL;
    }
}

/* Against `want`, the bytes of the direct run, or of one lane when there are several slots. */
static enum kresult variant(struct kcheck *k, struct stream *s, uint8_t *const *want,
                            uint8_t **keep, sct_error *err)
{
    uint64_t size[SCT_MAX_OUT] = {0};
    enum kresult res = run(k->dev, s, keep, size, err);
    if (res == K_OK && want)
        res = judge(k, s, keep, want, size, err);
    if (res == K_FAIL)
        (void)sct_error_prefix(err, "as a batch of %u, b=%u lanes=%u slots=%u", s->c->b, s->b,
                               s->lanes, s->slots);
    return res;
}

enum kresult kcheck_stream(struct kcheck *k, const struct sct_case *c, const struct kref *r,
                           const char *row, uint8_t *const *first, sct_error *err)
{
    static const uint32_t shapes[][3] = {{1, 1, 1}, {2, 1, 1}, {1, 1, 2}, {1, 2, 2}};
    uint8_t *keep[SCT_MAX_OUT] = {NULL}, *one_lane[SCT_MAX_OUT] = {NULL};
    enum kresult res = K_OK;
    if (!suits(c, r))
        return K_OK;
    for (uint32_t i = 0; res != K_FAIL && i < sizeof shapes / sizeof shapes[0]; i++) {
        struct stream s = {.c = c, .r = r, .row = row};
        s.b = shapes[i][0];
        s.lanes = shapes[i][1];
        s.slots = shapes[i][2];
        const bool base = s.slots == 2 && s.lanes == 1;
        if (s.lanes == 2 && !one_lane[0])
            continue;
        res = variant(k, &s,
                      s.slots == 1 ? first
                      : base       ? NULL
                                   : one_lane,
                      base ? one_lane : keep, err);
        clear(keep);
    }
    clear(one_lane);
    return res == K_FAIL ? K_FAIL : K_OK; /* a row may refuse fewer images */
}
