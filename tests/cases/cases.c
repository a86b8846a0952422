/* SPDX-License-Identifier: MIT
 * cases.c - the table of cases and the helpers that build one.
 * A row of ops.def without cases_<op> does not link. */
#include "tests/cases/cases.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

enum { DIFF_DIFF = 1, DIFF_NODIFF = 0 };

const struct case_op *case_op(uint32_t op)
{
    static const struct case_op table[SCT_OP_COUNT] = {
#define SCT_OP(ID, NAME, IN_MIN, IN_MAX, OUT, GRAD, TOL, ARG, PARAMS, FLAGS)                   \
    [SCT_OP_##ID] = {#NAME, cases_##NAME, SCT_TOL_##TOL, ARG, FLAGS, DIFF_##GRAD},
#include <sctrun/ops.def>
#undef SCT_OP
    };
    return &table[op < SCT_OP_COUNT ? op : 0];
}

uint32_t case_size(uint32_t i)
{
    static const uint32_t sizes[CASE_SIZES] = {1, 13, 14, 15, 16, 17, 29, 31, 32, 33, 37, 65};
    return sizes[i % CASE_SIZES];
}

uint32_t case_images(uint32_t i)
{
    return i % 2 ? 3 : 1;
}

uint32_t case_flags(uint32_t i)
{
    return i == 5 ? CASE_EDGE | CASE_SMALL : i == 0 || i == 3 ? CASE_SMALL : 0;
}

uint32_t case_flags_plain(uint32_t i)
{
    return case_flags(i) & ~(uint32_t)CASE_EDGE;
}

struct sct_case case_new(uint32_t op, uint32_t flags, uint32_t b, const char *fmt, ...)
{
    struct sct_case c = {0};
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(c.name, sizeof c.name - 8, fmt, ap);
    va_end(ap);
    c.op = op;
    c.flags = flags;
    c.segment = SCT_SEG_BODY;
    c.out_scope = SCT_LANE;
    c.b = c.batch = b;
    c.step = (struct sct_step_state){.seed = 0x5c7, .step = 3, .lr = 1e-3f, .valid = b};
    return c;
}

struct case_fill *case_add(struct sct_case *c, uint32_t scope, uint32_t dtype, uint32_t nd,
                           const uint32_t *dim)
{
    struct case_in *in = &c->in[c->n_in++];
    in->d = sct_desc_make(dtype, nd, dim);
    in->scope = scope;
    in->fill = (struct case_fill){.kind = FILL_AUTO, .a = 1.0f};
    return &in->fill;
}

struct case_fill *case_body(struct sct_case *c, uint32_t nd, const uint32_t *dim)
{
    return case_add(c, SCT_LANE, SCT_F32, nd, dim);
}

struct case_fill *case_fixed(struct sct_case *c, uint32_t nd, const uint32_t *dim)
{
    return case_add(c, SCT_CONST, SCT_F32, nd, dim);
}

struct case_fill *case_slots(struct sct_case *c, uint32_t nd, const uint32_t *dim)
{
    c->out_scope = SCT_SLOTS;
    c->batch = CASE_SLOTS * c->b;
    c->micro = CASE_SLOTS - 1;
    return case_add(c, SCT_SLOTS, SCT_F32, nd, dim);
}

void case_weight(struct sct_case *c, uint32_t fan_in, uint32_t nd, const uint32_t *dim)
{
    case_fixed(c, nd, dim)->a = (float)(1.0 / sqrt((double)fan_in));
}

void case_index(struct sct_case *c, uint32_t k, uint32_t channels)
{
    struct case_fill *f = case_add(c, SCT_CONST, SCT_I32, DIMS(k));
    f->kind = FILL_INDEX;
    f->n = channels;
}

void case_label(struct sct_case *c, uint32_t labels)
{
    struct case_fill *f = case_add(c, SCT_LANE, SCT_I32, DIMS(c->b, 2));
    f->kind = FILL_LABEL;
    f->n = labels;
}

void case_from(struct sct_case *c, uint32_t nd, const uint32_t *dim, uint32_t op, uint32_t out,
               uint32_t n_from, const uint32_t *from)
{
    struct case_fill *f = case_body(c, nd, dim);
    f->kind = FILL_FROM;
    f->op = op;
    f->out = out;
    f->n_from = n_from;
    for (uint32_t i = 0; i < n_from; i++)
        f->from[i] = from[i];
}

void case_params(struct sct_case *c, const void *params, size_t size)
{
    memcpy(c->params, params, size < CASE_PARAMS ? size : CASE_PARAMS);
}

static void emit_variant(struct case_sink *s, const struct sct_case *c, uint32_t variant)
{
    static const char *const suffix[] = {"", " int", " special", " nan"};
    struct sct_case v = *c;
    const size_t n = strlen(v.name);
    (void)snprintf(v.name + n, sizeof v.name - n, "%s", suffix[variant]);
    v.variant = variant;
    if (variant != CASE_REAL)
        v.flags |= CASE_FWD;
    v.step.valid = v.batch;
    v.index = s->count++;
    s->emit(s, &v);
}

void case_emit(struct case_sink *s, const struct sct_case *c)
{
    const uint32_t tol = case_op(c->op)->tol;
    const bool plain = tol == SCT_TOL_EXACT || tol == SCT_TOL_ULP;
    if (tol == SCT_TOL_SUM)
        emit_variant(s, c, CASE_INT);
    emit_variant(s, c, CASE_REAL);
    if (c->flags & CASE_EDGE)
        emit_variant(s, c, plain ? CASE_SPECIAL : CASE_NAN);
}

struct sct_micro case_micro(const struct sct_case *c)
{
    const uint32_t first = c->micro * c->b;
    const uint32_t left = c->batch - first;
    const uint32_t per_slot = c->batch / CASE_SLOTS;
    struct sct_micro m = {first, left < c->b ? left : c->b, 0};
    if (c->segment != SCT_SEG_BODY)
        m = (struct sct_micro){0, c->batch, 0};
    else if (c->in[0].scope == SCT_SLOTS && c->n_in)
        m.slot = first / per_slot;
    return m;
}

sct_status case_infer(const struct sct_case *c, struct sct_desc *out, sct_error *err)
{
    const struct sct_op_info *op = sct_op_info(c->op);
    struct sct_desc in[SCT_MAX_IN] = {{0}};
    for (uint32_t i = 0; i < c->n_in; i++)
        in[i] = c->in[i].d;
    memset(out, 0, SCT_MAX_OUT * sizeof *out);
    const struct sct_infer infer = {in, c->n_in, c->params, out, c->b, c->batch, err};
    return op->infer(&infer);
}

void case_opdesc(const struct sct_case *c, const struct sct_desc *out, struct sct_opdesc *d)
{
    const struct sct_op_info *op = sct_op_info(c->op);
    memset(d, 0, sizeof *d);
    d->size = sizeof *d;
    d->op = c->op;
    d->n_in = c->n_in;
    d->n_out = op->n_out;
    for (uint32_t i = 0; i < c->n_in; i++)
        d->in[i] = c->in[i].d;
    for (uint32_t i = 0; i < op->n_out; i++)
        d->out[i] = out[i];
    d->segment = c->segment;
    d->team = 1;
    d->params = c->params;
}
