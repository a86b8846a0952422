/* SPDX-License-Identifier: MIT
 * cases_train.c - cases of the random ops, the loss, the sums after the body, optimisers and
 * observers. */
#include "tests/cases/cases.h"

/* ---- random ---- */

/* The micro-batch is not the first, and its first element is no multiple of a Philox block. */
static void random_op(struct case_sink *s, uint32_t op)
{
    static const float rates[] = {0.1f, 0.5f, 0.9f, 0.0f};
    for (uint32_t i = 0; i < CASE_SIZES + 2; i++) {
        const bool big = i >= CASE_SIZES;
        const uint32_t b = case_images(i), n = big ? 197 : case_size(i + 5);
        const uint32_t ch = big ? 192 : case_size(i), batch = b * (1 + i % 3);
        const struct sct_random_params p = {0x0123456789abcdefu * (i + 1), rates[i % 4],
                                            i == 8};
        struct sct_case c = case_new(op, big ? CASE_BIG : case_flags_plain(i), b,
                                     "b=%u batch=%u n=%u c=%u rate=%g%s", b, batch, n, ch,
                                     (double)p.rate, p.off ? " off" : "");
        case_params(&c, &p, sizeof p);
        c.batch = batch;
        c.micro = i % 3;
        c.step.seed = 0xfeedfacecafebeefu + i;
        c.step.step = i % 2 ? i : (uint64_t)1 << 33;
        struct case_fill *f = case_body(&c, DIMS(b, n, ch));
        f->kind = FILL_UNIT; /* nothing is zero, so what was dropped shows */
        f->a = 0.5f;
        f->b = 2.0f;
        case_emit(s, &c);
    }
}

void cases_dropout(struct case_sink *s)
{
    random_op(s, SCT_OP_DROPOUT);
}

void cases_droppath(struct case_sink *s)
{
    random_op(s, SCT_OP_DROPPATH);
}

/* ---- loss ---- */

static void xent(struct case_sink *s, uint32_t op)
{
    for (uint32_t i = 0; i < CASE_SIZES + 3; i++) {
        static const uint32_t classes[3] = {2, 100, 1000};
        const bool fixed = i >= CASE_SIZES;
        const uint32_t b = fixed ? 2 + i % 2 : case_images(i);
        const uint32_t l = fixed ? classes[i - CASE_SIZES] : case_size(i);
        const struct sct_xent_params p = {i % 3 == 1 ? 0.1f : 0.0f};
        const uint32_t flags = i == CASE_SIZES + 2 ? CASE_BIG : case_flags(i);
        struct sct_case c =
            case_new(op, flags, b, "b=%u labels=%u smoothing=%g", b, l, (double)p.smoothing);
        case_params(&c, &p, sizeof p);
        struct case_fill *f = case_body(&c, DIMS(b, l));
        f->kind = i % 4 == 2 ? FILL_HUGE : i % 4 == 3 ? FILL_ROWS : FILL_AUTO;
        f->a = 3.0f;
        case_label(&c, l);
        f = case_body(&c, DIMS(b)); /* mix */
        f->kind = i % 2 ? FILL_UNIT : FILL_VALUE;
        f->b = 1.0f;
        f->a = i % 2 ? 0.0f : 1.0f;
        f = case_body(&c, DIMS(b)); /* weight; a missing sample has 0 */
        f->kind = i == 4 ? FILL_VALUE : FILL_UNIT;
        f->a = i == 4 ? 0.0f : 0.01f;
        f->b = 0.3f;
        if (op == SCT_OP_XENT_DX)
            case_body(&c, DIMS(b));
        case_emit(s, &c);
    }
}

void cases_xent(struct case_sink *s)
{
    xent(s, SCT_OP_XENT);
}

void cases_xent_dx(struct case_sink *s)
{
    xent(s, SCT_OP_XENT_DX);
}

/* ---- after the body ---- */

static struct sct_case epilogue(uint32_t op, uint32_t flags, uint32_t n)
{
    struct sct_case c = case_new(op, flags, 1, "n=%u", n);
    c.segment = SCT_SEG_EPILOGUE;
    c.out_scope = SCT_STEP;
    return c;
}

void cases_slot_sum(struct case_sink *s)
{
    static const uint32_t slots[] = {1, 2, 5, 16};
    for (uint32_t i = 0; i < CASE_SIZES + 1; i++) {
        const uint32_t n = i < CASE_SIZES ? case_size(i) : 96 * 96;
        const uint32_t k = slots[i % 4];
        struct sct_case c = case_new(SCT_OP_SLOT_SUM, i < CASE_SIZES ? case_flags(i) : CASE_BIG,
                                     k, "slots=%u [%u][3]", k, n);
        c.segment = SCT_SEG_EPILOGUE;
        c.out_scope = SCT_STEP;
        c.terms = k;
        case_add(&c, SCT_SLOTS, SCT_F32, DIMS(k, n, 3));
        case_emit(s, &c);
    }
}

void cases_sum_all(struct case_sink *s)
{
    for (uint32_t i = 0; i < CASE_SIZES + 1; i++) {
        const uint32_t n = i < CASE_SIZES ? case_size(i) : 12289;
        struct sct_case c = epilogue(SCT_OP_SUM_ALL, case_flags(i), n);
        c.terms = n;
        case_add(&c, SCT_STEP, SCT_F32, DIMS(n));
        case_emit(s, &c);
    }
}

void cases_sumsq(struct case_sink *s)
{
    for (uint32_t i = 0; i < CASE_SIZES + 1; i++) {
        const uint32_t n = i < CASE_SIZES ? case_size(i) : 96 * 96;
        struct sct_case c =
            epilogue(SCT_OP_SUMSQ, i < CASE_SIZES ? case_flags(i) : CASE_BIG, n);
        c.terms = 3 * n + 1;
        case_add(&c, SCT_STEP, SCT_F32, DIMS(n, 3));
        if (i % 2)
            case_add(&c, SCT_STEP, SCT_F32, 0, NULL);
        case_emit(s, &c);
    }
}

void cases_clip_coef(struct case_sink *s)
{
    static const float sumsq[] = {0.0f, 1e-12f, 0.25f, 1.0f, 3.7f, 1e8f};
    for (uint32_t i = 0; i < sizeof sumsq / sizeof sumsq[0]; i++) {
        const struct sct_clip_params p = {i % 2 ? 1.0f : 0.3f};
        struct sct_case c = case_new(SCT_OP_CLIP_COEF, CASE_SMALL, 1, "sumsq=%g max=%g",
                                     (double)sumsq[i], (double)p.max_norm);
        case_params(&c, &p, sizeof p);
        c.segment = SCT_SEG_EPILOGUE;
        c.out_scope = SCT_STEP;
        struct case_fill *f = case_add(&c, SCT_STEP, SCT_F32, 0, NULL);
        f->kind = FILL_VALUE;
        f->a = sumsq[i];
        case_emit(s, &c);
    }
}

/* A first step, an early one (the bias corrections cancel) and a late one. */
static void set_step(struct sct_case *c, uint32_t i)
{
    static const uint64_t steps[] = {0, 1, 9, 12345, 250000};
    c->step.step = steps[i % 5];
    c->step.lr = i % 2 ? 1e-3f : 0.05f;
    c->flags |= CASE_CANCEL;
    c->flags &= ~(uint32_t)CASE_EDGE;
}

static void add_coef(struct sct_case *c, uint32_t i)
{
    if (i % 2 == 0)
        return;
    struct case_fill *f = case_add(c, SCT_STEP, SCT_F32, 0, NULL);
    f->kind = FILL_VALUE;
    f->a = 0.37f;
}

void cases_adamw(struct case_sink *s)
{
    for (uint32_t i = 0; i < CASE_SIZES + 1; i++) {
        const uint32_t n = i < CASE_SIZES ? case_size(i) : 96 * 96;
        const struct sct_adamw_params p = {i % 3 ? 1.0f : 0.5f, i % 2 ? 0.05f : 0.0f, 0.9f,
                                           i % 4 == 3 ? 0.95f : 0.999f, 1e-8f};
        struct sct_case c =
            epilogue(SCT_OP_ADAMW, i < CASE_SIZES ? case_flags(i) : CASE_BIG, n);
        case_params(&c, &p, sizeof p);
        c.out_scope = SCT_PERSIST;
        set_step(&c, i);
        case_add(&c, SCT_PERSIST, SCT_F32, DIMS(n, 2));
        case_add(&c, SCT_PERSIST, SCT_F32, DIMS(n, 2))->a = 0.1f;
        struct case_fill *v = case_add(&c, SCT_PERSIST, SCT_F32, DIMS(n, 2));
        v->kind = FILL_UNIT;
        v->a = 1e-4f;
        v->b = 0.1f;
        case_add(&c, SCT_STEP, SCT_F32, DIMS(n, 2))->a = 0.3f;
        add_coef(&c, i);
        case_emit(s, &c);
    }
}

void cases_sgd(struct case_sink *s)
{
    for (uint32_t i = 0; i < CASE_SIZES + 1; i++) {
        const uint32_t n = i < CASE_SIZES ? case_size(i) : 96 * 96;
        const struct sct_sgd_params p = {i % 3 ? 1.0f : 0.5f, i % 2 ? 0.01f : 0.0f,
                                         i % 4 ? 0.9f : 0.0f, i % 3 == 2};
        struct sct_case c = epilogue(SCT_OP_SGD, i < CASE_SIZES ? case_flags(i) : CASE_BIG, n);
        case_params(&c, &p, sizeof p);
        c.out_scope = SCT_PERSIST;
        set_step(&c, i);
        case_add(&c, SCT_PERSIST, SCT_F32, DIMS(n, 2));
        case_add(&c, SCT_PERSIST, SCT_F32, DIMS(n, 2));
        case_add(&c, SCT_STEP, SCT_F32, DIMS(n, 2));
        add_coef(&c, i);
        case_emit(s, &c);
    }
}

void cases_ema(struct case_sink *s)
{
    for (uint32_t i = 0; i < CASE_SIZES + 1; i++) {
        const uint32_t n = i < CASE_SIZES ? case_size(i) : 96 * 96;
        const struct sct_ema_params p = {i % 4 == 3 ? 1.0f : 2e-4f, i % 2 == 0};
        struct sct_case c = epilogue(SCT_OP_EMA, i < CASE_SIZES ? case_flags(i) : CASE_BIG, n);
        case_params(&c, &p, sizeof p);
        c.out_scope = SCT_PERSIST;
        set_step(&c, i);
        case_add(&c, SCT_PERSIST, SCT_F32, DIMS(n, 2));
        case_add(&c, SCT_PERSIST, SCT_F32, DIMS(n, 2));
        case_emit(s, &c);
    }
}

/* ---- observers ---- */

void cases_obs_sumsq_label(struct case_sink *s)
{
    for (uint32_t i = 0; i < CASE_SIZES + 2; i++) {
        const bool big = i >= CASE_SIZES;
        const uint32_t b = case_images(i), ch = big ? 192 : case_size(i);
        const uint32_t labels = i % 2 ? 5 : 2;
        const struct sct_observe_params p = {i % 3 == 1, i % 4 == 3};
        const uint32_t n = p.skip + (big ? 196 : case_size(i + 3));
        struct sct_case c = case_new(SCT_OP_OBS_SUMSQ_LABEL, big ? CASE_BIG : case_flags(i), b,
                                     "b=%u n=%u c=%u labels=%u skip=%u%s", b, n, ch, labels,
                                     p.skip, p.any_class ? " any" : "");
        case_params(&c, &p, sizeof p);
        c.terms = b * n + 3;
        case_slots(&c, DIMS(labels, ch))->kind = FILL_UNIT;
        c.in[0].fill.b = 1.0f;
        case_body(&c, DIMS(b, n, ch));
        case_label(&c, labels);
        struct case_fill *w = case_body(&c, DIMS(b));
        w->kind = FILL_UNIT;
        w->a = 0.0f;
        w->b = 1.0f;
        case_emit(s, &c);
    }
}

void cases_obs_sumsq(struct case_sink *s)
{
    for (uint32_t i = 0; i < CASE_SIZES + 1; i++) {
        const uint32_t n = i < CASE_SIZES ? case_size(i) : 96 * 96;
        struct sct_case c =
            epilogue(SCT_OP_OBS_SUMSQ, i < CASE_SIZES ? case_flags(i) : CASE_BIG, n);
        c.out_scope = SCT_PERSIST;
        c.flags |= CASE_CANCEL;
        case_add(&c, SCT_PERSIST, SCT_F32, DIMS(n, 2));
        case_add(&c, SCT_STEP, SCT_F32, DIMS(n, 2));
        case_emit(s, &c);
    }
}
